"""What rooms, microphones, telephones and crowds do to a voice: the largest gain on voices never heard."""

from __future__ import annotations

import numpy as np
import scipy.signal

from model_server.audio.features import SAMPLE_RATE

from .backgrounds import Backgrounds
from .codecs import random_codec
from .utterance import FloatArray

_BACKGROUNDS = {"noise": 0.5, "voices": 0.22, "music": 0.16, "hum": 0.09, "applause": 0.03}


def equalise(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound through one to three peaking filters of up to 9 dB."""
    sections = []
    for _ in range(generator.integers(1, 4)):
        centre = float(np.exp(generator.uniform(np.log(120), np.log(6500))))
        quality, gain = generator.uniform(0.5, 2.5), generator.uniform(-9, 9)
        # Peaking filter of the Audio EQ Cookbook (R. Bristow-Johnson).
        omega = 2 * np.pi * centre / SAMPLE_RATE
        amplitude, alpha = 10 ** (gain / 40), np.sin(omega) / (2 * quality)
        b = np.array([1 + alpha * amplitude, -2 * np.cos(omega), 1 - alpha * amplitude])
        a = np.array([1 + alpha / amplitude, -2 * np.cos(omega), 1 - alpha / amplitude])
        sections.append(np.concatenate([b, a]) / a[0])
    return np.asarray(scipy.signal.sosfilt(np.array(sections), samples), np.float32)


def reverberate(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound in a synthetic room of 0.1 to 0.7 s reverberation time; the direct sound keeps its place."""
    decay = generator.uniform(0.1, 0.7)
    length = int(decay * SAMPLE_RATE)
    time = np.arange(length, dtype=np.float32) / np.float32(length)
    tail = generator.standard_normal(length, dtype=np.float32) * np.float32(10) ** (-3 * time)
    if generator.random() < 0.7:
        # Walls and air swallow the highs first.
        dull = scipy.signal.sosfilt(
            scipy.signal.butter(1, generator.uniform(800, 4000), fs=SAMPLE_RATE, output="sos"), tail
        ).astype(np.float32)
        tail = tail * np.exp(-6 * time) + 2 * dull
    tail[: int(generator.uniform(0.002, 0.015) * SAMPLE_RATE)] = 0
    for place in generator.integers(30, min(length, 800), generator.integers(0, 7)):
        tail[place] += generator.uniform(-3, 3)
    tail *= generator.uniform(0.2, 0.9) / np.sqrt(np.square(tail).sum() + 1e-9)
    tail[0] = 1
    return np.asarray(scipy.signal.oaconvolve(samples, tail)[: len(samples)], np.float32)


def limit_band(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound as by telephone, or without its lows or its highs."""
    kind = generator.choice(["telephone", "low", "high"])
    if kind == "telephone":
        low, high = generator.uniform(150, 400), generator.uniform(2800, 3800)
        sections = scipy.signal.butter(4, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos")
    elif kind == "low":
        sections = scipy.signal.butter(3, generator.uniform(2500, 7000), "lowpass", fs=SAMPLE_RATE, output="sos")
    else:
        sections = scipy.signal.butter(2, generator.uniform(80, 350), "highpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(scipy.signal.sosfilt(sections, samples), np.float32)


def add_background(samples: FloatArray, backgrounds: Backgrounds, generator: np.random.Generator) -> FloatArray:
    """Return sound with noise, other voices, music, hum or applause 3 to 38 dB below it, steady or swelling."""
    kind = str(generator.choice(list(_BACKGROUNDS), p=list(_BACKGROUNDS.values())))
    bed = backgrounds.bed(kind, len(samples), generator)
    wanted = (np.square(samples).mean() + 1e-9) * 10 ** (-generator.uniform(3, 38) / 10)
    if generator.random() < 0.3:
        bed = sway(bed, 8, generator)
    return samples + bed * np.float32(np.sqrt(wanted))


def sway(samples: FloatArray, decibels: float, generator: np.random.Generator) -> FloatArray:
    """Return sound whose loudness wanders by up to ``decibels`` up or down over seconds."""
    knots = generator.uniform(-decibels, decibels, max(2, len(samples) // (2 * SAMPLE_RATE) + 2))
    gains = np.interp(np.arange(0, len(samples) + 160, 160), np.linspace(0, len(samples), len(knots)), knots)
    return np.asarray(samples * np.repeat(10 ** (gains / 20), 160)[: len(samples)].astype(np.float32))


def clip(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound that overdrives its recorder by up to 15 dB: cut off hard, or bent softly."""
    peak = np.float32(np.abs(samples).max() + 1e-6)
    driven = samples / peak * np.float32(10 ** (generator.uniform(3, 15) / 20))
    return peak * (driven.clip(-1, 1) if generator.random() < 0.5 else np.tanh(driven))


def augment(samples: FloatArray, backgrounds: Backgrounds, generator: np.random.Generator) -> FloatArray:
    """Return (N,) sound as another microphone in another place might have caught it; everything keeps its time.

    Args:
        samples: (N,) speech.
        backgrounds: what else is heard.
        generator: the source of chance.
    """
    samples = samples / (np.abs(samples).max() + np.float32(1e-6)) * np.float32(0.7)
    if generator.random() < 0.4:
        samples = sway(samples, 6, generator)
    if generator.random() < 0.75:
        samples = equalise(samples, generator)
    if generator.random() < 0.4:
        samples = reverberate(samples, generator)
    if generator.random() < 0.75:
        samples = add_background(samples, backgrounds, generator)
    if generator.random() < 0.15:
        samples = clip(samples, generator)
    if generator.random() < 0.15:
        samples = limit_band(samples, generator)
    samples = samples / (np.abs(samples).max() + np.float32(1e-6))
    samples = (samples * np.float32(10 ** (generator.uniform(-18, 3) / 20))).clip(-1, 1)
    return random_codec(samples, generator) if generator.random() < 0.25 else samples
