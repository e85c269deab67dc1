"""The expression teacher: emotions, prosody and idle life to brows, eyes, cheeks, nose, emotional mouth and head.

Emotions are programmes of facial action units that arrive in bouts with the phrases of speech. Brow raises and nods
fall on accents, blinks prefer phrase ends, gaze moves in saccades between the listener and elsewhere, the head moves
with a human spectrum, and nothing is ever quite still. The parts are in ``expressions``.
"""

from __future__ import annotations

import numpy as np

from .expressions.accents import accent_pulses, add_brow_accents, choose_accents
from .expressions.bouts import find_bouts, show_emotions
from .expressions.curves import Array, Curve, ease, find_phrases
from .expressions.eyes import add_blinks, add_gaze, blink, look
from .expressions.head import liveliness, move_head
from .expressions.idle import add_idle
from .expressions.manner import MIDDLE_LOUDNESS, Actor, Prosody

__all__ = ["Actor", "Prosody", "express"]

_BROW_SPACING = 0.9
_LOUD_RANGE = 0.45


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
        prosody: accents, phrase ends and loudness.
        frame_rate: frames per second.
        actor: manner of expression.
        generator: source of chance.

    Returns:
        (T, 52) float32 ARKit weights with the emotional mouth but no articulation, (T, 3) float32 head rotation in
        radians and (T, 3) float32 head translation in metres.
    """
    frames = len(emotion)
    duration = frames / frame_rate
    # 1. What is heard.
    phrases = find_phrases(speech, frame_rate)
    spoken = ease(speech, frame_rate, 0.2)
    loud = _loud(prosody, spoken, frame_rate)
    # 2. The emotion, swelling with the phrases.
    bouts = find_bouts(phrases, prosody, duration, frame_rate, generator)
    values, felt = show_emotions(emotion, spoken, bouts, frame_rate, actor, generator)
    # 3. Accents and idle life.
    chosen = choose_accents(prosody, actor.brow_accents, _BROW_SPACING, generator)
    pulses = accent_pulses(chosen, frames, frame_rate, generator)
    add_brow_accents(values, emotion, pulses, actor.upper_face * liveliness(emotion))
    add_idle(values, spoken, loud, frame_rate, actor, generator)
    # 4. Gaze, the head that follows it, the eyes that hold it, and the lids.
    gaze, saccades = look(emotion, phrases, duration, frame_rate, actor, generator)
    degrees, metres = move_head(
        emotion, felt, spoken, phrases, prosody, gaze, loud, frame_rate, actor, generator
    )  # fmt: skip
    add_gaze(values, gaze, degrees)
    add_blinks(values, blink(emotion, spoken, prosody.phrase_ends, saccades, frame_rate, actor, generator), generator)
    return np.clip(values, 0, 1), np.radians(degrees).astype(np.float32), metres.astype(np.float32)


def _loud(prosody: Prosody, spoken: Curve, frame_rate: float) -> Curve:
    """Return (T,) how far above ordinary speech the voice is, 0..1, eased over a syllable or two."""
    if prosody.loudness is None:
        return np.zeros(len(spoken))
    level = ease(np.maximum(prosody.loudness, -0.5), frame_rate, 0.22)
    return np.clip((level - MIDDLE_LOUDNESS) / _LOUD_RANGE, 0, 1) * spoken
