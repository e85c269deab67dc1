"""Mouth shapes mixed: how much of each viseme of a character comes nearest to the mouth of every frame.

Each viseme is known by its ARKit pose. The weights are the non-negative least squares fit, no more than 1 in all,
since visemes are whole mouths that a sum beyond 1 would overdrive. A small penalty on large weights makes the answer
unique; it is then a continuous function of the frame, so that smooth curves stay smooth.

Source: A. Beck and M. Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems",
2009, with the projection of J. Duchi et al., "Efficient Projections onto the l1-Ball", 2008.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_COUNT, ARKIT_INDEX

Array = npt.NDArray[np.float64]

_RIDGE: Final = 0.01
_ROUNDS: Final = 12
_STEPS: Final = 10
_STILL: Final = 2e-4

_IMPORTANCE: Final = {"jawOpen": 1.5, "mouthFunnel": 1.2, "mouthPucker": 1.2, "mouthClose": 0.8}
# How much of the gap between the lips a channel opens or shuts, where jawOpen is 1.
_GAP: Final = {
    "jawOpen": 1.0,
    "mouthClose": -1.0,
    "mouthLowerDownLeft": 0.17,
    "mouthLowerDownRight": 0.17,
    "mouthUpperUpLeft": 0.12,
    "mouthUpperUpRight": 0.12,
    "mouthFunnel": 0.25,
}
_GAP_IMPORTANCE: Final = 1.5


def mouth_features(values: Array) -> Array:
    """Return (..., 53) what is seen of ARKit weights (..., 52): each channel by its importance, and the lips' gap."""
    importance, gap = np.ones(ARKIT_COUNT), np.zeros(ARKIT_COUNT)
    for name, weight in _IMPORTANCE.items():
        importance[ARKIT_INDEX[name]] = weight
    for name, weight in _GAP.items():
        gap[ARKIT_INDEX[name]] = weight * _GAP_IMPORTANCE
    return np.concatenate([values * importance, (values @ gap)[..., None]], axis=-1)


def solve_poses(values: Array, poses: Array) -> Array:
    """Return (T, P) weights, 0 or more and at most 1 in all, that make the poses come nearest to each frame.

    Args:
        values: (T, 52) ARKit weights.
        poses: (P, 52) ARKit weights of each mouth shape. A pose of zeros is the rest: it gets what is left of 1.
            Channels that no pose uses do not matter.
    """
    used = (poses != 0).any(axis=0)
    moving = poses.any(axis=1)
    weights = np.zeros((len(values), len(poses)))
    if moving.any():
        basis = mouth_features(poses[moving])
        weights[:, moving] = _fit(mouth_features(values * used), basis)
    rests = np.flatnonzero(~moving)
    if len(rests):
        weights[:, rests] = ((1 - weights.sum(axis=1)) / len(rests))[:, None].clip(0, 1)
    return weights


def _fit(frames: Array, basis: Array) -> Array:
    """Return the (T, P) fit of (P, F) ``basis`` to (T, F) ``frames`` by accelerated projected gradients.

    Frames that no longer change are left alone, so that a few hard ones do not keep all others waiting.
    """
    gram = basis @ basis.T + _RIDGE * np.eye(len(basis))
    wanted = (frames @ basis.T).astype(np.float32)
    rate = 1 / np.linalg.eigvalsh(gram)[-1]
    step, pull = (np.eye(len(basis)) - rate * gram).astype(np.float32), np.float32(rate) * wanted
    result = _project(wanted @ np.linalg.inv(gram).astype(np.float32))
    open_rows = np.arange(len(frames))
    weights, ahead, momentum = result.copy(), result, 1.0
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            previous = weights
            weights = _project(ahead @ step + pull[open_rows])
            faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = weights + np.float32((momentum - 1) / faster) * (weights - previous)
            momentum = faster
        result[open_rows] = weights
        moving = np.abs(weights - previous).max(axis=1) > _STILL
        open_rows, weights, ahead = open_rows[moving], weights[moving], ahead[moving]
        if not len(open_rows):
            break
    return result.astype(np.float64)


def _project(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the nearest (T, P) weights that are 0 or more and at most 1 in all."""
    result = np.maximum(weights, 0)
    over = np.flatnonzero(result.sum(axis=1) > 1)
    if len(over):
        rows = result[over]
        falling = -np.sort(-rows, axis=1)
        spare = (np.cumsum(falling, axis=1) - 1) / np.arange(1, rows.shape[1] + 1, dtype=np.float32)
        last = (falling > spare).sum(axis=1) - 1
        result[over] = np.maximum(rows - spare[np.arange(len(rows)), last][:, None], 0)
    return result
