"""Performances for training EmoDiff and LipRefiner: what is heard, the emotion, and the face that goes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import EMOTIONS, LIP_CHANNELS
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack

from .expression_teacher import Actor, express
from .mouth_teacher import Speaker, articulate
from .phone_sequences import Utterance, heard_posteriors, invent_utterance

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Performance:
    """One taught performance at ``FRAME_RATE``.

    Attributes:
        utterance: what is said.
        audio: (T, 45) float32 phone-track features as heard.
        emotion: (T, 8) float32 emotion weights.
        face: (T, 58) float32 ARKit weights, head rotation (radians) and translation (metres).
    """

    utterance: Utterance
    audio: Array
    emotion: Array
    face: Array


@dataclass(frozen=True)
class PerformanceCorpus:
    """N performances of T frames and, for each, a style clip of S frames by the same actor in the same emotion.

    Attributes:
        audio: (N, T, 45) float16.
        emotion: (N, T, 8) float16.
        face: (N, T, 58) float16.
        style: (N, S, 58) float16.
    """

    audio: npt.NDArray[np.float16]
    emotion: npt.NDArray[np.float16]
    face: npt.NDArray[np.float16]
    style: npt.NDArray[np.float16]


def random_speaker(generator: np.random.Generator) -> Speaker:
    """Draw a manner of articulation."""
    return Speaker(
        effort=float(generator.uniform(0.75, 1.25)),
        rounding=float(generator.uniform(0.8, 1.2)),
        spreading=float(generator.uniform(0.7, 1.3)),
        sharpness=float(generator.uniform(0.85, 1.2)),
        lopsided=float(np.clip(generator.normal(0, 0.25), -0.7, 0.7)),
    )


def random_emotion(frames: int, generator: np.random.Generator) -> Array:
    """Draw (T, 8) emotion weights: mostly one constant emotion, some blends, some changes over time."""

    def one() -> Array:
        weights = np.zeros(len(EMOTIONS), np.float32)
        if generator.random() < 0.15:
            return weights
        first, second = generator.choice(np.arange(1, len(EMOTIONS)), 2, replace=False)
        weights[first] = generator.uniform(0.15, 1.0)
        if generator.random() < 0.2:
            weights[second] = generator.uniform(0.0, 1.0 - 0.5 * weights[first])
        return weights

    track = np.tile(one(), (frames, 1))
    if generator.random() < 0.3:
        middle, width = generator.uniform(0.2, 0.8) * frames, generator.uniform(10, 60)
        blend = np.clip((np.arange(frames) - middle) / width + 0.5, 0, 1)[:, None]
        track = (1 - blend) * track + blend * one()
    return track.astype(np.float32)


def perform(
    utterance: Utterance, emotion: Array, actor: Actor, speaker: Speaker, generator: np.random.Generator
) -> Performance:
    """Let ``actor`` and ``speaker`` perform ``utterance`` with ``emotion`` (T, 8)."""
    values, rotation, translation = express(emotion, utterance.speech, utterance.prosody, FRAME_RATE, actor, generator)
    lips = list(LIP_CHANNELS)
    mouth = articulate(utterance.segments, utterance.loudness, FRAME_RATE, speaker, _only(values, lips))
    values[:, lips] = mouth[:, lips]
    track = PhoneTrack(
        heard_posteriors(utterance, FRAME_RATE, generator),
        utterance.voicing,
        utterance.pitch,
        utterance.loudness,
    )
    face = np.concatenate([values, rotation, translation], axis=1)
    return Performance(utterance, track.features(), emotion, face.astype(np.float32))


def _only(values: Array, columns: list[int]) -> Array:
    kept = np.zeros_like(values)
    kept[:, columns] = values[:, columns]
    return kept


def build_corpus(
    count: int, seconds: float, seed: int, progress: Callable[[int], None] | None = None
) -> PerformanceCorpus:
    """Return ``count`` performances of ``seconds`` each; the same seed gives the same corpus.

    Args:
        count: number of performances.
        seconds: length of each; at least 4.
        seed: any integer.
        progress: called with the number of performances done.
    """
    frames, style_frames = round(seconds * FRAME_RATE), round(4 * FRAME_RATE)
    rows: list[tuple[Array, Array, Array, Array]] = []
    for index in range(count):
        generator = np.random.default_rng([seed, index])
        actor, speaker = Actor.random(generator), random_speaker(generator)
        emotion = random_emotion(frames, generator)
        take = perform(invent_utterance(seconds, FRAME_RATE, generator), emotion, actor, speaker, generator)
        manner = np.tile(emotion[generator.integers(frames)], (style_frames, 1))
        other = perform(invent_utterance(4, FRAME_RATE, generator), manner, actor, speaker, generator)
        rows.append((take.audio, take.emotion, take.face, other.face))
        if progress is not None:
            progress(index + 1)
    audio, emotions, face, style = (np.stack([row[i] for row in rows]).astype(np.float16) for i in range(4))
    return PerformanceCorpus(audio, emotions, face, style)
