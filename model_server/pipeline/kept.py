"""What of an earlier performance stays while the rest is made again: ranges, locked channels, single keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, LIP_CHANNELS, REGIONS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.filters import resample
from model_server.errors import ConfigError

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

HEAD_CHANNELS = ("headPitch", "headYaw", "headRoll", "headX", "headY", "headZ")
"""Names of the six channels after the 52 blendshapes."""

EASE_FRAMES = 25
"""Frames over which a step beside given frames fades out (half a second)."""

LIP_EASE_FRAMES = 6
"""The same for jaw, mouth and tongue, which must be right again within a phone or two."""

_CHANNEL_INDEX = ARKIT_INDEX | {name: ARKIT_COUNT + i for i, name in enumerate(HEAD_CHANNELS)}
_GROUPS = {name: list(channels) for name, channels in REGIONS.items()} | {
    "head": list(range(ARKIT_COUNT, ARKIT_COUNT + len(HEAD_CHANNELS)))
}


@dataclass(frozen=True)
class Kept:
    """Curves of an earlier performance and what of them stays.

    Attributes:
        curves: the earlier performance; its frames are at their own times.
        remake: (start, end) seconds that are made again; all else of ``curves`` stays. Without any, all is made again
            but what the other fields keep.
        locked: names of channels or regions (``brow eye nose_cheek jaw mouth tongue head``) that stay everywhere.
        keys: (channel, seconds) of single values that stay, an animator's own keys.

    Raises:
        ConfigError: on construction, for a range that is none or an unknown channel.
    """

    curves: FaceCurves
    remake: tuple[tuple[float, float], ...] = ()
    locked: tuple[str, ...] = ()
    keys: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for start, end in self.remake:
            if not 0 <= start < end < float("inf"):
                raise ConfigError(f"range {start:g}-{end:g} s: give a start of at least 0 and an end after it")
        for name in (*self.locked, *(name for name, _ in self.keys)):
            if name not in _GROUPS and name not in _CHANNEL_INDEX:
                regions = ", ".join(_GROUPS)
                raise ConfigError(f"'{name}' is neither a channel nor a region; regions are {regions}")
        if not len(self.curves):
            raise ConfigError("the performance to keep has no frames")

    def at(self, fps: float) -> Kept:
        """Return the same with curves at ``fps``."""
        return replace(self, curves=resample(self.curves, fps))

    def window(self, first: int, count: int) -> tuple[Array, Mask]:
        """Return (count, 58) values and where they stay, from frame ``first`` on at the rate of the curves."""
        fps = self.curves.fps
        offset = round(self.curves.start * fps)
        frames = np.arange(first, first + count)
        inside = (frames >= offset) & (frames < offset + len(self.curves))
        values = self.curves.stacked()[np.clip(frames - offset, 0, len(self.curves) - 1)]
        times = frames / fps
        mask = np.zeros((count, values.shape[1]), bool)
        if self.remake:
            mask[:] = True
            # A frame within a thousandth of an edge is the edge.
            for start, end in self.remake:
                mask[(times > start - 0.001 / fps) & (times < end - 0.001 / fps)] = False
        for name in self.locked:
            mask[:, _channels(name)] = True
        for name, time in self.keys:
            rows = np.abs(frames - time * fps) <= 0.5
            for channel in _channels(name):
                mask[rows, channel] = True
        return values, mask & inside[:, None]


def _channels(name: str) -> list[int]:
    return _GROUPS.get(name) or [_CHANNEL_INDEX[name]]


def go_on_from(face: Array, known: Array, mask: Mask) -> Array:
    """Return (T, 58) ``face`` with the ``known`` values where ``mask`` says, and no step beside them.

    The network goes on nearly where it was told to; what is left of a step fades out over ``EASE_FRAMES``.
    """
    drawn = np.where(mask, known, face)
    joined = drawn.copy()
    for channel, first, stop in _gaps(mask):
        for place, outward in ((first - 1, -1), (stop, 1)):
            if 0 <= place < len(drawn):
                step = _step(drawn[:, channel], mask[:, channel], place, outward)
                _fade(joined[first:stop, channel], step, EASE_FRAMES, from_left=outward < 0)
    return joined


def _step(curve: Array, mask: Mask, place: int, outward: int) -> float:
    """Return how far the free frame beside the known frame ``place`` is from where the known curve leads."""
    beyond = place + outward
    free = place - outward
    if 0 <= beyond < len(curve) and mask[beyond]:
        return float(2 * curve[place] - curve[beyond] - curve[free])
    # A lone key: the curve around it should pass through it.
    around = curve[free] if not 0 <= beyond < len(curve) else 0.5 * (curve[free] + curve[beyond])
    return float(curve[place] - around)


def _fade(run: Array, step: float, frames: int, from_left: bool) -> None:
    """Add ``step`` to the beginning or the end of ``run``, fading out over ``frames`` or the whole run."""
    count = min(frames, len(run))
    weight = (0.5 + 0.5 * np.cos(np.pi * np.arange(count) / count)).astype(np.float32)
    if from_left:
        run[:count] += weight * np.float32(step)
    else:
        run[len(run) - count :] += weight[::-1] * np.float32(step)


def _gaps(mask: Mask) -> Iterator[tuple[int, int, int]]:
    """Yield (channel, first, stop) of every run of free frames in a channel that has known ones."""
    for channel in np.flatnonzero(mask.any(axis=0) & ~mask.all(axis=0)):
        edges = np.flatnonzero(np.diff(np.concatenate([[True], mask[:, channel], [True]]).astype(np.int8)))
        for first, stop in edges.reshape(-1, 2):
            yield int(channel), int(first), int(stop)


def keep_lips(pieces: Iterable[Array], kept: Kept) -> Iterator[Array]:
    """Yield refined (n, 58) frames whose kept lips are as given and whose others lead over to them.

    Args:
        pieces: consecutive frames at ``FRAME_RATE``, the first at 0 s.
        kept: with curves at ``FRAME_RATE``.
    """
    margin, lips = LIP_EASE_FRAMES, list(LIP_CHANNELS)
    held = np.zeros((0, 0), np.float32)
    first = done = 0
    iterator = iter(pieces)
    while True:
        piece = next(iterator, None)
        if piece is not None:
            held = piece if not len(held) else np.concatenate([held, piece])
        stop = first + len(held) - (0 if piece is None else margin)
        if stop > done:
            settled = held.copy()
            settled[:, lips] = _settle(held, *kept.window(first, len(held)))[:, lips]
            settled[:, lips] = settled[:, lips].clip(0, 1)
            yield settled[done - first : stop - first]
            done = stop
            drop = max(0, done - margin - first)
            held, first = held[drop:], first + drop
        if piece is None:
            return


def _settle(face: Array, known: Array, mask: Mask) -> Array:
    settled = np.where(mask, known, face)
    for channel, first, stop in _gaps(mask):
        run = settled[first:stop, channel]
        if first > 0:
            _fade(run, float(known[first - 1, channel] - face[first - 1, channel]), LIP_EASE_FRAMES, from_left=True)
        if stop < len(face):
            _fade(run, float(known[stop, channel] - face[stop, channel]), LIP_EASE_FRAMES, from_left=False)
    return settled


def keep_exactly(parts: Iterable[FaceCurves], kept: Kept) -> Iterator[FaceCurves]:
    """Yield parts of a performance with every kept value as it was, to the last bit where frame rates agree.

    Args:
        parts: consecutive parts at the rate of ``kept``'s curves, the first at 0 s.
        kept: what stays.
    """
    for part in parts:
        values, mask = kept.window(round(part.start * part.fps), len(part))
        yield part.with_stacked(np.where(mask, values, part.stacked()))
