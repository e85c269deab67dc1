"""Curves from noisy frames: least squares with bounds for many curves at once, and plain smoothing.

In both, curves bend little over time: squared second differences are part of what is minimised.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import solveh_banded

Array = npt.NDArray[np.float64]

_MOST_STEPS = 600
_CLOSE_ENOUGH = 2e-5


Linked = npt.NDArray[np.bool_]


def linked_frames(times: Array, fps: float) -> Linked:
    """Return (T - 2,) whether each three frames at (T,) ``times`` follow each other without a gap."""
    near = np.diff(times) < 2.5 / fps
    result: Linked = near[:-1] & near[1:]
    return result


def smoothed(values: Array, linked: Linked, strength: float) -> Array:
    """Return (T, K) ``values`` smoothed by penalised second differences (Whittaker, 1923; Eilers, 2003).

    Args:
        values: (T, K).
        linked: (T - 2,) as :func:`linked_frames` returns.
        strength: weight of the squared second differences; 1 halves what swings four times in 25 frames.
    """
    count = len(values)
    if count < 3:
        return values
    bends = strength * linked
    bands = np.zeros((3, count))
    bands[2] = 1
    for offset, weight in ((0, 1.0), (1, 4.0), (2, 1.0)):
        bands[2, offset : count - 2 + offset] += weight * bends
    bands[1, 1 : count - 1] += -2 * bends
    bands[1, 2:] += -2 * bends
    bands[0, 2:] = bends
    return np.asarray(solveh_banded(bands, values))


def solve_bounded(normal: Array, right: Array, smooth: Array, linked: Linked, lower: Array | float = 0.0) -> Array:
    """Return (T, K) curves x in [lower, 1] that minimise a quadratic for each frame plus their bending.

    That is ½ xₜᵀ Aₜ xₜ − bₜᵀ xₜ summed over the frames, plus ½ sₖ (xₜ − 2 xₜ₊₁ + xₜ₊₂)² for every channel and every
    three linked frames. Solved by accelerated projected gradients (Beck and Teboulle, FISTA, 2009) with a diagonal
    metric that bounds A from above (row sums), so that no step length has to be searched.

    Args:
        normal: (T, K, K) symmetric positive semidefinite Aₜ.
        right: (T, K) bₜ.
        smooth: (K,) sₖ, at least 0.
        linked: (T - 2,) whether frames t, t + 1 and t + 2 follow each other.
        lower: least value, (K,) or one for all.
    """
    metric = np.abs(normal).sum(axis=2) + 16 * smooth + 1e-9
    bends = len(right) > 2 and bool(smooth.any())
    values: Array = np.clip(right / metric, lower, 1)
    ahead, momentum = values, 1.0
    for _ in range(_MOST_STEPS):
        slope = np.matmul(normal, ahead[..., None])[..., 0] - right
        if bends:
            bend = smooth * np.where(linked[:, None], ahead[:-2] - 2 * ahead[1:-1] + ahead[2:], 0.0)
            slope[:-2] += bend
            slope[1:-1] -= 2 * bend
            slope[2:] += bend
        after = np.clip(ahead - slope / metric, lower, 1)
        step = after - values
        if float(np.abs(step).max(initial=0)) < _CLOSE_ENOUGH:
            break
        # Momentum that has begun to point uphill is dropped (O'Donoghue and Candès, 2015).
        if float(((ahead - after) * step).sum()) > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = after + (momentum - 1) / following * step
        values, momentum = after, following
    return values
