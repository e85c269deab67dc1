"""English phones of recordings whose engine does not tell them, by pocketsphinx."""

from __future__ import annotations

from functools import cache

import numpy as np
import pocketsphinx

from model_server.audio.features import SAMPLE_RATE
from model_server.audio.phones import PHONE_INDEX, from_arpabet

from .texts import spoken_words
from .utterance import FloatArray, Utterance, timed

_FRAME_RATE = 100

MOST_SILENCE = 0.6
"""Share of silence above which an alignment is taken for a failure."""


@cache
def _aligner() -> pocketsphinx.Decoder:
    return pocketsphinx.Decoder(lm=None, bestpath=False, loglevel="FATAL")


@cache
def _recogniser() -> pocketsphinx.Decoder:
    return pocketsphinx.Decoder(loglevel="FATAL")


def _as_bytes(samples: FloatArray) -> bytes:
    return bytes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def align_words(samples: FloatArray, words: list[str]) -> Utterance | None:
    """Return the phones of English speech that says ``words``; None when it does not seem to say them.

    Args:
        samples: (N,) float32 at 16 kHz.
        words: as pocketsphinx's dictionary spells them, lower case.
    """
    decoder = _aligner()
    sound = _as_bytes(samples)
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return None
    try:
        decoder.set_alignment()
    except RuntimeError:
        return None  # the search did not reach the last word
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()
    alignment = decoder.get_alignment()
    if alignment is None:
        return None
    symbols: list[tuple[str, ...]] = []
    ends: list[float] = []
    for entry in alignment.phones():
        symbols.append(from_arpabet(entry.name))
        ends.append((entry.start + entry.duration) / _FRAME_RATE)
    if len(symbols) < 2 or ends[-1] < 0.9 * len(samples) / SAMPLE_RATE - 0.3:
        return None
    aligned = timed(symbols, ends, samples)
    # Words that are not said collapse to their shortest and leave the rest to silence.
    silent = np.diff(aligned.ends, prepend=0)[aligned.phones == PHONE_INDEX["sil"]].sum()
    return None if silent > MOST_SILENCE * aligned.seconds else aligned


def recognise_words(samples: FloatArray) -> list[str]:
    """Return the English words that pocketsphinx hears."""
    decoder = _recogniser()
    decoder.start_utt()
    decoder.process_raw(_as_bytes(samples), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return spoken_words(hypothesis.hypstr) if hypothesis else []


def pad(samples: FloatArray, seconds: float = 0.15) -> FloatArray:
    """Return sound with faint noise before and after it, which alignment needs to find its edges."""
    generator = np.random.default_rng(len(samples))
    edge = 1e-4 * generator.standard_normal((2, int(seconds * SAMPLE_RATE))).astype(np.float32)
    return np.concatenate([edge[0], samples, edge[1]])
