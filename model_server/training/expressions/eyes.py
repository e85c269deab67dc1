"""Gaze and lids: saccades between the listener and elsewhere, and blinks."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX, EMOTIONS

from .curves import Array, Curve, minimum_jerk, pink_noise
from .manner import Actor
from .programmes import BLINKS, GAZE

# Seconds of a saccade: 21 ms and 2.2 ms a degree (Carpenter 1988).
_SACCADE_BASE, _SACCADE_PER_DEGREE = 0.021, 0.0022
# Degrees that both eyes turn in to the listener and to afar. The recordings' LookIn exceeds LookOut by 0.10 over
# both eyes: 1.5 degrees each, a face at 1.2 m.
_VERGENCE_LISTENER, _VERGENCE_AWAY = 1.5, 0.4
# Degrees of a full EyeLook channel: sideways and up or down.
_SIDEWAYS, _VERTICAL = 30.0, 25.0
# Lids follow the eyes: EyeWide rises by 0.5 to 0.7 with LookUp in the recordings, EyeBlink by 0.3 to 0.5 with LookDown.
_WIDE_BY_LOOKING_UP, _LID_BY_LOOKING_DOWN, _LID_FREE = 0.50, 0.45, 0.08
# What else moves with a blink in the recordings, at full closure. Brows move 0.10 there; half is the tracker's.
_BLINK_LOOK_DOWN, _BLINK_BROWS, _BLINK_SQUINT = 0.20, 0.05, 0.4
# Expected blinks that a phrase end and a large saccade add, around the time given in seconds after it.
_PHRASE_BLINKS, _SACCADE_BLINKS = 0.30, 0.12
_BLINK_SPACING = 0.40


def look(
    emotion: Array, phrases: Curve, duration: float, frame_rate: float, actor: Actor, generator: np.random.Generator
) -> tuple[Curve, Curve]:
    """Return where the actor looks, in the room.

    Returns:
        (T, 3) degrees: down, to the subject's left, and vergence of each eye; and (K,) seconds of large saccades.
    """
    frames = len(emotion)
    times = _fixation_starts(phrases, duration, actor, generator)
    targets = np.zeros((len(times), 3))
    away = False
    for row, time in enumerate(times):
        feeling = emotion[min(int(time * frame_rate), frames - 1)]
        away = generator.random() < _away_chance(time, phrases, away, feeling, actor)
        spread = np.array([4.0, 7.5]) * (0.6 + 0.4 * actor.gaze) if away else np.array([0.7, 1.1])
        targets[row, :2] = generator.normal(0, 1, 2) * spread
        if away:
            # Eyes that leave a face go to a side; down more than up.
            targets[row, 1] += np.sign(targets[row, 1]) * 3.5
            targets[row, 0] += 1.0
        targets[row, 2] = _VERGENCE_AWAY if away else _VERGENCE_LISTENER
    gaze = np.repeat(targets, np.diff(np.r_[np.round(times * frame_rate), frames]).astype(int), axis=0)
    jumps = np.hypot(*np.diff(targets[:, :2], axis=0, prepend=targets[:1, :2]).T)
    for row in range(1, len(times)):
        start = round(times[row] * frame_rate)
        seconds = _SACCADE_BASE + _SACCADE_PER_DEGREE * jumps[row]
        progress = minimum_jerk(np.arange(1, 1 + int(np.ceil(seconds * frame_rate))) / frame_rate / seconds)[:, None]
        end = min(start + len(progress), frames)
        gaze[start:end] += (targets[row - 1] - targets[row]) * (1 - progress[: end - start])
    table = np.array([GAZE.get(name, (0.0, 0.0, 1.0)) for name in EMOTIONS])[:, :2] * (1, actor.side)
    gaze[:, :2] += emotion @ table + 0.12 * pink_noise(frames, frame_rate, generator, 2, 0.3, 4.0)
    return gaze, times[jumps > 7.0]


def _fixation_starts(phrases: Curve, duration: float, actor: Actor, generator: np.random.Generator) -> Curve:
    """Return (K,) seconds at which fixations begin: by chance, and at many starts and ends of phrases."""
    # Medians of large saccades in the recordings are 0.4 to 0.5 s apart, the upper quarter 1.2 to 1.7 s.
    lengths = generator.lognormal(-0.25, 0.75, int(duration / 0.5) + 8) / (0.7 + 0.3 * actor.gaze)
    times = np.cumsum(np.clip(lengths, 0.18, 4.0))
    planned = [start - generator.uniform(0.05, 0.25) for start in phrases[:, 0] if generator.random() < 0.6]
    planned += [end - generator.uniform(0.0, 0.25) for end in phrases[:, 1] if generator.random() < 0.8]
    planned_times = np.array(sorted(planned))
    if len(planned_times):
        nearest = np.abs(times[:, None] - planned_times[None]).min(axis=1)
        times = times[nearest > 0.25]
    times = np.sort(np.r_[times, planned_times])
    times = times[(times > 0.15) & (times < duration - 0.02)]
    return np.asarray(np.r_[0.0, times[np.diff(times, prepend=-1.0) > 0.12]], np.float64)


def _away_chance(time: float, phrases: Curve, away: bool, feeling: Array, actor: Actor) -> float:
    """Speakers look away as they begin and back as they end; listeners watch."""
    oftener = 1 + float(feeling @ np.array([GAZE.get(name, (0.0, 0.0, 1.0))[2] - 1 for name in EMOTIONS]))
    chance = 0.08 if not away else 0.25
    for start, end in phrases:
        if start - 0.3 <= time <= end:
            progress = (time - start) / (end - start)
            chance = 0.42 if progress < 0.15 else 0.06 if time > end - 0.3 else 0.22
            break
    return min(0.8, chance * actor.gaze * oftener)


def add_gaze(values: Array, gaze: Curve, head_degrees: Curve) -> None:
    """Turn (T, 3) gaze in the room into EyeLook weights of a head turned by (T, 3) degrees; lids follow."""
    down = np.clip((gaze[:, 0] - 0.9 * head_degrees[:, 0]) / _VERTICAL, -0.8, 0.8)
    left = (gaze[:, 1] - 0.9 * head_degrees[:, 1]) / _SIDEWAYS
    inward = gaze[:, 2] / _SIDEWAYS
    for side, outward in (("Left", left - inward), ("Right", -left - inward)):
        outward = np.clip(outward, -0.8, 0.8)
        values[:, ARKIT_INDEX[f"eyeLookOut{side}"]] += np.maximum(outward, 0)
        values[:, ARKIT_INDEX[f"eyeLookIn{side}"]] += np.maximum(-outward, 0)
        values[:, ARKIT_INDEX[f"eyeLookDown{side}"]] += np.maximum(down, 0)
        values[:, ARKIT_INDEX[f"eyeLookUp{side}"]] += np.maximum(-down, 0)
        values[:, ARKIT_INDEX[f"eyeBlink{side}"]] += _LID_BY_LOOKING_DOWN * np.maximum(down - _LID_FREE, 0)
        values[:, ARKIT_INDEX[f"eyeWide{side}"]] += _WIDE_BY_LOOKING_UP * np.maximum(-down, 0)


def blink(
    emotion: Array, speech: Curve, phrase_ends: Curve, saccades: Curve, frame_rate: float, actor: Actor,
    generator: np.random.Generator,
) -> Curve:  # fmt: skip
    """Return (T,) closure of the lids in [0, 1].

    Blinks come with a rate that rises at the ends of phrases and with large saccades and falls while a phrase is
    spoken. They close in 60 to 90 ms and open in 0.11 to 0.23 s; one in five is partial, one in sixteen double.
    """
    frames = len(emotion)
    table = np.array([BLINKS.get(name, (1.0, 1.0)) for name in EMOTIONS]) - 1
    oftener, longer = np.clip(1 + emotion @ table, 0.4, 1.6).T
    rate = actor.blinks_per_minute / 60 * oftener * (1 - 0.45 * speech) / frame_rate
    manner = actor.blinks_per_minute / 16
    for moments, mass in ((phrase_ends + 0.06, _PHRASE_BLINKS), (saccades, _SACCADE_BLINKS)):
        for moment in moments:
            # Spread over some 0.3 s.
            first = max(int((moment - 0.05) * frame_rate), 0)
            last = min(first + int(0.3 * frame_rate), frames)
            rate[first:last] += min(mass * manner, 0.9) / (0.3 * frame_rate) * oftener[first:last]
    # Time rescaling: in units of expected blinks, waiting times are gamma distributed (more even than by chance).
    expected = np.cumsum(rate)
    waits = np.cumsum(generator.gamma(2.5, 1 / 2.5, int(2 * expected[-1]) + 20))
    starts = np.searchsorted(expected, waits[waits < expected[-1]] - 0.5) / frame_rate
    lids = np.zeros(frames)
    latest = -1.0
    for start in starts:
        if start - latest < _BLINK_SPACING:
            continue
        latest = float(start)
        slow = float(longer[min(int(start * frame_rate), frames - 1)])
        seconds = _close(lids, latest, slow, frame_rate, generator)
        if generator.random() < 1 / 16:
            _close(lids, latest + 0.8 * seconds, slow, frame_rate, generator)
    return lids


def _close(lids: Curve, start: float, slow: float, frame_rate: float, generator: np.random.Generator) -> float:
    """Lay one blink over (T,) ``lids`` and return its seconds."""
    close, hold, release = generator.uniform((0.06, 0.0, 0.11), (0.09, 0.03, 0.23)) * (1, 1 + 3 * (slow - 1), slow)
    partial = generator.random() < 1 / 5
    depth = generator.uniform(0.35, 0.75) if partial else generator.uniform(0.88, 1.0)
    hold = max(hold, 0.0)
    seconds = float(close + hold + release)
    first, last = max(int(start * frame_rate), 0), min(int((start + seconds) * frame_rate) + 2, len(lids))
    times = np.arange(first, last) / frame_rate - start
    # The opening starts fast and ends slowly, as in the recordings.
    opening = np.clip((times - close - hold) / release, 0, 1) ** 0.75
    shape = depth * minimum_jerk(times / close) * (1 - minimum_jerk(opening))
    lids[first:last] = np.maximum(lids[first:last], shape)
    return seconds


def add_blinks(values: Array, lids: Curve, generator: np.random.Generator) -> None:
    """Close the lids of (T, 52) ``values`` by (T,) ``lids``, with what moves along."""
    tilt = generator.normal(0, 0.015)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        lid = np.clip(lids * (1 + sign * tilt), 0, 1)
        column = ARKIT_INDEX[f"eyeBlink{side}"]
        values[:, column] += (1 - values[:, column]) * lid
        values[:, ARKIT_INDEX[f"eyeWide{side}"]] *= 1 - np.minimum(1.5 * lid, 1)
        values[:, ARKIT_INDEX[f"eyeSquint{side}"]] *= 1 - _BLINK_SQUINT * lid
        values[:, ARKIT_INDEX[f"eyeLookDown{side}"]] += _BLINK_LOOK_DOWN * lid
        values[:, ARKIT_INDEX[f"eyeLookUp{side}"]] *= 1 - lid
        values[:, ARKIT_INDEX[f"browOuterUp{side}"]] += _BLINK_BROWS * lid
    values[:, ARKIT_INDEX["browInnerUp"]] += _BLINK_BROWS * lids
