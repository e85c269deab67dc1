"""How lips follow speech, measured on the lip gap of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BILABIAL = frozenset("pbm")
OPEN_VOWELS = frozenset("aɑæɔʌ")

CLOSED_METRES = 0.0015
"""Lips nearer than this count as closed: 1.5 mm on a head of human size."""
_MARGIN = 0.04
_SHORTEST_VOWEL = 0.06

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TimedPhone:
    """A phone of the truth: its IPA symbol (``"sil"`` for silence) from ``start`` to ``end`` seconds."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class LipFigures:
    """What was measured over some recordings.

    Attributes:
        bilabials: number of p b m in the truth.
        recall: share of them with closed lips within 40 ms.
        precision: share of the closures in speech that are near a p b m or a silence.
        timing_error: median seconds between the smallest gap and the middle of the phone, absolute.
        vowels_closed: share of open vowels of 60 ms or more that never open.
        vowel_gap: mean of their largest gap, metres.
        silence_gap: mean gap in silence, metres.
    """

    bilabials: int
    recall: float
    precision: float
    timing_error: float
    vowels_closed: float
    vowel_gap: float
    silence_gap: float

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return 2 * self.recall * self.precision / max(1e-9, self.recall + self.precision)


def measure_lips(gaps: Sequence[FloatArray], truths: Sequence[Sequence[TimedPhone]], fps: float) -> LipFigures:
    """Measure lip gaps against timed phones.

    Args:
        gaps: (T,) metres for each recording, frame ``i`` at ``i / fps`` seconds.
        truths: the phones of each recording, silences included.
        fps: frames per second.
    """
    hits: list[bool] = []
    errors: list[float] = []
    rightly: list[bool] = []
    vowels: list[float] = []
    silences: list[float] = []
    for gap, truth in zip(gaps, truths, strict=True):
        times = np.arange(len(gap)) / fps
        allowed, silent = np.zeros(len(gap), bool), np.zeros(len(gap), bool)
        for phone in truth:
            inside = (times >= phone.start) & (times < phone.end)
            near = (times >= phone.start - _MARGIN) & (times <= phone.end + _MARGIN)
            if phone.symbol == "sil":
                silent |= inside
                allowed |= near
            elif phone.symbol in BILABIAL and near.any():
                hits.append(bool(gap[near].min() < CLOSED_METRES))
                errors.append(abs(float(times[near][gap[near].argmin()]) - (phone.start + phone.end) / 2))
                allowed |= near
            elif phone.symbol in OPEN_VOWELS and phone.end - phone.start >= _SHORTEST_VOWEL and inside.any():
                vowels.append(float(gap[inside].max()))
        silences += gap[silent].tolist()
        closed = np.concatenate([[False], (gap < CLOSED_METRES) & ~silent, [False]])
        edges = np.flatnonzero(np.diff(closed.astype(np.int8)))
        rightly += [bool(allowed[a:b].any()) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return LipFigures(
        len(hits),
        float(np.mean(hits)) if hits else 0.0,
        float(np.mean(rightly)) if rightly else 0.0,
        float(np.median(errors)) if errors else 0.0,
        float(np.mean(np.array(vowels) < CLOSED_METRES)) if vowels else 0.0,
        float(np.mean(vowels)) if vowels else 0.0,
        float(np.mean(silences)) if silences else 0.0,
    )
