"""The sidebar's panel for portraits."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import portrait_operators, portrait_points, portrait_preview, portrait_render, portrait_settings
from .character import nothing_changes
from .panel import Sidebar, wrapped
from .portrait_settings import STRENGTHS
from .preferences import preferences
from .translations import said


class DREAMTALK_PT_portrait(Sidebar, bpy.types.Panel):
    """A photograph that follows the character."""

    bl_idname = "DREAMTALK_PT_portrait"
    bl_label = "Portrait"
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        with nothing_changes():
            self._draw(context, context.scene.dream_talk.portrait)

    def _draw(self, context: Any, settings: Any) -> None:
        column = self.layout.column(align=True)
        column.prop(settings, "photo", text="", icon="IMAGE_DATA")
        if settings.photo and not preferences(context).likeness_consent:
            wrapped(self.layout, "This may be the likeness of a person. It is asked once:", "QUESTION")
            self.layout.prop(preferences(context), "likeness_consent")
        self._draw_face(settings)
        self._draw_preview(context, settings)
        column = self.layout.column(align=True)
        column.prop(settings, "head_view")
        for name in STRENGTHS:
            column.prop(settings, name, slider=True)
        self._draw_output(context, settings)

    def _draw_face(self, settings: Any) -> None:
        column = self.layout.column(align=True)
        row = column.row()
        row.active = not settings.points_active
        row.prop(settings, "face")
        row = column.row(align=True)
        row.operator("dream_talk.portrait_points", icon="CURSOR")
        if len(settings.points):
            row.operator("dream_talk.portrait_points_clear", text="", icon="X")
            column.prop(settings, "points_active")

    def _draw_preview(self, context: Any, settings: Any) -> None:
        row = self.layout.row(align=True)
        active = portrait_preview.is_active()
        row.operator("dream_talk.portrait_preview", icon="PAUSE" if active else "PLAY", depress=active)
        row.operator("dream_talk.portrait_show", text="", icon="WINDOW")
        self.layout.prop(settings, "preview_side")
        text, failed = portrait_preview.message()
        reason = portrait_render.problem(context)
        if text:
            wrapped(self.layout, text, "ERROR" if failed else "INFO")
        elif reason:
            wrapped(self.layout, reason, "INFO")

    def _draw_output(self, context: Any, settings: Any) -> None:
        column = self.layout.column(align=True)
        column.prop(settings, "format", text="")
        column.prop(settings, "output", text="")
        if settings.can_be_transparent:
            column.prop(settings, "transparent")
        if settings.format not in portrait_settings.SEQUENCES:
            column.prop(settings, "badge")
        first, last = portrait_render.frame_range(context.scene)
        kind = "Preview range" if context.scene.use_preview_range else "Frames"
        column.label(text=said(f"{kind} {first} to {last}"), icon="TIME")
        rendering = portrait_render.active
        if rendering is not None:
            row = self.layout.row(align=True)
            row.progress(factor=rendering.progress.fraction, text=said(rendering.progress.text))
            row.operator("dream_talk.portrait_cancel", text="", icon="X")
            return
        row = self.layout.row()
        row.scale_y = 1.5
        row.operator("dream_talk.portrait_render", icon="RENDER_ANIMATION")
        text, failed = portrait_render.last_message
        if text:
            wrapped(self.layout, text, "ERROR" if failed else "CHECKMARK")


CLASSES: tuple[Any, ...] = (
    portrait_operators.DREAMTALK_OT_portrait_preview,
    portrait_operators.DREAMTALK_OT_portrait_show,
    portrait_operators.DREAMTALK_OT_portrait_render,
    portrait_operators.DREAMTALK_OT_portrait_cancel,
    portrait_points.DREAMTALK_OT_portrait_points,
    portrait_points.DREAMTALK_OT_portrait_points_clear,
    DREAMTALK_PT_portrait,
)


def register() -> None:
    """Begin to watch for other files; call it after the classes are registered."""
    bpy.app.handlers.load_pre.append(portrait_preview.on_file_loads)
    bpy.app.handlers.load_pre.append(portrait_render.before_file_loads)


def unregister() -> None:
    """Stop the preview and the render."""
    portrait_preview.stop()
    portrait_render.cancel_all()
    bpy.app.handlers.load_pre.remove(portrait_preview.on_file_loads)
    bpy.app.handlers.load_pre.remove(portrait_render.before_file_loads)
