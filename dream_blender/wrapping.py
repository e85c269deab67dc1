"""Breaking text into lines that fit where they are drawn, at any width of the sidebar and any scale of the screen."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

import bpy

_USUAL = 34.0  # letters that fit the sidebar at its usual width
_FEWEST, _MOST = 14.0, 90.0  # letters
_LETTER = 6.3  # pixels of the mean letter at scale 1
_EDGES = 60.0  # pixels at scale 1: the panel's margins, the icon and the tabs beside it
_PIECE = re.compile(r"\s+|[^\s\u2e80-\uffef]+|[\u2e80-\uffef]")
_NOT_FIRST = set("、。，．：；！？）」』”’ーぁぃぅぇぉゃゅょっァィゥェォャュョッ")


def room() -> float:
    """Return how many letters fit one line of the region that is being drawn."""
    region = bpy.context.region
    if region is None:
        return _USUAL
    scale = bpy.context.preferences.system.ui_scale
    letters: float = (region.width / scale - _EDGES) / _LETTER
    return min(_MOST, max(_FEWEST, letters))


def width_of(text: str) -> int:
    """Return how wide ``text`` is in letters: Chinese and Japanese characters are as wide as two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def lines(text: str, letters: float) -> list[str]:
    """Return ``text`` in lines of at most ``letters`` letters, broken at spaces and between wide characters."""
    done: list[str] = []
    line = ""
    for piece in _PIECE.findall(text):
        fits = width_of(line) + width_of(piece.rstrip()) <= letters
        if line.strip() and not fits and piece not in _NOT_FIRST:
            done.append(line.rstrip())
            line = ""
        line += piece if line or not piece.isspace() else ""
    return [*done, line.rstrip()]
