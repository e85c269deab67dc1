"""What a mouth does while it does not speak: breathes in, parts before it speaks, settles."""

from __future__ import annotations

import numpy as np

from .mouth_timing import Array, PhoneSegments, Times, near, runs
from .smoothing import smooth

_SILENCE = frozenset(["sil"])
# A breath is heard as a swell within a pause: at least this much of 40 dB above the pause's quiet, and below speech.
# Noise swells too, but seldom for as long as one breathes in before a phrase.
_AUDIBLE_SWELL, _FULL_SWELL, _LOUDEST_BREATH = 0.20, 0.45, -0.3
_SHORTEST_BREATH, _LONGEST_BREATH = 0.12, 0.60
_BREATH_PAUSE, _BREATH_EDGE, _BREATH_RAMP, _BREATH_GAP = 0.30, 0.08, 0.12, 0.0018
_SMACK_PAUSE, _SMACK_BEFORE, _SMACK_HALF_WIDTH, _SMACK_GAP, _SMACK_SHARE = 0.45, 0.17, 0.06, 0.0011, 0.4
_SETTLE_PAUSE, _SETTLE_AFTER, _SETTLE_HALF_WIDTH = 0.8, 0.45, 0.28
_GOLDEN = 0.6180339887


def _chance(seconds: float) -> float:
    """Return a number in 0..1 that belongs to a moment: the same for the same moment, unlike its neighbours'."""
    return (round(seconds * 50) * _GOLDEN) % 1.0


def _bump(away: Times) -> Times:
    """Return a raised cosine: 1 where ``away`` is 0, 0 from 1 on."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.minimum(np.abs(away), 1)))


def breath_gap(segments: PhoneSegments, times: Times, loudness: Array) -> Array:
    """Return (T,) float32 metres by which lips part to breathe in: where a pause has an audible breath."""
    gap = np.zeros(len(times), np.float32)
    if len(times) < 2:
        return gap
    rate = 1 / (times[1] - times[0])
    for start, end in runs(segments, _SILENCE):
        inside = near(times, start + _BREATH_EDGE, end - _BREATH_EDGE)
        if end - start < _BREATH_PAUSE or inside.stop - inside.start < 3:
            continue
        level = smooth(loudness[inside], 0.03 * rate)
        quiet, peak = float(np.percentile(level, 15)), float(level.max())
        if peak - quiet < _AUDIBLE_SWELL or peak > _LOUDEST_BREATH:
            continue
        heard = times[inside][level > quiet + 0.5 * (peak - quiet)]
        if not _SHORTEST_BREATH <= heard[-1] - heard[0] <= _LONGEST_BREATH:
            continue
        depth = _BREATH_GAP * min(1.0, (peak - quiet) / _FULL_SWELL)
        part = near(times, start, end)
        away = np.maximum(np.maximum(heard[0] - times[part], times[part] - heard[-1]), 0) / _BREATH_RAMP
        gap[part] = np.maximum(gap[part], depth * _bump(away))
    return gap


def smack_gap(segments: PhoneSegments, times: Times) -> Array:
    """Return (T,) float32 metres by which lips part for a moment before most phrases that follow a pause."""
    gap = np.zeros(len(times), np.float32)
    for start, end in runs(segments, _SILENCE):
        if end - start < _SMACK_PAUSE or end >= segments.end or _chance(end) > _SMACK_SHARE:
            continue
        middle = end - _SMACK_BEFORE
        part = near(times, middle - _SMACK_HALF_WIDTH, middle + _SMACK_HALF_WIDTH)
        gap[part] = _SMACK_GAP * _bump((times[part] - middle) / _SMACK_HALF_WIDTH)
    return gap


def settle_pulse(segments: PhoneSegments, times: Times) -> Array:
    """Return (T,) float32 in [0, 1]: lips press together softly after speech and every few seconds of a long pause."""
    pulse = np.zeros(len(times), np.float32)
    for start, end in runs(segments, _SILENCE):
        if end - start < _SETTLE_PAUSE:
            continue
        middle = start + _SETTLE_AFTER
        while middle + _SETTLE_HALF_WIDTH < end:
            part = near(times, middle - _SETTLE_HALF_WIDTH, middle + _SETTLE_HALF_WIDTH)
            size = 0.3 + 0.7 * _chance(middle)
            pulse[part] = np.maximum(pulse[part], size * _bump((times[part] - middle) / _SETTLE_HALF_WIDTH))
            middle += 2.2 + 3.0 * _chance(middle + 1)
    return pulse
