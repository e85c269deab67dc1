"""How lips follow speech, measured on distances in the mouth of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BILABIAL = frozenset("pbm")
LABIODENTAL = frozenset("fv")
SIBILANT = frozenset("szʃʒ")
OPEN_VOWELS = frozenset("aɑæɔʌ")

CLOSED_METRES = 0.0015
"""Lips nearer than this count as closed: 1.5 mm on a head of human size."""
LABIODENTAL_GAP_METRES = 0.004
LABIODENTAL_ROLL = 0.15
"""For f and v: lips nearer than the first while mouthRollLower, which draws the lower one in, is the second or more."""
SIBILANT_TEETH_METRES = 0.004
"""For s z ʃ ʒ: the edges of the incisors come nearer than this."""

_MARGIN = 0.04
_SHORTEST_VOWEL = 0.06

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


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


def measure_lips(
    gaps: Sequence[FloatArray],
    truths: Sequence[Sequence[TimedPhone]],
    fps: float,
    closed: float = CLOSED_METRES,
) -> LipFigures:
    """Measure lip gaps against timed phones.

    Args:
        gaps: (T,) metres for each recording, frame ``i`` at ``i / fps`` seconds.
        truths: the phones of each recording, silences included.
        fps: frames per second.
        closed: lips nearer than this count as closed, metres.
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
                hits.append(bool(gap[near].min() < closed))
                errors.append(abs(float(times[near][gap[near].argmin()]) - (phone.start + phone.end) / 2))
                allowed |= near
            elif phone.symbol in OPEN_VOWELS and phone.end - phone.start >= _SHORTEST_VOWEL and inside.any():
                vowels.append(float(gap[inside].max()))
        silences += gap[silent].tolist()
        is_closed = np.concatenate([[False], (gap < closed) & ~silent, [False]])
        edges = np.flatnonzero(np.diff(is_closed.astype(np.int8)))
        rightly += [bool(allowed[a:b].any()) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return LipFigures(
        len(hits),
        float(np.mean(hits)) if hits else 0.0,
        float(np.mean(rightly)) if rightly else 0.0,
        float(np.median(errors)) if errors else 0.0,
        float(np.mean(np.array(vowels) < closed)) if vowels else 0.0,
        float(np.mean(vowels)) if vowels else 0.0,
        float(np.mean(silences)) if silences else 0.0,
    )


def constraint_rate(
    met: Sequence[BoolArray],
    truths: Sequence[Sequence[TimedPhone]],
    symbols: frozenset[str],
    fps: float,
    margin: float,
) -> float:
    """Return the share of the phones among ``symbols`` during which ``met`` is true at least once; nan for none.

    Args:
        met: (T,) bool for each recording: whether the mouth fulfils the constraint, frame ``i`` at ``i / fps`` s.
        truths: the phones of each recording.
        symbols: the phones that ask for it.
        fps: frames per second.
        margin: seconds before and after the phone that count as well.
    """
    hits: list[bool] = []
    for curve, truth in zip(met, truths, strict=True):
        times = np.arange(len(curve)) / fps
        for phone in truth:
            near = (times >= phone.start - margin) & (times <= phone.end + margin)
            if phone.symbol in symbols and near.any():
                hits.append(bool(curve[near].any()))
    return float(np.mean(hits)) if hits else float("nan")


def labiodental_rate(
    gaps: Sequence[FloatArray], rolls: Sequence[FloatArray], truths: Sequence[Sequence[TimedPhone]], fps: float
) -> float:
    """Return the share of f and v with the lower lip drawn towards the teeth within 40 ms; nan for none.

    Args:
        gaps: (T,) metres between the lips for each recording.
        rolls: (T,) mouthRollLower for each recording.
        truths: the phones of each recording.
        fps: frames per second.
    """
    met = [(gap < LABIODENTAL_GAP_METRES) & (roll >= LABIODENTAL_ROLL) for gap, roll in zip(gaps, rolls, strict=True)]
    return constraint_rate(met, truths, LABIODENTAL, fps, _MARGIN)


def sibilant_rate(teeth_gaps: Sequence[FloatArray], truths: Sequence[Sequence[TimedPhone]], fps: float) -> float:
    """Return the share of s z ʃ ʒ in which the teeth come within 4 mm; nan for none.

    Args:
        teeth_gaps: (T,) vertical metres between the incisors for each recording.
        truths: the phones of each recording.
        fps: frames per second.
    """
    return constraint_rate([gap < SIBILANT_TEETH_METRES for gap in teeth_gaps], truths, SIBILANT, fps, 0.0)
