"""English by pocketsphinx: what is said, and when each phone of known words is spoken.

The acoustic models that come with pocketsphinx were trained on many human voices, so it complements the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pocketsphinx

from .alignment import Word
from .features import SAMPLE_RATE
from .phones import from_arpabet
from .pronunciation import english_pronunciations, english_tokens
from .timed_phones import SILENCE, TimedPhones, share_times

FloatArray = npt.NDArray[np.float32]

MOST_SILENCE = 0.6
"""Share of silence above which an alignment is taken for a failure: words not said collapse to their shortest."""

_FRAME_RATE = 100
# Faint noise before and after, which pocketsphinx needs to find the edges of speech.
_EDGE_SECONDS = 0.15
_EDGE_LEVEL = 1e-4
# Half of the Gaussians and a bounded search are three times as fast and lose nothing that can be measured here.
_FAST = {"topn": 2, "maxhmmpf": 1500, "wbeam": 1e-22}
# Each stretch is normalised by its own mean, so that what was heard before changes nothing.
_ALONE = {"cmn": "batch", "loglevel": "FATAL"}

_PAIRS = {
    ("e", "ɪ"): "EY", ("a", "ɪ"): "AY", ("a", "ʊ"): "AW", ("ɔ", "ɪ"): "OY", ("o", "ʊ"): "OW", ("t", "ʃ"): "CH",
    ("d", "ʒ"): "JH",
}  # fmt: skip
_SINGLE = {
    "p": "P", "b": "B", "m": "M", "f": "F", "v": "V", "w": "W", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH",
    "ʒ": "ZH", "t": "T", "d": "D", "n": "N", "l": "L", "ɹ": "R", "r": "R", "k": "K", "ɡ": "G", "ŋ": "NG", "x": "K",
    "h": "HH", "j": "Y", "i": "IY", "ɪ": "IH", "e": "EH", "ɛ": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɔ": "AO",
    "o": "OW", "ʊ": "UH", "u": "UW", "ə": "AH", "ʌ": "AH", "ɜ": "ER", "y": "UW", "ø": "ER", "ɨ": "IH",
}  # fmt: skip


def to_arpabet(phones: Sequence[str]) -> str:
    """Return the symbols of pocketsphinx's English models for phones of the inventory, apart by spaces."""
    symbols = []
    place = 0
    while place < len(phones):
        pair = _PAIRS.get(tuple(phones[place : place + 2]))  # type: ignore[arg-type]
        symbols.append(pair or _SINGLE[phones[place]])
        place += 2 if pair else 1
    return " ".join(symbols)


class EnglishRecogniser:
    """Hears English words in stretches of sound of some seconds. Not to be shared between threads."""

    def __init__(self) -> None:
        self._decoder = pocketsphinx.Decoder(**_ALONE, **_FAST)

    def recognise(self, samples: FloatArray) -> list[Word]:
        """Return the words heard in (N,) float32 samples at 16 kHz."""
        _decode(self._decoder, samples)
        hypothesis = self._decoder.hyp()
        heard = english_tokens(hypothesis.hypstr) if hypothesis else []
        return [Word(token, spoken) for token in heard if (spoken := english_pronunciations(token))]


class EnglishAligner:
    """Finds the phones of known English words in stretches of sound. Not to be shared between threads."""

    def __init__(self) -> None:
        # The best path through the lattice loses every fifth utterance.
        self._decoder = pocketsphinx.Decoder(lm=None, bestpath=False, **_ALONE)
        self._added: dict[tuple[tuple[str, ...], ...], str] = {}

    def align(self, samples: FloatArray, words: Sequence[Word]) -> TimedPhones | None:
        """Return the phones of (N,) samples at 16 kHz that say ``words``; None when they do not seem to say them."""
        if not words:
            return None
        sound = _with_edges(samples)
        self._decoder.set_align_text(" ".join(self._name(word) for word in words))
        _decode(self._decoder, sound)
        if self._decoder.hyp() is None:
            return None
        try:
            self._decoder.set_alignment()
        except RuntimeError:
            return None  # the search did not reach the last word
        _decode(self._decoder, sound)
        alignment = self._decoder.get_alignment()
        if alignment is None:
            return None
        symbols, ends = [], []
        for entry in alignment.phones():
            symbols.append(from_arpabet(entry.name))
            ends.append((entry.start + entry.duration) / _FRAME_RATE)
        if len(symbols) < 2 or ends[-1] < 0.9 * len(sound) / SAMPLE_RATE - 0.3:
            return None
        phones, stops = share_times(symbols, ends)
        edges = np.array([0.0, *stops[:-1], len(sound) / SAMPLE_RATE]) - _EDGE_SECONDS
        timed = TimedPhones.from_edges(phones, edges.clip(0, len(samples) / SAMPLE_RATE))
        silent = sum(
            end - start
            for symbol, start, end in zip(timed.symbols, timed.starts, timed.ends, strict=True)
            if symbol == SILENCE
        )
        return None if silent > MOST_SILENCE * timed.duration else timed

    def _name(self, word: Word) -> str:
        """Return what pocketsphinx calls the word; one that is not in its dictionary is added."""
        if english_pronunciations(word.spelling):
            return word.spelling
        if word.pronunciations not in self._added:
            name = f"_{len(self._added)}"
            for number, phones in enumerate(word.pronunciations):
                alternative = name if number == 0 else f"{name}({number + 1})"
                self._decoder.add_word(alternative, to_arpabet(phones), True)
            self._added[word.pronunciations] = name
        return self._added[word.pronunciations]


def _decode(decoder: pocketsphinx.Decoder, samples: FloatArray) -> None:
    decoder.start_utt()
    decoder.process_raw((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


def _with_edges(samples: FloatArray) -> FloatArray:
    generator = np.random.default_rng(len(samples))
    edges = _EDGE_LEVEL * generator.standard_normal((2, round(_EDGE_SECONDS * SAMPLE_RATE))).astype(np.float32)
    return np.concatenate([edges[0], samples, edges[1]])
