"""What is known of the server, asked in the background while its status line is on the screen."""

from __future__ import annotations

import threading
import time

import bpy

from . import server_process
from .client import Address, ServerError, ServerUnreachable, health_of
from .preferences import server_address

_ASK_EVERY = 4.0  # seconds
_SEEN_WITHIN = 6.0  # seconds since the line was last drawn
_TICK = 0.5  # seconds

_text = "Looking for the server"
_drawn_text = _text
_reachable = False
_last_asked = float("-inf")
_last_drawn = float("-inf")
_asking: threading.Thread | None = None


def line() -> tuple[str, bool]:
    """Return the status in words and whether the server can be used; called while drawing."""
    global _last_drawn, _drawn_text
    _last_drawn, _drawn_text = time.monotonic(), _text
    return _text, _reachable


def refresh() -> None:
    """Ask again at the next tick."""
    global _last_asked
    _last_asked = float("-inf")


def _set(text: str, reachable: bool) -> None:
    global _text, _reachable
    _text, _reachable = text, reachable


def explained(error: Exception) -> str:
    """Return what to say of ``error``: of a server that we started we know more than that nothing answers."""
    known = server_process.silence_reason() if isinstance(error, ServerUnreachable) else ""
    return known or str(error)


def _ask(address: Address) -> None:
    """Run on a thread: it must not touch bpy."""
    try:
        health = health_of(address)
    except ServerError as error:
        _set(explained(error), False)
        return
    if health.ready:
        _set(f"Ready: version {health.version} on {health.device}", True)
    elif health.message:
        _set(health.message, False)
    else:
        _set("The server is loading its model", True)


def redraw_sidebars() -> None:
    """Draw every 3D view's sidebar again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _tick() -> float:
    global _last_asked, _asking
    if _text != _drawn_text:
        redraw_sidebars()
    now = time.monotonic()
    if now - _last_drawn > _SEEN_WITHIN or now - _last_asked < _ASK_EVERY:
        return _TICK
    if _asking is not None and _asking.is_alive():
        return _TICK
    _last_asked = now
    try:
        address = server_address(bpy.context)
    except ServerError as error:
        _set(explained(error), False)
        return _TICK
    _asking = threading.Thread(target=_ask, args=(address,), name="DREAM-Talk status", daemon=True)
    _asking.start()
    return _TICK


def register() -> None:
    """Begin to keep the status."""
    bpy.app.timers.register(_tick, first_interval=_TICK, persistent=True)


def unregister() -> None:
    """Stop keeping the status."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
