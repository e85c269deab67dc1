"""Fewer keys with a bounded error, and held poses for drawn looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .curves import CurvesError
from .filters import reduce_keys

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SmoothKeys:
    """Keys of one curve with handles, a cubic Bezier between each two.

    The handles lie a third of the way to the next key, so that time runs evenly along every piece.

    Attributes:
        frames: (K,) frames of the keys, increasing.
        values: (K,) their values.
        arriving: (K,) value per frame with which the curve reaches each key.
        leaving: (K,) value per frame with which it leaves it.
    """

    frames: Array
    values: Array
    arriving: Array
    leaving: Array

    def handles(self) -> tuple[Array, Array]:
        """Return (K, 2) left and (K, 2) right handles as frame and value; the outer two reach one frame."""
        gaps = np.diff(self.frames) / 3
        before, after = np.concatenate([[1.0], gaps]), np.concatenate([gaps, [1.0]])
        left = np.stack([self.frames - before, self.values - before * self.arriving], axis=1)
        right = np.stack([self.frames + after, self.values + after * self.leaving], axis=1)
        return left, right

    def at(self, frames: Array) -> Array:
        """Return (N,) the curve's values at ``frames``, which lie between the first and the last key."""
        if len(self.frames) == 1:
            return np.full(len(frames), self.values[0])
        place = np.clip(np.searchsorted(self.frames, frames, side="right") - 1, 0, len(self.frames) - 2)
        width = self.frames[place + 1] - self.frames[place]
        return _cubic(
            (frames - self.frames[place]) / width,
            self.values[place],
            self.values[place + 1],
            self.leaving[place] * width,
            self.arriving[place + 1] * width,
        )


def _cubic(u: Array, start: Any, end: Any, leaving: Any, arriving: Any) -> Array:
    """Return the cubic from ``start`` to ``end`` with those rises over the whole piece at its ends, at ``u`` 0..1."""
    result: Array = (
        (1 + 2 * u) * (1 - u) ** 2 * start
        + u**2 * (3 - 2 * u) * end
        + u * (1 - u) ** 2 * leaving
        - u**2 * (1 - u) * arriving
    )
    return result


def line_keys(frames: Array, values: Array, tolerance: float) -> npt.NDArray[np.intp]:
    """Return which of (T,) ``values`` to keep so that straight lines between them are within ``tolerance``.

    The bound holds at every one of (T,) ``frames``; kept keys are exact, the first and the last are always kept.

    Raises:
        CurvesError: for a negative tolerance or frames that do not increase.
    """
    return reduce_keys(frames, values[:, None], tolerance)[0]


def smooth_keys(frames: Array, values: Array, tolerance: float) -> SmoothKeys:
    """Return keys with handles whose curve is within ``tolerance`` of (T,) ``values`` at every one of ``frames``.

    Each key keeps its exact value. From key to key the longest piece is taken that holds the bound, its two handles
    fitted by least squares; handles of one key need not be in line.

    Raises:
        CurvesError: for a negative tolerance, frames that do not increase, or no frames.
    """
    frames, values = np.asarray(frames, np.float64), np.asarray(values, np.float64)
    if not len(frames) or frames.shape != values.shape:
        raise CurvesError(f"frames of shape {frames.shape} and values of shape {values.shape} do not fit")
    if not tolerance >= 0 or (np.diff(frames) <= 0).any():
        raise CurvesError("key reduction needs increasing frames and a tolerance of 0 or more")
    # The margin is for keys and handles that are rounded to 32 bits.
    allowed = tolerance * (1 - 1e-3) - 1e-6
    kept, arriving, leaving = [0], [0.0], []
    while kept[-1] < len(frames) - 1:
        last, piece = _farthest(frames, values, kept[-1], allowed)
        kept.append(last)
        leaving.append(piece.leaving)
        arriving.append(piece.arriving)
    return SmoothKeys(frames[kept], values[kept], np.array(arriving), np.array([*leaving, 0.0]))


@dataclass(frozen=True)
class _Piece:
    leaving: float
    arriving: float
    error: float


def _fit(frames: Array, values: Array, first: int, last: int) -> _Piece:
    """Return the cubic from frame ``first`` to frame ``last`` that fits best, and its largest error."""
    width = frames[last] - frames[first]
    rise = values[last] - values[first]
    slope = float(rise / width)
    if last == first + 1:
        return _Piece(slope, slope, 0.0)
    u = (frames[first : last + 1] - frames[first]) / width
    # Fitted is what differs from the straight line, so that a piece with little to go by is nearly straight.
    left = values[first : last + 1] - (values[first] + u * rise)
    basis = np.stack([u * (1 - u) ** 2 * width, -(u**2) * (1 - u) * width], axis=1)
    found = np.linalg.lstsq(basis, left, rcond=None)[0]
    error = float(np.abs(left - basis @ found).max())
    return _Piece(slope + float(found[0]), slope + float(found[1]), error)


def _farthest(frames: Array, values: Array, first: int, allowed: float) -> tuple[int, _Piece]:
    """Return the end of the longest piece from ``first`` within the bound, found by doubling and halving."""
    end, best = len(frames) - 1, first + 1
    good = _fit(frames, values, first, best)
    step = 1
    while best < end and step:
        tried = min(best + step, end)
        piece = _fit(frames, values, first, tried)
        if piece.error <= allowed:
            best, good = tried, piece
            step *= 2
        else:
            step //= 2
    return best, good


def held_frames(first: float, last: float, step: int, origin: int = 0) -> Array:
    """Return the frames that show when poses are held for ``step`` frames from ``first`` to ``last``.

    They lie on the grid through ``origin``; the first is the one on or before ``first``.

    Raises:
        CurvesError: for a step below 1.
    """
    if step < 1:
        raise CurvesError(f"poses cannot be held for {step} frames; choose 1 or more")
    start = origin + step * np.floor((first - origin) / step + 1e-6)
    return np.asarray(np.arange(start, last + 1e-6, step, dtype=np.float64))
