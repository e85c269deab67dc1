"""How the channels of a face move: speed, jerk, what happens at window edges, blinks and liveliness.

A face is (T, C) channels over time; which channels are meant is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

_STILL = 1e-9

BLINK_CLOSED = 0.5
"""A lid value above this is a blink."""


def speed(face: FloatArray, fps: float) -> npt.NDArray[np.float64]:
    """Return (T - 1, C) absolute change per second of (T, C) channels."""
    return np.asarray(np.abs(np.diff(np.asarray(face, np.float64), axis=0)) * fps)


def jerk(face: FloatArray, fps: float) -> npt.NDArray[np.float64]:
    """Return (T - 3, C) absolute third derivative of (T, C) channels, in units per second cubed."""
    return np.asarray(np.abs(np.diff(np.asarray(face, np.float64), n=3, axis=0)) * fps**3)


def seam_ratio(face: FloatArray, edges: Sequence[int]) -> float:
    """Return how large the bend at window edges is against that at all other frames; 1 is seamless; nan without any.

    The bend is the mean over channels of the absolute second difference.

    Args:
        face: (T, C) channels.
        edges: frames at which a new window begins.
    """
    bend = np.abs(np.diff(np.asarray(face, np.float64), n=2, axis=0)).mean(axis=1)
    at_edge = np.zeros(len(bend), bool)
    # The second difference k spans the frames k to k + 2: both that cross from frame e - 1 to frame e count.
    for edge in edges:
        at_edge[max(0, edge - 2) : edge] = True
    inside = float(bend[~at_edge].mean()) if not at_edge.all() else 0.0
    if not at_edge.any() or inside < _STILL:
        return float("nan")
    return float(bend[at_edge].mean()) / inside


@dataclass(frozen=True)
class Blinks:
    """Blinks of some recordings: how many a minute, the mean seconds with the lids more than half shut, mean depth."""

    per_minute: float
    duration: float
    depth: float


def measure_blinks(lids: Sequence[FloatArray], fps: float) -> Blinks:
    """Return the blinks in (T,) lid values (mean of eyeBlinkLeft and eyeBlinkRight) of some recordings.

    A blink is a stretch above 0.5; its depth is its largest value. Without any, duration and depth are nan. Human
    blinks while speaking: 15 to 30 a minute (Bentivoglio et al., 1997), 0.1 to 0.4 s in all.
    """
    durations: list[float] = []
    depths: list[float] = []
    for lid in lids:
        shut = np.concatenate([[False], lid > BLINK_CLOSED, [False]])
        edges = np.flatnonzero(np.diff(shut.astype(np.int8)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            durations.append((stop - start) / fps)
            depths.append(float(lid[start:stop].max()))
    minutes = sum(map(len, lids)) / fps / 60
    none = float("nan")
    return Blinks(
        len(durations) / minutes if minutes else none,
        float(np.mean(durations)) if durations else none,
        float(np.mean(depths)) if depths else none,
    )


def dynamics_deviation(face: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Return the mean over channels of (std over time of ``truth`` - std of ``face``), signed and absolute.

    Positive: ``face`` is less lively than the truth. Both are (T, C), their T may differ. After the upper-face dynamics
    deviation (FDD) of CodeTalker (Xing et al., 2023).
    """
    difference = np.asarray(truth).std(axis=0) - np.asarray(face).std(axis=0)
    return float(difference.mean()), float(np.abs(difference).mean())


def diversity(takes: Sequence[FloatArray]) -> float:
    """Return the mean over all pairs of (T, C) takes of the mean over time of the L2 distance between them."""
    distances = [
        float(np.linalg.norm(first - second, axis=1).mean())
        for index, first in enumerate(takes)
        for second in takes[index + 1 :]
    ]
    return float(np.mean(distances)) if distances else float("nan")
