"""Operators on the server beside starting and stopping it: restart, log, test of the connection."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import server_process, server_status
from .client import PROTOCOL_VERSION, Address, Health, ServerError, tested
from .preferences import log_path, preferences, server_address, start_server
from .translations import said

_NEVER_STARTED = "This Blender has started no server yet: there is no log"


def described(address: Address, health: Health) -> str:
    """Return in one sentence which server answers and what it has loaded."""
    if health.ready:
        model = f"model {health.model_hash[:12]} is loaded"
    else:
        model = f"no model is loaded: {health.message}" if health.message else "its model is being loaded"
    return (
        f"{address.url} answers: version {health.version}, protocol {PROTOCOL_VERSION}, on {health.device}, and {model}"
    )


class DREAMTALK_OT_restart_server(bpy.types.Operator):
    """Stop the model server that this Blender started, and start it again"""

    bl_idname = "dream_talk.restart_server"
    bl_label = "Restart Server"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether this Blender started the server, and can again."""
        if not server_process.is_ours():
            cls.poll_message_set("This Blender has started no server; one started elsewhere is restarted there")
        elif not preferences(context).environment:
            cls.poll_message_set("Name the server's environment in the add-on's preferences first")
        else:
            return True
        return False

    def execute(self, context: Any) -> set[str]:
        """Stop and start it."""
        server_process.stop()
        try:
            start_server(context)
        except server_process.StartError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        finally:
            server_status.refresh()
        return {"FINISHED"}


class DREAMTALK_OT_test_connection(bpy.types.Operator):
    """Ask the server who it is, and whether it accepts the token"""

    bl_idname = "dream_talk.test_connection"
    bl_label = "Test Connection"

    def execute(self, context: Any) -> set[str]:
        """Ask it; Blender waits a few seconds at most."""
        server_status.refresh()
        try:
            address = server_address(context)
            health = tested(address)
        except ServerError as error:
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, said(described(address, health)))
        return {"FINISHED"}


class DREAMTALK_OT_open_log(bpy.types.Operator):
    """Open the file of what the server has said in the text editor of your system"""

    bl_idname = "dream_talk.open_log"
    bl_label = "Open Log File"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Tell whether there is a log."""
        if not log_path().is_file():
            cls.poll_message_set(_NEVER_STARTED)
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        """Open it."""
        bpy.ops.wm.path_open(filepath=str(log_path()))
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_restart_server,
    DREAMTALK_OT_test_connection,
    DREAMTALK_OT_open_log,
)
