"""Timed phones as the mouth teacher takes them, and envelopes over time around some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PhoneSegments:
    """Timed phones of one recording.

    Attributes:
        symbols: N phone symbols of the inventory, silences included, without gaps.
        starts: (N,) float64 seconds; each phone lasts until the next one's start.
        end: seconds at which the last phone ends.
    """

    symbols: tuple[str, ...]
    starts: Times
    end: float

    @property
    def ends(self) -> Times:
        """(N,) float64 seconds at which each phone ends."""
        return np.append(self.starts[1:], self.end)


def runs(segments: PhoneSegments, symbols: frozenset[str]) -> list[tuple[float, float]]:
    """Return start and end seconds of each stretch in which only ``symbols`` sound."""
    stretches: list[tuple[float, float]] = []
    together = False
    for symbol, start, end in zip(segments.symbols, segments.starts.tolist(), segments.ends.tolist(), strict=True):
        if symbol in symbols:
            stretches.append((stretches.pop()[0], end) if together else (start, end))
        together = symbol in symbols
    return stretches


def near(times: Times, start: float, end: float) -> slice:
    """Return the frames of increasing ``times`` from ``start`` to ``end`` seconds."""
    first, stop = np.searchsorted(times, (start, end))
    return slice(int(first), int(stop))


def plateau(segments: PhoneSegments, symbols: frozenset[str], times: Times, ramp: float, inset: float = 0.0) -> Array:
    """Return (T,) float32 in [0, 1]: 1 while one of ``symbols`` sounds, cosine ramps of ``ramp`` seconds around it.

    ``inset`` is the share of the time at either end in which the ramp has already begun.
    """
    envelope = np.zeros(len(times), np.float32)
    for start, end in runs(segments, symbols):
        first, last = start + inset * (end - start), end - inset * (end - start)
        part = near(times, first - ramp, last + ramp)
        away = np.maximum(np.maximum(first - times[part], times[part] - last), 0) / ramp
        envelope[part] = np.maximum(envelope[part], 0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1)))
    return envelope
