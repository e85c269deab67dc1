"""The expression teacher: emotions, prosody and idle life to brows, eyes, cheeks, nose, emotional mouth and head.

Emotions are programmes of facial action units (Ekman and Friesen's FACS; the emotion sets follow EMFACS) written in
ARKit channels. They swell and fall with the phrases of speech. Brow raises and nods fall on accents, blinks prefer
phrase ends, gaze moves in saccades, the head drifts slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, EMOTIONS

from .smoothing import smooth

Array = npt.NDArray[np.float32]

# Emotion -> variants -> channel (without its side) -> weight at full intensity. "one:" marks a one-sided action.
PROGRAMMES: dict[str, tuple[dict[str, float], ...]] = {
    "angry": (
        {
            "browDown": 0.85, "eyeSquint": 0.45, "noseSneer": 0.35,
            "mouthPress": 0.25, "mouthFrown": 0.25, "jawForward": 0.15,
        },
        {
            "browDown": 0.75, "eyeWide": 0.35, "noseSneer": 0.45,
            "mouthUpperUp": 0.14, "mouthStretch": 0.20, "mouthFrown": 0.15,
        },
    ),
    "contempt": (
        {
            "one:mouthSmile": 0.50, "one:mouthDimple": 0.55, "eyeSquint": 0.25,
            "one:cheekSquint": 0.30, "mouthPress": 0.10,
        },
        {
            "one:mouthSmile": 0.30, "one:mouthDimple": 0.60, "one:browOuterUp": 0.50,
            "one:noseSneer": 0.25, "eyeSquint": 0.30,
        },
    ),
    "disgusted": (
        {
            "noseSneer": 0.80, "mouthUpperUp": 0.24, "browDown": 0.40,
            "eyeSquint": 0.45, "cheekSquint": 0.35, "mouthFrown": 0.25,
        },
        {
            "noseSneer": 0.65, "mouthShrugUpper": 0.25, "mouthShrugLower": 0.25,
            "browDown": 0.30, "mouthFrown": 0.45, "eyeSquint": 0.40,
        },
    ),
    "fear": (
        {
            "browInnerUp": 0.85, "browOuterUp": 0.35, "eyeWide": 0.75,
            "mouthStretch": 0.45, "mouthFrown": 0.15, "browDown": 0.12,
        },
        {
            "browInnerUp": 0.70, "browOuterUp": 0.20, "eyeWide": 0.60,
            "mouthStretch": 0.35, "mouthRollLower": 0.10, "browDown": 0.22,
        },
    ),
    "happy": (
        {"mouthSmile": 0.70, "cheekSquint": 0.60, "eyeSquint": 0.35, "mouthDimple": 0.15, "mouthUpperUp": 0.06},
        {
            "mouthSmile": 0.60, "cheekSquint": 0.45, "eyeSquint": 0.25,
            "browOuterUp": 0.30, "browInnerUp": 0.22, "mouthDimple": 0.20,
        },
    ),
    "sad": (
        {
            "browInnerUp": 0.80, "browDown": 0.18, "mouthFrown": 0.55,
            "mouthShrugLower": 0.28, "eyeBlink": 0.14, "eyeSquint": 0.12,
        },
        {
            "browInnerUp": 0.60, "browDown": 0.28, "mouthFrown": 0.45,
            "mouthPress": 0.12, "eyeBlink": 0.20, "eyeSquint": 0.25,
        },
    ),
    "surprised": (
        {"browInnerUp": 0.85, "browOuterUp": 0.80, "eyeWide": 0.70, "jawOpen": 0.07, "mouthFunnel": 0.06},
        {"browInnerUp": 0.70, "browOuterUp": 0.90, "eyeWide": 0.50, "jawOpen": 0.05, "mouthStretch": 0.08},
    ),
}  # fmt: skip

# Head offsets at full intensity: pitch (down +), yaw, roll in degrees; metres forward.
HEAD_OFFSETS: dict[str, tuple[float, float, float, float]] = {
    "angry": (4.0, 0.0, 0.0, 0.012),
    "contempt": (-4.0, 4.0, 4.0, -0.004),
    "disgusted": (-2.0, 6.0, 2.0, -0.012),
    "fear": (-2.0, 0.0, 0.0, -0.015),
    "happy": (-2.0, 0.0, 3.0, 0.004),
    "sad": (8.0, 0.0, 4.0, -0.003),
    "surprised": (-5.0, 0.0, 0.0, -0.008),
}
# How much of the neutral liveliness (head motion, accents) remains at full intensity.
LIVELINESS: dict[str, float] = {
    "angry": 1.35, "contempt": 0.8, "disgusted": 0.9, "fear": 0.9, "happy": 1.3, "sad": 0.55, "surprised": 1.1,
}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """One actor's manner: what a style clip carries over.

    Attributes:
        upper_face: scale of brow, eye and cheek expression.
        head_motion: scale of head drift and nods.
        blinks_per_minute: spontaneous blink rate.
        brow_accents: probability that an accent raises the brows.
        nods: probability that an accent nods the head.
        gaze: scale of gaze shifts.
        side: +1 when one-sided actions are on the left, -1 on the right.
        asymmetry: -0.25..0.25, stronger left (positive) or right side.
        variants: (8,) weight in 0..1 of the second programme of each emotion.
    """

    upper_face: float
    head_motion: float
    blinks_per_minute: float
    brow_accents: float
    nods: float
    gaze: float
    side: float
    asymmetry: float
    variants: npt.NDArray[np.float64]

    @classmethod
    def random(cls, generator: np.random.Generator) -> Actor:
        """Draw an actor."""
        return cls(
            upper_face=float(generator.uniform(0.75, 1.2)),
            head_motion=float(generator.uniform(0.5, 1.5)),
            blinks_per_minute=float(generator.uniform(10, 28)),
            brow_accents=float(generator.uniform(0.15, 0.75)),
            nods=float(generator.uniform(0.2, 0.8)),
            gaze=float(generator.uniform(0.4, 1.4)),
            side=float(generator.choice([-1.0, 1.0])),
            asymmetry=float(np.clip(generator.normal(0, 0.08), -0.25, 0.25)),
            variants=generator.beta(0.6, 0.6, len(EMOTIONS)),
        )


@dataclass(frozen=True)
class Prosody:
    """What the face reacts to: (K,) accent times and strengths (0..1), (P,) phrase-end times, all in seconds."""

    accent_times: npt.NDArray[np.float64]
    accent_strengths: npt.NDArray[np.float64]
    phrase_ends: npt.NDArray[np.float64]


def express(
    emotion: Array,
    speech: Array,
    prosody: Prosody,
    frame_rate: float,
    actor: Actor,
    generator: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Return a performance without articulation.

    Args:
        emotion: (T, 8) float32 emotion weights in [0, 1].
        speech: (T,) float32, 1 while somebody speaks, 0 in silence.
        prosody: accents and phrase ends.
        frame_rate: frames per second.
        actor: manner of expression.
        generator: source of chance.

    Returns:
        (T, 52) float32 ARKit weights with the emotional mouth but no articulation, (T, 3) float32 head rotation in
        radians and (T, 3) float32 head translation in metres.
    """
    frames = len(emotion)
    envelope = _phrase_envelope(speech, frame_rate, generator)
    active = emotion * envelope[:, None]
    values = _programmes(active, actor, generator)
    liveliness = _liveliness(emotion)
    accents = _accent_curve(prosody, frames, frame_rate, actor.brow_accents, 0.34, generator) * liveliness
    brows = actor.upper_face * accents
    values[:, ARKIT_INDEX["browInnerUp"]] += 0.30 * brows
    for side in ("Left", "Right"):
        values[:, ARKIT_INDEX[f"browOuterUp{side}"]] += 0.26 * brows
        values[:, ARKIT_INDEX[f"eyeWide{side}"]] += 0.10 * brows
    rotation, translation = _head(active, speech, prosody, liveliness, frame_rate, actor, generator)
    gaze = _gaze(frames, frame_rate, actor, generator)
    gaze[:, 0] += 4.0 * active[:, EMOTIONS.index("sad")]
    _add_gaze(values, gaze)
    blink = _blinks(frames, prosody, frame_rate, actor, generator)
    for side in ("Left", "Right"):
        lid = ARKIT_INDEX[f"eyeBlink{side}"]
        values[:, lid] = np.maximum(values[:, lid], blink)
        values[:, ARKIT_INDEX[f"eyeWide{side}"]] *= 1 - blink
        values[:, ARKIT_INDEX[f"browDown{side}"]] += 0.05 * blink
    return np.clip(values, 0, 1), rotation, translation


