"""Invented speech: timed phones with pitch, loudness, accents and phrases, without sound.

The performance models hear phones, not waveforms, so they can be taught by utterances that nobody spoke. Syllables,
durations and intonation follow broad figures for fluent speech (4 to 6 syllables a second, phrases of 3 to 18
syllables, falling pitch with accents).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_server.audio.phones import PHONES

from .expression_teacher import Prosody
from .mouth_teacher import VOWELS, PhoneSegments
from .smoothing import smooth

Array = npt.NDArray[np.float32]

# Syllable parts with rough frequencies over English, German, Spanish, Italian, Russian and Mandarin.
_ONSETS = (
    ("", 14), ("t", 8), ("d", 8), ("s", 7), ("m", 8), ("n", 7), ("p", 6), ("b", 7), ("k", 7), ("l", 6), ("ɹ", 4),
    ("r", 4), ("w", 5), ("f", 5), ("v", 4), ("h", 4), ("ð", 5), ("θ", 1), ("ʃ", 3), ("ʒ", 1), ("z", 3), ("ɡ", 4),
    ("j", 4), ("x", 2), ("t ʃ", 2), ("d ʒ", 2), ("t s", 1), ("s t", 2), ("p ɹ", 2), ("t ɹ", 2), ("k l", 1),
    ("b l", 1), ("p l", 1), ("s p", 1), ("f l", 1), ("k w", 1), ("s m", 1), ("b r", 1), ("f ɹ", 1),
)  # fmt: skip
_NUCLEI = (
    ("ə", 12), ("ɪ", 9), ("i", 8), ("a", 9), ("e", 7), ("ɛ", 6), ("o", 6), ("u", 6), ("æ", 4), ("ʌ", 4), ("ɑ", 5),
    ("ɔ", 4), ("ʊ", 2), ("ɜ", 2), ("y", 1), ("ø", 1), ("ɨ", 2), ("e ɪ", 4), ("a ɪ", 4), ("o ʊ", 4), ("a ʊ", 2),
    ("ɔ ɪ", 1),
)  # fmt: skip
_CODAS = (
    ("", 50), ("n", 9), ("t", 7), ("s", 6), ("l", 4), ("m", 4), ("ɹ", 3), ("d", 4), ("k", 4), ("z", 3), ("ŋ", 3),
    ("p", 2), ("b", 1), ("f", 2), ("v", 2), ("n t", 2), ("s t", 2), ("n d", 2), ("ʃ", 1), ("t ʃ", 1), ("m p", 1),
)  # fmt: skip
_VOICELESS = frozenset(["sil", "p", "f", "θ", "s", "ʃ", "t", "k", "x", "h"])


@dataclass(frozen=True)
class Utterance:
    """Invented speech at a frame rate.

    Attributes:
        segments: timed phones, silences included.
        phones: (T,) int64 index into ``PHONES`` of the phone at each frame.
        voicing: (T,) float32 in 0..1.
        pitch: (T,) float32 semitones around the speaker's median, 0 where unvoiced.
        loudness: (T,) float32 about -1..1 around the speaker's level; -1 in silence.
        speech: (T,) float32, 1 inside phrases.
        prosody: accents, phrase ends and loudness.
    """

    segments: PhoneSegments
    phones: npt.NDArray[np.int64]
    voicing: Array
    pitch: Array
    loudness: Array
    speech: Array
    prosody: Prosody


def _pick(table: tuple[tuple[str, int], ...], generator: np.random.Generator) -> list[str]:
    weights = np.array([weight for _, weight in table], float)
    return table[generator.choice(len(table), p=weights / weights.sum())][0].split()


def _duration(symbol: str, stressed: bool, generator: np.random.Generator) -> float:
    """Seconds of one phone at an average rate."""
    if symbol in VOWELS:
        mean = 0.115 if stressed else 0.070
    else:
        mean = {"s": 0.095, "ʃ": 0.100, "f": 0.090, "m": 0.072, "p": 0.085, "b": 0.072}.get(symbol, 0.062)
    return float(np.clip(mean * generator.lognormal(0, 0.28), 0.028, 0.30))


def invent_utterance(seconds: float, frame_rate: float, generator: np.random.Generator) -> Utterance:
    """Return an invented utterance of exactly ``seconds``; a tenth of them are mostly silence."""
    symbols: list[str] = ["sil"]
    starts: list[float] = [0.0]
    accents: list[tuple[float, float]] = []
    phrase_ends: list[float] = []
    rate = generator.uniform(0.78, 1.35)
    quiet = generator.random() < 0.1
    time = generator.uniform(0.05, seconds if quiet else 0.8)
    while time < seconds - 0.3:
        for _ in range(int(np.clip(generator.gamma(2.2, 3.2), 2, 22))):
            stressed = bool(generator.random() < 0.38)
            parts = (_pick(_ONSETS, generator), _pick(_NUCLEI, generator), _pick(_CODAS, generator))
            for part in parts:
                if part is parts[1] and stressed and generator.random() < 0.6:
                    accents.append((time + 0.04, float(generator.uniform(0.4, 1.0))))
                for symbol in part:
                    symbols.append(symbol)
                    starts.append(time)
                    time += _duration(symbol, stressed, generator) / rate
            if time > seconds - 0.2:
                break
        phrase_ends.append(time)
        symbols.append("sil")
        starts.append(time)
        time += float(generator.choice([generator.uniform(0.12, 0.4), generator.uniform(0.4, 1.6)]))
    segments = PhoneSegments(tuple(symbols), np.array(starts), max(seconds, time))
    accent_array = np.array(accents or [(-9.0, 0.0)])
    prosody = Prosody(accent_array[:, 0], accent_array[:, 1], np.array(phrase_ends))
    return _with_prosody(segments, prosody, seconds, frame_rate, generator)


def _with_prosody(
    segments: PhoneSegments,
    prosody: Prosody,
    seconds: float,
    frame_rate: float,
    generator: np.random.Generator,
) -> Utterance:
    """Lay voicing, pitch and loudness over timed phones."""
    times = (np.arange(round(seconds * frame_rate)) + 0.5) / frame_rate
    which = np.searchsorted(segments.starts, times, side="right") - 1
    index = {symbol: i for i, symbol in enumerate(PHONES)}
    codes = np.array([index[symbol] for symbol in segments.symbols])
    silent = np.array([symbol == "sil" for symbol in segments.symbols])[which]
    voiced = np.array([symbol not in _VOICELESS for symbol in segments.symbols], float)[which]
    vowel = np.array([symbol in VOWELS for symbol in segments.symbols], float)[which]
    bumps = np.zeros(len(times))
    for time, strength in zip(prosody.accent_times, prosody.accent_strengths, strict=True):
        bumps += strength * np.exp(-0.5 * ((times - time) / 0.07) ** 2)
    since_end = np.interp(times, np.r_[0, prosody.phrase_ends, seconds + 1], np.arange(len(prosody.phrase_ends) + 2))
    declination = 1.5 - 3.5 * (since_end % 1.0)
    range_scale = generator.uniform(0.5, 1.6)
    pitch = range_scale * (declination + 4.0 * bumps + smooth(generator.normal(0, 2, len(times)), 4))
    voicing = smooth(voiced, 0.7)
    level = -0.28 + 0.24 * vowel + 0.25 * np.clip(bumps, 0, 1.2) + 0.06 * declination / 2
    level += smooth(generator.normal(0, 0.5, len(times)), 8)
    loudness = smooth(np.where(silent, -1.0, level), 0.9)
    loudness = np.clip(loudness, -1, 1).astype(np.float32)
    return Utterance(
        segments,
        codes[which],
        np.clip(voicing, 0, 1).astype(np.float32),
        (pitch * (voicing > 0.5)).astype(np.float32),
        loudness,
        1 - silent.astype(np.float32),
        replace(prosody, loudness=loudness),
    )


def heard_posteriors(utterance: Utterance, frame_rate: float, generator: np.random.Generator) -> Array:
    """Return (T, 42) float32 posteriors as a recogniser would hear the utterance.

    Boundaries move (10 ms, now and then 50 ms), up to a tenth of the phones are heard as others, and the
    posteriors blur: what encoders do with real voices.
    """
    segments = utterance.segments
    count = len(segments.symbols)
    sigma = np.where(generator.random(count) < 0.06, 0.05, 0.010)
    starts = np.maximum.accumulate(np.maximum(segments.starts + generator.normal(0, 1, count) * sigma, 0))
    starts[0] = 0
    index = {symbol: i for i, symbol in enumerate(PHONES)}
    codes = np.array([index[symbol] for symbol in segments.symbols])
    wrong = generator.random(count) < generator.uniform(0, 0.10)
    codes = np.where(wrong & (codes != 0), generator.integers(1, len(PHONES), count), codes)
    # Half sure at times: a second phone shares the mass.
    share = np.where(generator.random(count) < 0.35, generator.uniform(0.1, 0.5, count), 0.0)
    second = generator.integers(0, len(PHONES), count)
    times = (np.arange(len(utterance.phones)) + 0.5) / frame_rate
    which = np.searchsorted(starts, times, side="right") - 1
    rows = np.arange(len(times))
    posteriors = np.full((len(times), len(PHONES)), 1e-4)
    posteriors[rows, codes[which]] += 1 - share[which]
    posteriors[rows, second[which]] += share[which]
    posteriors = smooth(posteriors, generator.uniform(0.3, 1.1))
    noise = generator.gamma(0.05, 0.05 * generator.uniform(0, 1), posteriors.shape)
    posteriors += noise
    return np.asarray(posteriors / posteriors.sum(axis=1, keepdims=True), np.float32)
