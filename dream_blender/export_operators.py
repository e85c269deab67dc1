"""Write takes to files for other programs, read them back, and say what was seen."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.curves import CurvesError
from . import generate
from .character import NOBODY
from .export import CURVE_SUFFIXES, ExportError
from .export_jobs import SCOPES, Exports, characters_in, export_next, file_name, plan_exports
from .export_presets import FORMATS, PROGRAMS, program_items
from .panel import Sidebar, wrapped
from .take import NO_TAKE, TakeError, scene_fps, take_of, unread_channels
from .takes import takes_of
from .translations import said
from .verify import VerifyError

_TICK = 0.05  # seconds between two files, for the window to be drawn
_FAILURES = (ExportError, TakeError, CurvesError, VerifyError, OSError)
running: list[Exports] = []
"""The export that goes on, if any."""
last_message: dict[str, tuple[str, bool]] = {}
"""What became of the last export, and whether that was an error, by the name of the scene."""


def _program_chosen(settings: Any, _context: Any) -> None:
    settings.kind = PROGRAMS[settings.program].kind


class DREAMTALK_PG_export(bpy.types.PropertyGroup):
    """What the sidebar asks of an export, one set a scene."""

    program: bpy.props.EnumProperty(
        name="For", description="The program that will open the file", items=program_items(), update=_program_chosen
    )
    kind: bpy.props.EnumProperty(name="Format", description="Kind of file to write", items=FORMATS)
    scope: bpy.props.EnumProperty(name="What", description="What to write", items=SCOPES)


def _disabled_reason(context: Any) -> str:
    """Return why nothing can be exported now, as one sentence; empty when it can."""
    scene, character = context.scene, generate.chosen_character(context)
    if running:
        return "Files are being written"
    if context.mode != "OBJECT":
        return "Go to Object Mode first"
    if scene.dream_talk_export.scope == "SCENE":
        return "" if characters_in(scene) else "No character of this scene has a take yet: generate or import one first"
    if character is None:
        return NOBODY
    if scene.dream_talk_export.scope == "TAKES":
        return "" if takes_of(character) else NO_TAKE
    return "" if take_of(character) is not None else NO_TAKE


def _inexact(character: Any) -> str:
    """Return which channels a file of curves cannot hold exactly, as one sentence; empty where it holds all."""
    unread = unread_channels(character)
    if not unread:
        return ""
    named = ", ".join(unread[:3]) + (" and more" if len(unread) > 3 else "")
    return f". {len(unread)} of 52 channels are no exact copy: this character lacks or shares {named}"


class DREAMTALK_OT_export(bpy.types.Operator):
    """Write takes to files with the settings that keep their animation, and read them back to check"""

    bl_idname = "dream_talk.export"
    bl_label = "Export"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is a take to write."""
        reason = _disabled_reason(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask where to write."""
        wanted, character = context.scene.dream_talk_export, generate.chosen_character(context)
        suffix = f".{wanted.kind.lower()}"
        name = context.scene.name
        if wanted.scope != "SCENE":
            action = take_of(character)
            name = action.name if action is not None else takes_of(character)[0].name
        self.filepath = file_name(name, suffix)
        self.filter_glob = f"*{suffix}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Write all files at once, or one by one where Blender has a window and there are many."""
        wanted, path = context.scene.dream_talk_export, Path(bpy.path.abspath(self.filepath))
        last_message.pop(context.scene.name, None)
        try:
            exports = plan_exports(context, generate.chosen_character(context), path, wanted.scope, wanted.program)
        except ExportError as error:
            return self._fail(context, error)
        running[:] = [exports]
        if len(exports.files) > 1 and not bpy.app.background:
            manager = context.window_manager
            self.timer = manager.event_timer_add(_TICK, window=context.window)
            manager.modal_handler_add(self)
            return {"RUNNING_MODAL"}
        while running and not exports.done:
            end = self._step(context)
        return end

    def modal(self, context: Any, event: Any) -> set[str]:
        """Write one more file at every tick; everything else goes on."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        end = self._step(context) if running else {"CANCELLED"}
        if not running:
            context.window_manager.event_timer_remove(self.timer)
            return end
        return {"RUNNING_MODAL"}

    def _step(self, context: Any) -> set[str]:
        """Write one file; at the end, or after a failure, nothing is running."""
        exports = running[0]
        scene = bpy.data.scenes.get(exports.scene)
        try:
            if scene is None or scene != context.scene:
                raise ExportError(f"The scene '{exports.scene}' is no longer open: the other files were not written")
            export_next(context, exports)
        except _FAILURES as error:
            return self._fail(context, error)
        _redraw(context)
        if not exports.done:
            return {"RUNNING_MODAL"}
        running.clear()
        first = exports.files[0]
        inexact = _inexact(bpy.data.objects[first.characters[0]]) if first.path.suffix.lower() in CURVE_SUFFIXES else ""
        self._say(context, exports.text + inexact, "WARNING" if inexact else "INFO")
        return {"FINISHED"}

    def _fail(self, context: Any, error: Exception) -> set[str]:
        running.clear()
        self._say(context, str(error), "ERROR")
        return {"CANCELLED"}

    def _say(self, context: Any, text: str, level: str) -> None:
        last_message[context.scene.name] = (text, level == "ERROR")
        self.report({level}, said(text))
        _redraw(context)


def _redraw(context: Any) -> None:
    for area in context.screen.areas if context.screen is not None else ():
        if area.type == "VIEW_3D":
            area.tag_redraw()


class DREAMTALK_OT_cancel_export(bpy.types.Operator):
    """Stop after the file that is being written; those written before stay"""

    bl_idname = "dream_talk.cancel_export"
    bl_label = "Cancel Export"

    def execute(self, context: Any) -> set[str]:
        """Stop."""
        if running:
            last_message[context.scene.name] = (f"Stopped after {len(running[0].written)} files", False)
        running.clear()
        return {"FINISHED"}


class DREAMTALK_PT_export(Sidebar, bpy.types.Panel):
    """Takes to files for other programs."""

    bl_idname = "DREAMTALK_PT_export"
    bl_label = "Export"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 8

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        scene, layout = context.scene, self.layout
        wanted = scene.dream_talk_export
        program = PROGRAMS[wanted.program]
        column = layout.column(align=True)
        column.prop(wanted, "program", text="")
        column.prop(wanted, "kind", text="")
        column.prop(wanted, "scope", text="")
        facts = f"{scene_fps(scene):.6g} fps"
        if wanted.kind == program.kind and program.layout:
            facts = f"{program.layout}, {facts}"
        wrapped(layout, facts, "INFO")
        if wanted.kind == program.kind and program.steps:
            wrapped(layout, f"There: {program.steps}", "BLANK1")
        if running:
            exports = running[0]
            row = layout.row(align=True)
            row.progress(
                factor=len(exports.written) / len(exports.files),
                text=said(f"{len(exports.written)} of {len(exports.files)}"),
            )
            row.operator("dream_talk.cancel_export", text="", icon="X")
            return
        layout.operator("dream_talk.export", icon="EXPORT")
        if scene.name in last_message:
            text, failed = last_message[scene.name]
            wrapped(layout, text, "ERROR" if failed else "CHECKMARK")


CLASSES: tuple[Any, ...] = (
    DREAMTALK_PG_export,
    DREAMTALK_OT_export,
    DREAMTALK_OT_cancel_export,
    DREAMTALK_PT_export,
)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator] # bpy has no types
def _on_file_loaded(_path: str) -> None:
    """Forget what was written from another file; its files that are left are not written."""
    running.clear()
    last_message.clear()


def register_properties() -> None:
    """Give scenes what the sidebar asks of an export; call it after the classes are registered."""
    bpy.app.handlers.load_post.append(_on_file_loaded)
    bpy.types.Scene.dream_talk_export = bpy.props.PointerProperty(type=DREAMTALK_PG_export)


def unregister_properties() -> None:
    """Undo :func:`register_properties`."""
    bpy.app.handlers.load_post.remove(_on_file_loaded)
    running.clear()
    last_message.clear()
    del bpy.types.Scene.dream_talk_export
