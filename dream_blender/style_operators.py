"""Operators on the style clip and on the library of styles."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate, server_status, style_capture, style_library
from .client import ServerError
from .paths import absolute
from .sound import VIDEO_SUFFIXES
from .style import FILE, LIBRARY, NONE, name_of, style_again, style_problem
from .style_library import StyleError
from .take import TakeError
from .translations import said


def _settings(context: Any) -> Any:
    return context.scene.dream_talk.style


def save_problem(context: Any) -> str:
    """Return why the style clip cannot be saved in the library, as one sentence; empty when it can."""
    settings = _settings(context)
    if settings.source == NONE:
        return "Choose a style clip first"
    if settings.source == LIBRARY:
        return "This style is in the library already"
    return style_problem(settings)


def _saved_problem(context: Any) -> str:
    settings = _settings(context)
    if settings.source != LIBRARY or not settings.saved:
        return "Choose a style of the library first"
    return "" if settings.saved in style_library.names() else f"There is no style '{settings.saved}' any more"


class DREAMTALK_OT_style_use(bpy.types.Operator):
    """Use a style of the library for new takes"""

    bl_idname = "dream_talk.style_use"
    bl_label = "Use Style"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    scene: bpy.props.StringProperty(options={"SKIP_SAVE"})
    name: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def execute(self, _context: Any) -> set[str]:
        """Choose it in the scene, if that is still here."""
        scene = bpy.data.scenes.get(self.scene)
        if scene is None:
            return {"CANCELLED"}
        scene.dream_talk.style.source, scene.dream_talk.style.saved = LIBRARY, self.name
        return {"FINISHED"}


class DREAMTALK_OT_style_save(bpy.types.Operator):
    """Keep the style clip in your library under a name, for every file; of a long clip, its first minute"""

    bl_idname = "dream_talk.style_save"
    bl_label = "Save to Library"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a style clip is chosen that is not in the library."""
        reason = save_problem(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the name."""
        settings = _settings(context)
        named = name_of(settings)
        self.name = style_library.free_name(absolute(named).stem if settings.source == FILE else named)
        result: set[str] = context.window_manager.invoke_props_dialog(self)
        return result

    def execute(self, context: Any) -> set[str]:
        """Save it and use it from the library."""
        try:
            settings, character = _settings(context), generate.chosen_character(context)
            style = style_again(context.scene, character, settings.source, name_of(settings), 1.0)
            assert style is not None  # poll saw to it
            style_library.save(self.name, style.curves)
        except (StyleError, TakeError) as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        settings.source, settings.saved = LIBRARY, self.name.strip()
        self.report({"INFO"}, said(f"Saved the style '{settings.saved}'"))
        return {"FINISHED"}


class DREAMTALK_OT_style_rename(bpy.types.Operator):
    """Give the chosen style of the library another name"""

    bl_idname = "dream_talk.style_rename"
    bl_label = "Rename Style"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a saved style is chosen."""
        reason = _saved_problem(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the name."""
        self.name = _settings(context).saved
        result: set[str] = context.window_manager.invoke_props_dialog(self)
        return result

    def execute(self, context: Any) -> set[str]:
        """Rename its file."""
        settings = _settings(context)
        try:
            style_library.rename(settings.saved, self.name)
        except StyleError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        settings.saved = self.name.strip()
        return {"FINISHED"}


class DREAMTALK_OT_style_delete(bpy.types.Operator):
    """Delete the chosen style from the library for good; takes that were made with it stay"""

    bl_idname = "dream_talk.style_delete"
    bl_label = "Delete Style"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a saved style is chosen."""
        reason = _saved_problem(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask first: a deleted file does not come back with undo."""
        result: set[str] = context.window_manager.invoke_confirm(self, event)
        return result

    def execute(self, context: Any) -> set[str]:
        """Delete its file."""
        settings = _settings(context)
        try:
            style_library.delete(settings.saved)
        except StyleError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, said(f"Deleted the style '{settings.saved}'"))
        settings.source, settings.saved = NONE, ""
        return {"FINISHED"}


class DREAMTALK_OT_style_capture(bpy.types.Operator):
    """Capture the face in a video as a style of your library; Blender stays free meanwhile"""

    bl_idname = "dream_talk.style_capture"
    bl_label = "Style from Video"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES), options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Tell whether no other video is being captured."""
        if style_capture.active:
            cls.poll_message_set("A style is being captured")
        return not style_capture.active

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the video."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Begin the capture, or do all of it when Blender has no window."""
        try:
            capture = style_capture.prepare(context, absolute(self.filepath))
            if bpy.app.background:
                name = style_capture.run_blocking(capture)
                settings = _settings(context)
                settings.source, settings.saved = LIBRARY, name
                self.report({"INFO"}, said(f"Captured the style '{name}'"))
            else:
                style_capture.start(capture)
        except (StyleError, ServerError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_style_cancel(bpy.types.Operator):
    """Stop capturing the style"""

    bl_idname = "dream_talk.style_cancel"
    bl_label = "Cancel"

    def execute(self, _context: Any) -> set[str]:
        """Ask the work to stop."""
        style_capture.cancel()
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_style_use,
    DREAMTALK_OT_style_save,
    DREAMTALK_OT_style_rename,
    DREAMTALK_OT_style_delete,
    DREAMTALK_OT_style_capture,
    DREAMTALK_OT_style_cancel,
)
