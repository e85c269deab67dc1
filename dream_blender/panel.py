"""The sidebar of the 3D view, tab DREAM-Talk."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import avatar_options, generate, help_pages, mapping_list, server_status, wrapping
from .avatar_object import is_avatar
from .character import (
    edited_mapping,
    is_linked,
    mapping_of,
    meshes_of,
    notes_on,
    nothing_changes,
    problem_with,
    profile_title,
)
from .emotion import follows_choice
from .preferences import EXTENSION, preferences
from .take import take_of
from .translations import said


def wrapped(layout: Any, text: str, icon: str) -> None:
    """Draw ``text``, in the interface's language, in as many lines as it needs."""
    column = layout.column(align=True)
    for number, line in enumerate(wrapping.lines(said(text), wrapping.room())):
        column.label(text=line, icon=icon if number == 0 else "BLANK1", translate=False)


class Sidebar:
    """Where the add-on's panels lie."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "DREAM-Talk"

    def draw_header_preset(self, _context: Any) -> None:
        """Draw what shows the panel's page of the documentation."""
        help_pages.draw(self.layout, type(self).__name__)  # type: ignore[attr-defined] # Blender's class has it


class DREAMTALK_PT_speak(Sidebar, bpy.types.Panel):
    """From a recording to a take."""

    bl_idname = "DREAMTALK_PT_speak"
    bl_label = "DREAM-Talk"
    bl_order = 0

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        settings = context.scene.dream_talk
        self._draw_server(context)
        self._draw_character(context)
        self._draw_recording(settings)
        self._draw_lips(settings)
        column = self.layout.column(align=True)
        self._draw_emotion(column, context)
        column.prop(settings, "seed")
        column = self.layout.column(align=True)
        column.prop(settings, "set_range")
        sub = column.row()
        sub.active = settings.audio_source == "FILE"
        sub.prop(settings, "add_sound")
        self._draw_generate(context)

    def _draw_server(self, context: Any) -> None:
        text, reachable = server_status.line()
        column = self.layout.column(align=True)
        wrapped(column, text, "CHECKMARK" if reachable else "INFO")
        if reachable:
            return
        if preferences(context).environment:
            column.operator("dream_talk.start_server", icon="PLAY")
        else:
            row = column.row(align=True)
            row.label(text="Start it: dreamtalk serve", icon="BLANK1")
            row.operator("dream_talk.copy_command", text="", icon="COPYDOWN")
            column.operator("preferences.addon_show", text="Set Up the Server", icon="PREFERENCES").module = EXTENSION

    def _draw_character(self, context: Any) -> None:
        settings = context.scene.dream_talk
        column = self.layout.column(align=True)
        row = column.row(align=True)
        row.prop(settings, "character", text="")
        row.operator("dream_talk.use_active", text="", icon="RESTRICT_SELECT_OFF")
        column.operator("dream_talk.add_avatar", icon="OUTLINER_OB_ARMATURE")
        character = generate.chosen_character(context)
        if character is not None:
            with nothing_changes():
                self._draw_chosen(context, column, character)

    def _draw_chosen(self, context: Any, column: Any, character: Any) -> None:
        settings = context.scene.dream_talk
        if settings.character is None:
            column.label(text=said(f"Active: {character.name}"), icon="OBJECT_DATA", translate=False)
        if is_linked(character):
            column.operator("dream_talk.make_override", icon="LIBRARY_DATA_OVERRIDE")
            return
        if settings.character is not None:
            column.prop(settings, "head_motion")
        problem = generate.character_problem(context)
        if problem:
            wrapped(column, problem, "ERROR")
            return
        mapping = mapping_of(character)
        reached = 52 - len(mapping.missing)
        text = said(f"{profile_title(mapping)}: {reached} of 52 channels")
        column.label(text=text, icon="SHAPEKEY_DATA", translate=False)

    def _draw_recording(self, settings: Any) -> None:
        column = self.layout.column(align=True)
        column.row(align=True).prop(settings, "audio_source", expand=True)
        if settings.audio_source == "FILE":
            column.prop(settings, "audio_path", text="")
        else:
            column.prop(settings, "strip_name", text="", icon="SOUND")
        column.operator("dream_talk.range_to_audio", icon="PREVIEW_RANGE")

    def _draw_lips(self, settings: Any) -> None:
        column = self.layout.column(align=True)
        column.prop(settings, "lips")
        if settings.lips == "TEXT":
            column.prop(settings, "text", text="", icon="TEXT")
            column.prop(settings, "language")

    def _draw_emotion(self, column: Any, context: Any) -> None:
        settings, character = context.scene.dream_talk, generate.chosen_character(context)
        chosen = character is None or follows_choice(character)
        row = column.row(align=True)
        row.active = chosen
        row.prop(settings, "emotion")
        row = column.row(align=True)
        row.active = chosen and settings.emotion != "neutral"
        row.prop(settings, "intensity")
        if not chosen:
            wrapped(column, "Emotion over Time is used instead", "INFO")

    def _draw_generate(self, context: Any) -> None:
        character = generate.chosen_character(context)
        name = character.name if character is not None else ""
        generation = generate.active.get(name)
        if generation is not None:
            row = self.layout.row(align=True)
            progress = generation.progress
            row.progress(factor=progress.fraction, text=said(progress.text))
            row.operator("dream_talk.cancel", text="", icon="X")
            return
        row = self.layout.row()
        row.scale_y = 1.5
        row.operator("dream_talk.generate", icon="PLAY_SOUND")
        if name in generate.last_message:
            text, failed = generate.last_message[name]
            wrapped(self.layout, text, "ERROR" if failed else "CHECKMARK")


