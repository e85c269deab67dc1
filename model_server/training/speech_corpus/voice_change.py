"""Other voices from one voice: vocal tract, speed, tempo and intonation, with the labels kept in step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage
import soxr

from model_server.audio.features import SAMPLE_RATE
from model_server.audio.prosody import FRAME_SAMPLES, measure_prosody

from .utterance import FloatArray, Utterance

_FFT, _HOP = 512, 128
_WINDOW = np.hanning(_FFT + 1)[:-1].astype(np.float32)
# The window twice, overlapped four times, adds up to this.
_OVERLAP = np.float32(1.5)
# Quefrencies below 2 ms: the resonances of the tract, without the harmonics of voices below 500 Hz.
_ENVELOPE_TERMS = 32
_LARGEST_GAIN = np.float32(np.log(10))


@dataclass(frozen=True)
class VoiceChange:
    """How a voice becomes another.

    Attributes:
        speed: playing speed: tempo, pitch and resonances go up together.
        tempo: tempo alone.
        tract: factor on the frequencies of the resonances alone; above 1 is a shorter vocal tract.
        intonation: factor on the pitch's distance from its median in octaves: 0 is monotonous, 1 unchanged.
    """

    speed: float = 1.0
    tempo: float = 1.0
    tract: float = 1.0
    intonation: float = 1.0

    @classmethod
    def draw(cls, generator: np.random.Generator) -> VoiceChange:
        """Return a change as people differ."""

        def between(low: float, high: float, chance: float) -> float:
            value = float(np.exp(generator.uniform(np.log(low), np.log(high))))
            return value if generator.random() < chance else 1.0

        return cls(
            speed=between(0.84, 1.19, 0.9),
            tempo=between(0.78, 1.3, 0.35),
            tract=between(0.85, 1.18, 0.5),
            intonation=between(0.3, 1.8, 0.3),
        )

    def __call__(self, utterance: Utterance) -> Utterance:
        """Return the utterance in the other voice."""
        if self.intonation != 1:
            utterance = intone(utterance, self.intonation)
        if self.speed != 1:
            samples = np.asarray(soxr.resample(utterance.samples, SAMPLE_RATE * self.speed, SAMPLE_RATE), np.float32)
            utterance = replace(utterance, samples=samples, ends=utterance.ends / self.speed)
        if self.tempo != 1:
            utterance = change_tempo(utterance, self.tempo)
        if self.tract != 1:
            utterance = replace(utterance, samples=warp_envelope(utterance.samples, self.tract))
        return utterance


def warp_envelope(samples: FloatArray, factor: float | npt.NDArray[np.float64]) -> FloatArray:
    """Return (N,) sound whose resonances lie ``factor`` times as high; pitch and time stay.

    Args:
        samples: (N,) sound.
        factor: one for all, or (M,) over the sound's length.
    """
    padded = np.zeros(-(-len(samples) // _HOP) * _HOP + 2 * _FFT, np.float32)
    padded[_FFT : _FFT + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP] * _WINDOW
    spectra = scipy.fft.rfft(frames, axis=1)
    level = np.log(np.abs(spectra) + np.float32(1e-5))
    cepstra = scipy.fft.irfft(level, axis=1)
    cepstra[:, _ENVELOPE_TERMS : _FFT - _ENVELOPE_TERMS + 1] = 0
    envelope = scipy.fft.rfft(cepstra, axis=1).real
    bins = envelope.shape[1]
    factors = np.interp(np.linspace(0, 1, len(frames)), np.linspace(0, 1, np.size(factor)), np.ravel(factor))
    places = np.minimum(np.arange(bins) / factors[:, None], bins - 1.001).astype(np.float32)
    low = places.astype(np.int32)
    rest = places - low
    below = np.take_along_axis(envelope, low, axis=1)
    wanted = below + rest * (np.take_along_axis(envelope, low + 1, axis=1) - below)
    spectra *= np.exp((wanted - envelope).clip(-_LARGEST_GAIN, _LARGEST_GAIN))
    made = scipy.fft.irfft(spectra, axis=1) * (_WINDOW / _OVERLAP)
    total = np.zeros((len(frames) + _FFT // _HOP - 1, _HOP), np.float32)
    for part in range(_FFT // _HOP):
        total[part : part + len(frames)] += made[:, part * _HOP : (part + 1) * _HOP]
    return total.ravel()[_FFT : _FFT + len(samples)]


def intone(utterance: Utterance, factor: float) -> Utterance:
    """Return the utterance with its pitch movements ``factor`` times as large; resonances stay.

    The sound is played faster where the pitch must rise and slower where it must fall; then its resonances are put
    back. Its labels follow.
    """
    frames = len(utterance.samples) // FRAME_SAMPLES
    edge = np.zeros(FRAME_SAMPLES, np.float32)
    hertz = measure_prosody(np.concatenate([edge, utterance.samples, edge]), frames).hertz
    voiced = np.flatnonzero(hertz > 0)
    if len(voiced) < 10:
        return utterance
    octaves = np.log2(hertz[voiced] / np.median(hertz[voiced])).clip(-0.5, 0.5)
    contour = np.interp(np.arange(frames), voiced, scipy.ndimage.median_filter(octaves, 5, mode="nearest"))
    rate = 2 ** ((factor - 1) * scipy.ndimage.gaussian_filter1d(contour, 2.0))
    # Where in the old sound each moment of the new one lies, and the other way round.
    old = np.arange(frames + 1) * FRAME_SAMPLES
    new = np.concatenate([[0], np.cumsum(FRAME_SAMPLES / rate)])
    places = np.interp(np.arange(int(new[-1])), new, old)
    samples = scipy.ndimage.map_coordinates(utterance.samples, [places], order=3, mode="nearest")
    samples = warp_envelope(np.asarray(samples, np.float32), np.interp(places[::FRAME_SAMPLES], old[:-1], 1 / rate))
    ends = np.interp(utterance.ends, old / SAMPLE_RATE, new / SAMPLE_RATE)
    return Utterance(samples, utterance.phones, ends)


def change_tempo(utterance: Utterance, factor: float) -> Utterance:
    """Return the utterance ``factor`` times as fast at the same pitch (overlap and add at the best fit, WSOLA)."""
    hop, reach = 320, 128
    source = utterance.samples
    count = int(len(source) / factor) // hop
    if count < 2:
        return utterance
    padded = np.zeros(len(source) + 4 * hop + 2 * reach, np.float32)
    padded[hop + reach : hop + reach + len(source)] = source
    window = np.hanning(2 * hop + 1)[:-1].astype(np.float32)
    made = np.zeros((count + 1) * hop, np.float32)
    starts = np.zeros(count)
    start = 0
    for index in range(count):
        wanted = min(int(index * hop * factor), len(source))
        if index:
            # The piece that continues best what the last one was about to say.
            follow = padded[start + hop : start + 2 * hop]
            match = np.correlate(padded[wanted : wanted + hop + 2 * reach], follow, "valid")
            start = wanted + int(match.argmax())
        else:
            start = wanted + reach
        made[index * hop : (index + 2) * hop] += padded[start : start + 2 * hop] * window
        starts[index] = start
    # Piece i has its middle at hop (i + 1) of what was made and at hop + start of what was padded.
    middles = np.arange(count) * hop
    ends = np.interp(utterance.ends * SAMPLE_RATE, np.maximum.accumulate(starts - reach), middles) / SAMPLE_RATE
    return Utterance(made[hop:], utterance.phones, ends)
