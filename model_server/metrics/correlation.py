"""How closely one curve follows another in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

_STILL = 1e-9


def correlation(first: FloatArray, second: FloatArray) -> float:
    """Return Pearson's r of two (T,) curves; 0 where one of them never moves."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(first) < 2 or first.std() < _STILL or second.std() < _STILL:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def best_lag(curve: FloatArray, truth: FloatArray, fps: float, furthest: float = 0.2) -> tuple[float, float]:
    """Return the seconds by which ``curve`` comes after ``truth`` where they fit best, and Pearson's r there.

    Args:
        curve: (T,) made curve.
        truth: (T,) real curve.
        fps: frames per second of both.
        furthest: largest lag to try, seconds.
    """
    steps = round(furthest * fps)
    fits: list[tuple[float, int]] = []
    for lag in range(-steps, steps + 1):
        late, real = (curve[lag:], truth[: len(truth) - lag]) if lag >= 0 else (curve[:lag], truth[-lag:])
        fits.append((correlation(late, real), lag))
    r, lag = max(fits)
    return lag / fps, r
