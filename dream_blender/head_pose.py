"""Head pose of FaceCurves in Blender's axes. numpy only.

FaceCurves: +X subject's left, +Y up, +Z forward. Blender: +X subject's left, -Y forward, +Z up. So (x, y, z)
becomes (x, -z, y). The pose is applied yaw, then pitch, then roll, each about the axis as the turns before it
moved it: R = R(up, yaw) R(left, pitch) R(forward, -roll), in Blender's axes Rz(yaw) Rx(pitch) Ry(roll).
That is Blender's Euler order YXZ with x = pitch, y = roll, z = yaw.
"""

from __future__ import annotations

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


def pose_to_channels(
    head_rotation: npt.ArrayLike, head_translation: npt.ArrayLike, rest: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return (T, 3) location and (T, 3) Euler channels of an object whose rest pose is ``rest``.

    Args:
        head_rotation: (T, 3) pitch, yaw, roll rad.
        head_translation: (T, 3) m, project axes.
        rest: (6,) rest location m and rest Euler angles rad (order YXZ), Blender axes.
    """
    rest = np.asarray(rest, np.float64)
    euler, move = euler_of_head(head_rotation), to_blender(head_translation).astype(np.float64)
    if not rest[3:].any():
        return rest[:3] + move, euler
    turn = matrices_from_euler(rest[None, 3:])[0]
    return rest[:3] + move @ turn.T, euler_from_matrices(turn @ matrices_from_euler(euler))


def channels_to_pose(location: npt.ArrayLike, euler: npt.ArrayLike, rest: npt.ArrayLike) -> tuple[Array, Array]:
    """Undo :func:`pose_to_channels`: return (T, 3) pitch, yaw, roll rad and (T, 3) translation m."""
    rest = np.asarray(rest, np.float64)
    move = np.asarray(location, np.float64) - rest[:3]
    if rest[3:].any():
        turn = matrices_from_euler(rest[None, 3:])[0]
        move = move @ turn
        euler = euler_from_matrices(turn.T @ matrices_from_euler(euler))
    return head_of_euler(euler), from_blender(move).astype(np.float64)
