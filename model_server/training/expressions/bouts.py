"""Emotion arrives in bouts: every action unit has its own onset, apex, offset and decay around a phrase."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, EMOTIONS, LIP_CHANNELS

from .curves import Array, Curve, ease, pink_noise, raise_pulse
from .manner import MIDDLE_LOUDNESS, Actor, Prosody
from .programmes import PROGRAMMES, TEMPO, TONIC

_LONGEST_BOUT = 4.0
_TOE, _KNEE = 0.15, 0.7
# Left and right move together in the recordings (correlation 0.98 to 1.00); corners of the mouth least.
_UPPER_ASYMMETRY, _MOUTH_ASYMMETRY = 0.03, 0.06
# Muscles that pull against each other: each of a pair weakens the other.
_ANTAGONISTS = (
    ("mouthSmile", "mouthFrown"), ("eyeWide", "eyeSquint"), ("browOuterUp", "browDown"), ("eyeWide", "eyeBlink"),
)  # fmt: skip


@dataclass(frozen=True)
class Bout:
    """A swelling of expression: seconds of its start, its strongest moment and its end, and its level (about 1)."""

    start: float
    apex: float
    end: float
    level: float


def find_bouts(
    phrases: Curve, prosody: Prosody, duration: float, frame_rate: float, generator: np.random.Generator
) -> list[Bout]:
    """Return bouts in order: one a phrase, several in long phrases, weaker ones while nobody speaks."""
    bouts: list[Bout] = []
    silent_since = 0.0
    for start, end in phrases:
        bouts += _quiet_bouts(silent_since, start, generator)
        pieces = max(1, round((end - start) / _LONGEST_BOUT))
        edges = np.linspace(start, end, pieces + 1)
        for first, last in pairwise(edges):
            bouts.append(_spoken_bout(first, last, prosody, frame_rate, generator))
        silent_since = end
    return bouts + _quiet_bouts(silent_since, duration, generator)


def _spoken_bout(start: float, end: float, prosody: Prosody, frame_rate: float, generator: np.random.Generator) -> Bout:
    """Return the bout of a phrase: it starts before the voice and is strongest at the strongest accent."""
    inside = (prosody.accent_times >= start) & (prosody.accent_times < end)
    apex, emphasis = start + 0.4 * (end - start), 0.5
    if inside.any():
        strongest = int(np.argmax(np.where(inside, prosody.accent_strengths, -1.0)))
        apex, emphasis = float(prosody.accent_times[strongest]), float(prosody.accent_strengths[strongest])
    loud = MIDDLE_LOUDNESS
    if prosody.loudness is not None:
        heard = prosody.loudness[int(start * frame_rate) : int(end * frame_rate) + 1]
        loud = float(heard.mean()) if len(heard) else MIDDLE_LOUDNESS
    level = 0.92 + 0.16 * (emphasis - 0.5) + 0.4 * (loud - MIDDLE_LOUDNESS) + generator.normal(0, 0.04)
    return Bout(start - generator.uniform(0.10, 0.30), apex, end + 0.15, float(np.clip(level, 0.75, 1.15)))


def _quiet_bouts(start: float, end: float, generator: np.random.Generator) -> list[Bout]:
    """Return bouts for a silence; none in short ones, where the last phrase still shows."""
    bouts = []
    time = start + generator.uniform(0.8, 1.6)
    while time < end - 1.0:
        length = generator.uniform(1.2, 3.0)
        bouts.append(Bout(time, time + 0.4 * length, time + length, float(generator.uniform(0.75, 0.95))))
        time += length + generator.uniform(1.0, 3.5)
    return bouts


def respond(intensity: Curve, threshold: Curve) -> Curve:
    """Return how much units act at an intensity: nothing up to their threshold, 1 at 1, never falling.

    Units without a threshold carry weak emotions alone and start a little stronger.
    """
    above = np.maximum(intensity - threshold, 0) / (1 - threshold)
    late = (1 + _TOE) * above * above / (above + _TOE)
    return np.where(threshold > 0, late, above * (1.25 - 0.25 * np.minimum(above, 1)))


def show_emotions(
    emotion: Array, speech: Curve, bouts: list[Bout], frame_rate: float, actor: Actor, generator: np.random.Generator
) -> tuple[Array, Curve]:
    """Return the face of the emotions.

    Args:
        emotion: (T, 8) float32 weights in [0, 1].
        speech: (T,) eased, 1 while somebody speaks.
        bouts: when expression swells.
        frame_rate: frames per second.
        actor: manner of expression.
        generator: source of chance.

    Returns:
        (T, 52) float32 ARKit weights in [0, 1] and (T, 8) how strongly each emotion is felt at each moment.
    """
    rest = np.ones((len(emotion), ARKIT_COUNT))
    felt = np.zeros(emotion.shape)
    for name in PROGRAMMES:
        column = EMOTIONS.index(name)
        if emotion[:, column].any():
            shown, felt[:, column] = _show(name, emotion[:, column], bouts, frame_rate, actor, generator)
            rest *= 1 - _saturate(shown)
    values = 1 - rest
    values[:, list(LIP_CHANNELS)] *= (1 - 0.12 * speech)[:, None]
    for first, second in _ANTAGONISTS:
        for side in ("Left", "Right"):
            left, right = ARKIT_INDEX[first + side], ARKIT_INDEX[second + side]
            both = 0.7 * values[:, left] * values[:, right]
            values[:, left], values[:, right] = values[:, left] - both, values[:, right] - both
    return values.astype(np.float32), felt


def _saturate(shown: Curve) -> Curve:
    """Return weights that bend towards 1 from 0.7 on: an extreme face moves less, it does not freeze at a limit."""
    room = 1 - _KNEE
    return np.asarray(np.where(shown > _KNEE, _KNEE + room * np.tanh((shown - _KNEE) / room), shown), np.float64)


def _show(
    name: str, intensity: Array, bouts: list[Bout], frame_rate: float, actor: Actor, generator: np.random.Generator
) -> tuple[Curve, Curve]:
    """Return (T, 52) channels of one emotion and (T,) how strongly it is felt."""
    frames, variants = len(intensity), PROGRAMMES[name]
    units = [(which, unit, *figures) for which, units in enumerate(variants) for unit, figures in units.items()]
    swell = _swell(name, intensity, bouts, len(units), frame_rate, actor, generator)
    mixes = [actor.variants[name]] + [generator.dirichlet(0.1 + 1.2 * actor.variants[name]) for _ in bouts]
    jitter = generator.lognormal(0, 0.10, (len(mixes), len(units)))
    weights = np.stack(mixes)[:, [unit[0] for unit in units]] * np.array([unit[2] for unit in units]) * jitter
    starts = [round(bout.start * frame_rate) for bout in bouts]
    weight = ease(weights[np.searchsorted(starts, np.arange(frames), side="right")], frame_rate, 0.35)
    strength = intensity[:, None] * np.clip(swell, 0, 1.15)
    curves = weight * respond(strength, np.array([unit[3] for unit in units]))
    shown = np.zeros((frames, ARKIT_COUNT))
    for curve, unit in zip(curves.T, units, strict=True):
        _spread(shown, unit[1], curve, actor, generator)
    return shown, ease(strength.mean(axis=1), frame_rate, 0.15)


def _swell(
    name: str, intensity: Array, bouts: list[Bout], units: int, frame_rate: float, actor: Actor,
    generator: np.random.Generator,
) -> Curve:  # fmt: skip
    """Return (T, units) how far each unit is into its bouts: about 0.6 between them, 1 at their apex."""
    frames, tonic = len(intensity), TONIC[name]
    swell = np.zeros((units, frames))
    late, quick = generator.uniform(0, 0.15, units), generator.lognormal(0, 0.18, units)
    for bout in bouts:
        now = float(intensity[min(max(int(bout.start * frame_rate), 0), frames - 1)])
        # Strong expressions come faster; a unit reaches its apex at the latest with the strongest accent.
        tempo = TEMPO[name] * actor.tempo * (0.75 + 0.5 * now)
        rise = np.clip(0.50 / tempo, 0.14, max(0.30, bout.apex - bout.start)) / quick
        fall = 0.85 / tempo / quick * generator.uniform(0.8, 1.3, units)
        start = bout.start + late / tempo
        for unit in range(units):
            hold = max(bout.end - start[unit] - rise[unit], 0.1)
            raise_pulse(swell[unit], frame_rate, start[unit], rise[unit], hold, fall[unit], bout.level)
            raise_pulse(swell[unit], frame_rate, bout.apex - 0.18, 0.2, 0.05, 0.5, 1.05 * bout.level)
    micro = pink_noise(frames, frame_rate, generator, units, 0.1, 1.5)
    return np.asarray((tonic + (1 - tonic) * swell.T) * (1 + 0.05 * micro), np.float64)


def _spread(shown: Curve, unit: str, curve: Curve, actor: Actor, generator: np.random.Generator) -> None:
    """Add the (T,) curve of a unit to its channels, unlike on the two sides."""
    one_sided = unit.startswith("one:")
    unit = unit.removeprefix("one:")
    mouth = unit.startswith(("mouth", "jaw"))
    curve = curve * (actor.lower_face if mouth else actor.upper_face)
    if unit in ARKIT_INDEX:
        shown[:, ARKIT_INDEX[unit]] += curve
        return
    tilt = actor.asymmetry + generator.normal(0, _MOUTH_ASYMMETRY if mouth else _UPPER_ASYMMETRY)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        share = (1.0 if sign == actor.side else 0.12) if one_sided else 1 + tilt * sign
        shown[:, ARKIT_INDEX[unit + side]] += share * curve
