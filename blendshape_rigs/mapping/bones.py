"""Faces moved by bones: targets that are the location or rotation of a pose bone.

A target reads ``BONE:CHANNEL:AXIS``. CHANNEL is ``location`` or ``rotation``. AXIS is of the face, not of the bone:
``left`` (the subject's), ``up`` or ``forward``; a rotation turns about it by the right hand's rule, so that a jaw
opens about ``left`` by a positive angle. Locations are in face sizes, the distance between the eyes, so that one
profile fits a child and a giant; rotations are in radians.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .model import Mapping, MappingError

AXES: Final = ("left", "up", "forward")
CHANNELS: Final = ("location", "rotation")


@dataclass(frozen=True)
class BoneChannel:
    """One channel of a bone: ``channel`` is ``"location"`` or ``"rotation"``, ``axis`` 0 left, 1 up, 2 forward."""

    bone: str
    channel: str
    axis: int

    @classmethod
    def parse(cls, target: str) -> BoneChannel:
        """Return the channel that an entry's target names.

        Raises:
            MappingError: for a target that is not ``BONE:location|rotation:left|up|forward``.
        """
        parts = target.rsplit(":", 2)
        if len(parts) != 3 or not parts[0] or parts[1] not in CHANNELS or parts[2] not in AXES:
            raise MappingError(f"'{target}' is no bone channel; expected BONE:location|rotation:left|up|forward")
        return cls(parts[0], parts[1], AXES.index(parts[2]))


@dataclass(frozen=True, eq=False)
class BoneMotion:
    """Motion of one bone away from rest, in the face's axes (left, up, forward).

    ``location`` (T, 3) float64 in the unit of ``face_size``; ``rotation`` (T, 3) float64 rotation vectors in radians.
    ``moves`` and ``turns`` tell which of the two the mapping drives.
    """

    location: npt.NDArray[np.float64]
    rotation: npt.NDArray[np.float64]
    moves: bool
    turns: bool

    def in_axes(self, rest: npt.NDArray[np.floating[Any]]) -> BoneMotion:
        """Return the motion in a bone's own axes.

        Args:
            rest: (3, 3), the bone's x, y and z axis at rest as columns, each as (left, up, forward). For an armature in
                Blender whose face looks along -Y that is ``matrix_local`` with rows x, z, -y.
        """
        axes = np.asarray(rest, np.float64)
        return BoneMotion(self.location @ axes, self.rotation @ axes, self.moves, self.turns)

    def quaternions(self) -> npt.NDArray[np.float64]:
        """Return (T, 4) unit quaternions (w, x, y, z) of ``rotation``."""
        angle = np.linalg.norm(self.rotation, axis=1, keepdims=True)
        # sin(a/2)/a by sinc, which is finite at zero.
        return np.concatenate([np.cos(angle / 2), self.rotation * np.sinc(angle / (2 * np.pi)) / 2], axis=1)


def bone_motion(
    mapping: Mapping, values: npt.NDArray[np.floating[Any]], face_size: float = 1.0
) -> dict[str, BoneMotion]:
    """Return how each bone of ``mapping`` moves for ARKit weights (T, 52).

    Args:
        mapping: one with entries of kind ``bone``; others are left out.
        values: (T, 52).
        face_size: distance between the eyes, in the armature's unit.

    Raises:
        MappingError: for a bone entry whose target is no bone channel.
    """
    return motion_of_targets(mapping, np.asarray(values, np.float64) @ mapping.weights(), face_size)


def motion_of_targets(
    mapping: Mapping, targets: npt.NDArray[np.floating[Any]], face_size: float = 1.0
) -> dict[str, BoneMotion]:
    """Return how each bone of ``mapping`` moves when its targets do what (T, N) ``targets`` say.

    Columns are those of ``Mapping.apply``; for the other arguments and errors see :func:`bone_motion`.
    """
    curves = np.asarray(targets, np.float64)
    parts: dict[str, list[tuple[BoneChannel, int]]] = defaultdict(list)
    for column in mapping.of_kind("bone"):
        channel = BoneChannel.parse(mapping.entries[column].target)
        parts[channel.bone].append((channel, column))
    motions = {}
    for bone, channels in parts.items():
        motion = {name: np.zeros((len(curves), 3)) for name in CHANNELS}
        for channel, column in channels:
            scale = face_size if channel.channel == "location" else 1.0
            motion[channel.channel][:, channel.axis] += curves[:, column] * scale
        driven = {channel.channel for channel, _ in channels}
        motions[bone] = BoneMotion(motion["location"], motion["rotation"], "location" in driven, "rotation" in driven)
    return motions
