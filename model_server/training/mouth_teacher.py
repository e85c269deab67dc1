"""The mouth teacher: an articulatory model from timed phones to jaw, mouth and tongue channels.

Each phone has target positions for a few articulatory gestures. Neighbouring phones share time by dominance functions
(Cohen and Massaro, "Modeling coarticulation in synthetic visual speech", 1993): rounding spreads far ahead, a
sibilant's narrow jaw gives way to nothing. Constraints that the eye notices (closed lips on p b m, the lower lip at
the teeth on f v) are then enforced, so that no neighbour and no emotion undoes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar

from .smoothing import smooth

Array = npt.NDArray[np.float32]

GESTURES = (
    "jaw",
    "funnel",
    "pucker",
    "spread",
    "lower",
    "upper",
    "roll_lower",
    "shrug_upper",
    "tongue",
    "jaw_forward",
)
"""Articulatory gestures: jaw drop, lip funnel and pucker, corner spread, lower lip down, upper lip up, lower lip
rolled in, upper lip shrug, tongue between the teeth, jaw forward. Each about 0..1 in ARKit units."""

# Rows: jaw, funnel, pucker, spread, lower, upper, roll_lower, shrug_upper, tongue, jaw_forward.
# Vowel heights and rounding follow the IPA chart; the scale is that of captured ARKit speech (jawOpen mostly < 0.4).
TARGETS: dict[str, tuple[float, ...]] = {
    "sil": (0.015, 0.02, 0.03, 0.00, 0.00, 0.00, 0.03, 0.02, 0.00, 0.00),
    "p": (0.09, 0.03, 0.08, 0.02, 0.00, 0.00, 0.10, 0.05, 0.00, 0.00),
    "b": (0.09, 0.03, 0.08, 0.02, 0.00, 0.00, 0.08, 0.05, 0.00, 0.00),
    "m": (0.08, 0.03, 0.07, 0.02, 0.00, 0.00, 0.09, 0.05, 0.00, 0.00),
    "f": (0.07, 0.04, 0.00, 0.07, 0.00, 0.16, 0.34, 0.08, 0.00, 0.00),
    "v": (0.08, 0.04, 0.00, 0.06, 0.00, 0.15, 0.30, 0.08, 0.00, 0.00),
    "w": (0.10, 0.32, 0.60, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.02),
    "θ": (0.11, 0.03, 0.00, 0.05, 0.12, 0.06, 0.00, 0.00, 0.22, 0.00),
    "ð": (0.12, 0.03, 0.00, 0.05, 0.12, 0.05, 0.00, 0.00, 0.18, 0.00),
    "s": (0.05, 0.05, 0.00, 0.14, 0.17, 0.09, 0.00, 0.00, 0.00, 0.06),
    "z": (0.055, 0.05, 0.00, 0.13, 0.16, 0.08, 0.00, 0.00, 0.00, 0.05),
    "ʃ": (0.07, 0.40, 0.22, 0.00, 0.20, 0.14, 0.00, 0.00, 0.00, 0.07),
    "ʒ": (0.08, 0.36, 0.20, 0.00, 0.18, 0.12, 0.00, 0.00, 0.00, 0.06),
    "t": (0.08, 0.03, 0.02, 0.07, 0.12, 0.06, 0.00, 0.00, 0.00, 0.00),
    "d": (0.09, 0.03, 0.02, 0.07, 0.12, 0.05, 0.00, 0.00, 0.00, 0.00),
    "n": (0.09, 0.03, 0.02, 0.06, 0.10, 0.04, 0.00, 0.00, 0.00, 0.00),
    "l": (0.14, 0.02, 0.02, 0.05, 0.10, 0.04, 0.00, 0.00, 0.05, 0.00),
    "ɹ": (0.10, 0.26, 0.24, 0.00, 0.08, 0.04, 0.00, 0.00, 0.00, 0.02),
    "r": (0.13, 0.06, 0.03, 0.05, 0.10, 0.04, 0.00, 0.00, 0.00, 0.00),
    "k": (0.13, 0.03, 0.02, 0.05, 0.08, 0.04, 0.00, 0.00, 0.00, 0.00),
    "ɡ": (0.13, 0.03, 0.02, 0.05, 0.08, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ŋ": (0.12, 0.03, 0.02, 0.04, 0.07, 0.03, 0.00, 0.00, 0.00, 0.00),
    "x": (0.14, 0.04, 0.02, 0.05, 0.08, 0.05, 0.00, 0.00, 0.00, 0.00),
    "h": (0.17, 0.04, 0.02, 0.03, 0.06, 0.03, 0.00, 0.00, 0.00, 0.00),
    "j": (0.09, 0.02, 0.00, 0.20, 0.10, 0.04, 0.00, 0.00, 0.00, 0.00),
    "i": (0.11, 0.01, 0.00, 0.28, 0.12, 0.05, 0.00, 0.00, 0.00, 0.00),
    "ɪ": (0.16, 0.02, 0.00, 0.19, 0.11, 0.04, 0.00, 0.00, 0.00, 0.00),
    "e": (0.19, 0.02, 0.00, 0.22, 0.12, 0.04, 0.00, 0.00, 0.00, 0.00),
    "ɛ": (0.27, 0.02, 0.00, 0.16, 0.12, 0.05, 0.00, 0.00, 0.00, 0.00),
    "æ": (0.36, 0.02, 0.00, 0.17, 0.14, 0.06, 0.00, 0.00, 0.00, 0.00),
    "a": (0.42, 0.03, 0.00, 0.08, 0.12, 0.04, 0.00, 0.00, 0.00, 0.00),
    "ɑ": (0.41, 0.06, 0.02, 0.02, 0.10, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ɔ": (0.32, 0.30, 0.22, 0.00, 0.06, 0.02, 0.00, 0.00, 0.00, 0.02),
    "o": (0.22, 0.34, 0.42, 0.00, 0.04, 0.01, 0.00, 0.00, 0.00, 0.02),
    "ʊ": (0.14, 0.30, 0.42, 0.00, 0.04, 0.00, 0.00, 0.00, 0.00, 0.02),
    "u": (0.10, 0.34, 0.60, 0.00, 0.02, 0.00, 0.00, 0.00, 0.00, 0.03),
    "ə": (0.18, 0.04, 0.02, 0.04, 0.08, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ʌ": (0.29, 0.04, 0.02, 0.04, 0.10, 0.03, 0.00, 0.00, 0.00, 0.00),
    "ɜ": (0.18, 0.18, 0.14, 0.00, 0.08, 0.03, 0.00, 0.00, 0.00, 0.01),
    "y": (0.09, 0.30, 0.58, 0.00, 0.02, 0.00, 0.00, 0.00, 0.00, 0.03),
    "ø": (0.17, 0.30, 0.44, 0.00, 0.04, 0.00, 0.00, 0.00, 0.00, 0.02),
    "ɨ": (0.11, 0.04, 0.00, 0.14, 0.10, 0.03, 0.00, 0.00, 0.00, 0.00),
}

BILABIAL = frozenset("pbm")
LABIODENTAL = frozenset("fv")
NARROW_JAW = frozenset("szʃʒ")
VOWELS = frozenset("iɪeɛæaɑɔoʊuəʌɜyøɨ")

_ROUND = frozenset("wuoʊyøɔ")
_GESTURE_ROUND = [GESTURES.index(name) for name in ("funnel", "pucker")]

# Dominance of a phone over (jaw, rounding, lips): how firmly its own target holds against its neighbours'.
_DOMINANCE_VOWEL = (1.3, 0.8, 0.7)
_DOMINANCE_ROUND = (1.0, 2.2, 0.8)
_DOMINANCE_CONSONANT = (0.6, 0.25, 0.6)
_DOMINANCE_SIBILANT = (3.0, 0.5, 1.6)
_DOMINANCE_LABIAL = (1.6, 0.15, 2.2)
_DOMINANCE_SILENCE = (0.8, 0.4, 0.8)
# Seconds over which a phone's influence falls to 1/e before its start and after its end (anticipation, carry-over).
_REACH = ((0.055, 0.055), (0.085, 0.060), (0.050, 0.050))
_GROUP_OF_GESTURE = np.array([0, 1, 1, 2, 2, 2, 2, 2, 2, 0])


@dataclass(frozen=True)
class PhoneSegments:
    """Timed phones of one recording.

    Attributes:
        symbols: N phone symbols of the inventory, silences included, without gaps.
        starts: (N,) float64 seconds; each phone lasts until the next one's start.
        end: seconds at which the last phone ends.
    """

    symbols: tuple[str, ...]
    starts: npt.NDArray[np.float64]
    end: float

    @property
    def ends(self) -> npt.NDArray[np.float64]:
        """(N,) float64 seconds at which each phone ends."""
        return np.append(self.starts[1:], self.end)


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


def _dominance_of(symbol: str) -> tuple[float, float, float]:
    if symbol == "sil":
        return _DOMINANCE_SILENCE
    if symbol in BILABIAL or symbol in LABIODENTAL:
        return _DOMINANCE_LABIAL
    if symbol in _ROUND:
        return _DOMINANCE_ROUND
    if symbol in NARROW_JAW:
        return _DOMINANCE_SIBILANT
    return _DOMINANCE_VOWEL if symbol in VOWELS else _DOMINANCE_CONSONANT


def _gestures(segments: PhoneSegments, times: npt.NDArray[np.float64]) -> Array:
    """Blend phone targets by dominance; returns (T, 10) float32 gestures at ``times`` seconds."""
    targets = np.array([TARGETS[symbol] for symbol in segments.symbols], np.float64)
    strengths = np.array([_dominance_of(symbol) for symbol in segments.symbols])
    before = np.maximum(segments.starts[None] - times[:, None], 0.0)
    after = np.maximum(times[:, None] - segments.ends[None], 0.0)
    blended = np.empty((len(times), len(GESTURES)))
    for group, (anticipation, carry_over) in enumerate(_REACH):
        weight = strengths[None, :, group] * np.exp(-before / anticipation - after / carry_over)
        columns = np.flatnonzero(group == _GROUP_OF_GESTURE)
        blended[:, columns] = weight @ targets[:, columns] / weight.sum(axis=1, keepdims=True)
    return blended.astype(np.float32)


def _pulse(
    segments: PhoneSegments,
    symbols: frozenset[str],
    times: npt.NDArray[np.float64],
    attack: float,
    release: float,
) -> Array:
    """Return (T,) float32 in [0, 1]: 1 while one of ``symbols`` sounds, cosine ramps around it.

    ``attack`` seconds lie before the phone, ``release`` seconds after; a quarter of each reaches into the phone.
    """
    envelope = np.zeros(len(times), np.float32)
    for symbol, start, end in zip(segments.symbols, segments.starts, segments.ends, strict=True):
        if symbol not in symbols:
            continue
        inside = min(0.25 * attack, 0.25 * (end - start))
        rise = np.clip((times - (start - attack + inside)) / attack, 0, 1)
        fall = np.clip(((end + release - inside) - times) / release, 0, 1)
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.minimum(rise, fall))
        envelope = np.maximum(envelope, ramp.astype(np.float32))
    return envelope


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
    gestures = _gestures(segments, times)
    speech = 1 - _pulse(segments, frozenset(["sil"]), times, 0.12, 0.12)
    effort = speaker.effort * np.clip(1 + 0.45 * smooth(loudness, 0.08 * frame_rate), 0.55, 1.5)
    scale = 1 + speech * (effort - 1)
    gestures[:, :6] *= scale[:, None]
    gestures[:, _GESTURE_ROUND] *= speaker.rounding
    gestures[:, GESTURES.index("spread")] *= speaker.spreading
    gestures = smooth(gestures, 0.018 * frame_rate / speaker.sharpness)
    values = _to_arkit(gestures, speaker, emotional_mouth)
    _enforce_constraints(values, segments, times, speech)
    return np.clip(values, 0, 1)


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
    add("mouthRollUpper", 0.35 * value["roll_lower"] * (value["upper"] < 0.05))
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


def _enforce_constraints(values: Array, segments: PhoneSegments, times: npt.NDArray[np.float64], speech: Array) -> None:
    """Close the lips on p b m and in silence, bring the lower lip to the teeth on f v, narrow the jaw on sibilants."""
    index = ARKIT_INDEX
    jaw = values[:, index["jawOpen"]]
    sibilant = _pulse(segments, NARROW_JAW, times, 0.05, 0.05)
    labiodental = _pulse(segments, LABIODENTAL, times, 0.06, 0.05)
    bilabial = _pulse(segments, BILABIAL, times, 0.06, 0.05)
    for pulse, limit in ((sibilant, 0.10), (labiodental, 0.12), (bilabial, 0.16)):
        np.minimum(jaw, jaw + pulse * (np.minimum(jaw, limit) - jaw), out=jaw)
    apart = [i for name, i in index.items() if name.startswith(("mouthLowerDown", "mouthUpperUp"))]
    lower = [i for name, i in index.items() if name.startswith("mouthLowerDown")]
    values[:, lower] *= (1 - labiodental)[:, None]
    values[:, index["mouthRollLower"]] = np.maximum(values[:, index["mouthRollLower"]], 0.32 * labiodental)
    closed = np.maximum(bilabial, 0.97 * (1 - speech))
    values[:, apart] *= (1 - closed)[:, None]
    values[:, index["mouthFunnel"]] *= 1 - closed
    values[:, index["tongueOut"]] *= 1 - closed
    # mouthClose takes back whatever opening the other channels leave between the lips.
    values[:, index["mouthClose"]] = 0
    gap = lip_gap_weights()
    opening = np.maximum(values @ gap, 0) / -gap[index["mouthClose"]]
    values[:, index["mouthClose"]] = np.maximum(closed, 0.45 * labiodental) * opening
    for side in ("Left", "Right"):
        values[:, index[f"mouthPress{side}"]] += 0.22 * bilabial
