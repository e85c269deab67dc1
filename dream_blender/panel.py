"""The sidebar of the 3D view, tab DREAM-Talk."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate, server_status
from .preferences import preferences
from .take import arkit_keys, take_of

_NARROW = 34  # characters that fit the sidebar at its usual width


def _wrapped(layout: Any, text: str, icon: str) -> None:
    """Draw ``text`` in as many lines as it needs."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > _NARROW:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    column = layout.column(align=True)
    for number, shown in enumerate([*lines, line]):
        column.label(text=shown, icon=icon if number == 0 else "BLANK1")


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "DREAM-Talk"


class DREAMTALK_PT_speak(_Sidebar, bpy.types.Panel):
    """From a recording to a take."""

    bl_idname = "DREAMTALK_PT_speak"
    bl_label = "DREAM-Talk"

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        settings = context.scene.dream_talk
        self._draw_server(context)
        self._draw_character(settings)
        self._draw_recording(settings)
        column = self.layout.column(align=True)
        column.prop(settings, "emotion")
        row = column.row(align=True)
        row.active = settings.emotion != "neutral"
        row.prop(settings, "intensity")
        column.prop(settings, "seed")
        row = self.layout.row(align=True)
        row.prop(settings, "set_range")
        sub = row.row()
        sub.active = settings.audio_source == "FILE"
        sub.prop(settings, "add_sound")
        self._draw_generate(settings)

    def _draw_server(self, context: Any) -> None:
        text, reachable = server_status.line()
        column = self.layout.column(align=True)
        _wrapped(column, text, "CHECKMARK" if reachable else "INFO")
        if reachable:
            return
        if preferences(context).environment:
            column.operator("dream_talk.start_server", icon="PLAY")
        else:
            row = column.row(align=True)
            row.label(text="Start it: dreamtalk serve", icon="BLANK1")
            row.operator("dream_talk.copy_command", text="", icon="COPYDOWN")

    def _draw_character(self, settings: Any) -> None:
        column = self.layout.column(align=True)
        column.prop(settings, "character", text="")
        column.operator("dream_talk.add_avatar", icon="OUTLINER_OB_ARMATURE")
        if settings.character is not None:
            found = len(arkit_keys(settings.character))
            if found < 52:
                column.label(text=f"{found} of 52 ARKit shapes", icon="SHAPEKEY_DATA")
            column.prop(settings, "head_motion")

    def _draw_recording(self, settings: Any) -> None:
        column = self.layout.column(align=True)
        column.row(align=True).prop(settings, "audio_source", expand=True)
        if settings.audio_source == "FILE":
            column.prop(settings, "audio_path", text="")
        else:
            column.prop(settings, "strip_name", text="", icon="SOUND")

    def _draw_generate(self, settings: Any) -> None:
        name = settings.character.name if settings.character else ""
        generation = generate.active.get(name)
        if generation is not None:
            row = self.layout.row(align=True)
            progress = generation.progress
            row.progress(factor=progress.fraction, text=progress.text)
            row.operator("dream_talk.cancel", text="", icon="X")
            return
        row = self.layout.row()
        row.scale_y = 1.5
        row.operator("dream_talk.generate", icon="PLAY_SOUND")
        if name in generate.last_message:
            text, failed = generate.last_message[name]
            _wrapped(self.layout, text, "ERROR" if failed else "CHECKMARK")


class DREAMTALK_PT_files(_Sidebar, bpy.types.Panel):
    """Takes in and out of files."""

    bl_idname = "DREAMTALK_PT_files"
    bl_label = "Import and Export"

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        settings = context.scene.dream_talk
        action = take_of(settings.character)
        self.layout.label(text=action.name if action else "No take yet", icon="ACTION")
        self.layout.operator("dream_talk.import_curves", icon="IMPORT")
        column = self.layout.column(align=True)
        column.prop(settings, "export_format", text="")
        column.operator("dream_talk.export", icon="EXPORT")
