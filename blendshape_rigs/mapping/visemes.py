"""Mouth shapes mixed: how much of each viseme of a character comes nearest to the mouth of every frame.

Each viseme is known by its ARKit pose. The weights are the non-negative least squares fit, no more than 1 in all,
since visemes are whole mouths that a sum beyond 1 would overdrive. A small penalty on large weights makes the answer
unique; it is then a continuous function of the frame, so that smooth curves stay smooth.

Source: S. Boyd et al., "Distributed Optimization and Statistical Learning via the Alternating Direction Method of
Multipliers", 2011, with the projection of J. Duchi et al., "Efficient Projections onto the l1-Ball", 2008.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_COUNT, ARKIT_INDEX

Array = npt.NDArray[np.float64]

_RIDGE: Final = 0.004
_PENALTY: Final = 0.2
_RELAXATION: Final = np.float32(1.6)
_ROUNDS: Final = 10
_STEPS: Final = 10
_STILL: Final = 1e-3

# The lips' gap is what the eye checks against the sound. A smile is as much a mood as a sound: an I that only smiles
# would open a mouth that is shut.
_IMPORTANCE: Final = {"jawOpen": 1.5, "mouthFunnel": 1.2, "mouthPucker": 1.2, "mouthClose": 0.8, "tongueOut": 2.0}
_SIDED_IMPORTANCE: Final = {"mouthSmile": 0.3, "mouthStretch": 0.5}
# How much of the gap between the lips a channel opens or shuts, where jawOpen is 1: as on the proxy avatar.
_GAP: Final = {"jawOpen": 1.0, "mouthClose": -1.0, "mouthFunnel": 0.37}
_SIDED_GAP: Final = {"mouthLowerDown": 0.125, "mouthUpperUp": 0.11}
_GAP_IMPORTANCE: Final = 4.0


def mouth_features(values: Array, poses: Array) -> tuple[Array, Array]:
    """Return (T, 53) and (P, 53): what is seen of ARKit weights (T, 52) and of mouth shapes (P, 52).

    Each channel counts by its importance, as far as any shape uses it, and the lips' gap counts whatever makes it: on
    characters without a mouthClose, lips that it shuts are shut all the same.
    """
    importance, gap = np.ones(ARKIT_COUNT), np.zeros(ARKIT_COUNT)
    for table, row in ((_IMPORTANCE, importance), (_GAP, gap)):
        for name, weight in table.items():
            row[ARKIT_INDEX[name]] = weight
    for table, row in ((_SIDED_IMPORTANCE, importance), (_SIDED_GAP, gap)):
        for name, weight in table.items():
            row[[ARKIT_INDEX[f"{name}Left"], ARKIT_INDEX[f"{name}Right"]]] = weight
    importance *= (poses != 0).any(axis=0)
    seen, known = (
        np.concatenate([rows * importance, rows @ gap[:, None] * _GAP_IMPORTANCE], axis=1) for rows in (values, poses)
    )
    return seen, known


def solve_poses(values: Array, poses: Array) -> Array:
    """Return (T, P) weights, 0 or more and at most 1 in all, that make the poses come nearest to each frame.

    Args:
        values: (T, 52) ARKit weights.
        poses: (P, 52) ARKit weights of each mouth shape. A pose of zeros is the rest: it gets what is left of 1.
    """
    moving = poses.any(axis=1)
    weights = np.zeros((len(values), len(poses)))
    if moving.any():
        weights[:, moving] = _fit(*mouth_features(values, poses[moving]))
    rests = np.flatnonzero(~moving)
    if len(rests):
        weights[:, rests] = ((1 - weights.sum(axis=1)) / len(rests))[:, None].clip(0, 1)
    return weights


def _fit(frames: Array, basis: Array) -> Array:
    """Return the (T, P) fit of (P, F) ``basis`` to (T, F) ``frames``, by alternating directions.

    Frames that no longer change are left alone, so that a few hard ones do not keep all others waiting.
    """
    gram = basis @ basis.T + _RIDGE * np.eye(len(basis))
    wanted = frames @ basis.T
    inverse = np.linalg.inv(gram + _PENALTY * np.eye(len(basis)))
    base, pull = (wanted @ inverse).astype(np.float32), (_PENALTY * inverse).astype(np.float32)
    result = _project((wanted @ np.linalg.inv(gram)).astype(np.float32))
    rows, weights, debt = np.arange(len(frames)), result.copy(), np.zeros_like(result)
    for _ in range(_ROUNDS):
        before = weights
        for _ in range(_STEPS):
            fitted = base + (weights - debt) @ pull
            relaxed = _RELAXATION * fitted + (1 - _RELAXATION) * weights
            weights = _project(relaxed + debt)
            debt += relaxed - weights
        result[rows] = weights
        moving = np.maximum(np.abs(weights - before), np.abs(weights - fitted)).max(axis=1) > _STILL
        rows, weights, debt, base = rows[moving], weights[moving], debt[moving], base[moving]
        if not len(rows):
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