def _smooth_noise(frames: int, sigma: float, generator: np.random.Generator, columns: int = 1) -> Array:
    """Return (T, columns) smooth noise of unit variance; ``sigma`` in frames is its time constant."""
    pad = int(4 * sigma) + 1
    noise = smooth(generator.standard_normal((frames + 2 * pad, columns)), sigma)
    return noise[pad : pad + frames] * np.float32(np.sqrt(2 * np.sqrt(np.pi) * sigma))


def _phrase_envelope(speech: Array, frame_rate: float, generator: np.random.Generator) -> Array:
    """Emotion swells while speaking and relaxes in pauses; (T,) float32 about 0.7..1.1."""
    swell = smooth(speech, 0.30 * frame_rate)
    wander = _smooth_noise(len(speech), 0.8 * frame_rate, generator)[:, 0]
    return np.clip(0.80 + 0.18 * swell + 0.07 * wander, 0.55, 1.12).astype(np.float32)


def _programmes(active: Array, actor: Actor, generator: np.random.Generator) -> Array:
    """Blend the action-unit programmes of the (T, 8) active emotions into (T, 52) channels."""
    values = np.zeros((len(active), ARKIT_COUNT), np.float32)
    for emotion, variants in PROGRAMMES.items():
        column = EMOTIONS.index(emotion)
        if not active[:, column].any():
            continue
        mix = float(actor.variants[column])
        for programme, share in zip(variants, (1 - mix, mix), strict=True):
            for name, weight in programme.items():
                # Single actions vary from take to take as an actor's do.
                amount = share * weight * generator.uniform(0.85, 1.15)
                _add_action(values, name, amount * active[:, column], actor)
    upper = [i for name, i in ARKIT_INDEX.items() if name.startswith(("brow", "eye", "cheek", "nose"))]
    values[:, upper] *= actor.upper_face
    return values


