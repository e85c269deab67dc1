"""The mouth teacher: an articulatory model from timed phones to jaw, mouth and tongue channels.

Each phone has target positions for a few articulatory gestures. Neighbouring phones share time by dominance functions
(Cohen and Massaro, "Modeling coarticulation in synthetic visual speech", 1993): rounding spreads far ahead, a
sibilant's narrow jaw gives way to nothing. Then come the constraints that the eye notices, in metres between the lips:
closed on p b m and in silence, the lower lip at the teeth on f v, parted everywhere else. They are the last step, so
that no neighbour, no speed limit and no emotion undoes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar

from .mouth_limits import LIP_GAP_SPEED, SPEED_LIMITS, reach_maxima, reach_minima, slow_down
from .mouth_pauses import breath_gap, settle_pulse, smack_gap
from .mouth_targets import (
    BILABIAL,
    CLOSING,
    GESTURES,
    JAW_CEILINGS,
    LABIODENTAL,
    SILENCE,
    TARGETS,
    VOWELS,
    dominance_of,
)
from .mouth_timing import PhoneSegments, Times, near, plateau, runs
from .smoothing import smooth

Array = npt.NDArray[np.float32]

__all__ = ["TARGETS", "VOWELS", "PhoneSegments", "Speaker", "articulate", "lip_gap_weights"]

# Seconds over which a phone's influence falls to 1/e before its start and after its end (anticipation, carry-over),
# for jaw, rounding and lips.
_REACH = ((0.050, 0.055), (0.060, 0.060), (0.050, 0.050))
_GROUP_OF_GESTURE = np.array([0, 1, 1, 2, 2, 2, 2, 2, 2, 0])
_FARTHEST = 0.8
_CHUNK_FRAMES = 400

_BLUR = 0.018
# Effort grows by this share per unit of loudness (40 dB) around a vowel's usual level.
_EFFORT_PER_LOUDNESS = 0.9
_USUAL_LOUDNESS = -0.15
_EFFORT_BLUR = 0.05
_CONSONANT_EFFORT = 0.4

# Metres between the inner lips. Pressed lips are asked for a little more than contact, so that the blur leaves them
# together.
_PRESSED, _TOGETHER, _AT_TEETH, _PARTED = -0.0014, 0.0, 0.0019, 0.0022
_GAP_BLUR, _JAW_BLUR = 0.014, 0.018
_FIRMEST = -0.0002
# Share of their opening that raised, lowered or funnelled lips give up a second on the way to a closure.
_SHUTTING_SPEED = 9.5
# The middle part of p b m and f v in which the lips are in place.
_HOLD_SHARE = 0.6
# The lips rest this long after speech ends and leave it this long before speech begins (seconds), less in short
# pauses; how fast they go there (metres a second).
_LATE_AFTER, _EARLY_BEFORE, _LATE_SHARE, _REST_SPEED = 0.02, 0.03, 0.15, 0.06
_SHORTEST_REST = 0.11
_PARTED_SYMBOLS = frozenset(TARGETS) - CLOSING | LABIODENTAL


@dataclass(frozen=True)
class Speaker:
    """How one speaker articulates; 1 is average.

    ``effort`` scales jaw and lips, ``rounding`` and ``spreading`` the lip shapes, ``sharpness`` the speed of
    gestures, ``lopsided`` (-1..1) moves spreading to the left (positive) or right corner.
    """

    effort: float = 1.0
    rounding: float = 1.0
    spreading: float = 1.0
    sharpness: float = 1.0
    lopsided: float = 0.0


@cache
def lip_gap_weights() -> Array:
    """Return (52,) float32 metres of lip gap that each channel adds at 1, on the proxy avatar's own lips."""
    avatar = load_proxy_avatar()
    rest = avatar.lip_gap(np.zeros((1, ARKIT_COUNT), np.float32))
    return (avatar.lip_gap(np.eye(ARKIT_COUNT, dtype=np.float32)) - rest).astype(np.float32)


