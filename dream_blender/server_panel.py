"""How the preferences show the server: what it is, where it comes from, and how to get one."""

from __future__ import annotations

from typing import Any

import bpy

from . import environment_operators, help_pages, server_process, server_status
from .client import PROTOCOL_VERSION, is_loopback
from .panel import wrapped
from .preferences import environment_folder, log_path
from .translations import said

_SHOWN_LINES = 12


def draw(layout: Any, context: Any, chosen: Any) -> None:
    """Draw the preferences ``chosen``."""
    _draw_status(layout.box(), context, chosen)
    _draw_environment(layout.box(), context, chosen)
    _draw_elsewhere(layout.box(), context, chosen)
    layout.prop(chosen, "likeness_consent")


def _draw_status(box: Any, context: Any, chosen: Any) -> None:
    text, reachable = server_status.line()
    wrapped(box, text, "CHECKMARK" if reachable else "INFO")
    answer = server_status.answer()
    if answer is not None:
        address, health = answer
        column = box.column(align=True)
        _fact(column, "Address", address.url)
        _fact(column, "Version", f"{health.version}, protocol {PROTOCOL_VERSION}")
        _fact(column, "Device", health.device)
        _fact(column, "Model", health.model_hash[:12] if health.ready else health.message or "Loading")
    row = box.row(align=True)
    if server_process.is_ours():
        row.operator("dream_talk.stop_server", icon="SNAP_FACE")
        row.operator("dream_talk.restart_server", icon="FILE_REFRESH")
    else:
        row.operator("dream_talk.start_server", icon="PLAY")
    row.operator("dream_talk.test_connection", icon="URL")
    row = box.row(align=True)
    row.prop(chosen, "show_log", icon="TRIA_DOWN" if chosen.show_log else "TRIA_RIGHT", emboss=False)
    row.operator("dream_talk.open_log", icon="TEXT")
    help_pages.draw(row, type(chosen).__name__)
    if chosen.show_log:
        lines = server_process.last_lines(log_path(), _SHOWN_LINES)
        column = box.column(align=True)
        for line in lines or ["The log is empty"]:
            column.label(text=line, translate=not lines)


def _fact(column: Any, name: str, value: str) -> None:
    row = column.split(factor=0.25)
    row.label(text=said(name), translate=False)
    row.label(text=value, translate=False)


def _draw_environment(box: Any, context: Any, chosen: Any) -> None:
    box.label(text="Server of This Computer", icon="CONSOLE")
    column = box.column()
    column.use_property_split = True
    column.prop(chosen, "environment")
    usable = False
    if chosen.environment:
        usable, text = checked(chosen)
        wrapped(box, text, "CHECKMARK" if usable else "ERROR")
    if not usable or environment_operators.is_running():
        _draw_wizard(box, context, chosen)


def checked(chosen: Any) -> tuple[bool, str]:
    """Return whether the environment that the preferences ``chosen`` name has dreamtalk in it, and that in words."""
    try:
        return True, f"dreamtalk {server_process.version_of(environment_folder(chosen))} is in it"
    except server_process.StartError as error:
        return False, str(error)


def _draw_wizard(box: Any, context: Any, chosen: Any) -> None:
    setup = environment_operators.current
    wrapped(
        box,
        "No environment yet? The button makes one in a folder of the add-on's own, by a Python 3.11 or uv that you "
        "have. Blender's Python is not changed, and deleting the add-on deletes it.",
        "INFO",
    )
    column = box.column()
    column.use_property_split = True
    column.prop(chosen, "package_source")
    if setup is not None and setup.is_running:
        row = box.row(align=True)
        row.progress(factor=setup.fraction, text=said(setup.step))
        row.operator("dream_talk.cancel_environment", text="", icon="X")
        for line in setup.said()[-3:]:
            box.label(text=line, translate=False)
        return
    if bpy.app.online_access:
        box.operator("dream_talk.create_environment", icon="IMPORT")
    else:
        wrapped(box, environment_operators.OFFLINE, "INFO")
        box.prop(context.preferences.system, "use_online_access")
    if setup is not None and setup.problem:
        wrapped(box, setup.problem, "ERROR")
    column = box.column(align=True)
    column.label(text="Or in a terminal:")
    for line in environment_operators.setup_commands(chosen):
        column.label(text=line, translate=False)
    column.operator("dream_talk.copy_setup", icon="COPYDOWN")


def _draw_elsewhere(box: Any, context: Any, chosen: Any) -> None:
    box.label(text="Server on Another Computer", icon="NETWORK_DRIVE")
    column = box.column()
    column.use_property_split = True
    column.prop(chosen, "server_url")
    sub = column.column()
    sub.enabled = bool(chosen.server_url)
    sub.prop(chosen, "server_token")
    if chosen.server_url and not is_loopback(chosen.server_url) and not bpy.app.online_access:
        wrapped(box, "Blender may not go online: allow it to use this server", "ERROR")
        box.prop(context.preferences.system, "use_online_access")