def _add_action(values: Array, name: str, curve: Array, actor: Actor) -> None:
    one_sided = name.startswith("one:")
    name = name.removeprefix("one:")
    if name in ARKIT_INDEX:
        values[:, ARKIT_INDEX[name]] += curve
        return
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        share = (1.0 if sign == actor.side else 0.15) if one_sided else 1 + actor.asymmetry * sign
        values[:, ARKIT_INDEX[name + side]] += share * curve


def _liveliness(emotion: Array) -> Array:
    factors = np.array([LIVELINESS.get(name, 1.0) - 1.0 for name in EMOTIONS], np.float32)
    return np.clip(1 + emotion @ factors, 0.3, 1.8)


def _accent_curve(
    prosody: Prosody,
    frames: int,
    frame_rate: float,
    probability: float,
    width: float,
    generator: np.random.Generator,
) -> Array:
    """Return (T,) bumps of ``width`` seconds at a random choice of the accents."""
    times = np.arange(frames) / frame_rate
    curve = np.zeros(frames)
    for time, strength in zip(prosody.accent_times, prosody.accent_strengths, strict=True):
        if generator.random() < probability:
            span = width * generator.uniform(0.8, 1.5)
            shift = generator.normal(-0.02, 0.04)
            curve += (
                strength * generator.uniform(0.6, 1.3) * np.exp(-0.5 * ((times - time - shift) / (0.42 * span)) ** 2)
            )
    return np.clip(curve, 0, 1.5).astype(np.float32)