def articulate(
    segments: PhoneSegments,
    loudness: Array,
    frame_rate: float,
    speaker: Speaker,
    emotional_mouth: Array,
) -> Array:
    """Return the lip channels of a performance.

    Args:
        segments: timed phones.
        loudness: (T,) float32, about -1 (whisper) to 1 (shout) around the speaker's own level, at ``frame_rate``.
        frame_rate: frames per second; frame ``i`` is at ``i / frame_rate`` seconds.
        speaker: manner of articulation.
        emotional_mouth: (T, 52) float32 emotional offsets; only jaw, mouth and tongue channels are used.

    Returns:
        (T, 52) float32 in [0, 1]; channels other than jaw, mouth and tongue are zero.
    """
    times = np.arange(len(loudness)) / frame_rate
    gestures, vowel = _gestures(segments, times)
    share = _CONSONANT_EFFORT + (1 - _CONSONANT_EFFORT) * vowel
    effort = 1 + share * (_effort(loudness, frame_rate, speaker) - 1)
    for name in ("jaw", "lower", "upper", "spread"):
        gestures[:, GESTURES.index(name)] *= effort
    gestures[:, GESTURES.index("funnel")] *= speaker.rounding
    gestures[:, GESTURES.index("pucker")] *= speaker.rounding
    gestures[:, GESTURES.index("spread")] *= speaker.spreading
    gestures = smooth(gestures, _BLUR * frame_rate / speaker.sharpness)
    values = _to_arkit(gestures, speaker, emotional_mouth)
    _shape_consonants(values, segments, times)
    _keep_to_speed(values, segments, times, frame_rate)
    _set_lip_gap(values, segments, times, loudness, frame_rate)
    return np.clip(values, 0, 1)


def _effort(loudness: Array, frame_rate: float, speaker: Speaker) -> Array:
    level = smooth(np.clip(loudness, -0.8, 1), _EFFORT_BLUR * frame_rate) - _USUAL_LOUDNESS
    return np.asarray(speaker.effort * np.clip(1 + _EFFORT_PER_LOUDNESS * level, 0.5, 1.6), np.float32)


def _gestures(segments: PhoneSegments, times: Times) -> tuple[Array, Array]:
    """Blend phone targets by dominance.

    Returns:
        (T, 10) float32 gestures at ``times`` seconds, and (T,) float32 in 0..1: how much a vowel rules the jaw.
    """
    targets = np.array([TARGETS[symbol] for symbol in segments.symbols], np.float64)
    strengths = np.array([dominance_of(symbol) for symbol in segments.symbols])
    vowels = np.array([symbol in VOWELS for symbol in segments.symbols], np.float64)
    blended, vowel = np.empty((len(times), len(GESTURES)), np.float32), np.empty(len(times), np.float32)
    for first in range(0, len(times), _CHUNK_FRAMES):
        stop = min(first + _CHUNK_FRAMES, len(times))
        now = times[first:stop, None]
        # Only phones near these frames weigh anything.
        low = np.searchsorted(segments.ends, now[0, 0] - _FARTHEST)
        high = max(low + 1, int(np.searchsorted(segments.starts, now[-1, 0] + _FARTHEST)))
        low = min(int(low), len(vowels) - 1)
        near = slice(low, high)
        before = np.maximum(segments.starts[None, near] - now, 0.0)
        after = np.maximum(now - segments.ends[None, near], 0.0)
        for group, (anticipation, carry_over) in enumerate(_REACH):
            weight = strengths[None, near, group] * np.exp(-before / anticipation - after / carry_over)
            weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
            columns = np.flatnonzero(group == _GROUP_OF_GESTURE)
            blended[first:stop, columns] = weight @ targets[near][:, columns]
            if group == 0:
                vowel[first:stop] = weight @ vowels[near]
    return blended, vowel


