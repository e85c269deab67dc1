"""The add-on's preferences: where the model server is, and how to start it."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from pathlib import Path
from typing import Any

import bpy

from . import client, server_process

EXTENSION = (__package__ or "").rpartition(".")[0]
"""Name under which Blender keeps this extension's preferences, such as ``bl_ext.user_default.dream_talk``."""


class DREAMTALK_AP_preferences(bpy.types.AddonPreferences):
    """Where the model server is, and how to start it."""

    bl_idname = EXTENSION

    server_url: bpy.props.StringProperty(
        name="Server Address",
        description="Leave empty for the server of this computer; else like https://studio.example:8787",
    )
    server_token: bpy.props.StringProperty(
        name="Token", description="What the other computer's server printed as its token", subtype="PASSWORD"
    )
    environment: bpy.props.StringProperty(
        name="Environment",
        description="Folder of the Python environment with the dreamtalk command; used to start the server",
        subtype="DIR_PATH",
    )

    likeness_consent: bpy.props.BoolProperty(
        name="I may animate this person's likeness",
        description="I have the right to animate the likeness of the persons whose photographs I choose, "
        "and will not pass the result off as a recording of them",
    )

    def draw(self, _context: Any) -> None:
        """Draw the preferences."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "environment")
        if not self.environment:
            column.label(text="Or start the server in a terminal: dreamtalk serve", icon="INFO")
        row = column.row()
        row.operator("dream_talk.start_server", icon="PLAY")
        row.operator("dream_talk.stop_server", icon="SNAP_FACE")
        column.separator()
        column.prop(self, "server_url")
        sub = column.column()
        sub.enabled = bool(self.server_url)
        sub.prop(self, "server_token")
        column.separator()
        column.prop(self, "likeness_consent")


def preferences(context: Any) -> Any:
    """Return the add-on's preferences."""
    return context.preferences.addons[EXTENSION].preferences


def server_address(context: Any) -> client.Address:
    """Return the server that the preferences name, or else the one that runs on this computer.

    Raises:
        ServerError: when none runs, or a remote one is named without permission to go online.
    """
    chosen = preferences(context)
    if chosen.server_url:
        address = client.Address(chosen.server_url.rstrip("/"), chosen.server_token)
    else:
        address = client.read_address(client.connection_path())
    if not client.is_loopback(address.url) and not bpy.app.online_access:
        raise client.ServerError(
            "The server is on another computer: allow online access in Preferences, System, Network"
        )
    return address


def _local_server_answers() -> bool:
    try:
        client.health_of(client.read_address(client.connection_path()))
    except client.ServerError:
        return False
    return True


def start_server(context: Any) -> None:
    """Start the server of the environment that the preferences name.

    Raises:
        StartError: when none is named, another server is used, or it cannot be started.
    """
    chosen = preferences(context)
    if not chosen.environment:
        raise server_process.StartError(
            "Name the server's environment in the add-on's preferences, or run: dreamtalk serve"
        )
    if chosen.server_url:
        raise server_process.StartError("The preferences name a server elsewhere: clear Server Address first")
    if _local_server_answers():
        raise server_process.StartError("A server that was started elsewhere runs already, and is used")
    log = Path(bpy.utils.extension_path_user(EXTENSION, create=True)) / "server.log"
    server_process.start(Path(bpy.path.abspath(chosen.environment)).expanduser(), log)
