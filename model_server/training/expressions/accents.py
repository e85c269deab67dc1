"""Gestures on accents: brows and lids, nods and beats of the head."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX, EMOTIONS

from .curves import Array, Curve, raise_pulse
from .manner import Prosody
from .programmes import ACCENTS

_WEAKEST, _CHANCE = 0.3, 0.12


def choose_accents(
    prosody: Prosody, share: float, spacing: float, generator: np.random.Generator
) -> list[tuple[float, float]]:
    """Return (seconds, strength) of the accents that get a gesture, at least ``spacing`` seconds apart.

    The strongest of all accents do, up to about ``share`` of them; chance moves the border a little. Where two
    are close, the stronger one wins.
    """
    chosen: list[tuple[float, float]] = []
    noise = generator.normal(0, _CHANCE, len(prosody.accent_times))
    for time, strength, luck in zip(prosody.accent_times, prosody.accent_strengths, noise, strict=True):
        if (strength - _WEAKEST) / (1 - _WEAKEST) + luck < 1 - share:
            continue
        if chosen and time - chosen[-1][0] < spacing:
            if strength <= chosen[-1][1]:
                continue
            chosen.pop()
        chosen.append((float(time), float(strength)))
    return chosen


def accent_pulses(
    accents: list[tuple[float, float]], frames: int, frame_rate: float, generator: np.random.Generator
) -> Curve:
    """Return (T,) brow movement of 0..1.2: up just before the accent, held on strong ones, slowly back."""
    curve = np.zeros(frames)
    for time, strength in accents:
        rise = generator.uniform(0.14, 0.22)
        hold = max(0.02, 0.5 * (strength - 0.6)) * generator.uniform(0.5, 1.5)
        height = strength * generator.uniform(0.8, 1.25)
        raise_pulse(curve, frame_rate, time - rise + 0.03, rise, hold, generator.uniform(0.28, 0.55), height)
    return curve


def add_brow_accents(values: Array, emotion: Array, pulses: Curve, scale: Curve) -> None:
    """Add (T,) accent pulses to brows and lids of (T, 52) ``values``, in the way of the (T, 8) emotion."""
    table = np.array([ACCENTS[name] for name in EMOTIONS])
    felt = emotion / np.maximum(emotion.sum(axis=1, keepdims=True), 1)
    neutral = 1 - felt[:, 1:].sum(axis=1, keepdims=True)
    inner, outer, down, wide = ((pulses * scale)[:, None] * (neutral * table[0] + felt[:, 1:] @ table[1:])).T
    _add(values, "browInnerUp", inner)
    for side in ("Left", "Right"):
        _add(values, f"browOuterUp{side}", outer)
        _add(values, f"browDown{side}", down)
        _add(values, f"eyeWide{side}", wide)


def _add(values: Array, name: str, curve: Curve) -> None:
    """Move a channel towards 1: what is raised already has less way to go."""
    column = ARKIT_INDEX[name]
    values[:, column] += (1 - values[:, column]) * curve


def nods(accents: list[tuple[float, float]], frames: int, frame_rate: float, generator: np.random.Generator) -> Curve:
    """Return (T, 2) pitch and yaw of 0..1: a small lift, the stroke down onto the accent, and back."""
    motion = np.zeros((2, frames))
    lift, aside = np.zeros(frames), np.zeros(frames)
    for time, strength in accents:
        stroke = generator.uniform(0.13, 0.20)
        height = strength * generator.uniform(0.7, 1.3)
        lead = generator.uniform(0.12, 0.2)
        raise_pulse(lift, frame_rate, time - stroke - lead, lead, 0.0, stroke, 0.3 * height)
        raise_pulse(motion[0], frame_rate, time - 0.6 * stroke, stroke, 0.02, generator.uniform(0.25, 0.45), height)
        target = motion[1] if generator.random() < 0.5 else aside
        turn = height * generator.uniform(0, 0.6)
        raise_pulse(target, frame_rate, time - 0.6 * stroke, 1.3 * stroke, 0.1, generator.uniform(0.4, 0.7), turn)
    return np.stack([motion[0] - lift, motion[1] - aside], axis=1)