def _to_arkit(gestures: Array, speaker: Speaker, emotional_mouth: Array) -> Array:
    """Spread (T, 10) gestures over ARKit channels and add the emotional offsets."""
    value = dict(zip(GESTURES, gestures.T, strict=True))
    rounding = np.clip(value["pucker"] + 0.5 * value["funnel"], 0, 1)
    values = np.zeros((len(gestures), ARKIT_COUNT), np.float32)

    def add(name: str, curve: Array) -> None:
        values[:, ARKIT_INDEX[name]] += curve

    add("jawOpen", value["jaw"])
    add("jawForward", value["jaw_forward"])
    add("mouthFunnel", value["funnel"])
    add("mouthPucker", value["pucker"])
    add("mouthRollLower", value["roll_lower"])
    add("mouthShrugUpper", value["shrug_upper"])
    add("mouthShrugLower", 0.5 * value["shrug_upper"])
    add("tongueOut", value["tongue"])
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        share = 1 + 0.35 * sign * speaker.lopsided
        add(f"mouthStretch{side}", 0.55 * share * value["spread"])
        add(f"mouthSmile{side}", 0.35 * share * value["spread"])
        add(f"mouthLowerDown{side}", share * value["lower"])
        add(f"mouthUpperUp{side}", share * value["upper"])
    lips = emotional_mouth.copy()
    spreading = [i for name, i in ARKIT_INDEX.items() if name.startswith(("mouthSmile", "mouthStretch"))]
    # Rounded lips cannot spread at the same time: the smile gives way while they are round.
    lips[:, spreading] *= (1 - 0.55 * rounding)[:, None]
    return values + lips


@cache
def _columns(*prefixes: str) -> list[int]:
    return [index for name, index in ARKIT_INDEX.items() if name.startswith(prefixes)]


@cache
def _limited_columns() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the channels with a speed limit, and their limits in units a second."""
    pairs = [(column, limit) for name, limit in SPEED_LIMITS.items() for column in _columns(name)]
    return np.array([column for column, _ in pairs]), np.array([limit for _, limit in pairs])


def _shape_consonants(values: Array, segments: PhoneSegments, times: Times) -> None:
    """Press the lips on p b m, roll the lower lip to the upper teeth on f v, let idle lips settle."""
    index = ARKIT_INDEX
    labiodental = plateau(segments, LABIODENTAL, times, 0.06)
    values[:, _columns("mouthLowerDown")] *= (1 - labiodental)[:, None]
    roll = values[:, index["mouthRollLower"]]
    values[:, index["mouthRollLower"]] = np.maximum(roll, 0.28 * labiodental)
    bilabial, settle = plateau(segments, BILABIAL, times, 0.05), settle_pulse(segments, times)
    values[:, _columns("mouthPress")] += (0.14 * bilabial + 0.10 * settle)[:, None]
    values[:, _columns("mouthRoll")] += (0.05 * bilabial + 0.05 * settle)[:, None]


def _keep_to_speed(values: Array, segments: PhoneSegments, times: Times, frame_rate: float) -> None:
    """Narrow the jaw where a consonant needs it, and move every channel no faster than a human does."""
    jaw = ARKIT_INDEX["jawOpen"]
    ceiling = np.minimum(values[:, jaw], _jaw_ceiling(segments, times))
    values[:, jaw] = reach_minima(ceiling, SPEED_LIMITS["jawOpen"] / frame_rate)
    columns, speeds = _limited_columns()
    moving = values[:, columns].any(axis=0)
    columns, steps = columns[moving], speeds[moving] / frame_rate
    values[:, columns] = smooth(slow_down(values[:, columns], steps), _GAP_BLUR * frame_rate)
    values[:, jaw] = smooth(values[:, jaw], _JAW_BLUR * frame_rate)


def _jaw_ceiling(segments: PhoneSegments, times: Times) -> Array:
    """Return (T,) float32 the most ``jawOpen`` that the consonants allow."""
    ceiling = np.ones(len(times), np.float32)
    for limit in set(JAW_CEILINGS.values()):
        symbols = frozenset(symbol for symbol, value in JAW_CEILINGS.items() if value == limit)
        ceiling = np.minimum(ceiling, 1 + plateau(segments, symbols, times, 0.03, 0.15) * (limit - 1))
    return ceiling


def _set_lip_gap(values: Array, segments: PhoneSegments, times: Times, loudness: Array, frame_rate: float) -> None:
    """Make the lips meet, nearly meet or part as each phone needs, on the proxy avatar's own lips."""
    index, weights = ARKIT_INDEX, lip_gap_weights()
    blur = _GAP_BLUR * frame_rate
    values[:, index["mouthClose"]] = 0
    np.clip(values, 0, 1, out=values)
    pause = np.maximum(breath_gap(segments, times, loudness), smack_gap(segments, times))
    least = np.maximum(pause, _PARTED * plateau(segments, _PARTED_SYMBOLS, times, 0.03))
    missing = smooth(np.maximum(least - values @ weights, 0), blur)
    values[:, index["jawOpen"]] += 0.5 * missing / weights[index["jawOpen"]]
    lower = _columns("mouthLowerDown")
    values[:, lower] += (0.5 * missing / weights[lower].sum())[:, None]
    opening = values @ weights
    wanted = np.minimum(opening, _most_gap(segments, times, frame_rate, pause))
    wanted = np.maximum(smooth(reach_minima(wanted, LIP_GAP_SPEED / frame_rate), blur), _FIRMEST)
    # Lips that are raised or lowered come together first; mouthClose takes back what is left.
    shut = np.clip(1 - wanted / np.maximum(opening, 0.001), 0, 1)
    shut = np.clip(smooth(reach_maxima(shut, _SHUTTING_SPEED / frame_rate), blur), 0, 1)
    values[:, _columns("mouthLowerDown", "mouthUpperUp", "mouthFunnel", "tongueOut")] *= (1 - shut)[:, None]
    left = np.maximum(values @ weights - wanted, 0)
    values[:, index["mouthClose"]] = left / -weights[index["mouthClose"]]


