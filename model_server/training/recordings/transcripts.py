"""Transcripts beside recordings: Praat TextGrids and plain text, and the phones that they say, with times."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.audio.alignment import Word, agreement, align
from model_server.audio.decode import MAXIMUM_SECONDS
from model_server.audio.phones import from_arpabet
from model_server.audio.pronunciation import is_english, pronounce
from model_server.audio.timed_phones import SILENCE, TimedPhones, share_times
from model_server.errors import AudioError, DreamTalkError

FloatArray = npt.NDArray[np.float32]

MOST_ALIGNED_SECONDS = 15 * 60.0
"""Longer recordings are not aligned with their text: memory goes with length times words."""

_LEAST_AGREEMENT = 0.4
_LARGEST_TEXT = 8 << 20
_TOKEN = re.compile(r'"(?:[^"]|"")*"|\[\d*\]|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?')
_SILENT = {"", "sp", "spn", "sil", "<eps>", "silb", "sile", "noise", "<unk>", "{sl}"}


@dataclass(frozen=True)
class Interval:
    """What is said from ``start`` to ``end`` seconds."""

    text: str
    start: float
    end: float


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8 or, marked as such, UTF-16.

    Raises:
        DreamTalkError: for another encoding, or more than 8 MiB.
    """
    if path.stat().st_size > _LARGEST_TEXT:
        raise DreamTalkError(f"'{path.name}' has more than {_LARGEST_TEXT >> 20} MiB; that is no transcript")
    data = path.read_bytes()
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DreamTalkError(f"'{path.name}' is not UTF-8 text; save it as UTF-8") from error


def read_textgrid(path: Path) -> dict[str, list[Interval]]:
    """Return the interval tiers of a Praat TextGrid, long or short form, by lower-case name.

    Raises:
        DreamTalkError: for a file of another form.
    """
    tokens = [token for token in _TOKEN.findall(read_text(path)) if not token.startswith("[")]
    if tokens[:2] != ['"ooTextFile"', '"TextGrid"']:
        raise DreamTalkError(f"'{path.name}' is no TextGrid; save it from Praat as text")
    tiers: dict[str, list[Interval]] = {}
    try:
        at, count = 5, int(tokens[4])
        for _ in range(count):
            kind, name, entries = tokens[at], tokens[at + 1].strip('"'), int(tokens[at + 4])
            at += 5
            width = 3 if kind == '"IntervalTier"' else 2
            if not 0 <= entries <= len(tokens):
                raise ValueError("a tier is longer than the file")
            rows = [tokens[at + width * row : at + width * (row + 1)] for row in range(entries)]
            at += width * entries
            if width == 3:
                tiers[name.lower()] = [_interval(*row) for row in rows]
    except (IndexError, TypeError, ValueError) as error:
        raise DreamTalkError(f"'{path.name}' breaks off or is damaged; save it again from Praat") from error
    return tiers


def _interval(start: str, end: str, text: str) -> Interval:
    if not text.startswith('"'):
        raise ValueError("a label is not in quotation marks")
    if not 0 <= float(start) <= float(end) <= MAXIMUM_SECONDS:
        raise ValueError("the times of a label do not go on")
    return Interval(text[1:-1].replace('""', '"').strip(), float(start), float(end))


def transcribed_phones(
    path: Path, samples: FloatArray, posteriors: FloatArray, language: str
) -> tuple[TimedPhones | None, str]:
    """Return the phones that a transcript says, and how they were found or why they were not.

    A TextGrid whose tier ``phones`` holds ARPAbet is taken as it is. Words are aligned: English by pocketsphinx where
    it knows all of them, else, and every other language, by the encoder's posteriors.

    Args:
        path: a TextGrid with a tier ``phones`` or ``words``, or a text.
        samples: (N,) float32 at 16 kHz.
        posteriors: (T, 42) what the encoder hears in them.
        language: as espeak-ng calls it.

    Raises:
        DreamTalkError: for a file that cannot be read, or a language that cannot be pronounced.
    """
    text = ""
    if path.suffix.lower() == ".textgrid":
        tiers = read_textgrid(path)
        phones = _given_phones(tiers.get("phones", []))
        if phones is not None:
            return phones, "phones of the TextGrid"
        spoken = [interval.text for interval in tiers.get("words", [])]
        text = " ".join(word for word in spoken if word.lower() not in _SILENT)
    else:
        text = read_text(path)
    if not text.strip():
        return None, "the transcript holds no words"
    words = pronounce(text, language)
    found = _by_pocketsphinx(words, samples) if is_english(language) else None
    if found is not None:
        return found, "aligned by pocketsphinx"
    return _by_encoder(words, posteriors)


def _given_phones(intervals: list[Interval]) -> TimedPhones | None:
    """Return a tier of ARPAbet as phones; None when it is empty or of another alphabet."""
    symbols: list[tuple[str, ...]] = []
    ends: list[float] = []
    for interval in intervals:
        reached = ends[-1] if ends else 0.0
        if interval.end <= max(interval.start, reached):
            continue
        if interval.start > reached:
            symbols.append((SILENCE,))
            ends.append(interval.start)
        try:
            symbols.append((SILENCE,) if interval.text.lower() in _SILENT else from_arpabet(interval.text))
        except ValueError:
            return None
        ends.append(interval.end)
    phones, stops = share_times(symbols, ends)
    if all(phone == SILENCE for phone in phones):
        return None
    return TimedPhones.from_edges(phones, [0.0, *stops])


def _by_pocketsphinx(words: list[Word], samples: FloatArray) -> TimedPhones | None:
    """Return the phones of English words; None where pocketsphinx is missing or does not find them."""
    if importlib.util.find_spec("pocketsphinx") is None:
        return None
    from model_server.audio.recogniser import EnglishAligner

    return EnglishAligner().align(samples, words)


def _by_encoder(words: list[Word], posteriors: FloatArray) -> tuple[TimedPhones | None, str]:
    try:
        phones = align(posteriors, words)
    except AudioError as error:
        return None, str(error)
    if agreement(posteriors, phones) < _LEAST_AGREEMENT:
        return None, "the recording does not seem to say its transcript"
    return phones, "aligned by the speech encoder"
