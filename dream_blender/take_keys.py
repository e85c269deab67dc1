"""The F-curves of the take that is active on a character: found, sampled fast, copied, and known again."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.mapping import Mapping
from . import compat
from .character import mapped_bones, meshes_of, problem_with
from .head_target import HeadTarget, armature_of, head_target
from .take import NO_TAKE, Array, TakeError, parts_of, take_of, taken_mapping

Place = tuple[Any, str, int]
"""Which F-curve: its data-block, animation path and index."""
_LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
_POINT_FIELDS = (
    ("interpolation", 1, np.int32),
    ("easing", 1, np.int32),
    ("handle_left_type", 1, np.int32),
    ("handle_right_type", 1, np.int32),
    ("amplitude", 1, np.float32),
    ("back", 1, np.float32),
    ("period", 1, np.float32),
    ("co", 2, np.float32),
    ("handle_left", 2, np.float32),
    ("handle_right", 2, np.float32),
)


class ActiveTake:
    """The take that is active on a character, as far as it moves its face and head.

    Attributes:
        character: the mesh object of the face.
        action: the Action of the face.
        mapping: that the take was keyed by.
        data: the data-blocks that it moves: shape keys, then what holds the head.

    Raises:
        TakeError: on construction, for a character without a take.
    """

    def __init__(self, character: Any) -> None:
        self.character = character
        action = take_of(character)
        if action is None:
            raise TakeError(NO_TAKE)
        self.action: Any = action
        self.mapping: Mapping = taken_mapping(character)
        parts = parts_of(self.action)
        meshes = [character] if problem_with(character) else meshes_of(character)
        owners = [*(mesh.data.shape_keys for mesh in meshes), armature_of(character), character]
        animated = [data for data in owners if data is not None and data.animation_data is not None]
        self.data = [data for data in dict.fromkeys(animated) if data.animation_data.action in parts]

    @property
    def parts(self) -> list[Any]:
        """Its Actions, that of the face first: one, or before Blender 4.4 one for each data-block."""
        return list(dict.fromkeys([self.action, *(data.animation_data.action for data in self.data)]))

    @cached_property
    def curves(self) -> dict[Place, Any]:
        """Its F-curves by their places."""
        return self._of_face({data: compat.assigned_curves(data) for data in self.data})

    def copied(self, copies: dict[Any, Any]) -> dict[Place, Any]:
        """Return the F-curves by their places in the ``copies`` of its Actions, which are by the Action."""
        return self._of_face(
            {data: compat.copied_curves(data, copies[data.animation_data.action]) for data in self.data}
        )

    def _of_face(self, curves: dict[Any, list[Any]]) -> dict[Place, Any]:
        """Return the F-curves of the face and the head; bones of the body in the same Action are not ours."""
        armature = armature_of(self.character)
        posed = [HeadTarget(armature, bone) for bone in mapped_bones(self.character, self.mapping)]
        head = head_target(self.character)
        ours = {
            (target.owner, target.path(channel))
            for target in ([*posed, head] if head is not None else posed)
            for channel in ("location", "rotation_euler", "rotation_quaternion")
        }
        return {
            (data, curve.data_path, curve.array_index): curve
            for data, found in curves.items()
            for curve in found
            if data.id_type == "KEY" or (data, curve.data_path) in ours
        }

    def digest(self) -> str:
        """Return a hash of all its keys, which changes with every edit of a key."""
        found = hashlib.blake2b(digest_size=16)
        for (data, path, index), curve in sorted(self.curves.items(), key=_order):
            found.update(f"{data.name} {path} {index}".encode())
            kinds = _field(curve, "interpolation", 1, np.int32)
            found.update(kinds.tobytes())
            found.update(_field(curve, "co", 2, np.float32).tobytes())
            if (kinds != _LINEAR).any():
                found.update(_field(curve, "handle_left", 2, np.float32).tobytes())
                found.update(_field(curve, "handle_right", 2, np.float32).tobytes())
        return found.hexdigest()


def _order(item: tuple[Place, Any]) -> tuple[str, str, int]:
    (data, path, index), _ = item
    return data.name, path, index


def key_points(curve: Any) -> Array:
    """Return (K, 2) frame and value of the keys of an F-curve."""
    points = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", points)
    return points.reshape(-1, 2).astype(np.float64)


def _field(curve: Any, name: str, width: int, kind: Any) -> npt.NDArray[Any]:
    values = np.empty(width * len(curve.keyframe_points), kind)
    curve.keyframe_points.foreach_get(name, values)
    return values


def values_at(curve: Any, frames: Array) -> Array:
    """Return (T,) values of the F-curve ``curve`` at ``frames``; exact at its keys."""
    plain = not curve.modifiers and curve.extrapolation == "CONSTANT" and len(curve.keyframe_points)
    if plain and (_field(curve, "interpolation", 1, np.int32) == _LINEAR).all():
        points = key_points(curve)
        if np.array_equal(points[:, 0], frames):
            return points[:, 1]
        # Blender keeps frames in 32 bits; so does this, that a key between whole frames is met.
        return np.interp(frames.astype(np.float32).astype(np.float64), points[:, 0], points[:, 1])
    return np.array([curve.evaluate(frame) for frame in frames])


def copy_keys(source: Any, target: Any) -> None:
    """Make the keys of the F-curve ``target`` those of ``source``, with handles and interpolation."""
    count = len(source.keyframe_points)
    if len(target.keyframe_points) != count:
        target.keyframe_points.clear()
        target.keyframe_points.add(count)
    for name, width, kind in _POINT_FIELDS:
        target.keyframe_points.foreach_set(name, _field(source, name, width, kind))
    target.update()


def _within(frames: Array, grid: Array) -> bool:
    return np.array_equal(frames, grid) or bool(np.isin(frames, grid).all())


def grid_of(curves: list[Any], fps: float) -> tuple[Array, float]:
    """Return the (T,) frames that all the keys of ``curves`` lie on, and how many of them make a second.

    Takes that are keyed evenly on every frame give their own frames, so that nothing is interpolated. Others give
    every whole frame from their first to their last key.

    Args:
        curves: F-curves, at least one with keys.
        fps: true frame rate of the scene, Hz.
    """
    keyed = [points[:, 0] for curve in curves if len(points := key_points(curve))]
    longest = max(keyed, key=len)
    gaps = np.diff(longest)
    even = len(gaps) > 0 and bool(np.ptp(gaps) < 0.02 * gaps.mean() + 0.02)
    if even and gaps.mean() < 2 and all(_within(frames, longest) for frames in keyed):
        return longest, fps / float(gaps.mean())
    first, last = min(frames[0] for frames in keyed), max(frames[-1] for frames in keyed)
    return np.arange(np.floor(first + 1e-3), np.ceil(last - 1e-3) + 0.5), fps
