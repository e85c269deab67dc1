"""Names of shapes as words, so that ``Face.M_F00_eyeBlink_L`` and ``eyeBlinkLeft`` can be seen to be the same."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

SIDE_WORDS: Final = {"l": "left", "left": "left", "lft": "left", "r": "right", "right": "right", "rgt": "right"}
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
# Shapes that correct others or make another person; Daz calls its correctives JCM, MCM and the like.
_NOT_ANIMATED: Final = frozenset(["corrective", "correctives", "identity", "jcm", "mcm", "pjcm", "phm"])
_COPY: Final = re.compile(r"\.\d{3}$")


@lru_cache(maxsize=20_000)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of ``name`` in lower case, with side words written out.

    Words end at separators and where capitals begin; Blender's copy number (``.001``) is no word. A name all in small
    letters that ends in left or right is split there: ``eyeblinkleft``.
    """
    found = [word.lower() for word in _WORDS.findall(_COPY.sub("", name))]
    words: list[str] = []
    for word in found:
        tail = next((side for side in ("left", "right") if word.endswith(side) and len(word) > len(side)), "")
        words += [word.removesuffix(tail), tail] if tail else [SIDE_WORDS.get(word, word)]
    return tuple(words)


def is_animated(name: str) -> bool:
    """Tell whether a shape may belong to a performance: correctives and identities do not."""
    return _NOT_ANIMATED.isdisjoint(words_of(name))


def side_of(words: tuple[str, ...]) -> str:
    """Return ``"left"`` or ``"right"`` for words with exactly one side word, else an empty text."""
    sides = [word for word in words if word in ("left", "right")]
    return sides[0] if len(sides) == 1 else ""


def key_of(words: tuple[str, ...]) -> str:
    """Return one text that equal names share: letters only, with a single side word moved to the front."""
    side = side_of(words)
    rest = words if not side else tuple(word for word in words if word != side)
    return f"{side}:{''.join(rest)}"
