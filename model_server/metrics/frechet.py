"""Fréchet distance between performances in a space of window statistics.

The space is no learned latent: it holds the mean, the standard deviation and the mean absolute speed of each channel
over windows of one second, divided by their spread in the reference and turned to the reference's principal axes. The
distance therefore sees poses, amplitudes and speeds, and how channels go together, and not the order of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Result = npt.NDArray[np.float64]

WINDOW_SECONDS = 1.0
HOP_SECONDS = 0.5
DIMENSIONS = 8
_SMALLEST_SPREAD = 0.02
_SMALLEST_SPEED_SPREAD = 0.1
"""Features that hardly change in the reference are divided by these, so that they do not decide."""


def window_statistics(faces: Sequence[FloatArray], fps: float) -> Result:
    """Return (N, 3 C) mean, standard deviation and mean speed of the channels over windows of (T, C) faces.

    Windows last a second and begin every half second.
    """
    length, hop = round(WINDOW_SECONDS * fps), round(HOP_SECONDS * fps)
    rows = []
    for face in faces:
        for start in range(0, len(face) - length + 1, hop):
            part = np.asarray(face[start : start + length], np.float64)
            rows.append(
                np.concatenate([part.mean(axis=0), part.std(axis=0), np.abs(np.diff(part, axis=0)).mean(axis=0) * fps])
            )
    width = 3 * faces[0].shape[1] if faces else 0
    return np.array(rows).reshape(len(rows), width)


@dataclass(frozen=True)
class WindowSpace:
    """A space of windows: (F,) ``mean`` and ``spread`` of the reference and (F, D) its first principal ``axes``."""

    mean: Result
    spread: Result
    axes: Result

    @classmethod
    def fit(cls, reference: FloatArray) -> WindowSpace:
        """Return the space of (N, F) reference statistics, scaled so that the reference has unit variance in it."""
        mean = reference.mean(axis=0)
        channels = reference.shape[1] // 3
        floor = np.repeat([_SMALLEST_SPREAD, _SMALLEST_SPREAD, _SMALLEST_SPEED_SPREAD], channels)
        spread = np.maximum(reference.std(axis=0), floor)
        scaled = (reference - mean) / spread
        _, sizes, axes = np.linalg.svd(scaled, full_matrices=False)
        count = min(DIMENSIONS, len(sizes))
        deviations = sizes[:count] / np.sqrt(len(reference))
        return cls(mean, spread, axes[:count].T / np.maximum(deviations, 1e-9))

    def __call__(self, statistics: FloatArray) -> Result:
        """Return (N, D) coordinates of (N, F) window statistics."""
        return np.asarray(((statistics - self.mean) / self.spread) @ self.axes)


def frechet_distance(first: FloatArray, second: FloatArray) -> float:
    """Return |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) of two sets of points (N, D) and (M, D), taken as Gaussian."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    gap = first.mean(axis=0) - second.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(points, rowvar=False)) for points in (first, second)]
    # The trace of (C1 C2)^½ is that of (C1^½ C2 C1^½)^½, which is symmetric: exact for flat covariances too.
    sizes, axes = np.linalg.eigh(covariances[0])
    half = axes * np.sqrt(np.maximum(sizes, 0)) @ axes.T
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ covariances[1] @ half), 0))
    return float(gap @ gap + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * roots.sum())
