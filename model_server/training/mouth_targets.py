"""What the mouth teacher knows of each phone: target positions of the articulators and how firmly they hold.

Vowel heights and rounding follow the chart of the International Phonetic Association. The scale is that of the real
recordings in ``docs/training.md``: lip openings of a Mandarin speaker, and ARKit curves of a Live Link performer.
"""

from __future__ import annotations

from typing import Final

GESTURES: Final = (
    "jaw",
    "funnel",
    "pucker",
    "spread",
    "lower",
    "upper",
    "roll_lower",
    "shrug_upper",
    "tongue",
    "jaw_forward",
)
"""Articulatory gestures: jaw drop, lip funnel and pucker, corner spread, lower lip down, upper lip up, lower lip
rolled in, upper lip shrug, tongue between the teeth, jaw forward. Each about 0..1 in ARKit units."""

# Rows: jaw, funnel, pucker, spread, lower, upper, roll_lower, shrug_upper, tongue, jaw_forward.
TARGETS: Final[dict[str, tuple[float, ...]]] = {
    "sil": (0.02, 0.02, 0.03, 0.00, 0.00, 0.00, 0.03, 0.02, 0.00, 0.00),
    "p": (0.08, 0.00, 0.05, 0.01, 0.00, 0.00, 0.12, 0.05, 0.00, 0.00),
    "b": (0.08, 0.00, 0.05, 0.01, 0.00, 0.00, 0.10, 0.05, 0.00, 0.00),
    "m": (0.07, 0.00, 0.05, 0.01, 0.00, 0.00, 0.10, 0.05, 0.00, 0.00),
    "f": (0.06, 0.01, 0.00, 0.04, 0.00, 0.14, 0.30, 0.04, 0.00, 0.00),
    "v": (0.06, 0.01, 0.00, 0.04, 0.00, 0.13, 0.27, 0.04, 0.00, 0.00),
    "w": (0.06, 0.13, 0.80, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.02),
    "θ": (0.09, 0.01, 0.00, 0.03, 0.12, 0.06, 0.00, 0.00, 0.32, 0.00),
    "ð": (0.10, 0.01, 0.00, 0.03, 0.12, 0.05, 0.00, 0.00, 0.28, 0.00),
    "s": (0.045, 0.02, 0.00, 0.09, 0.16, 0.08, 0.00, 0.00, 0.00, 0.05),
    "z": (0.05, 0.02, 0.00, 0.08, 0.15, 0.07, 0.00, 0.00, 0.00, 0.04),
    "ʃ": (0.055, 0.26, 0.20, 0.00, 0.11, 0.09, 0.00, 0.00, 0.00, 0.07),
    "ʒ": (0.06, 0.25, 0.22, 0.00, 0.10, 0.08, 0.00, 0.00, 0.00, 0.06),
    "t": (0.08, 0.01, 0.01, 0.05, 0.11, 0.05, 0.00, 0.00, 0.00, 0.00),
    "d": (0.09, 0.01, 0.01, 0.05, 0.11, 0.04, 0.00, 0.00, 0.00, 0.00),
    "n": (0.10, 0.01, 0.01, 0.04, 0.10, 0.04, 0.00, 0.00, 0.02, 0.00),
    "l": (0.15, 0.01, 0.01, 0.03, 0.10, 0.04, 0.00, 0.00, 0.06, 0.00),
    "ɹ": (0.12, 0.16, 0.24, 0.00, 0.08, 0.04, 0.00, 0.00, 0.00, 0.02),
    "r": (0.13, 0.04, 0.03, 0.03, 0.10, 0.04, 0.00, 0.00, 0.00, 0.00),
    "k": (0.13, 0.01, 0.01, 0.03, 0.08, 0.04, 0.00, 0.00, 0.00, 0.00),
    "ɡ": (0.13, 0.01, 0.01, 0.03, 0.08, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ŋ": (0.14, 0.01, 0.01, 0.03, 0.07, 0.03, 0.00, 0.00, 0.00, 0.00),
    "x": (0.14, 0.02, 0.01, 0.03, 0.08, 0.05, 0.00, 0.00, 0.00, 0.00),
    "h": (0.14, 0.02, 0.01, 0.02, 0.06, 0.03, 0.00, 0.00, 0.00, 0.00),
    "j": (0.11, 0.01, 0.00, 0.14, 0.10, 0.04, 0.00, 0.00, 0.00, 0.00),
    "i": (0.16, 0.00, 0.00, 0.22, 0.12, 0.05, 0.00, 0.00, 0.00, 0.00),
    "ɪ": (0.22, 0.01, 0.00, 0.14, 0.11, 0.04, 0.00, 0.00, 0.00, 0.00),
    "e": (0.24, 0.01, 0.00, 0.17, 0.12, 0.04, 0.00, 0.00, 0.00, 0.00),
    "ɛ": (0.33, 0.01, 0.00, 0.12, 0.12, 0.05, 0.00, 0.00, 0.00, 0.00),
    "æ": (0.46, 0.01, 0.00, 0.12, 0.15, 0.06, 0.00, 0.00, 0.00, 0.00),
    "a": (0.50, 0.02, 0.00, 0.06, 0.13, 0.04, 0.00, 0.00, 0.00, 0.00),
    "ɑ": (0.49, 0.04, 0.02, 0.01, 0.10, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ɔ": (0.41, 0.26, 0.36, 0.00, 0.06, 0.02, 0.00, 0.00, 0.00, 0.02),
    "o": (0.22, 0.24, 0.46, 0.00, 0.04, 0.01, 0.00, 0.00, 0.00, 0.02),
    "ʊ": (0.16, 0.20, 0.44, 0.00, 0.04, 0.00, 0.00, 0.00, 0.00, 0.02),
    "u": (0.10, 0.18, 0.66, 0.00, 0.02, 0.00, 0.00, 0.00, 0.00, 0.03),
    "ə": (0.19, 0.02, 0.01, 0.03, 0.09, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ʌ": (0.33, 0.02, 0.01, 0.03, 0.10, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ɜ": (0.20, 0.12, 0.14, 0.00, 0.08, 0.03, 0.00, 0.00, 0.00, 0.01),
    "y": (0.08, 0.16, 0.62, 0.00, 0.02, 0.00, 0.00, 0.00, 0.00, 0.03),
    "ø": (0.18, 0.20, 0.46, 0.00, 0.04, 0.00, 0.00, 0.00, 0.00, 0.02),
    "ɨ": (0.12, 0.02, 0.00, 0.10, 0.10, 0.03, 0.00, 0.00, 0.00, 0.00),
}

BILABIAL: Final = frozenset("pbm")
LABIODENTAL: Final = frozenset("fv")
NARROW_JAW: Final = frozenset("szʃʒ")
TONGUE_TIP: Final = frozenset("θðlntd")
VOWELS: Final = frozenset("iɪeɛæaɑɔoʊuəʌɜyøɨ")
SILENCE: Final = frozenset(["sil"])
CLOSING: Final = BILABIAL | LABIODENTAL | SILENCE
"""Symbols that ask for lips together or at the teeth; every other phone keeps them parted."""

JAW_CEILINGS: Final[dict[str, float]] = {
    **dict.fromkeys("szʃʒ", 0.075),
    **dict.fromkeys("fv", 0.10),
    **dict.fromkeys("pbm", 0.13),
    **dict.fromkeys("tdnlθð", 0.16),
    **dict.fromkeys("wj", 0.14),
    **dict.fromkeys("iuyɹr", 0.21),
}
"""The most ``jawOpen`` with which a phone can still be made: the teeth of s, the tongue tip of t, the palate of i."""

_ROUND = frozenset("uoʊyøɔ")
_CLOSE_VOWELS = frozenset("iɪɨe")
_OPEN_THROAT = frozenset("hxkɡŋ")

# Dominance over (jaw, rounding, lips): how firmly a phone's own target holds against its neighbours'.
_VOWEL = (1.4, 0.8, 0.7)
_CLOSE_VOWEL = (2.4, 0.8, 0.9)
_ROUNDED = (1.8, 2.4, 0.8)
_GLIDES = {"w": (2.4, 3.0, 1.0), "j": (2.4, 0.6, 0.9)}
_ROUNDED_FRICATIVE = (3.0, 1.0, 1.6)
_SIBILANT = (3.0, 0.22, 1.6)
_CONSONANT = (0.7, 0.14, 0.6)
# Made at the back of the tongue: jaw and lips already take the shape of the vowels around.
_BACK = (0.4, 0.12, 0.3)
_LABIAL = (1.4, 0.12, 2.2)
_SILENT = (0.8, 2.4, 0.8)


def dominance_of(symbol: str) -> tuple[float, float, float]:
    """Return how firmly a phone holds its jaw, its rounding and its other lip targets; 1 is middling."""
    if symbol == "sil":
        return _SILENT
    if symbol in BILABIAL or symbol in LABIODENTAL:
        return _LABIAL
    if symbol in _ROUND:
        return _ROUNDED
    if symbol in NARROW_JAW:
        return _ROUNDED_FRICATIVE if symbol in "ʃʒ" else _SIBILANT
    if symbol in _OPEN_THROAT:
        return _BACK
    if symbol in _GLIDES:
        return _GLIDES[symbol]
    if symbol in _CLOSE_VOWELS:
        return _CLOSE_VOWEL
    return _VOWEL if symbol in VOWELS else _CONSONANT
