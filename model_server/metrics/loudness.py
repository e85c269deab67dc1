"""The baseline that every talking face has to beat: the jaw follows the loudness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

_WINDOW_SECONDS = 0.04
_SMOOTHING_SECONDS = 0.04
_WIDEST = 0.4
"""Jaw of the loudest frames: captured speech seldom opens it further."""


def loudness_to_jaw(samples: npt.NDArray[np.float32], rate: int, fps: float, frames: int) -> npt.NDArray[np.float32]:
    """Return (frames,) jawOpen in 0..0.6 that follows the square root of the amplitude.

    The square root follows captured jaws better than the amplitude itself and as well as decibels. The quietest tenth
    of the frames is closed, the 95th percentile opens the jaw to 0.4; the curve is smoothed by 40 ms.

    Args:
        samples: (N,) sound.
        rate: samples per second.
        fps: frames per second; frame ``i`` is centred on ``i / fps`` seconds.
        frames: how many.
    """
    half = round(_WINDOW_SECONDS / 2 * rate)
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    centres = np.round(np.arange(frames) / fps * rate).astype(int)
    first, last = np.clip(centres - half, 0, len(samples)), np.clip(centres + half, 0, len(samples))
    power = (energy[last] - energy[first]) / (2 * half)
    level = gaussian_filter1d(np.maximum(power, 0) ** 0.25, _SMOOTHING_SECONDS * fps)
    quiet, loud = np.percentile(level, (10, 95))
    jaw = _WIDEST * (level - quiet) / max(loud - quiet, 1e-9)
    return np.asarray(np.clip(jaw, 0, 1.5 * _WIDEST), np.float32)
