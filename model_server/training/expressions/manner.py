"""Who performs and what the performer hears: the inputs of the expression teacher besides emotion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import EMOTIONS

from .programmes import PROGRAMMES

Curve = npt.NDArray[np.float64]

MIDDLE_LOUDNESS = -0.13
"""Median loudness of speech in the corpus, pauses left out; its 95th percentile is 0.15."""


@dataclass(frozen=True)
class Actor:
    """One actor's manner: what a style clip carries over.

    Attributes:
        upper_face: scale of brow, eye and cheek expression.
        lower_face: scale of the emotional mouth.
        head_motion: scale of head drift and nods.
        blinks_per_minute: blink rate at rest.
        brow_accents: 0..1, share of the accents that move the brows, the strongest first.
        nods: 0..1, share of the accents that nod the head, the strongest first.
        gaze: scale and frequency of looking away.
        tempo: speed of onsets and offsets; 1 is average.
        side: +1 when one-sided actions are on the left, -1 on the right.
        asymmetry: -0.2..0.2, stronger left (positive) or right side.
        brow_tone: brow height at rest.
        lid_tone: -1..1, sleepy to wide-eyed at rest.
        variants: emotion to (V,) weights, summing to 1, of its programmes: which of them this actor favours.
    """

    upper_face: float
    lower_face: float
    head_motion: float
    blinks_per_minute: float
    brow_accents: float
    nods: float
    gaze: float
    tempo: float
    side: float
    asymmetry: float
    brow_tone: float
    lid_tone: float
    variants: dict[str, Curve]

    @classmethod
    def random(cls, generator: np.random.Generator) -> Actor:
        """Draw an actor."""
        return cls(
            upper_face=float(generator.uniform(0.78, 1.15)),
            lower_face=float(generator.uniform(0.8, 1.15)),
            head_motion=float(generator.uniform(0.5, 1.5)),
            blinks_per_minute=float(generator.uniform(9, 24)),
            brow_accents=float(generator.uniform(0.15, 0.62)),
            nods=float(generator.uniform(0.25, 0.75)),
            gaze=float(generator.uniform(0.4, 1.4)),
            tempo=float(generator.uniform(0.8, 1.25)),
            side=float(generator.choice([-1.0, 1.0])),
            asymmetry=float(np.clip(generator.normal(0, 0.05), -0.2, 0.2)),
            brow_tone=float(generator.uniform(0.0, 0.08)),
            lid_tone=float(np.clip(generator.normal(0, 0.4), -1, 1)),
            variants={
                emotion: generator.dirichlet(np.full(len(PROGRAMMES[emotion]), 0.8))
                for emotion in EMOTIONS
                if emotion in PROGRAMMES
            },
        )


@dataclass(frozen=True)
class Prosody:
    """What the face reacts to in a voice.

    Attributes:
        accent_times: (K,) seconds of pitch accents, in order.
        accent_strengths: (K,) in 0..1; 0.4 is a plain stressed syllable, 1 the strongest emphasis.
        phrase_ends: (P,) seconds.
        loudness: (T,) float32 as in ``PhoneTrack``: -1 silence, 0 the speaker's loud vowels, 1 shouting; ``None``
            stands for ordinary speech, neither loud nor soft.
    """

    accent_times: Curve
    accent_strengths: Curve
    phrase_ends: Curve
    loudness: npt.NDArray[np.float32] | None = None
