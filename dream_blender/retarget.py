"""Face curves to the channels of one character and back, by its mapping: shape keys, drawn mouths and face bones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from mathutils import Quaternion

from ..blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_NAMES
from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.mapping import BoneChannel, Mapping, motion_of_targets
from .character import mapped_bones, shape_targets, value_path
from .head_pose import Array
from .head_target import (
    HeadTarget,
    armature_of,
    character_axes,
    eye_distance,
    rest_of,
    rest_turn,
    rotation_values,
    rotations_of,
)

Sampler = Callable[[Any, str, int], Array | None]
"""Returns the (T,) values of an F-curve of a data-block by its path and index, None where there is none."""


def bone_axes(armature: Any, bone: str) -> Array:
    """Return (3, 3): the axes of ``bone`` at rest as columns, each as (left, up, forward) of the face."""
    left, back, up = character_axes(armature, bone).T
    rest: Array = np.array(armature.data.bones[bone].matrix_local.to_3x3(), np.float64)
    axes: Array = np.stack([left, up, -back]) @ rest
    return axes


def bone_channels(character: Any, mapping: Mapping, curves: FaceCurves) -> dict[str, Array]:
    """Return the channels of the face bones of ``character``, (T, n) values by animation path.

    Args:
        character: the chosen mesh; its armature has the bones.
        mapping: with entries of kind ``bone``.
        curves: the performance.
    """
    if not mapped_bones(character, mapping):
        return {}
    return channels_of_targets(character, mapping, curves.values.astype(np.float64) @ mapping.weights())


def channels_of_targets(character: Any, mapping: Mapping, targets: Array) -> dict[str, Array]:
    """Return the channels of the face bones, as :func:`bone_channels`, that do what (T, N) ``targets`` say."""
    armature = armature_of(character)
    bones = mapped_bones(character, mapping)
    if not bones:
        return {}
    channels: dict[str, Array] = {}
    motions = motion_of_targets(mapping, targets, eye_distance(armature))
    for bone in bones:
        target = HeadTarget(armature, bone)
        motion = motions[bone].in_axes(bone_axes(armature, bone))
        if motion.moves and target.moves:
            channels[target.path("location")] = rest_of(target)[:3] + motion.location
        if motion.turns:
            turned = [Quaternion(row).to_matrix() for row in motion.quaternions().tolist()]
            values = rotation_values(rest_turn(target) @ np.array(turned, np.float64), target.posed.rotation_mode)
            channels[target.path(target.rotation_channel)] = values
    return channels


def _read_bone(target: HeadTarget, sample: Sampler, frames: int) -> dict[str, Array]:
    """Return (T, 3) location, in the armature's unit, and rotation, radians, of one bone in the face's axes."""
    axes = bone_axes(target.owner, target.bone or "")
    read = {"location": np.zeros((frames, 3)), "rotation": np.zeros((frames, 3))}
    location = sampled(sample, target.owner, target.path("location"), 3)
    if location is not None:
        read["location"] = (location - rest_of(target)[:3]) @ axes.T
    width = len(getattr(target.posed, target.rotation_channel))
    rotation = sampled(sample, target.owner, target.path(target.rotation_channel), width)
    if rotation is not None:
        turned = rest_turn(target).T @ rotations_of(rotation, target.posed.rotation_mode)
        quaternions = rotation_values(turned, "QUATERNION").tolist()
        read["rotation"] = np.array([Quaternion(row).to_exponential_map() for row in quaternions]) @ axes.T
    return read


def sampled(sample: Sampler, data: Any, path: str, width: int) -> Array | None:
    """Return the (T, width) values of an animated vector, None unless all of it is animated."""
    found = [values for axis in range(width) if (values := sample(data, path, axis)) is not None]
    return np.stack(found, axis=1) if len(found) == width else None


def read_targets(character: Any, mapping: Mapping, sample: Sampler, frames: int) -> Array:
    """Return (T, N) what every target of ``mapping`` does on ``character``.

    A shape key without an F-curve gives its present value; a bone without F-curves is at rest.

    Args:
        character: the chosen mesh.
        mapping: that the take was keyed by.
        sample: how F-curves are read.
        frames: T.
    """
    values = np.zeros((frames, len(mapping.entries)))
    done: set[int] = set()
    for target in shape_targets(character, mapping):
        if target.column not in done:
            read = sample(target.mesh.data.shape_keys, value_path(target.key.name), 0)
            values[:, target.column] = target.key.value if read is None else read
            done.add(target.column)
    armature = armature_of(character)
    for bone in mapped_bones(character, mapping):
        read_bone = _read_bone(HeadTarget(armature, bone), sample, frames)
        for column in mapping.of_kind("bone"):
            channel = BoneChannel.parse(mapping.entries[column].target)
            if channel.bone == bone:
                unit = eye_distance(armature) if channel.channel == "location" else 1.0
                values[:, column] = read_bone[channel.channel][:, channel.axis] / unit
    return values


def unreadable_channels(mapping: Mapping) -> tuple[str, ...]:
    """Return the ARKit channels that cannot be read back from a take that ``mapping`` keyed.

    These are the channels that reach no target, share one, are only in mouth shapes, or take a target below zero.
    """
    linear = [entry for entry in mapping.entries if entry.kind in ("channel", "bone")]
    weights = np.zeros((ARKIT_COUNT, 1)) if not linear else np.stack([entry.row() for entry in linear], axis=1)
    kept: npt.NDArray[np.float64] = weights @ np.linalg.pinv(weights)
    exact = (np.abs(kept - np.eye(ARKIT_COUNT)) < 1e-6).all(axis=0)
    cut = [entry for entry in mapping.entries if entry not in linear or entry.held_at_zero]
    shapes = {name for entry in cut for name, weight in entry.sources if weight}
    return tuple(name for name, whole in zip(ARKIT_NAMES, exact, strict=True) if not whole or name in shapes)
