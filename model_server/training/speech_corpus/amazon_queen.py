"""The spoken lines of the adventure Flight of the Amazon Queen: an English-speaking cast, with their texts.

The game's file holds a table of named parts: recordings (``.SB``, MP3 at 11 kHz), dialogues (``.DOG``), scenes
(``.CUT``) and one list of the hero's remarks. Stars in a line are stage directions, at which it is cut into the
segments that are recorded one by one.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from .text_alignment import align_text
from .utterance import FloatArray, Utterance, to_16k
from .voice import Source, limited

QUEEN = Path("/usr/share/scummvm/flight-of-the-amazon-queen/queen.1c")

_TABLE_START = 13
_TABLE_ROW = struct.Struct(">12sBII")
_PART_HEADER = 20
_DIRECTION = re.compile(r"\*(?:XY..\([^)]*\)|..)", re.DOTALL)
_REMARKS = "QUEEN2.JAS"
# Line of the list of remarks before that of the hero's first one.
_REMARKS_START = -41

Parts = dict[str, bytes]


def read_parts(data: bytes) -> Parts:
    """Return the named parts of the game's file.

    Raises:
        ValueError: for another file.
    """
    if data[:4] != b"QTBL":
        raise ValueError("this is no file of Flight of the Amazon Queen")
    (count,) = struct.unpack_from(">H", data, _TABLE_START)
    rows = _TABLE_ROW.iter_unpack(data[_TABLE_START + 2 : _TABLE_START + 2 + count * _TABLE_ROW.size])
    return {name.split(b"\0")[0].decode("ascii"): data[start : start + size] for name, _, start, size in rows}


def segments(line: str) -> list[str]:
    """Return what is said between the stage directions of a line; some of it is empty."""
    return [part.strip() for part in _DIRECTION.split(line)]


def lines(parts: Parts) -> dict[str, str]:
    """Return what is said in each recording, by the recording's name."""
    said: dict[str, str] = {}
    for name, part in parts.items():
        if name.endswith(".DOG"):
            said.update(_dialogue(part[_PART_HEADER:]))
        elif name.endswith(".CUT"):
            said.update(_scene(name, part[_PART_HEADER:]))
    remarks = parts[_REMARKS].decode("latin-1").split("\r\n")
    for number in range(-_REMARKS_START, len(remarks) - _REMARKS_START):
        said.update(_named(f"JOE{number:04d}", remarks[number + _REMARKS_START]))
    return {name: text for name, text in said.items() if name in parts}


def _named(prefix: str, line: str) -> dict[str, str]:
    return {f"{prefix}{number:X}.SB": text for number, text in enumerate(segments(line), start=1) if text}


def _string(part: bytes, place: int, step: int) -> tuple[str, int]:
    """Return the string at ``place`` and the place after it, a multiple of ``step`` when it is not empty."""
    stop = place + 1 + part[place]
    return part[place + 1 : stop].decode("latin-1"), stop if stop == place + 1 else -(-stop // step) * step


def _dialogue(part: bytes) -> dict[str, str]:
    levels, _, key, own_count, other_count = struct.unpack_from(">5h", part)
    (other_place,) = struct.unpack_from(">H", part, 22)
    said: dict[str, str] = {}
    for speaker, place, count in (("J", 32 + abs(levels) * 96, own_count), ("P", other_place, other_count)):
        for _ in range(count):
            (identifier,) = struct.unpack_from(">H", part, place + 2)
            line, place = _string(part, place + 4, 4)
            said.update(_named(f"{key:02d}{identifier:04X}{speaker}", line))
    return said


def _scene(name: str, part: bytes) -> dict[str, str]:
    (place,) = struct.unpack_from(">H", part, 8)
    said: dict[str, str] = {}
    number = 0
    while place < len(part) and number < 100:
        line, place = _string(part, place, 2)
        if number:  # the first says where the hero looks
            said.update(_named(f"{name[:-4]:_<5}{number:02d}", line))
        number += 1
    return said


def _decode(recording: bytes) -> FloatArray:
    with av.open(io.BytesIO(recording), format="mp3") as container:
        pieces = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        return to_16k(np.concatenate(pieces), container.streams.audio[0].rate)


def amazon_queen(hero: bool) -> Source:
    """Return the hero's lines, or those of all the others and of the scenes in which both speak."""

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        parts = read_parts(QUEEN.read_bytes())
        texts = lines(parts)
        names = [name for name in sorted(texts) if (name.startswith("JOE") or name[6] == "J") == hero]
        order = np.random.default_rng(seed).permutation(len(names))
        spoken = (align_text(_decode(parts[names[i]]), texts[names[i]], "en") for i in order)
        yield from limited(spoken, seconds)

    return source
