"""Timed phones out of a phone track: for labels, reports and editing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import PHONES
from model_server.audio.timed_phones import TimedPhones


@dataclass(frozen=True)
class PhoneSegment:
    """One heard phone: its IPA symbol (``"sil"`` for silence) from ``start`` to ``end`` seconds."""

    symbol: str
    start: float
    end: float


def decode_segments(posteriors: npt.NDArray[np.float32]) -> list[PhoneSegment]:
    """Return the phones of :func:`decode_phones` one by one."""
    phones = decode_phones(posteriors)
    times = zip(phones.starts.tolist(), phones.ends.tolist(), strict=True)
    return [PhoneSegment(symbol, start, end) for symbol, (start, end) in zip(phones.symbols, times, strict=True)]


def decode_phones(posteriors: npt.NDArray[np.float32], change_cost: float = 4.0) -> TimedPhones:
    """Return the most likely sequence of phones (Viterbi), without gaps.

    Args:
        posteriors: (T, 42) phone posteriors at ``FRAME_RATE``.
        change_cost: cost in nats of changing from one phone to another; higher gives fewer, longer phones.
    """
    costs = -np.log(np.maximum(posteriors, 1e-6)).astype(np.float64)
    frames, count = costs.shape
    total = costs[0].copy() if frames else np.zeros(count)
    came_from = np.zeros((frames, count), np.int64)
    for frame in range(1, frames):
        cheapest = int(total.argmin())
        change = total[cheapest] + change_cost < total
        came_from[frame] = np.where(change, cheapest, np.arange(count))
        total = np.minimum(total, total[cheapest] + change_cost) + costs[frame]
    path = np.zeros(frames, np.int64)
    if frames:
        path[-1] = int(total.argmin())
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1), frames] if frames else []
    return TimedPhones.from_edges([PHONES[path[start]] for start in edges[:-1]], np.array(edges) / FRAME_RATE)