def _most_gap(segments: PhoneSegments, times: Times, frame_rate: float, pause: Array) -> Array:
    """Return (T,) float32 metres: how far apart the lips may be; no bound is 1."""
    rest = np.ones(len(times), np.float32)
    pauses = runs(segments, SILENCE)
    for start, end in pauses:
        if end - start < _SHORTEST_REST and start > 0 and end < segments.end:
            continue
        late = min(1.0, _LATE_SHARE * (end - start) / _LATE_AFTER)
        first = start + (0 if _closed_at(segments, start) else late * _LATE_AFTER)
        last = end - (0 if _closed_at(segments, end) else late * _EARLY_BEFORE)
        part = near(times, first, last)
        rest[part] = pause[part]
    most = reach_minima(rest, _REST_SPEED / frame_rate).astype(np.float32)
    rests = {edge for pause_edges in pauses for edge in pause_edges}
    # A frame at least falls into every hold, however short the phone.
    frame = 0.51 / frame_rate
    for symbols, gap in ((LABIODENTAL, _AT_TEETH), (BILABIAL, _PRESSED)):
        for start, end in runs(segments, symbols):
            middle, half = (start + end) / 2, max(frame, _HOLD_SHARE * (end - start) / 2)
            # Lips that were at rest stay together until a p, and after an m.
            first = start if symbols is BILABIAL and start in rests else middle - half
            last = end if symbols is BILABIAL and end in rests else middle + half
            part = near(times, first, last)
            most[part] = np.minimum(most[part], gap)
    return most


def _closed_at(segments: PhoneSegments, time: float) -> bool:
    """Tell whether a pause that ends or begins at ``time`` meets p b m or an end of the recording there."""
    place = int(np.searchsorted(segments.starts, time))
    sides = segments.symbols[max(0, place - 1) : place + 1] if 0 < time < segments.end else ("p",)
    return any(symbol in BILABIAL for symbol in sides)
