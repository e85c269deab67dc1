"""The sidebar's panel of the style clip, below that of the emotion."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import style_capture
from .emotion import follows_choice
from .generate import chosen_character
from .panel import Sidebar, wrapped
from .style import FILE, LIBRARY, NONE, TAKE, style_problem
from .translations import said


class DREAMTALK_PT_style(Sidebar, bpy.types.Panel):
    """Which clip new takes borrow their manner from."""

    bl_idname = "DREAMTALK_PT_style"
    bl_label = "Style Clip"
    bl_parent_id = "DREAMTALK_PT_emotion"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        settings, layout = context.scene.dream_talk.style, self.layout
        column = layout.column(align=True)
        column.prop(settings, "source", text="")
        if settings.source == FILE:
            column.prop(settings, "path", text="")
        elif settings.source == TAKE:
            column.prop(settings, "take", text="")
        elif settings.source == LIBRARY:
            row = column.row(align=True)
            row.prop(settings, "saved", text="", icon="ASSET_MANAGER")
            row.operator("dream_talk.style_rename", text="", icon="GREASEPENCIL")
            row.operator("dream_talk.style_delete", text="", icon="TRASH")
        if settings.source != NONE:
            self._draw_chosen(context, settings)
        self._draw_capture()

    def _draw_chosen(self, context: Any, settings: Any) -> None:
        problem = style_problem(settings)
        if problem:
            wrapped(self.layout, problem, "ERROR")
        self.layout.prop(settings, "strength", slider=True)
        if settings.source != LIBRARY:
            self.layout.operator("dream_talk.style_save", icon="FILE_TICK")
        character = chosen_character(context)
        alone = context.scene.dream_talk.emotion == "neutral" and (character is None or follows_choice(character))
        if not alone:
            wrapped(
                self.layout,
                "Beside an emotion, a style shows little: choose Neutral to let the clip's own emotion through",
                "INFO",
            )

    def _draw_capture(self) -> None:
        if not style_capture.active:
            self.layout.operator("dream_talk.style_capture", icon="CAMERA_DATA")
        for capture in style_capture.active:
            row = self.layout.row(align=True)
            row.progress(factor=capture.progress.fraction, text=said(capture.progress.text))
            row.operator("dream_talk.style_cancel", text="", icon="X")
        for text, failed in style_capture.last_message:
            wrapped(self.layout, text, "ERROR" if failed else "CHECKMARK")


CLASSES: tuple[Any, ...] = (DREAMTALK_PT_style,)
