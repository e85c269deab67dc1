"""Sound through the codecs of telephones, calls and files, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import av
import numpy as np
import scipy.signal
import soxr

from model_server.audio.features import SAMPLE_RATE

from .utterance import FloatArray

# Frames after which every codec here has given back all it was given: 0.2 s.
_TAIL_SECONDS = 0.2
_CALIBRATION_SECONDS = 1.0


@dataclass(frozen=True)
class Codec:
    """A codec as FFmpeg names it.

    Attributes:
        encoder: FFmpeg's encoder.
        decoder: FFmpeg's decoder.
        rate: hertz that it codes; half of it bounds what is left of the sound.
        sample_format: FFmpeg's sample format that the encoder takes.
        bit_rates: bits a second to choose from; none where the codec has but one.
        options: options of the encoder.
    """

    encoder: str
    decoder: str
    rate: int
    sample_format: str
    bit_rates: tuple[int, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


# Opus at low complexity sounds nearly the same and is several times faster.
_FAST = (("compression_level", "1"), ("application", "voip"))

CODECS: dict[str, Codec] = {
    "opus": Codec("libopus", "libopus", 16_000, "s16", (12_000, 16_000, 24_000, 32_000), _FAST),
    "mp3": Codec("libmp3lame", "mp3float", 16_000, "fltp", (16_000, 24_000, 32_000, 64_000, 96_000)),
    "aac": Codec("aac", "aac", 16_000, "fltp", (16_000, 24_000, 32_000, 64_000)),
    "mu-law": Codec("pcm_mulaw", "pcm_mulaw", 8_000, "s16"),
    "amr": Codec("libopencore_amrnb", "libopencore_amrnb", 8_000, "s16", (6_700, 7_950, 12_200)),
}
"""Calls over the internet, music files, telephones: G.711, mobile telephones of the GSM family."""


def _context(name: str, mode: str, codec: Codec) -> Any:
    context: Any = av.CodecContext.create(name, mode)
    context.sample_rate = codec.rate
    context.layout = "mono"
    context.format = codec.sample_format
    # One thread: the same input gives the same output, and the other cores have work of their own.
    context.thread_count = 1
    return context


def _through(samples: FloatArray, codec: Codec, bit_rate: int | None) -> FloatArray:
    """Return sound at ``codec.rate`` coded and decoded, late by what the codec takes, at the rate of its decoder."""
    encoder = _context(codec.encoder, "w", codec)
    if bit_rate:
        encoder.bit_rate = bit_rate
    encoder.options = dict(codec.options)
    encoder.open()
    decoder = _context(codec.decoder, "r", codec)
    decoder.extradata = encoder.extradata
    size = encoder.frame_size or 1600
    padded = np.zeros(-(-len(samples) // size) * size, np.float32)
    padded[: len(samples)] = samples.clip(-1, 1)
    whole = (padded * 32767).astype(np.int16) if codec.sample_format == "s16" else padded
    pieces: list[FloatArray] = []
    rate = codec.rate

    def hear(packets: list[Any]) -> None:
        nonlocal rate
        for packet in packets:
            for frame in decoder.decode(packet):
                rate = frame.sample_rate
                block = frame.to_ndarray()
                floats = block.astype(np.float32)
                pieces.append(floats[0] / np.float32(32768) if block.dtype == np.int16 else floats[0])

    for number, first in enumerate(range(0, len(whole), size)):
        frame = av.AudioFrame.from_ndarray(whole[None, first : first + size], codec.sample_format, "mono")
        frame.sample_rate = codec.rate
        frame.pts = number * size
        hear(encoder.encode(frame))
    hear(encoder.encode(None))
    hear([None])
    decoded = np.concatenate(pieces)
    return decoded if rate == codec.rate else np.asarray(soxr.resample(decoded, rate, codec.rate), np.float32)


@cache
def delay(name: str) -> int:
    """Return by how many samples of its own rate a codec's output comes late."""
    codec = CODECS[name]
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(int(_CALIBRATION_SECONDS * codec.rate)).astype(np.float32)
    # Codecs of speech keep the envelope better than the waveform, so the noise comes in bursts.
    bursts = np.repeat(generator.random(len(noise) // 400 + 1) < 0.5, 400)[: len(noise)]
    low = scipy.signal.sosfilt(scipy.signal.butter(4, [300, 2500], "bandpass", fs=codec.rate, output="sos"), noise)
    sound = np.asarray(0.3 * low * bursts, np.float32)
    room = int(_TAIL_SECONDS * codec.rate)
    heard = _through(np.concatenate([sound, np.zeros(room, np.float32)]), codec, max(codec.bit_rates, default=None))
    match = scipy.signal.correlate(heard, sound, "full")[len(sound) - 1 :]
    return int(match[:room].argmax())


def code(samples: FloatArray, name: str, bit_rate: int | None) -> FloatArray:
    """Return (N,) sound at 16 kHz as ``CODECS[name]`` leaves it, in its place in time.

    Args:
        samples: (N,) sound at 16 kHz.
        name: a key of ``CODECS``.
        bit_rate: one of the codec's bit rates; None where it has none.
    """
    codec = CODECS[name]
    sound = samples if codec.rate == SAMPLE_RATE else soxr.resample(samples, SAMPLE_RATE, codec.rate)
    late = delay(name)
    room = np.zeros(late + int(_TAIL_SECONDS * codec.rate), np.float32)
    heard = _through(np.concatenate([sound, room]), codec, bit_rate)[late : late + len(sound)]
    if codec.rate != SAMPLE_RATE:
        heard = np.asarray(soxr.resample(heard, codec.rate, SAMPLE_RATE), np.float32)
    fitted = np.zeros(len(samples), np.float32)
    fitted[: len(heard)] = heard[: len(samples)]
    return fitted


def random_codec(samples: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return sound through one codec at one bit rate."""
    name = str(generator.choice(list(CODECS)))
    rates = CODECS[name].bit_rates
    return code(samples, name, int(generator.choice(rates)) if rates else None)
