"""The operators of the portrait panel. Each says why it is greyed out."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate, portrait_preview, portrait_render, server_status
from .client import ServerError
from .portrait_reading import ReadingError
from .translations import said


class DREAMTALK_OT_portrait_preview(bpy.types.Operator):
    """Let the photograph follow the character live, in the image "DREAM-Talk Portrait"; press again to stop"""

    bl_idname = "dream_talk.portrait_preview"
    bl_label = "Preview"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether everything that a preview needs is chosen."""
        reason = "" if portrait_preview.is_active() else portrait_render.problem(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Begin or end the preview."""
        if portrait_preview.is_active():
            portrait_preview.stop()
            return {"FINISHED"}
        generate.adopt_character(context)
        try:
            portrait_preview.start(context)
        except (ServerError, ReadingError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_portrait_show(bpy.types.Operator):
    """Show the preview in an image editor: one that is open, else beside the 3D view"""

    bl_idname = "dream_talk.portrait_show"
    bl_label = "Show Preview"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Tell whether there is a window to show it in."""
        if bpy.app.background:
            cls.poll_message_set("Blender runs without a window")
        return not bpy.app.background

    def execute(self, context: Any) -> set[str]:
        """Show it."""
        portrait_preview.show_editor(context)
        return {"FINISHED"}


class DREAMTALK_OT_portrait_render(bpy.types.Operator):
    """Go through the frame range and render the photograph as the character moves; Blender stays free meanwhile"""

    bl_idname = "dream_talk.portrait_render"
    bl_label = "Render Portrait"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether everything that a portrait needs is chosen."""
        reason = portrait_render.render_problem(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Begin the portrait, or make all of it when Blender has no window."""
        try:
            rendering = portrait_render.prepare(context)
            if bpy.app.background:
                self.report({"INFO"}, said(portrait_render.run_blocking(rendering)))
            else:
                portrait_render.start(rendering)
        except (portrait_render.RenderError, ReadingError, ServerError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_portrait_cancel(bpy.types.Operator):
    """Stop rendering the portrait; nothing of it is kept"""

    bl_idname = "dream_talk.portrait_cancel"
    bl_label = "Cancel"

    def execute(self, _context: Any) -> set[str]:
        """Ask the work to stop."""
        portrait_render.cancel()
        return {"FINISHED"}
