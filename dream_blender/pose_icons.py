"""Pictures of the poses as icons, drawn a few at a time while Blender is idle, once they are looked at."""

from __future__ import annotations

import time
from typing import Any

import bpy
import bpy.utils.previews

from ..blendshape_rigs.pose_pictures import face_picture
from ..blendshape_rigs.poses import FacePose, face_poses
from .server_status import redraw_sidebars

_SIZE = 64  # pixels
_TICK = 0.01  # seconds
_AT_A_TIME = 0.2  # seconds of drawing before the window is drawn anew
_drawn: list[Any] = []  # the collection of previews, once there is one
_waiting: list[str] = []


def icon_of(pose: FacePose) -> int:
    """Return the number of the icon of ``pose``; 0 until it is drawn."""
    if not _drawn:
        _drawn.append(bpy.utils.previews.new())
        _waiting[:] = list(face_poses())
    if _waiting and not bpy.app.timers.is_registered(draw_next):
        bpy.app.timers.register(draw_next, first_interval=_TICK)
    shown = _drawn[0].get(pose.name)
    return int(shown.icon_id) if shown is not None else 0


def draw_next() -> float | None:
    """Draw some more icons; return the seconds until the next ones, None after the last."""
    end = time.monotonic() + _AT_A_TIME
    while _waiting and _drawn and time.monotonic() < end:
        pose = face_poses()[_waiting.pop(0)]
        set_picture(_drawn[0].new(pose.name), pose, _SIZE, 1)
    redraw_sidebars()
    return _TICK if _waiting and _drawn else None


def set_picture(preview: Any, pose: FacePose, size: int, fineness: int) -> None:
    """Give ``preview`` the picture of ``pose``, ``size`` pixels wide and high."""
    picture = face_picture(pose.values, size, fineness)
    preview.image_size = (size, size)
    preview.image_pixels_float.foreach_set(picture.ravel())


def forget() -> None:
    """Free the icons."""
    if bpy.app.timers.is_registered(draw_next):
        bpy.app.timers.unregister(draw_next)
    for previews in _drawn:
        bpy.utils.previews.remove(previews)
    _drawn.clear()
    _waiting.clear()
