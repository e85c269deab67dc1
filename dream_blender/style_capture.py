"""A style from a filmed face: the video is captured by the server and kept in the library."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import server_status, style_library
from .capture_operator import CaptureJob
from .client import ServerClient, health_of
from .job import Done, Failed, Progress
from .preferences import server_address
from .style_library import StyleError

_TICK = 0.1  # seconds


@dataclass
class StyleCapture:
    """A video on its way into the library.

    Attributes:
        job: the work on the server.
        scene: name of the scene that is to use the style.
        name: of the style to be.
        progress: how far it is.
    """

    job: CaptureJob
    scene: str
    name: str
    progress: Progress


active: list[StyleCapture] = []
"""The capture that runs, if one does."""
last_message: list[tuple[str, bool]] = []
"""What became of the last one, and whether that was an error."""


def prepare(context: Any, video: Path) -> StyleCapture:
    """Return the capture of ``video``, not yet begun.

    Raises:
        StyleError: for a video that is not there.
        ServerError: when no server can be used.
    """
    if not video.is_file():
        raise StyleError(f"There is no file {video}")
    address = server_address(context)
    health_of(address)
    job = CaptureJob(ServerClient(address), video, {})
    return StyleCapture(job, context.scene.name, style_library.free_name(video.stem), Progress(0.0, "Starting"))


def _emptied(capture: StyleCapture) -> Done | Failed | None:
    """Take what the job has said; return its last message when it has ended."""
    while not capture.job.messages.empty():
        message = capture.job.messages.get()
        if not isinstance(message, Progress):
            return message
        capture.progress = message
    return None


def _keep(capture: StyleCapture, end: Done | Failed) -> str:
    """Save the finished capture and return its name.

    Raises:
        StyleError: when it failed, or cannot be kept.
    """
    if isinstance(end, Failed):
        raise StyleError(end.message)
    name = style_library.free_name(capture.name)  # another may have taken the name meanwhile
    style_library.save(name, end.curves)
    return name


def run_blocking(capture: StyleCapture) -> str:
    """Do all the work and return the name of the new style; for Blender without a window.

    Raises:
        StyleError: when it fails, or cannot be kept.
    """
    capture.job.start()
    while (end := _emptied(capture)) is None:
        time.sleep(_TICK)
    return _keep(capture, end)


def start(capture: StyleCapture) -> None:
    """Begin the work; the style is kept when it is done, and Blender stays free meanwhile."""
    active[:] = [capture]
    last_message.clear()
    capture.job.start()
    if not bpy.app.timers.is_registered(_poll):
        bpy.app.timers.register(_poll, first_interval=_TICK, persistent=True)


def cancel() -> None:
    """Stop the capture that runs."""
    for capture in active:
        capture.job.cancel()


def stop() -> None:
    """Stop the capture that runs, and forget it."""
    cancel()
    active.clear()
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)


def _finish(capture: StyleCapture, end: Done | Failed) -> None:
    try:
        name = _keep(capture, end)
    except StyleError as error:
        cancelled = isinstance(end, Failed) and end.cancelled
        last_message[:] = [(str(error), not cancelled)]
        return
    last_message[:] = [(f"Captured the style '{name}'", False)]
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window):
        # Undo is asked for in so many words: an operator called from Python makes no undo step by itself.
        bpy.ops.dream_talk.style_use("EXEC_DEFAULT", True, scene=capture.scene, name=name)


def _poll() -> float | None:
    for capture in list(active):
        end = _emptied(capture)
        if end is not None:
            active.clear()
            _finish(capture, end)
    server_status.redraw_sidebars()
    return _TICK if active else None
