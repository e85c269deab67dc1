"""Log-mel spectra at 100 frames a second, normalised by the running mean of the speech heard so far.

Both steps work on consecutive blocks and keep their state between them, so a stream and a whole recording give the
same numbers. The state belongs to one recording; make new objects for another.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft

SAMPLE_RATE = 16_000
MEL_RATE = 100
MEL_BANDS = 64
MEL_HOP = SAMPLE_RATE // MEL_RATE
MEL_WINDOW = 400
"""Samples under the window of one mel frame (25 ms)."""

_FFT = 512
_LOWEST_HERTZ, _HIGHEST_HERTZ = 60.0, 7600.0
# Power below which bands count as silent: 90 dB below a full-scale sine.
_POWER_FLOOR = 1e-9

FloatArray = npt.NDArray[np.float32]


def mel_edges() -> npt.NDArray[np.float64]:
    """Return (66,) the corner frequencies of the 64 triangular bands, hertz, even on the mel scale."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOWEST_HERTZ, _HIGHEST_HERTZ))
    return np.asarray(700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1))


@cache
def _mel_matrix() -> FloatArray:
    """Return (257, 64) weights from power spectrum to mel bands; a full-scale sine has power about 1."""
    edges = mel_edges()[:, None]
    hertz = np.arange(_FFT // 2 + 1)[None] * SAMPLE_RATE / _FFT
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling)).T
    return np.asarray(weights * (2 / _window().sum()) ** 2, np.float32)


@cache
def _window() -> FloatArray:
    return np.hanning(MEL_WINDOW + 1)[:-1].astype(np.float32)


def log_mel(samples: FloatArray) -> FloatArray:
    """Return (n, 64) natural logarithms of mel power of the ``n`` whole windows in ``samples``.

    Frame ``j`` covers samples ``160 j`` to ``160 j + 400``.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, MEL_WINDOW)[::MEL_HOP]
    spectrum = scipy.fft.rfft(windows * _window(), _FFT, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.log(power @ _mel_matrix() + np.float32(_POWER_FLOOR)), np.float32)


class LogMelStream:
    """Log-mel frames of a recording that comes in blocks, late by ``DELAY`` frames.

    Frame ``j`` of the recording is centred on ``(j + 0.5) / 100`` seconds. It comes out ``DELAY`` places later, so
    that every block of 160 n samples gives exactly n frames; the first ``DELAY`` frames are of the silence before.
    """

    DELAY = 2

    def __init__(self) -> None:
        before = self.DELAY * MEL_HOP + (MEL_WINDOW - MEL_HOP) // 2
        self._kept: FloatArray = np.zeros(before, np.float32)

    def push(self, block: FloatArray) -> FloatArray:
        """Return (n, 64) frames for a block of ``160 n`` samples."""
        samples = np.concatenate([self._kept, block])
        needed = len(block) + MEL_WINDOW - MEL_HOP
        self._kept = samples[len(block) :]
        return log_mel(samples[:needed])


class RunningMean:
    """Subtracts the mean spectrum of the speech so far: takes away level, microphone and part of the voice.

    Frames louder than ``SPEECH_RANGE`` below the running peak count as speech, digital silence never does. The mean
    starts as ``prior``, which weighs as much as ``PRIOR_FRAMES`` frames, and forgets over ``HORIZON_FRAMES``.

    Args:
        prior: (64,) mean log-mel spectrum of speech in the training set.
    """

    PRIOR_FRAMES = 100
    HORIZON_FRAMES = 1500
    SPEECH_RANGE = 3.5
    PEAK_DECAY = 0.005
    SILENT_LEVEL = -18.0
    LOWEST, HIGHEST, SCALE = -8.0, 6.0, 3.0

    def __init__(self, prior: FloatArray) -> None:
        self._mean = prior.astype(np.float32).copy()
        self._count = self.PRIOR_FRAMES
        self._peak = float(prior.mean()) - 1

    def push(self, frames: FloatArray) -> FloatArray:
        """Return (n, 64) normalised frames, about -2.7..2, for (n, 64) log-mel frames."""
        normal = np.empty_like(frames)
        levels = frames.mean(axis=1)
        for index, frame in enumerate(frames):
            level = float(levels[index])
            self._peak = max(level, self._peak - self.PEAK_DECAY)
            if level > max(self._peak - self.SPEECH_RANGE, self.SILENT_LEVEL):
                self._count = min(self._count + 1, self.HORIZON_FRAMES)
                self._mean += (frame - self._mean) / np.float32(self._count)
            normal[index] = frame - self._mean
        return normal.clip(self.LOWEST, self.HIGHEST) / np.float32(self.SCALE)
