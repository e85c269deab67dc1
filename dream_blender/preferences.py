"""What the add-on's preferences choose: where the model server is, and how to start it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from . import client, server_process
from .paths import absolute

EXTENSION = (__package__ or "").rpartition(".")[0]
"""Name under which Blender keeps this extension's preferences, such as ``bl_ext.user_default.dream_talk``."""


def preferences(context: Any) -> Any:
    """Return the add-on's preferences."""
    return context.preferences.addons[EXTENSION].preferences


def environment_folder(chosen: Any) -> Path:
    """Return the folder of the environment that the preferences ``chosen`` name."""
    return absolute(chosen.environment).expanduser()


def log_path() -> Path:
    """Return the file of what the server says that this Blender starts."""
    return Path(bpy.utils.extension_path_user(EXTENSION, create=True)) / "server.log"


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
    server_process.start(environment_folder(chosen), log_path())