class DREAMTALK_PT_mapping(Sidebar, bpy.types.Panel):
    """What drives each shape of the character."""

    bl_idname = "DREAMTALK_PT_mapping"
    bl_label = "Shapes of the Character"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a character is chosen whose mapping can be shown."""
        character = context.scene.dream_talk.character
        return character is not None and not is_linked(character)

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        layout, character = self.layout, context.scene.dream_talk.character
        problem = problem_with(character)
        if problem:
            wrapped(layout, problem, "ERROR")
            layout.operator("dream_talk.mapping_reset", icon="LOOP_BACK")
            return
        with nothing_changes():
            self._draw_mapping(context, character)

    def _draw_mapping(self, context: Any, character: Any) -> None:
        settings, layout = context.scene.dream_talk, self.layout
        mapping_list.refill_when_stale(context.scene)
        mapping = mapping_of(character)
        origin = "edited" if edited_mapping(character) else "automatic"
        layout.label(text=said(f"{profile_title(mapping)}, {origin}"), translate=False)
        meshes = meshes_of(character)
        if len(meshes) > 1:
            wrapped(layout, f"{len(meshes)} meshes: {', '.join(mesh.name for mesh in meshes)}", "OUTLINER_OB_MESH")
        for note in notes_on(character):
            wrapped(layout, note, "INFO")
        mapping_list.draw_rows(layout, settings)
        if settings.mapping_error:
            wrapped(layout, settings.mapping_error, "ERROR")


class DREAMTALK_PT_look(Sidebar, bpy.types.Panel):
    """The look of the avatar."""

    bl_idname = "DREAMTALK_PT_look"
    bl_label = "Look of the Avatar"
    bl_order = 7
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the character is an avatar."""
        character = context.scene.dream_talk.character
        return character is not None and is_avatar(character)

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        avatar_options.draw(self.layout, context)


class DREAMTALK_PT_files(Sidebar, bpy.types.Panel):
    """Takes from files and videos."""

    bl_idname = "DREAMTALK_PT_files"
    bl_label = "Import"
    bl_order = 8
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        action = take_of(generate.chosen_character(context))
        self.layout.label(text=action.name if action else said("No take yet"), icon="ACTION", translate=False)
        self.layout.operator("dream_talk.import_curves", icon="IMPORT")
        self.layout.operator("dream_talk.capture_face", icon="CAMERA_DATA")
        self.layout.operator("dream_talk.key_drawings", icon="OUTLINER_OB_GREASEPENCIL")
