"""What is known of the server, asked in the background while its status line is on the screen."""

from __future__ import annotations

import threading
import time

import bpy

from . import server_process
from .client import Address, Health, ServerError, ServerUnreachable, tested
from .preferences import server_address

_ASK_EVERY = 4.0  # seconds
_SEEN_WITHIN = 6.0  # seconds since the line was last drawn
_TICK = 0.5  # seconds

_text = "Looking for the server"
_drawn_text = _text
_reachable = False
_answer: tuple[Address, Health] | None = None
_last_asked = float("-inf")
_last_drawn = float("-inf")
_asking: threading.Thread | None = None


def line() -> tuple[str, bool]:
    """Return the status in words and whether the server can be used; called while drawing."""
    global _last_drawn, _drawn_text
    _last_drawn, _drawn_text = time.monotonic(), _text
    return _text, _reachable


def answer() -> tuple[Address, Health] | None:
    """Return which server answered last time, and what it said; None when none did. Called while drawing."""
    line()
    return _answer


def refresh() -> None:
    """Ask again at the next tick."""
    global _last_asked
    _last_asked = float("-inf")


def _set(text: str, reachable: bool, answered: tuple[Address, Health] | None = None) -> None:
    global _text, _reachable, _answer
    _text, _reachable, _answer = text, reachable, answered


def explained(error: Exception) -> str:
    """Return what to say of ``error``: of a server that we started we know more than that nothing answers."""
    known = server_process.silence_reason() if isinstance(error, ServerUnreachable) else ""
    return known or str(error)


def _ask(address: Address) -> None:
    """Run on a thread: it must not touch bpy."""
    try:
        health = tested(address)
    except ServerError as error:
        _set(explained(error), False)
        return
    if health.ready:
        _set(f"Ready: version {health.version} on {health.device}", True, (address, health))
    elif health.message:
        _set(health.message, False, (address, health))
    else:
        _set("The server is loading its model", True, (address, health))


def redraw_sidebars() -> None:
    """Draw every 3D view's sidebar, and the preferences, again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES"):
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
