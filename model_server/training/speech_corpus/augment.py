"""What rooms, microphones, telephones and crowds do to a voice: the largest gain on voices never heard."""

from __future__ import annotations

import numpy as np
import scipy.signal

from model_server.audio.features import SAMPLE_RATE

from .utterance import FloatArray


def equalise(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound through one to three peaking filters of up to 9 dB."""
    for _ in range(generator.integers(1, 4)):
        centre = float(np.exp(generator.uniform(np.log(120), np.log(6500))))
        quality, gain = generator.uniform(0.5, 2.5), generator.uniform(-9, 9)
        # Peaking filter of the Audio EQ Cookbook (R. Bristow-Johnson).
        omega = 2 * np.pi * centre / SAMPLE_RATE
        amplitude, alpha = 10 ** (gain / 40), np.sin(omega) / (2 * quality)
        b = np.array([1 + alpha * amplitude, -2 * np.cos(omega), 1 - alpha * amplitude])
        a = np.array([1 + alpha / amplitude, -2 * np.cos(omega), 1 - alpha / amplitude])
        samples = scipy.signal.lfilter(b / a[0], a / a[0], samples).astype(np.float32)
    return samples


def reverberate(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound in a synthetic room of 0.1 to 0.7 s reverberation time; the direct sound keeps its place."""
    decay = generator.uniform(0.1, 0.7)
    length = int(decay * SAMPLE_RATE)
    tail = generator.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(generator.uniform(0.002, 0.015) * SAMPLE_RATE)] = 0
    tail *= generator.uniform(0.2, 0.9) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    return np.asarray(scipy.signal.fftconvolve(samples, tail)[: len(samples)], np.float32)


def limit_band(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound as by telephone, or without its lows or its highs."""
    kind = generator.choice(["telephone", "low", "high"])
    if kind == "telephone":
        sections = scipy.signal.butter(4, [300, 3400], "bandpass", fs=SAMPLE_RATE, output="sos")
    elif kind == "low":
        sections = scipy.signal.butter(3, generator.uniform(2500, 7000), "lowpass", fs=SAMPLE_RATE, output="sos")
    else:
        sections = scipy.signal.butter(2, generator.uniform(80, 350), "highpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(scipy.signal.sosfilt(sections, samples), np.float32)


def coloured_noise(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) noise of unit power whose spectrum falls by 0 (white) to 6 dB (brown) an octave."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    slope = generator.choice([0.0, 0.5, 1.0])
    spectrum *= np.maximum(np.arange(len(spectrum)) / count, 50 / SAMPLE_RATE) ** -slope
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / noise.std(), np.float32)


def add_noise(samples: FloatArray, babble: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound with noise or ``babble`` (N,) 3 to 38 dB below it."""
    noise = babble if generator.random() < 0.3 else coloured_noise(len(samples), generator)
    power = np.square(samples).mean() + 1e-9
    wanted = power * 10 ** (-generator.uniform(3, 38) / 10)
    return samples + noise * np.float32(np.sqrt(wanted / (np.square(noise).mean() + 1e-12)))


def mu_law(samples: FloatArray) -> FloatArray:
    """Return sound through 8-bit mu-law coding."""
    compressed = np.sign(samples) * np.log1p(255 * np.abs(samples).clip(0, 1)) / np.log(256)
    coarse = np.round(compressed * 127) / 127
    return np.asarray(np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256)) / 255, np.float32)


def breaths(count: int, generator: np.random.Generator) -> FloatArray:
    """Return (count,) a soft burst of noise, as of breath or cloth, for a pause of the speaker."""
    noise = coloured_noise(count, generator) * np.hanning(count).astype(np.float32)
    return np.asarray(noise * 10 ** (generator.uniform(-50, -28) / 20), np.float32)


def augment(samples: FloatArray, babble: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return (N,) sound as another microphone in another place might have caught it.

    Args:
        samples: (N,) speech.
        babble: (N,) other voices.
        generator: the source of chance.
    """
    samples = samples / (np.abs(samples).max() + 1e-6) * np.float32(0.7)
    if generator.random() < 0.75:
        samples = equalise(samples, generator)
    if generator.random() < 0.4:
        samples = reverberate(samples, generator)
    if generator.random() < 0.75:
        samples = add_noise(samples, babble, generator)
    if generator.random() < 0.2:
        samples = limit_band(samples, generator)
    samples = samples / (np.abs(samples).max() + 1e-6) * np.float32(10 ** (generator.uniform(-18, 3) / 20))
    samples = samples.clip(-1, 1)
    return mu_law(samples) if generator.random() < 0.1 else samples
