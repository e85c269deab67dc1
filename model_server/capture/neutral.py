"""The person's own face at rest, from the clip alone: a shape of the landmarks that changes with the head's turn.

Nobody is asked to hold still. Faces rest most of the time: for a few clear movements (jaw, corners of the mouth, lips'
width, brows) the value at rest is found in the clip, and what the landmarks then still differ from the proxy avatar by
is the person. What the tracker makes of a turned head is learned as a change in proportion to pitch, yaw and roll.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.face_mesh import LANDMARKS, LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .curve_solver import solve_bounded
from .face_regions import MILLIMETRES, brow_region, landmark_rig, mouth_region
from .rest import most_usual
from .tracked_head import TrackedHead, first_poses, refined_poses, still_weights

Array = npt.NDArray[np.float64]

_ROUNDS = 4
_STEPS = 5
_NOISE = 3e-4  # metres; residuals beyond count less, as in least absolute deviations
_DEPTH_SHARE = 0.5  # of what landmarks tell of depth: the tracker's turns fall short
_TURN_PRIOR = 0.3  # square radians times frames: without turns in the clip nothing is learned of them
_LIP_GAP = 1.5e-3  # metres between the inner lips at rest, at most
_CLEAR_MOVEMENTS = (
    (("jawOpen",), ()),
    (("mouthSmileLeft",), ("mouthFrownLeft",)),
    (("mouthSmileRight",), ("mouthFrownRight",)),
    (("mouthPucker",), ()),
    (("mouthLeft",), ("mouthRight",)),
    (("browDownLeft",), ("browOuterUpLeft",)),
    (("browDownRight",), ("browOuterUpRight",)),
    (("browInnerUp",), ()),
)
"""Channels of a movement, and those of its opposite."""
_OPENING = 0  # the movement that rests at its lowest: lips meet in every pause
_LOW = 0.05


@dataclass(frozen=True)
class Neutral:
    """The face at rest.

    Attributes:
        shape: (468, 3) metres in the rig's axes, at the clip's middle turn.
        by_turn: (3, 468, 3) metres a radian of pitch, yaw and roll away from it.
        middle: (3,) radians, that turn.
    """

    shape: Array
    by_turn: Array
    middle: Array

    def at(self, angles: Array) -> Array:
        """Return (T, 468, 3) metres for heads turned by (T, 3) radians."""
        flat = (angles - self.middle) @ self.by_turn.reshape(3, -1)
        return np.asarray(self.shape + flat.reshape(-1, LANDMARKS, 3))


def find_neutral(landmarks: Array) -> Neutral:
    """Return the face at rest of (T, 468, 3) landmarks, pixels in camera axes, of frames all over a clip."""
    rig = landmark_rig()
    rest, weights = rig.rest.astype(np.float64), still_weights(rig)
    neutral = Neutral(rest, np.zeros((3, LANDMARKS, 3)), np.zeros(3))
    head = first_poses(landmarks, rest, weights)
    moved = np.zeros_like(landmarks)
    for _ in range(_ROUNDS):
        head = refined_poses(head, landmarks, neutral.shape + moved, weights)
        offsets = head.offsets(landmarks, rest + moved)
        neutral = _regressed(rest, offsets, head.angles)
        moved = _expressions(head, head.offsets(landmarks, neutral.at(head.angles)))
        neutral = _at_rest(neutral, head, landmarks)
    return neutral


def fitted_poses(landmarks: Array, neutral: Neutral) -> tuple[TrackedHead, Array]:
    """Return the poses of (T, 468, 3) landmarks and the offsets (T, 468, 3) metres from the face at rest."""
    weights = still_weights(landmark_rig())
    head = first_poses(landmarks, neutral.shape, weights)
    moved = np.zeros_like(landmarks)
    for _ in range(2):
        head = refined_poses(head, landmarks, neutral.shape + moved, weights)
        offsets = head.offsets(landmarks, neutral.at(head.angles))
        moved = _expressions(head, offsets)
    return head, offsets


def _expressions(head: TrackedHead, offsets: Array) -> Array:
    """Return (T, 468, 3) metres, about how mouth and brows have moved the landmarks, each frame by itself."""
    rig = landmark_rig()
    values = np.zeros((len(head), len(rig.deltas)))
    free = np.zeros(max(0, len(head) - 2), bool)
    for region in (mouth_region(), brow_region()):
        normal, right = region.normal(head.rotation), region.right(offsets)
        values += region.seen(solve_bounded(normal, right, np.zeros(len(region.ridge)), free))
    flat = values @ rig.deltas.reshape(len(rig.deltas), -1).astype(np.float64)
    return np.asarray(flat.reshape(-1, LANDMARKS, 3))


def _regressed(rest: Array, offsets: Array, angles: Array) -> Neutral:
    """Return the middle of ``offsets`` (T, 468, 3) from ``rest`` and how it goes with the turn, robustly."""
    middle = np.median(angles, axis=0)
    terms = np.concatenate([np.ones((len(angles), 1)), angles - middle], axis=1)
    flat = offsets.reshape(len(offsets), -1)
    prior = np.diag([1e-6, *[_TURN_PRIOR] * 3])
    weights = np.ones_like(flat)
    for _ in range(_STEPS):
        products = np.einsum("tp,tq->tpq", terms, terms).reshape(len(terms), -1)
        normal = (weights.T @ products).reshape(-1, 4, 4) + prior
        right = (weights * flat).T @ terms
        found = np.linalg.solve(normal, right[..., None])[..., 0]
        weights = _NOISE / np.maximum(np.abs(flat - terms @ found.T), _NOISE)
    shape = found.T.reshape(4, LANDMARKS, 3) * np.array([1, 1, _DEPTH_SHARE])
    return Neutral(rest + shape[0], shape[1:], middle)


def _at_rest(neutral: Neutral, head: TrackedHead, landmarks: Array) -> Neutral:
    """Return ``neutral`` with the clear movements taken to where they rest in the clip."""
    rig = landmark_rig()
    offsets = head.offsets(landmarks, neutral.at(head.angles))
    deltas = np.stack([_signed(plus, minus) for plus, minus in _CLEAR_MOVEMENTS])
    used = np.union1d(mouth_region().landmarks, brow_region().landmarks)
    system = MILLIMETRES * deltas[:, used, :2].reshape(len(deltas), -1)
    seen = MILLIMETRES * offsets[:, used, :2].reshape(len(offsets), -1)
    values = seen @ system.T @ np.linalg.inv(system @ system.T + 20 * np.eye(len(system)))
    rests = np.array([most_usual(column) for column in values.T])
    rests[_OPENING] = np.quantile(values[:, _OPENING], _LOW)
    shape = neutral.shape + np.tensordot(rests, deltas, 1) * np.array([1, 1, 0])
    upper, lower = UPPER_LIP_RINGS[0][5], LOWER_LIP_RINGS[0][5]
    gap = shape[upper, 1] - shape[lower, 1]
    opening = rig.deltas[ARKIT_INDEX["jawOpen"]]
    if gap > _LIP_GAP:
        # The mouth stays open all through the clip: that is no part of the face.
        open_by = (gap - _LIP_GAP) / float(opening[upper, 1] - opening[lower, 1])
        shape = shape - open_by * opening
    return Neutral(shape, neutral.by_turn, neutral.middle)


def _signed(plus: tuple[str, ...], minus: tuple[str, ...]) -> Array:
    """Return (468, 3) metres of a movement: one way by ``plus``, the other by ``minus``."""
    deltas = landmark_rig().deltas.astype(np.float64)
    forth = sum(deltas[ARKIT_INDEX[name]] for name in plus)
    back = sum((deltas[ARKIT_INDEX[name]] for name in minus), np.zeros((LANDMARKS, 3)))
    result: Array = (forth - back) / (2 if minus else 1)
    return result
