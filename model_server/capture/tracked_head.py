"""Where the head is in every frame: a similarity from the person's face to the picture, from landmarks that hold still.

The picture is taken as a weak perspective: what nearness and lens do to a face is left to the neutral face, which may
change with the head's turn (see :mod:`.neutral`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS
from model_server.portrait.fit import rotation_angles
from model_server.portrait.rig import LandmarkRig

Array = npt.NDArray[np.float64]

_STEPS = 3
_STILL = 1.5e-3  # metres; a landmark that some shape moves this far counts half
_OVAL_WEIGHT = 0.3  # the mesh's outline slides along the silhouette as the head turns
_LEAST_WEIGHT = 0.05


@dataclass(frozen=True)
class TrackedHead:
    """Poses of T frames. A point p (metres, the rig's axes) is seen at ``scale`` · (``rotation`` p)xy + ``place``.

    Attributes:
        rotation: (T, 3, 3), head axes to camera axes.
        scale: (T,) pixels a metre.
        place: (T, 2) pixels, x right and y up.
    """

    rotation: Array
    scale: Array
    place: Array

    def __len__(self) -> int:
        return len(self.scale)

    def part(self, chosen: slice) -> TrackedHead:
        """Return the ``chosen`` frames."""
        return TrackedHead(self.rotation[chosen], self.scale[chosen], self.place[chosen])

    @property
    def angles(self) -> Array:
        """(T, 3) pitch, yaw, roll in radians."""
        return np.radians([rotation_angles(rotation) for rotation in self.rotation]).reshape(-1, 3)

    def seen(self, points: Array) -> Array:
        """Return (T, N, 2) pixels of points (N, 3) or (T, N, 3) metres."""
        turned = np.matmul(points, np.swapaxes(self.rotation, 1, 2))
        flat: Array = self.scale[:, None, None] * turned[..., :2] + self.place[:, None]
        return flat

    def offsets(self, landmarks: Array, points: Array) -> Array:
        """Return (T, N, 3) metres, head axes: how far (T, N, 2 or 3) ``landmarks`` lie from ``points`` as seen.

        What cannot be seen, the part along the line of sight, is 0.
        """
        missing = (landmarks[..., :2] - self.seen(points)) / self.scale[:, None, None]
        result: Array = np.matmul(missing, self.rotation[:, :2])
        return result


def still_weights(rig: LandmarkRig) -> Array:
    """Return (468,) how far the place of each landmark tells that of the skull, 0 to 1."""
    reach = np.linalg.norm(rig.deltas.astype(np.float64), axis=2).max(axis=0)
    weights = 1 / (1 + (reach / _STILL) ** 2)
    weights[list(FACE_OVAL)] *= _OVAL_WEIGHT
    weights[weights < _LEAST_WEIGHT] = 0
    result: Array = weights
    return result


def first_poses(landmarks: Array, shape: Array, weights: Array) -> TrackedHead:
    """Return the poses that lay ``shape`` (468, 3) on (T, 468, 3) landmarks, their rough depth included.

    The closed form of Arun, Huang and Blostein (1987); the scale is that in the picture's plane.
    """
    share = weights / weights.sum()
    middle, middles = share @ shape, np.einsum("i,tid->td", share, landmarks)
    model, seen = shape - middle, landmarks - middles[:, None]
    u, _, vt = np.linalg.svd(np.einsum("tia,i,ib->tab", seen, share, model))
    sign = np.ones((len(landmarks), 3))
    sign[:, 2] = np.linalg.det(u @ vt)
    rotation = (u * sign[:, None]) @ vt
    flat = np.matmul(model, np.swapaxes(rotation, 1, 2))[..., :2]
    scale = np.einsum("i,tia,tia->t", share, flat, seen[..., :2]) / np.einsum("i,tia,tia->t", share, flat, flat)
    place = middles[:, :2] - scale[:, None] * (rotation @ middle)[:, :2]
    return TrackedHead(rotation, scale, place)


def refined_poses(head: TrackedHead, landmarks: Array, shapes: Array, weights: Array) -> TrackedHead:
    """Return ``head`` after Gauss-Newton steps on the landmarks' places in the picture alone.

    Args:
        head: T poses to begin with.
        landmarks: (T, 468, 2 or 3) pixels.
        shapes: (468, 3) or (T, 468, 3) metres, the face that is seen, expression included.
        weights: (468,), see :func:`still_weights`.
    """
    used = np.flatnonzero(weights)
    points = np.broadcast_to(shapes, (len(head), LANDMARKS, 3))[:, used]
    weight = weights[used, None, None]
    for _ in range(_STEPS):
        turned = head.scale[:, None, None] * np.matmul(points, np.swapaxes(head.rotation, 1, 2))
        missing = landmarks[:, used, :2] - turned[..., :2] - head.place[:, None]
        change = np.zeros((len(head), len(used), 2, 6))  # by rotation about x, y, z, by log scale and by place
        change[..., 0, 1], change[..., 0, 2] = turned[..., 2], -turned[..., 1]
        change[..., 1, 0], change[..., 1, 2] = -turned[..., 2], turned[..., 0]
        change[..., 3] = turned[..., :2]
        change[..., 0, 4] = change[..., 1, 5] = 1
        flat = (change * weight).reshape(len(head), -1, 6)
        normal = np.swapaxes(flat, 1, 2) @ change.reshape(len(head), -1, 6)
        right = np.swapaxes(flat, 1, 2) @ missing.reshape(len(head), -1, 1)
        step = np.linalg.solve(normal, right)[..., 0]
        head = TrackedHead(
            _turns(step[:, :3]) @ head.rotation, head.scale * np.exp(step[:, 3]), head.place + step[:, 4:]
        )
    return head


def _turns(vectors: Array) -> Array:
    """Return (T, 3, 3) rotations of (T, 3) rotation vectors, by Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None] + 1e-12
    cross = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = z, -y, x
    unit = cross / angle
    result: Array = np.eye(3) + np.sin(angle) * unit + (1 - np.cos(angle)) * (unit @ unit)
    return result
