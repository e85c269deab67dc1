"""Building blocks of movement over time: smooth steps, pulses, coloured noise, and the phrases of speech."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfftfreq

from ..smoothing import smooth

Curve = npt.NDArray[np.float64]
Array = npt.NDArray[np.float32]

_SHORTEST_PAUSE = 0.18
_SHORTEST_PHRASE = 0.12


def minimum_jerk(progress: Curve) -> Curve:
    """Return 0..1 for ``progress`` 0..1 along the smoothest reach (Flash and Hogan 1985), held outside."""
    x = np.clip(progress, 0.0, 1.0)
    return x * x * x * (10 - 15 * x + 6 * x * x)


def raise_pulse(
    curve: Curve, frame_rate: float, start: float, rise: float, hold: float, fall: float, height: float
) -> None:
    """Lift (T,) ``curve`` to a pulse where it is below it: onset, apex and offset in seconds.

    The apex gives way by an eighth each second while it is held: no face holds an expression still.
    """
    first = max(int(start * frame_rate), 0)
    last = min(int((start + rise + hold + fall) * frame_rate) + 2, len(curve))
    if last <= first:
        return
    times = np.arange(first, last) / frame_rate - start
    shape = minimum_jerk(times / rise) * (1 - minimum_jerk((times - rise - hold) / fall))
    shape *= 1 - np.minimum(0.125 * np.maximum(times - rise, 0), 0.35)
    curve[first:last] = np.maximum(curve[first:last], height * shape)


def pink_noise(
    frames: int,
    frame_rate: float,
    generator: np.random.Generator,
    columns: int = 1,
    lowest: float = 0.05,
    highest: float = 2.0,
) -> Curve:
    """Return (T, columns) noise of unit variance: power 1/f from ``lowest`` to ``highest`` Hz, then falling as 1/f⁷.

    Head motion and facial tone have such spectra: equal power an octave, next to none above some 2 Hz.
    """
    length = next_fast_len(max(frames + round(4 * frame_rate), round(20 * frame_rate)), real=True)
    frequency = rfftfreq(length, 1 / frame_rate)
    amplitude = (frequency**2 + lowest**2) ** -0.25 / np.sqrt(1 + (frequency / highest) ** 6)
    amplitude[0] = 0
    parts = generator.standard_normal((2, len(frequency), columns))
    noise = irfft(amplitude[:, None] * (parts[0] + 1j * parts[1]), length, axis=0)
    scale = length / (2 * np.sqrt(np.sum(amplitude**2)))
    return np.asarray(noise[:frames] * scale, np.float64)


def find_phrases(speech: Array, frame_rate: float) -> Curve:
    """Return (P, 2) start and end seconds of stretches of (T,) ``speech`` between pauses of 0.18 s or more."""
    edges = np.diff((np.asarray(speech) > 0.5).astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges > 0) / frame_rate, np.flatnonzero(edges < 0) / frame_rate
    if not len(starts):
        return np.zeros((0, 2))
    breaks = starts[1:] - ends[:-1] >= _SHORTEST_PAUSE
    phrases = np.stack([starts[np.r_[True, breaks]], ends[np.r_[breaks, True]]], axis=1)
    return np.asarray(phrases[phrases[:, 1] - phrases[:, 0] >= _SHORTEST_PHRASE], np.float64)


def ease(curve: npt.NDArray[Any], frame_rate: float, seconds: float) -> Curve:
    """Return ``curve`` (T, ...) smoothed by a Gaussian of ``seconds``."""
    return np.asarray(smooth(curve, seconds * frame_rate), np.float64)
