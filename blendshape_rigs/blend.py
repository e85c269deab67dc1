"""One performance into another: a range of frames taken over, with smooth crossfades. numpy only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .arkit import ARKIT_COUNT
from .curves import CurvesError, FaceCurves, Provenance
from .filters import interpolate, resample

Array = npt.NDArray[np.float64]


def crossfade(frames: int, first: int, last: int, fade: int) -> Array:
    """Return (T,) weights of the performance that is taken over: 0 outside of a range, 1 inside.

    The first and last ``fade`` frames of the range rise and fall by a smooth step, where frames lie outside of the
    range on that side. Fades that would overlap are shortened so that they meet in the middle.

    Args:
        frames: T.
        first: first frame of the range.
        last: last frame of the range, inclusive.
        fade: frames of each crossfade; 0 cuts.

    Raises:
        CurvesError: for a range that is empty or leaves [0, T), or a negative ``fade``.

    Source: the smooth step 3u² - 2u³, the cubic Hermite polynomial with level ends.
    """
    if not 0 <= first <= last < frames:
        raise CurvesError(f"frames {first} to {last} are no range of a performance of {frames} frames")
    if fade < 0:
        raise CurvesError(f"the crossfade is {fade} frames; choose 0 or more")
    weights = np.zeros(frames)
    weights[first : last + 1] = 1.0
    length = last - first + 1
    fade = min(fade, length // 2 if first > 0 and last < frames - 1 else length)
    u = np.arange(1, fade + 1) / (fade + 1)
    step = u * u * (3 - 2 * u)
    if first > 0:
        weights[first : first + fade] = step
    if last < frames - 1:
        weights[last + 1 - fade : last + 1] = step[::-1]
    return weights


def _product(one: Array, other: Array) -> Array:
    """Return the (T, 4) products of (T, 4) quaternions w, x, y, z."""
    w, x, y, z = one.T
    a, b, c, d = other.T
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=1,
    )


def _turns(angles: Array, axis: int) -> Array:
    """Return the (T, 4) quaternions of turns by (T,) ``angles`` rad about one axis."""
    turns = np.zeros((len(angles), 4))
    turns[:, 0], turns[:, 1 + axis] = np.cos(angles / 2), np.sin(angles / 2)
    return turns


def head_quaternions(head_rotation: npt.ArrayLike) -> Array:
    """Return (T, 4) quaternions w, x, y, z of (T, 3) pitch, yaw, roll rad, as FaceCurves defines them.

    The axes are +X to the subject's left, +Y up, +Z forward. Yaw turns about up, then pitch about left, then roll
    about forward; positive roll, to the left shoulder, is a negative turn there.
    """
    pitch, yaw, roll = np.asarray(head_rotation, np.float64).T
    return _product(_product(_turns(yaw, 1), _turns(pitch, 0)), _turns(-roll, 2))


def head_angles(quaternions: Array) -> Array:
    """Return (T, 3) pitch, yaw, roll rad, without jumps over time, of (T, 4) quaternions: undo the above."""
    w, x, y, z = quaternions.T
    pitch = np.arcsin(np.clip(2 * (w * x - y * z), -1.0, 1.0))
    yaw = np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
    roll = -np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    return np.unwrap(np.stack([pitch, yaw, roll], axis=1), axis=0)


def slerp(one: Array, other: Array, weights: Array) -> Array:
    """Return (T, 4) unit quaternions on the shorter way from ``one`` to ``other``, (T, 4) each, at (T,) ``weights``.

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    cosine = (one * other).sum(axis=1)
    other = np.where(cosine[:, None] < 0, -other, other)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    sine = np.sin(angle)
    near = sine < 1e-6  # the straight way between two turns that are nearly one
    safe = np.where(near, 1.0, sine)
    from_one = np.where(near, 1 - weights, np.sin((1 - weights) * angle) / safe)
    from_other = np.where(near, weights, np.sin(weights * angle) / safe)
    mixed = from_one[:, None] * one + from_other[:, None] * other
    normed: Array = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return normed


def _read_at(curves: FaceCurves, times: Array, fps: float) -> FaceCurves:
    """Return ``curves`` at (N,) ``times`` seconds, which they cover, of a frame rate of ``fps``."""
    same_rate = resample(curves, fps)
    channels = interpolate(same_rate.times, same_rate.stacked(), times)
    return same_rate.with_stacked(channels, start=float(times[0]))


def merge_range(base: FaceCurves, other: FaceCurves, first: int, last: int, fade: int) -> FaceCurves:
    """Return ``base`` with frames ``first`` to ``last`` taken from ``other`` at the same seconds.

    Outside of the range ``base`` stays as it is, bit by bit. Inside, weights and head translation are crossfaded by
    :func:`crossfade`; the head turns from one rotation to the other on the shortest way.

    Args:
        base: T frames.
        other: of any frame rate.
        first: first frame of ``base`` that is replaced.
        last: last one, inclusive.
        fade: frames of each crossfade, inside of the range.

    Raises:
        CurvesError: for an empty range, one that leaves either performance, or a negative ``fade``.
    """
    weights = crossfade(len(base), first, last, fade)[first : last + 1]
    times = base.times[first : last + 1]
    # Half a frame is rounding: frames of two takes need not lie on each other to the last digit.
    slack = 0.5 / base.fps
    if not len(other) or times[0] < other.times[0] - slack or times[-1] > other.times[-1] + slack:
        raise CurvesError(
            f"the other performance lasts from {other.start:.2f} to {other.start + other.duration:.2f} s and does not "
            f"cover {times[0]:.2f} to {times[-1]:.2f} s"
        )
    taken = _read_at(other, times, base.fps)
    channels = base.stacked()
    part = channels[first : last + 1].astype(np.float64)
    mixed = part + weights[:, None] * (taken.stacked() - part)
    head = slice(ARKIT_COUNT, ARKIT_COUNT + 3)
    turned = slerp(head_quaternions(part[:, head]), head_quaternions(taken.head_rotation), weights)
    mixed[:, head] = _continued(head_angles(turned), part[:, head])
    whole = weights == 1
    mixed[whole] = taken.stacked()[whole]
    channels[first : last + 1] = mixed
    origin = replace(base.provenance, source="action", emotion=_both(base.provenance, other.provenance))
    return base.with_stacked(channels, provenance=origin)


def _continued(angles: Array, before: Array) -> Array:
    """Return (T, 3) ``angles`` moved by whole turns to where (T, 3) ``before`` begins."""
    moved: Array = angles - 2 * np.pi * np.round((angles[0] - before[0]) / (2 * np.pi))
    return moved


def _both(one: Provenance, other: Provenance) -> str:
    """Return the emotions of two performances in words."""
    return " + ".join(dict.fromkeys(text for text in (one.emotion, other.emotion) if text))
