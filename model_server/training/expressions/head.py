"""Head pose: posture by phrase, drift with a human spectrum, nods, shakes, tilts and breath."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import EMOTIONS

from .accents import choose_accents, nods
from .curves import Array, Curve, ease, minimum_jerk, pink_noise, raise_pulse
from .manner import Actor, Prosody
from .programmes import HEAD_OFFSETS, LIVELINESS

# Degrees of drift (pitch, yaw, roll) at an average actor's liveliness; metres of drift.
_DRIFT = np.array([1.5, 2.2, 1.4])
_POSTURE = np.array([1.4, 2.6, 1.9])
_SWAY = np.array([0.0035, 0.0015, 0.0040])
_NOD = 3.4
_HEAD_BY_GAZE = 0.22
# How readily each emotion shakes the head over a phrase.
_SHAKES = {"angry": 0.35, "contempt": 0.15, "disgusted": 0.35, "sad": 0.25, "fear": 0.1}


def liveliness(emotion: Array) -> Curve:
    """Return (T,) how lively head and accents are: 1 when neutral."""
    factors = np.array([LIVELINESS.get(name, 1.0) - 1.0 for name in EMOTIONS])
    return np.asarray(np.clip(1 + emotion @ factors, 0.3, 1.8), np.float64)


def breathe(speech: Curve, phrases: Curve, frame_rate: float, generator: np.random.Generator) -> Curve:
    """Return (T,) breath, 0 out to 1 in: about 15 a minute at rest; in before a phrase and out over it."""
    frames = len(speech)
    hertz = 0.25 * np.exp(0.15 * pink_noise(frames, frame_rate, generator, 1, 0.03, 0.1)[:, 0])
    calm = 0.5 - 0.5 * np.cos(2 * np.pi * (np.cumsum(hertz) / frame_rate + generator.random()))
    spoken = np.zeros(frames)
    for start, end in phrases:
        raise_pulse(spoken, frame_rate, start - 0.5, 0.55, 0.0, max(end - start, 0.6), 1.0)
    return np.asarray(calm * (1 - speech) * 0.7 + spoken * np.maximum(speech, 0.6), np.float64)


def move_head(
    emotion: Array,
    felt: Curve,
    speech: Curve,
    phrases: Curve,
    prosody: Prosody,
    gaze: Curve,
    loud: Curve,
    frame_rate: float,
    actor: Actor,
    generator: np.random.Generator,
) -> tuple[Curve, Curve]:
    """Return (T, 3) degrees (pitch, yaw, roll) and (T, 3) metres.

    Args:
        emotion: (T, 8) weights.
        felt: (T, 8) how strongly each emotion is felt.
        speech: (T,) eased, 1 while somebody speaks.
        phrases: (P, 2) seconds.
        prosody: accents.
        gaze: (T, 3) degrees in the room, which the head follows in part.
        loud: (T,) how far above ordinary speech the voice is, 0..1.
        frame_rate: frames per second.
        actor: manner.
        generator: source of chance.
    """
    frames = len(emotion)
    lively = actor.head_motion * liveliness(emotion)
    amount = (lively * (0.40 + 0.60 * speech))[:, None]
    degrees = amount * _DRIFT * pink_noise(frames, frame_rate, generator, 3, 0.05, 1.2)
    degrees += lively[:, None] * _posture(phrases, frames, frame_rate, generator)
    chosen = choose_accents(prosody, actor.nods, 0.45, generator)
    degrees[:, :2] += (_NOD * lively)[:, None] * nods(chosen, frames, frame_rate, generator)
    degrees[:, 1] += lively * _shakes(emotion, phrases, frame_rate, generator)
    degrees[:, :2] += _HEAD_BY_GAZE * ease(gaze[:, :2], frame_rate, 0.22)
    breath = breathe(speech, phrases, frame_rate, generator)
    degrees[:, 0] -= 0.5 * breath + 1.2 * loud
    metres = amount * _SWAY * pink_noise(frames, frame_rate, generator, 3, 0.05, 1.0)
    metres[:, 1] += 0.0020 * breath
    metres[:, 2] += 0.0050 * loud + 0.0010 * breath
    # Where the head turns, its middle moves along: it turns about the neck.
    metres += np.radians(degrees[:, [2, 0, 0]]) * (-0.03, -0.01, 0.03) + np.radians(degrees[:, [1, 1, 1]]) * (
        0.02,
        0,
        0,
    )
    for name, (pitch, yaw, roll, forward) in HEAD_OFFSETS.items():
        weight = ease(felt[:, EMOTIONS.index(name)], frame_rate, 0.35)
        degrees += weight[:, None] * np.array([pitch, yaw * actor.side, roll * actor.side])
        metres[:, 2] += weight * forward
    return degrees, metres


def _posture(phrases: Curve, frames: int, frame_rate: float, generator: np.random.Generator) -> Curve:
    """Return (T, 3) degrees: a new posture with most phrases, the chin going down over each, and up before the next."""
    targets = generator.standard_normal((len(phrases) + 1, 3)) * _POSTURE
    posture = np.tile(targets[0] * 0.5, (frames, 1))
    times = np.arange(frames) / frame_rate
    for row, (start, end) in enumerate(phrases):
        move = generator.uniform(0.5, 1.0)
        first = max(int((start - 0.35) * frame_rate), 0)
        progress = minimum_jerk((times[first:] - start + 0.35) / move)[:, None]
        before = posture[first - 1] if first else posture[0]
        target = targets[row + 1] if generator.random() < 0.7 else before.copy()
        posture[first:] = before + (target - before) * progress
        falling = minimum_jerk((times[first:] - start) / max(end - start, 0.5))
        lifted = progress[:, 0] * (1 - falling)
        posture[first:, 0] -= 1.5 * lifted * generator.uniform(0.3, 1.2)
    return posture


def _shakes(emotion: Array, phrases: Curve, frame_rate: float, generator: np.random.Generator) -> Curve:
    """Return (T,) degrees of yaw: some phrases are shaken at, more so in some emotions."""
    shake = np.zeros(len(emotion))
    for start, end in phrases:
        feeling = emotion[min(int(start * frame_rate), len(emotion) - 1)]
        chance = 0.06 + sum(share * float(feeling[EMOTIONS.index(name)]) for name, share in _SHAKES.items())
        if end - start < 0.9 or generator.random() > chance:
            continue
        length = generator.uniform(0.8, 1.5)
        window = np.zeros(len(emotion))
        raise_pulse(window, frame_rate, start + 0.1, 0.25, max(length - 0.6, 0.1), 0.4, generator.uniform(1.5, 3.0))
        times = np.arange(len(emotion)) / frame_rate - start
        shake += window * np.sin(2 * np.pi * generator.uniform(1.5, 2.2) * times) * generator.choice([-1.0, 1.0])
    return shake
