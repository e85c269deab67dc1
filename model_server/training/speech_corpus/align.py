"""English phones of recordings whose engine does not tell them, by the recogniser that animation uses too."""

from __future__ import annotations

from functools import cache

import numpy as np

from model_server.audio.alignment import Word
from model_server.audio.features import SAMPLE_RATE
from model_server.audio.phones import PHONE_INDEX
from model_server.audio.pronunciation import english_pronunciations
from model_server.audio.recogniser import EnglishAligner, EnglishRecogniser

from .utterance import FloatArray, Utterance


@cache
def _aligner() -> EnglishAligner:
    return EnglishAligner()


@cache
def _recogniser() -> EnglishRecogniser:
    return EnglishRecogniser()


def align_words(samples: FloatArray, words: list[str]) -> Utterance | None:
    """Return the phones of English speech that says ``words``; None when it does not seem to say them.

    Args:
        samples: (N,) float32 at 16 kHz.
        words: as pocketsphinx's dictionary spells them, lower case.
    """
    found = _aligner().align(samples, [Word(word, english_pronunciations(word)) for word in words])
    if found is None:
        return None
    return Utterance(samples, np.array([PHONE_INDEX[symbol] for symbol in found.symbols], np.uint8), found.ends)


def recognise_words(samples: FloatArray) -> list[str]:
    """Return the English words that pocketsphinx hears."""
    return [word.spelling for word in _recogniser().recognise(samples)]


def pad(samples: FloatArray, seconds: float = 0.15) -> FloatArray:
    """Return sound with faint noise before and after it, which alignment needs to find its edges."""
    generator = np.random.default_rng(len(samples))
    edge = 1e-4 * generator.standard_normal((2, int(seconds * SAMPLE_RATE))).astype(np.float32)
    return np.concatenate([edge[0], samples, edge[1]])
