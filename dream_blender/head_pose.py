"""Head pose of FaceCurves in Blender's axes. numpy only.

FaceCurves: +X subject's left, +Y up, +Z forward. Blender: +X subject's left, -Y forward, +Z up. So (x, y, z)
becomes (x, -z, y). The pose is applied yaw, then pitch, then roll, each about the axis as the turns before it
moved it: R = R(up, yaw) R(left, pitch) R(forward, -roll), in Blender's axes Rz(yaw) Rx(pitch) Ry(roll).
That is Blender's Euler order YXZ with x = pitch, y = roll, z = yaw.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

EULER_ORDER = "YXZ"


def to_blender(points: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return (..., 3) float32 points or vectors of the project's axes in Blender's axes."""
    points = np.asarray(points, np.float32)
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def from_blender(points: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return (..., 3) float32 points or vectors of Blender's axes in the project's axes."""
    points = np.asarray(points, np.float32)
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def matrices_from_euler(euler: npt.ArrayLike) -> Array:
    """Return (T, 3, 3) rotation matrices of (T, 3) Blender Euler angles (x, y, z) rad in the order YXZ."""
    x, y, z = np.asarray(euler, np.float64).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    about_x = np.array([[one, zero, zero], [zero, np.cos(x), -np.sin(x)], [zero, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), zero, np.sin(y)], [zero, one, zero], [-np.sin(y), zero, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), zero], [np.sin(z), np.cos(z), zero], [zero, zero, one]])
    moved = [np.moveaxis(matrix, -1, 0) for matrix in (about_z, about_x, about_y)]
    return np.asarray(moved[0] @ moved[1] @ moved[2])


def euler_from_matrices(matrices: Array) -> Array:
    """Return (T, 3) Blender Euler angles (x, y, z) rad in the order YXZ, without jumps over time."""
    x = np.arcsin(np.clip(matrices[:, 2, 1], -1.0, 1.0))
    y = np.arctan2(-matrices[:, 2, 0], matrices[:, 2, 2])
    z = np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1])
    return np.unwrap(np.stack([x, y, z], axis=1), axis=0)


def euler_of_head(head_rotation: npt.ArrayLike) -> Array:
    """Return (T, 3) Blender Euler angles (order YXZ) of (T, 3) pitch, yaw, roll rad."""
    pitch, yaw, roll = np.asarray(head_rotation, np.float64).T
    return np.stack([pitch, roll, yaw], axis=1)


def head_of_euler(euler: npt.ArrayLike) -> Array:
    """Return (T, 3) pitch, yaw, roll rad of (T, 3) Blender Euler angles (order YXZ)."""
    x, y, z = np.asarray(euler, np.float64).T
    return np.stack([x, z, y], axis=1)


def _identity() -> Array:
    return np.eye(3)


@dataclass(frozen=True)
class PoseFrame:
    """How head pose becomes the channels of one object or pose bone; all of it at rest.

    Attributes:
        location: (3,) location channels.
        turn: (3, 3) rotation of the rotation channels.
        axes: (3, 3) columns are the character's left, back and up in the axes that the rotation channels turn about.
        location_axes: (3, 3) the same in the axes of the location channels.
        scale: units of the location channels per metre.
    """

    location: Array
    turn: Array
    axes: Array = field(default_factory=_identity)
    location_axes: Array = field(default_factory=_identity)
    scale: float = 1.0


def pose_to_channels(
    head_rotation: npt.ArrayLike, head_translation: npt.ArrayLike, frame: PoseFrame
) -> tuple[Array, Array]:
    """Return (T, 3) location channels and (T, 3, 3) rotations of the rotation channels.

    Args:
        head_rotation: (T, 3) pitch, yaw, roll rad.
        head_translation: (T, 3) m, project axes.
        frame: of the object or pose bone.
    """
    move = to_blender(head_translation).astype(np.float64) * frame.scale
    turned = matrices_from_euler(euler_of_head(head_rotation))
    return frame.location + move @ frame.location_axes.T, frame.turn @ frame.axes @ turned @ frame.axes.T


def channels_to_pose(location: npt.ArrayLike, rotations: npt.ArrayLike, frame: PoseFrame) -> tuple[Array, Array]:
    """Undo :func:`pose_to_channels`: return (T, 3) pitch, yaw, roll rad and (T, 3) translation m."""
    move = (np.asarray(location, np.float64) - frame.location) @ frame.location_axes / frame.scale
    turned = frame.axes.T @ frame.turn.T @ np.asarray(rotations, np.float64) @ frame.axes
    return head_of_euler(euler_from_matrices(turned)), from_blender(move).astype(np.float64)
