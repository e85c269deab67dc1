"""Smoothing over time, shared by the teachers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d


def smooth(curves: npt.NDArray[Any], sigma: float) -> npt.NDArray[np.float32]:
    """Return (T, ...) float32 ``curves`` blurred over time by a Gaussian of ``sigma`` frames."""
    return np.asarray(gaussian_filter1d(np.asarray(curves, np.float64), sigma, axis=0), np.float32)
