"""What is heard beside a voice: noise, hum, other voices, music, applause, breath."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal

from model_server.audio.features import SAMPLE_RATE

from .utterance import FloatArray, Utterance

_TONE_FRAME = 512
# Mean squares below this are digital silence; fewer frames than these tell no spectrum.
_TONE_SILENCE = 1e-10
_TONE_LEAST = 15
_TONE_LOUDEST = 0.1
_BED_SECONDS = 8.0
_BEDS = 6


def _unit(samples: FloatArray) -> FloatArray:
    return np.asarray(samples / np.float32(np.sqrt(np.square(samples).mean()) + 1e-9), np.float32)


def coloured_noise(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) noise of unit power whose spectrum falls by 0 (white), 3 (pink) or 6 dB (brown) an octave."""
    length = scipy.fft.next_fast_len(count, real=True)
    spectrum = scipy.fft.rfft(generator.standard_normal(length, dtype=np.float32))
    slope = generator.choice([0.0, 0.5, 1.0])
    if slope:
        lowest = 50 / SAMPLE_RATE
        spectrum *= (np.maximum(np.arange(len(spectrum), dtype=np.float32) / length, lowest) ** -slope).astype("f4")
    return _unit(scipy.fft.irfft(spectrum, length)[:count])


def hum(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) mains hum of unit power: 50 or 60 Hz and harmonics, over a little noise."""
    # A tenth of a second holds whole periods of both, and repeats.
    base = 2 * np.pi * float(generator.choice([50, 60])) / SAMPLE_RATE * np.arange(SAMPLE_RATE // 10)
    tenth = np.zeros(len(base))
    for harmonic in range(1, 9):
        tenth += generator.uniform(0, 1) / harmonic**0.7 * np.sin(harmonic * base + generator.uniform(0, 6.3))
    sound = np.resize(tenth.astype(np.float32), count)
    return _unit(sound + np.float32(0.1) * generator.standard_normal(count, dtype=np.float32))


def babble(utterances: list[Utterance], count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) several voices at once of unit power, backwards so that no phones are heard in them."""
    total = np.zeros(count, np.float32)
    for index in generator.integers(0, len(utterances), generator.integers(3, 7)):
        total += np.roll(np.resize(utterances[index].samples[::-1], count), generator.integers(0, count))
    return _unit(total)


def _note(hertz: float, count: int, partials: int, fall: float) -> FloatArray:
    """Return (count,) a note whose higher partials are weaker and die sooner; ``fall`` is in 1 / s."""
    time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    partials = min(partials, int(7000 / hertz))
    tone = np.zeros(count, np.float32)
    for partial in range(1, partials + 1):
        tone += np.sin(np.float32(2 * np.pi * hertz * partial) * time) * np.exp(-fall * partial * time) / partial
    return np.asarray(tone * np.minimum(1, time / 0.01), np.float32)


def music(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) music of unit power: chords of a random key and timbre, a bass, a melody and a drum or none."""
    beat = int(generator.uniform(0.3, 0.8) * SAMPLE_RATE)
    sound = np.zeros(count + 8 * beat, np.float32)
    root = 110 * 2 ** (generator.integers(0, 12) / 12)
    third = generator.choice([3, 4])
    partials, fall = int(generator.integers(2, 16)), float(generator.choice([0.0, 0.3, 2.0]))
    melodic, drummed = generator.random() < 0.6, generator.random() < 0.5
    scale = np.array([0, 2, third, 5, 7, 9, 12])
    hit = generator.standard_normal(beat, dtype=np.float32) * np.exp(-np.arange(beat, dtype=np.float32) / 600)
    for number, first in enumerate(range(0, count, beat)):
        if number % 4 == 0:
            chord = generator.choice([0, 5, 7, 9])
            for interval in (-12, 0, third, 7):
                hertz = root * 2 ** ((chord + interval) / 12)
                sound[first : first + 4 * beat] += _note(hertz, 4 * beat, partials, fall)
        if melodic and generator.random() < 0.7:
            hertz = 2 * root * 2 ** (generator.choice(scale) / 12)
            sound[first : first + beat] += 1.5 * _note(hertz, beat, partials, 2.0)
        if drummed:
            sound[first : first + beat] += generator.uniform(0.3, 1.5) * hit
    return _unit(sound[:count])


def applause(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) many hands clapping, of unit power."""
    claps = int(count / SAMPLE_RATE * np.exp(generator.uniform(np.log(20), np.log(400)))) + 1
    places = np.zeros(count, np.float32)
    np.add.at(places, generator.integers(0, count, claps), generator.uniform(0.2, 1, claps).astype(np.float32))
    length = 400
    hit = generator.standard_normal(length, dtype=np.float32) * np.exp(-np.arange(length, dtype=np.float32) / 60)
    centre = generator.uniform(900, 2200)
    sections = scipy.signal.butter(1, [0.6 * centre, 1.7 * centre], "bandpass", fs=SAMPLE_RATE, output="sos")
    return _unit(scipy.signal.oaconvolve(places, scipy.signal.sosfilt(sections, hit))[:count].astype(np.float32))


