"""Fewer keys on the active take, within an error, and held poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.reduce import held_frames, line_keys, smooth_keys
from .head_target import head_target
from .take import Array, changes, fill_curve
from .take_keys import ActiveTake, key_points, values_at

_KEY = bpy.types.Keyframe.bl_rna.properties


@dataclass(frozen=True)
class Reduced:
    """What became of a take's keys: how many ``before`` and ``after``, and the largest ``error`` of any curve."""

    before: int
    after: int
    error: float


def _is_stepped(curve: Any) -> bool:
    return all(point.interpolation == "CONSTANT" for point in curve.keyframe_points)


def _sample_frames(curve: Any) -> Array:
    """Return the frames at which the bound has to hold: all keys, and all whole frames between them."""
    keyed = key_points(curve)[:, 0]
    frames = np.union1d(keyed, np.arange(np.ceil(keyed[0]), np.floor(keyed[-1]) + 0.5))
    # A key a hair beside a whole frame stands for it.
    apart = np.concatenate([[True], np.diff(frames) > 1e-3])
    kept: Array = frames[apart]
    return kept


def _put_handles(curve: Any, frames: Array, values: Array, error: float) -> bool:
    """Key ``curve`` by keys with handles; return False where straight lines need no more keys."""
    keys = smooth_keys(frames, values, error)
    if len(keys.frames) >= len(line_keys(frames, values, error)):
        return False
    fill_curve(curve, keys.frames, keys.values, "BEZIER")
    free = np.full(len(keys.frames), _KEY["handle_left_type"].enum_items["FREE"].value, np.int32)
    for side, handles in zip(("left", "right"), keys.handles(), strict=True):
        curve.keyframe_points.foreach_set(f"handle_{side}_type", free)
        curve.keyframe_points.foreach_set(f"handle_{side}", handles.astype(np.float32).ravel())
    curve.update()
    return bool(np.abs(values_at(curve, frames) - values).max() <= error)


def reduce_take(character: Any, error: float, handles: bool) -> Reduced:
    """Remove keys of the active take of ``character``; no curve moves by more than ``error`` at any frame or key.

    Curves that step from pose to pose are left as they are.

    Args:
        character: the mesh object of the face.
        error: in the unit of each curve: 1 is a whole shape, or a radian.
        handles: whether keys get handles; straight lines otherwise.
    """
    before = after = 0
    largest = 0.0
    for curve in ActiveTake(character).curves.values():
        before += len(curve.keyframe_points)
        if not _is_stepped(curve):
            frames = _sample_frames(curve)
            values = values_at(curve, frames)
            if not (handles and _put_handles(curve, frames, values, error)):
                kept = line_keys(frames, values, error)
                fill_curve(curve, frames[kept], values[kept])
            largest = max(largest, float(np.abs(values_at(curve, frames) - values).max()))
        after += len(curve.keyframe_points)
    return Reduced(before, after, largest)


def hold_poses(character: Any, step: int, head: bool, origin: int) -> tuple[int, int]:
    """Hold every pose of the active take for ``step`` frames; return how many keys there were and are.

    Args:
        character: the mesh object of the face.
        step: frames.
        head: whether the head's poses are held too.
        origin: a frame at which a pose begins.
    """
    target = head_target(character)
    before = after = 0
    for (data, path, _), curve in ActiveTake(character).curves.items():
        before += len(curve.keyframe_points)
        is_head = target is not None and data == target.owner and path.startswith(target.path(""))
        if head or not is_head:
            keyed = key_points(curve)[:, 0]
            frames = held_frames(float(keyed[0]), float(keyed[-1]), step, origin)
            values = values_at(curve, frames)
            kept = changes(values)
            fill_curve(curve, frames[kept], values[kept], "CONSTANT")
        after += len(curve.keyframe_points)
    return before, after
