"""The wizard of the preferences: it makes the server's environment after the user agreed, or says how to do it."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
import sys
from pathlib import Path
from typing import Any

import bpy

from . import server_process, server_status
from .environment_setup import Setup, SetupError, commands
from .preferences import EXTENSION, preferences, start_server
from .translations import said

_TICK = 0.3  # seconds
_NAME = "dreamtalk"
OFFLINE = "Allow online access in Preferences, System, Network; or use the commands below in a terminal"
NO_SOURCE = "Choose the dreamtalk package first: the wheel or folder that you have downloaded"

current: Setup | None = None
"""The environment that is being made, or was made last."""


def is_running() -> bool:
    """Tell whether an environment is being made."""
    return current is not None and current.is_running


def source_of(chosen: Any) -> str:
    """Return the package to install: a path, or a name for the package index.

    Raises:
        SetupError: when a path is named where nothing lies.
    """
    named: str = chosen.package_source.strip()
    path = Path(bpy.path.abspath(named)).expanduser()
    if path.exists():
        return str(path.resolve())
    if "/" in named or "\\" in named:
        raise SetupError(f"There is no {path}: choose the dreamtalk wheel, source archive or folder")
    return named


def setup_commands(chosen: Any) -> list[str]:
    """Return the lines for a terminal of this system that make the environment and start the server."""
    return commands(sys.platform, chosen.package_source.strip() or _NAME)


def begin(chosen: Any) -> Setup:
    """Begin to make the environment in the extension's own folder.

    Raises:
        SetupError: when the package is not there.
    """
    global current
    # Not made ready here: what is half made is never taken for an environment.
    folder = Path(bpy.utils.extension_path_user(EXTENSION, create=True)) / "environment"
    current = Setup(folder, source_of(chosen))
    current.start()
    return current


def finish(context: Any, setup: Setup) -> None:
    """Use the environment that has been made, and start the server in it.

    Raises:
        SetupError: when it was not made.
        StartError: when the server cannot be started.
    """
    if setup.cancelled or setup.problem:
        raise SetupError(setup.problem or "The environment was not made: you cancelled it")
    preferences(context).environment = str(setup.folder)
    context.preferences.is_dirty = True  # so that Blender saves it where it saves preferences by itself
    start_server(context)
    server_status.refresh()


def _poll() -> float | None:
    setup = current
    server_status.redraw_sidebars()
    if setup is None or setup.is_running:
        return _TICK if setup is not None else None
    if not setup.cancelled and not setup.problem:
        try:
            finish(bpy.context, setup)
        except server_process.StartError as error:
            setup.problem = str(error)
    return None


def stop() -> None:
    """Stop making the environment, and forget it."""
    global current
    if current is not None:
        current.cancel()
        current.join()
    current = None
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)


class DREAMTALK_OT_create_environment(bpy.types.Operator):
    """Make a Python environment for the server in a folder of its own, and start the server; Blender's own Python \
stays as it is"""

    bl_idname = "dream_talk.create_environment"
    bl_label = "Create Environment"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the environment can be made."""
        if not bpy.app.online_access:
            cls.poll_message_set(OFFLINE)
        elif is_running():
            cls.poll_message_set("The environment is being made")
        elif server_process.is_ours():
            cls.poll_message_set("Stop the server first: it may run in the environment that would be replaced")
        elif not preferences(context).package_source.strip():
            cls.poll_message_set(NO_SOURCE)
        else:
            return True
        return False

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask before anything is downloaded."""
        said: set[str] = context.window_manager.invoke_confirm(
            self,
            event,
            title="Create Environment",
            message="Downloads about 1 GB from the package index into a folder of the add-on's own. "
            "Blender's Python is not changed.",
            confirm_text="Download",
        )
        return said

    def execute(self, context: Any) -> set[str]:
        """Begin, or do all of it when Blender has no window."""
        try:
            setup = begin(preferences(context))
            if bpy.app.background:
                setup.join()
                finish(context, setup)
            else:
                bpy.app.timers.register(_poll, first_interval=_TICK, persistent=True)
        except (SetupError, server_process.StartError) as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_cancel_environment(bpy.types.Operator):
    """Stop making the environment; what was downloaded for it is deleted"""

    bl_idname = "dream_talk.cancel_environment"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Tell whether one is being made."""
        if not is_running():
            cls.poll_message_set("No environment is being made")
        return is_running()

    def execute(self, _context: Any) -> set[str]:
        """Ask the work to stop."""
        assert current is not None  # poll saw to it
        current.cancel()
        return {"FINISHED"}


class DREAMTALK_OT_copy_setup(bpy.types.Operator):
    """Copy the commands that make the environment and start the server, to paste them into a terminal"""

    bl_idname = "dream_talk.copy_setup"
    bl_label = "Copy Commands"

    def execute(self, context: Any) -> set[str]:
        """Copy them."""
        lines = setup_commands(preferences(context))
        context.window_manager.clipboard = "\n".join(lines)
        self.report({"INFO"}, said(f"Copied {len(lines)} lines: paste them into a terminal"))
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_create_environment,
    DREAMTALK_OT_cancel_environment,
    DREAMTALK_OT_copy_setup,
)
