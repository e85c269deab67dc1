"""Rounded lips against spread lips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from .closures import TimedPhone

FloatArray = npt.NDArray[np.floating[Any]]

ROUNDED = frozenset("uʊoɔwyø")
SPREAD = frozenset("iɪeɛæj")


def phone_means(
    curves: Sequence[FloatArray], truths: Sequence[Sequence[TimedPhone]], symbols: frozenset[str], fps: float
) -> npt.NDArray[np.float64]:
    """Return the mean of a curve over the middle half of each phone among ``symbols``, all recordings together.

    Args:
        curves: (T,) for each recording, any unit, frame ``i`` at ``i / fps`` seconds.
        truths: the phones of each recording.
        symbols: the phones to look at.
        fps: frames per second.
    """
    means: list[float] = []
    for curve, truth in zip(curves, truths, strict=True):
        for phone in truth:
            if phone.symbol not in symbols:
                continue
            quarter = (phone.end - phone.start) / 4
            part = curve[round((phone.start + quarter) * fps) : round((phone.end - quarter) * fps) + 1]
            if len(part):
                means.append(float(part.mean()))
    return np.array(means, np.float64)


def area_under_curve(positives: FloatArray, negatives: FloatArray) -> float:
    """Return the probability that a positive scores above a negative, ties half: 0.5 is chance; nan without both.

    It is the area under the receiver operating characteristic, from ranks (Hanley and McNeil, 1982).
    """
    if not len(positives) or not len(negatives):
        return float("nan")
    ranks = rankdata(np.concatenate([positives, negatives]))
    wins = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(wins / (len(positives) * len(negatives)))


def rounding_auc(scores: Sequence[FloatArray], truths: Sequence[Sequence[TimedPhone]], fps: float) -> float:
    """Return how well ``scores`` tell rounded phones (u ʊ o ɔ w y ø) from spread ones (i ɪ e ɛ æ j).

    Args:
        scores: (T,) for each recording, larger where the lips are rounder, such as the mouth's width times -1.
        truths: the phones of each recording.
        fps: frames per second.
    """
    rounded, spread = (phone_means(scores, truths, symbols, fps) for symbols in (ROUNDED, SPREAD))
    return area_under_curve(rounded, spread)
