"""The sidebar's panel of takes."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate, takes, takes_again, takes_compare, takes_list, takes_nla, takes_operators
from .character import nothing_changes
from .panel import Sidebar, wrapped
from .take_settings import TakeSettings, settings_of


def settings_lines(settings: TakeSettings) -> list[str]:
    """Return what a take was made with, one fact a line, in words."""
    said = {"encoder": "Lips follow the sound", "recogniser": "Lips follow English words heard"}
    lines = [
        f"Imported from {settings.imported}" if settings.imported else f"Recording: {settings.audio}",
        f"Strip: {settings.strip}" if settings.strip else "",
        f"Emotion: {settings.emotion_text}" if settings.lips else "",
        f"Style: {settings.style}, strength {settings.style_strength:.2f}" if settings.style else "",
        said.get(settings.lips, ""),
        f"Text ({settings.language}): {settings.text}" if settings.text else "",
        f"Seed: {settings.seed}" if settings.lips else "",
        f"Made at {settings.fps:g} frames per second" if settings.fps else "",
        f"Model: {settings.model[:12]}" if settings.model else "",
        f"Second 0 of the recording: frame {settings.origin_frame:g}",
        "" if settings.head else "Without head motion",
        f"Merged: {settings.merged}" if settings.merged else "",
    ]
    return [line for line in lines if line]


class DREAMTALK_PT_takes(Sidebar, bpy.types.Panel):
    """The takes of the character."""

    bl_idname = "DREAMTALK_PT_takes"
    bl_label = "Takes"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        with nothing_changes():
            problem = takes_operators.character_problem(context)
            if problem:
                wrapped(self.layout, problem, "INFO")
                return
            self._draw_takes(context, generate.chosen_character(context))

    def _draw_takes(self, context: Any, character: Any) -> None:
        layout = self.layout
        takes_list.draw(layout, context, character)
        take = takes.active_take(character)
        settings = settings_of(take) if take is not None else None
        if settings is not None and settings.lips:
            wrapped(layout, f"{settings.emotion_text}, seed {settings.seed}", "DOT")
        column = layout.column(align=True)
        row = column.row(align=True)
        solo = takes_nla.is_solo(character)
        row.operator("dream_talk.solo_take", icon="SOLO_ON" if solo else "SOLO_OFF", depress=solo)
        row.operator("dream_talk.duplicate_take", icon="DUPLICATE")
        row.operator("dream_talk.delete_take", text="", icon="TRASH")
        self._draw_compare(column, character)
        column.operator("dream_talk.merge_takes", icon="ARROW_LEFTRIGHT")
        column.operator("dream_talk.push_take", icon="NLA_PUSHDOWN")
        column.operator("dream_talk.more_like_this", icon="FILE_REFRESH")
        left = takes_again.left_for(character.name)
        if left:
            wrapped(layout, f"More takes to be made: {left}", "SORTTIME")
        self._draw_settings(take)

    def _draw_compare(self, column: Any, character: Any) -> None:
        if takes_compare.compared(character):
            column.operator("dream_talk.stop_comparing", icon="X")
        else:
            column.operator_menu_enum("dream_talk.compare_takes", "other", icon="MOD_MIRROR")

    def _draw_settings(self, take: Any | None) -> None:
        if take is None:
            return
        header, body = self.layout.panel("dream_talk_take_settings", default_closed=True)
        header.label(text="Show Settings")
        if body is None:
            return
        settings = settings_of(take)
        if settings is None:
            wrapped(body, "This take does not say what it was made with", "INFO")
            return
        for line in settings_lines(settings):
            wrapped(body, line, "DOT")


CLASSES: tuple[Any, ...] = (DREAMTALK_PT_takes,)
