"""Drawn mouths: one shape at a time, held long enough to read, as 2D animation on twos does it.

Each shape is known by its ARKit pose. Among all sequences whose shapes are held for the minimum time, the one nearest
to the performance is taken (dynamic programming), so that a short closure still shows and nothing flickers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .visemes import mouth_features

Array = npt.NDArray[np.float64]

MINIMUM_HOLD: Final = 1 / 12
"""Seconds that a drawn mouth stays at least: two frames of film."""
# What a change of mouth costs, in the squared distance of one frame at 24 frames per second.
_CHANGE: Final = 0.004


@dataclass(frozen=True)
class ShapeEvent:
    """From ``time`` (seconds) on, ``shape`` is the one that shows."""

    time: float
    shape: str


def active_shapes(values: Array, poses: Array, fps: float, minimum_hold: float = MINIMUM_HOLD) -> npt.NDArray[np.intp]:
    """Return (T,) which of the poses shows at each frame.

    Args:
        values: (T, 52) ARKit weights.
        poses: (P, 52) ARKit weights of each mouth shape.
        fps: frames per second.
        minimum_hold: seconds that every shape stays at least; the whole performance, where it is shorter.
    """
    seen, known = mouth_features(values, poses)
    distance = (seen**2).sum(axis=1)[:, None] - 2 * seen @ known.T + (known**2).sum(axis=1)
    hold = max(1, min(len(values), int(np.ceil(minimum_hold * fps - 1e-6))))
    return _cheapest(distance, hold, _CHANGE * fps / 24)


def _cheapest(cost: Array, hold: int, change: float) -> npt.NDArray[np.intp]:
    """Return the (T,) cheapest choice for (T, P) ``cost`` whose runs are at least ``hold`` frames long."""
    frames, shapes = cost.shape
    if not frames:
        return np.zeros(0, np.intp)
    total = np.concatenate([np.zeros((1, shapes)), np.cumsum(cost, axis=0)])
    # Ending at frame t in shape p: the cheapest way there, and whether its run only just reached ``hold``.
    ending = np.full(shapes, np.inf)
    best = np.full(frames + 1, np.inf)
    best[0] = -change  # the first shape is no change
    best_shape = np.zeros(frames + 1, np.intp)
    fresh = np.zeros((frames + 1, shapes), bool)
    for frame in range(hold, frames + 1):
        started = best[frame - hold] + change + (total[frame] - total[frame - hold])
        stayed = ending + cost[frame - 1]
        fresh[frame] = started < stayed
        ending = np.minimum(started, stayed)
        best_shape[frame] = ending.argmin()
        best[frame] = ending[best_shape[frame]]
    choice = np.zeros(frames, np.intp)
    frame = frames
    while frame > 0:
        shape = best_shape[frame]
        end = frame
        while not fresh[frame, shape]:
            frame -= 1
        frame -= hold
        choice[frame:end] = shape
    return choice