def breath(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) an audible breath, 50 to 25 dB below full scale: noise through the resonances of a throat."""
    noise = coloured_noise(count, generator)
    if count > 800:
        centre = generator.uniform(500, 3000)
        sections = scipy.signal.butter(
            1, [0.5 * centre, min(7900, 2 * centre)], "bandpass", fs=SAMPLE_RATE, output="sos"
        )
        noise = _unit(scipy.signal.sosfilt(sections, noise).astype(np.float32))
    swell = np.hanning(count).astype(np.float32) ** np.float32(generator.uniform(0.5, 2))
    return np.asarray(noise * swell * 10 ** (generator.uniform(-50, -25) / 20), np.float32)


def room_tone(speech: FloatArray, count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) noise like that beneath ``speech`` (N,): of the spectrum of its quietest moments."""
    frames = speech[: len(speech) // _TONE_FRAME * _TONE_FRAME].reshape(-1, _TONE_FRAME)
    power = np.square(frames).mean(axis=1)
    heard = frames[power > _TONE_SILENCE]
    if len(heard) < _TONE_LEAST:
        return np.zeros(count, np.float32)
    quiet = np.argsort(power[power > _TONE_SILENCE])[: max(3, len(heard) // 20)]
    magnitude = np.sqrt(np.square(np.abs(scipy.fft.rfft(heard[quiet] * np.hanning(_TONE_FRAME), axis=1))).mean(axis=0))
    length = scipy.fft.next_fast_len(count, real=True)
    spectrum = scipy.fft.rfft(generator.standard_normal(length, dtype=np.float32))
    spectrum *= np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(magnitude)), magnitude)
    # Where nothing is quiet, as in a single word, the quietest moment is speech and no noise.
    level = np.float32(min(np.sqrt(np.square(heard[quiet]).mean()), _TONE_LOUDEST * np.sqrt(power.mean())))
    return _unit(scipy.fft.irfft(spectrum, length)[:count]) * level


@dataclass(frozen=True)
class Backgrounds:
    """Beds of sound of one voice's sessions, each (N,) of unit power: ``voices`` of its own, ``music`` of anyone."""

    voices: tuple[FloatArray, ...]
    music: tuple[FloatArray, ...]

    @classmethod
    def make(cls, utterances: list[Utterance], generator: np.random.Generator) -> Backgrounds:
        """Return new beds of eight seconds."""
        count = int(_BED_SECONDS * SAMPLE_RATE)
        return cls(
            tuple(babble(utterances, count, generator) for _ in range(_BEDS)),
            tuple(music(count, generator) for _ in range(_BEDS)),
        )

    def bed(self, kind: str, count: int, generator: np.random.Generator) -> FloatArray:
        """Return (count,) of unit power of a ``kind``: noise, hum, voices, music or applause."""
        if kind == "noise":
            return coloured_noise(count, generator)
        if kind == "hum":
            return hum(count, generator)
        if kind == "applause":
            return applause(count, generator)
        beds = self.voices if kind == "voices" else self.music
        bed = beds[generator.integers(len(beds))]
        return np.resize(np.roll(bed, generator.integers(len(bed))), count)
