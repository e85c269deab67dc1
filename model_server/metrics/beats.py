"""Whether the motion keeps the beat of the speech."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

FloatArray = npt.NDArray[np.floating[Any]]

_ENVELOPE_FPS = 100
_SHORTEST_BEAT = 0.15
_WIDTH = 0.1


def speech_onsets(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float64]:
    """Return the seconds of the steepest rises of the loudness, at most one in 0.15 s.

    Args:
        samples: (N,) sound.
        rate: samples per second.
    """
    hop = rate // _ENVELOPE_FPS
    count = len(samples) // hop
    if count < 3:
        return np.zeros(0)
    power = (samples[: count * hop].reshape(count, hop).astype(np.float64) ** 2).mean(axis=1)
    level = gaussian_filter1d(np.sqrt(power), 0.03 * _ENVELOPE_FPS)
    rise = np.maximum(np.diff(level), 0)
    peaks, _ = find_peaks(rise, height=0.1 * rise.max(), distance=round(_SHORTEST_BEAT * _ENVELOPE_FPS))
    return np.asarray((peaks + 1) / _ENVELOPE_FPS)


def motion_beats(face: FloatArray, fps: float) -> npt.NDArray[np.float64]:
    """Return the seconds at which the mean speed of (T, C) channels, smoothed by 40 ms, has a local minimum."""
    mean_speed = np.abs(np.diff(np.asarray(face, np.float64), axis=0)).mean(axis=1) * fps
    smooth = gaussian_filter1d(mean_speed, 0.04 * fps)
    minima, _ = find_peaks(-smooth)
    return np.asarray((minima + 0.5) / fps)


def beat_consistency(onsets: FloatArray, beats: FloatArray) -> float:
    """Return the mean over ``onsets`` of exp(-d² / 2σ²), d to the nearest of ``beats`` in seconds, σ = 0.1 s; 0 to 1.

    The beat consistency score of Liu et al. (BEAT, 2022). Motion with many minima scores high by chance: compare with
    shuffled audio. Without onsets nan, without beats 0.
    """
    if not len(onsets):
        return float("nan")
    if not len(beats):
        return 0.0
    distance = np.abs(np.asarray(onsets)[:, None] - np.asarray(beats)[None]).min(axis=1)
    return float(np.exp(-(distance**2) / (2 * _WIDTH**2)).mean())
