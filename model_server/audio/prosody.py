"""Pitch and loudness at 50 frames a second, as a stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from .features import SAMPLE_RATE
from .phone_track import FRAME_RATE, scale_loudness

FRAME_SAMPLES = SAMPLE_RATE // FRAME_RATE
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 500.0

_WINDOW = 960
_FFT = 2048
# A periodic signal correlates with itself at least this well.
_PERIODIC = 0.45
# Multiples of the true period correlate as well as the period itself; the shorter must win.
_OCTAVE_COST = 0.02

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawProsody:
    """Prosody before it is related to the speaker.

    Attributes:
        hertz: (n,) fundamental frequency, 0 where the signal is not periodic.
        decibels: (n,) mean power relative to a full-scale square wave, -120 or more.
    """

    hertz: FloatArray
    decibels: FloatArray


def _lag_weights() -> FloatArray:
    """Return the autocorrelation of the window, by which that of the signal is divided (Boersma 1993)."""
    spectrum = np.abs(scipy.fft.rfft(np.hanning(_WINDOW), _FFT)) ** 2
    correlation = scipy.fft.irfft(spectrum)
    return np.asarray(correlation / correlation[0], np.float32)


_LAG_WEIGHTS = _lag_weights()
_HANNING = np.hanning(_WINDOW).astype(np.float32)
_SHORTEST = int(SAMPLE_RATE / HIGHEST_PITCH)
_LONGEST = int(SAMPLE_RATE / LOWEST_PITCH)


def measure_prosody(samples: FloatArray, frames: int) -> RawProsody:
    """Return prosody of ``frames`` frames from samples that reach 320 samples beyond them on both sides.

    Frame ``i`` covers ``samples[320 (i + 1) : 320 (i + 2)]``; its pitch window is the 960 samples around it.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::FRAME_SAMPLES][:frames]
    middle = windows[:, FRAME_SAMPLES : 2 * FRAME_SAMPLES]
    decibels = 10 * np.log10(np.square(middle).mean(axis=1) + 1e-12)
    centred = (windows - windows.mean(axis=1, keepdims=True)) * _HANNING
    spectrum = scipy.fft.rfft(centred, _FFT, axis=1)
    correlation = scipy.fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, : _LONGEST + 2]
    energy = correlation[:, :1]
    normal = correlation / np.maximum(energy, 1e-9) / _LAG_WEIGHTS[: _LONGEST + 2]
    inner = normal[:, _SHORTEST : _LONGEST + 1]
    peaks = (inner > normal[:, _SHORTEST - 1 : _LONGEST]) & (inner >= normal[:, _SHORTEST + 1 : _LONGEST + 2])
    lags = np.arange(_SHORTEST, _LONGEST + 1)
    score = np.where(peaks, inner - _OCTAVE_COST * np.log2(lags / _SHORTEST), -1.0)
    best = score.argmax(axis=1)
    rows = np.arange(len(windows))
    before, at, after = (normal[rows, best + _SHORTEST + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    offset = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0)
    periodic = (score[rows, best] > _PERIODIC) & (decibels > -70)
    hertz = np.where(periodic, SAMPLE_RATE / (lags[best] + offset.clip(-0.5, 0.5)), 0)
    return RawProsody(hertz.astype(np.float32), decibels.astype(np.float32))


class SpeakerLevel:
    """The running loudness of the voice: the mean power of the loud parts, forgetting over ten seconds of them."""

    RANGE = 20.0
    PEAK_DECAY = 0.04
    PRIOR_DECIBELS, PRIOR_FRAMES = -26.0, 5
    HORIZON_FRAMES = 500

    def __init__(self) -> None:
        self._power = 10 ** (self.PRIOR_DECIBELS / 10)
        self._count = self.PRIOR_FRAMES
        self._peak = -70.0

    def push(self, decibels: FloatArray) -> FloatArray:
        """Return (n,) loudness as in ``PhoneTrack`` for (n,) decibels."""
        relative = np.empty_like(decibels)
        for index, level in enumerate(decibels.tolist()):
            self._peak = max(level, self._peak - self.PEAK_DECAY)
            if level > self._peak - self.RANGE and level > -65:
                self._count = min(self._count + 1, self.HORIZON_FRAMES)
                self._power += (10 ** (level / 10) - self._power) / self._count
            relative[index] = level - 10 * np.log10(self._power)
        return scale_loudness(relative)


class SpeakerPitch:
    """The running median pitch of the voice over its last minute of voiced frames."""

    HORIZON_FRAMES = 3000
    _BINS = 12 * 4 * 5  # quarter semitones over five octaves from 30 Hz

    def __init__(self) -> None:
        self._counts = np.zeros(self._BINS)
        self._recent: deque[int] = deque()

    def push(self, hertz: FloatArray) -> FloatArray:
        """Return (n,) semitones above the median so far for (n,) hertz; 0 where hertz is 0."""
        semitones = np.zeros_like(hertz)
        for index, value in enumerate(hertz.tolist()):
            if value <= 0:
                continue
            height = 12 * np.log2(value / 30)
            place = int(np.clip(4 * height, 0, self._BINS - 1))
            self._counts[place] += 1
            self._recent.append(place)
            if len(self._recent) > self.HORIZON_FRAMES:
                self._counts[self._recent.popleft()] -= 1
            median = int(np.searchsorted(np.cumsum(self._counts), 0.5 * len(self._recent)))
            semitones[index] = height - (median + 0.5) / 4
        return semitones


class ProsodyStream:
    """Pitch and loudness of a recording that comes in blocks, late by ``delay`` frames (at least 2).

    A single frame whose pitch jumps away from both neighbours, as by an octave, takes the median of the three.
    """

    def __init__(self, delay: int) -> None:
        self._kept: FloatArray = np.zeros((delay + 2) * FRAME_SAMPLES, np.float32)
        self._level = SpeakerLevel()
        self._pitch = SpeakerPitch()

    def push(self, block: FloatArray, voicing: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (n,) pitch in semitones and (n,) loudness, as in ``PhoneTrack``.

        Args:
            block: ``320 n`` samples.
            voicing: (n,) voicing of the frames that come out; pitch is 0 where it is below a half.
        """
        samples = np.concatenate([self._kept, block])
        self._kept = samples[len(block) :]
        count = len(block) // FRAME_SAMPLES
        # One frame more on either side, for the median.
        raw = measure_prosody(samples[: (count + 4) * FRAME_SAMPLES], count + 2)
        threes = np.stack([raw.hertz[:-2], raw.hertz[1:-1], raw.hertz[2:]])
        hertz = np.where(threes.min(axis=0) > 0, np.median(threes, axis=0), threes[1]).astype(np.float32)
        hertz = np.where(voicing >= 0.5, hertz, np.float32(0))
        return self._pitch.push(hertz), self._level.push(raw.decibels[1:-1])
