"""TimedPhones: what is said and when, as a sequence. What alignment gives, what an animator edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .phone_track import FRAME_RATE
from .phones import PHONE_INDEX, PHONES

SILENCE = "sil"

BOUNDARY_SPREAD = 0.010
"""Seconds of uncertainty of a boundary (standard deviation): what alignment reaches."""

# The logistic distribution of scale 1 / 1.702 differs from the normal one by less than 0.01 (Haley 1952).
_LOGISTIC = 1.702
_STOPS = frozenset("pbtdkɡ")
_FRICATIVES = frozenset(["s", "z", "ʃ", "ʒ", "f", "v", "x"])

FloatArray = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimedPhones:
    """Consecutive phones with their times. Before the first and after the last there is silence.

    Attributes:
        symbols: phones of ``PHONES``, ``"sil"`` for silence; two equal neighbours are two phones.
        starts: (P,) float64 seconds, the first from 0 on.
        ends: (P,) float64 seconds; each phone ends where the next begins and lasts longer than nothing.

    Raises:
        ValueError: on construction, for an unknown symbol or times that do not follow each other.
    """

    symbols: tuple[str, ...]
    starts: Times
    ends: Times

    def __post_init__(self) -> None:
        starts, ends = np.asarray(self.starts, np.float64), np.asarray(self.ends, np.float64)
        count = len(self.symbols)
        if starts.shape != (count,) or ends.shape != (count,):
            raise ValueError(f"{count} phones do not fit starts {starts.shape} and ends {ends.shape}")
        for symbol in self.symbols:
            if symbol not in PHONE_INDEX:
                raise ValueError(f"'{symbol}' is not a phone of the inventory: {' '.join(PHONES)}")
        if not (np.isfinite(starts).all() and np.isfinite(ends).all()) or (ends <= starts).any():
            raise ValueError("every phone must end after it starts")
        if count and starts[0] < 0:
            raise ValueError("the first phone starts before 0 s")
        if (starts[1:] != ends[:-1]).any():
            raise ValueError("every phone must start where the one before ends")
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "ends", ends)

    @classmethod
    def from_edges(cls, symbols: Sequence[str], edges: Times | Sequence[float]) -> TimedPhones:
        """Return phones whose (P + 1,) boundaries are ``edges`` seconds; those of no length are left out."""
        edges = np.asarray(edges, np.float64)
        kept = np.flatnonzero(np.diff(edges) > 0)
        starts, ends = edges[kept], edges[kept + 1]
        return cls(tuple(symbols[index] for index in kept), starts, ends)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def duration(self) -> float:
        """Seconds at which the last phone ends, 0 where there is none."""
        return float(self.ends[-1]) if len(self) else 0.0

    def labels(self, frames: int) -> npt.NDArray[np.uint8]:
        """Return (frames,) index into ``PHONES`` of the phone at the middle of every frame of a phone track."""
        indices, edges = self._with_silence()
        middles = (np.arange(frames) + 0.5) / FRAME_RATE
        return np.asarray(indices[np.searchsorted(edges, middles, side="right")], np.uint8)

    def posteriors(self, frames: int, spread: float = BOUNDARY_SPREAD) -> FloatArray:
        """Return (frames, 42) posteriors of a phone track, rows sum to 1.

        Boundaries are blended as if their times were known to a distribution: the logistic one, nearly normal.

        Args:
            frames: how many, at ``FRAME_RATE``.
            spread: standard deviation of that distribution in seconds, above 0.
        """
        indices, edges = self._with_silence()
        posteriors = np.zeros((frames, len(PHONES)), np.float64)
        posteriors[np.arange(frames), self.labels(frames)] = 1
        reach = int(np.ceil(6 * spread * FRAME_RATE))
        nearest = np.floor(edges * FRAME_RATE).astype(np.int64)
        for offset in range(-reach, reach + 1):
            inside = np.flatnonzero((nearest + offset >= 0) & (nearest + offset < frames))
            frame = nearest[inside] + offset
            late = (frame + 0.5) / FRAME_RATE - edges[inside]
            moved = 0.5 * (1 + np.tanh(_LOGISTIC / 2 * late / spread)) - (late >= 0)
            np.add.at(posteriors, (frame, indices[inside + 1]), moved)
            np.add.at(posteriors, (frame, indices[inside]), -moved)
        posteriors = posteriors.clip(0, None)
        return np.asarray(posteriors / posteriors.sum(axis=1, keepdims=True), np.float32)

    def _with_silence(self) -> tuple[npt.NDArray[np.int64], Times]:
        """Return (P + 2,) phone indices with silence around them and the (P + 1,) boundaries between them."""
        inner = [PHONE_INDEX[symbol] for symbol in self.symbols]
        silence = PHONE_INDEX[SILENCE]
        edges = np.append(self.starts, self.ends[-1:]) if inner else np.zeros(1)
        return np.array([silence, *inner, silence], np.int64), edges


def share_times(symbols: Sequence[tuple[str, ...]], ends: Sequence[float]) -> tuple[list[str], list[float]]:
    """Return phones and the seconds at which each ends, from symbols of no, one or several phones.

    A symbol of several phones shares its time: a stop takes 45 % of an affricate, a first vowel 60 % of a diphthong.
    A symbol of no phones lengthens the one before.

    Args:
        symbols: phones of each symbol, such as ``("t", "ʃ")`` for an affricate.
        ends: seconds at which each symbol ends; the first begins at 0.
    """
    phones: list[str] = []
    stops: list[float] = []
    start = 0.0
    for parts, end in zip(symbols, ends, strict=True):
        span = max(0.0, end - start)
        for number, part in enumerate(parts):
            if number == len(parts) - 1:
                stops.append(start + span)
            elif len(parts) == 2:
                stops.append(start + span * (0.45 if parts[0] in _STOPS and parts[1] in _FRICATIVES else 0.6))
            else:
                stops.append(start + span * (number + 1) / len(parts))
            phones.append(part)
        if not parts and stops:
            stops[-1] = start + span
        start += span
    return phones, stops