def _head(
    active: Array, speech: Array, prosody: Prosody, liveliness: Array, frame_rate: float, actor: Actor,
    generator: np.random.Generator,
) -> tuple[Array, Array]:  # fmt: skip
    """Return (T, 3) rotation in radians and (T, 3) translation in metres."""
    frames = len(active)
    slow = _smooth_noise(frames, 0.75 * frame_rate, generator, 3)
    quick = _smooth_noise(frames, 0.20 * frame_rate, generator, 3)
    talk = 0.45 + 0.55 * smooth(speech, 0.4 * frame_rate)
    amount = (actor.head_motion * liveliness * talk)[:, None]
    degrees = amount * (slow * np.array([2.2, 3.4, 2.0]) + quick * np.array([0.55, 0.7, 0.4]))
    nods = _accent_curve(prosody, frames, frame_rate, actor.nods, 0.30, generator)
    degrees[:, 0] += 3.2 * actor.head_motion * liveliness * nods
    translation = 0.0035 * amount * _smooth_noise(frames, 0.9 * frame_rate, generator, 3)
    for emotion, (pitch, yaw, roll, forward) in HEAD_OFFSETS.items():
        weight = active[:, EMOTIONS.index(emotion)]
        degrees += weight[:, None] * np.array([pitch, yaw * actor.side, roll * actor.side])
        translation[:, 2] += weight * forward
    return np.radians(degrees).astype(np.float32), translation.astype(np.float32)


def _gaze(frames: int, frame_rate: float, actor: Actor, generator: np.random.Generator) -> Array:
    """Return (T, 2) gaze angles in degrees (down +, to the subject's left +): saccades around the camera."""
    gaze = np.zeros((frames, 2))
    frame = 0
    while frame < frames:
        length = int(frame_rate * np.clip(generator.lognormal(0.1, 0.7), 0.25, 5.0))
        looks_away = generator.random() < 0.3
        spread = np.array([5.0, 9.0]) if looks_away else np.array([1.0, 1.6])
        gaze[frame : frame + length] = actor.gaze * generator.normal(0, 1, 2) * spread
        frame += length
    return smooth(gaze, 0.016 * frame_rate).astype(np.float32)


def _add_gaze(values: Array, gaze: Array) -> None:
    """Turn (T, 2) gaze degrees into eyeLook weights; 1 is 30 degrees sideways and 25 up or down."""
    down, left = gaze[:, 0] / 25, gaze[:, 1] / 30
    for side, outward in (("Left", left), ("Right", -left)):
        values[:, ARKIT_INDEX[f"eyeLookOut{side}"]] += np.maximum(outward, 0)
        values[:, ARKIT_INDEX[f"eyeLookIn{side}"]] += np.maximum(-outward, 0)
        values[:, ARKIT_INDEX[f"eyeLookDown{side}"]] += np.maximum(down, 0)
        values[:, ARKIT_INDEX[f"eyeLookUp{side}"]] += np.maximum(-down, 0)


def _blinks(frames: int, prosody: Prosody, frame_rate: float, actor: Actor, generator: np.random.Generator) -> Array:
    """Return (T,) lid closure in [0, 1]: fast closing, slower opening (human durations, 0.2 to 0.4 s in all)."""
    duration = frames / frame_rate
    count = generator.poisson(actor.blinks_per_minute / 60 * duration * 0.7)
    starts = list(generator.uniform(0, duration, count))
    starts += [t + generator.normal(0.05, 0.08) for t in prosody.phrase_ends if generator.random() < 0.35]
    times = np.arange(frames) / frame_rate
    lids = np.zeros(frames)
    latest = -1.0
    for start in sorted(starts):
        if start - latest < 0.6:
            continue
        latest = start
        close, hold, release = generator.uniform((0.07, 0.02, 0.13), (0.10, 0.05, 0.22))
        rise = np.clip((times - start) / close, 0, 1)
        fall = np.clip((start + close + hold + release - times) / release, 0, 1)
        depth = generator.uniform(0.92, 1.0)
        lids = np.maximum(lids, depth * (0.5 - 0.5 * np.cos(np.pi * np.minimum(rise, fall))))
    return lids.astype(np.float32)
