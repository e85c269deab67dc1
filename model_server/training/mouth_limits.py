"""How fast a mouth can move, and curves that keep to it.

The speeds are those of a human performer captured with Live Link Face: for each channel the 99th percentile of its
speed while it moves (above 0.1 a second), in the fastest of four recordings.
``python -m model_server.training.calibrate_mouth --livelink`` measures them again.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

SPEED_LIMITS: Final[dict[str, float]] = {
    "jawForward": 1.8,
    "jawOpen": 5.8,
    "mouthClose": 4.3,
    "mouthFunnel": 1.9,
    "mouthPucker": 3.5,
    "mouthSmile": 7.1,
    "mouthFrown": 4.7,
    "mouthDimple": 2.6,
    "mouthStretch": 2.4,
    "mouthRollLower": 2.3,
    "mouthRollUpper": 2.5,
    "mouthShrugLower": 4.3,
    "mouthShrugUpper": 3.3,
    "mouthPress": 2.5,
    "mouthLowerDown": 3.7,
    "mouthUpperUp": 3.9,
}
"""Units a second by channel, without its side. ``tongueOut`` hardly occurs in the recordings and has no limit."""

LIP_GAP_SPEED: Final = 0.15
"""Metres a second at which the lips close and part: the 99th percentile of the Mandarin speaker's recordings is 0.14
to 0.17, of the Live Link performances through the avatar's lips 0.07 to 0.12."""


def reach_minima(curves: FloatArray, step: FloatArray | float) -> npt.NDArray[np.float64]:
    """Return the highest curves below (T,) or (T, C) ``curves`` that change by at most ``step`` (C,) a frame.

    Every minimum is reached in time, by starting early; a peak too short for the speed is undershot. This is what
    articulators do in fast speech.
    """
    slope = np.multiply.outer(np.arange(len(curves)), step)
    falling = np.minimum.accumulate(curves - slope) + slope
    rising = np.minimum.accumulate((curves + slope)[::-1])[::-1] - slope
    return np.asarray(np.minimum(falling, rising), np.float64)


def reach_maxima(curves: FloatArray, step: FloatArray | float) -> npt.NDArray[np.float64]:
    """Return the lowest curves above (T,) or (T, C) ``curves`` that change by at most ``step`` (C,) a frame."""
    return -reach_minima(-np.asarray(curves), step)


def slow_down(curves: FloatArray, step: FloatArray | float) -> npt.NDArray[np.float64]:
    """Return (T,) or (T, C) ``curves`` changing by at most ``step`` (C,) a frame, neither early nor late."""
    return 0.5 * (reach_minima(curves, step) + reach_maxima(curves, step))
