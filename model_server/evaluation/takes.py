"""Takes of the model and of what it is compared with. The model runs once for each; every measure shares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX
from model_server.metrics.loudness import loudness_to_jaw
from model_server.pipeline.exchange import AudioStream, FaceCurves
from model_server.pipeline.phone_source import PhoneSource
from model_server.pipeline.request import AnimationRequest, EmotionTrack
from model_server.pipeline.speech_to_curves import SpeechToCurves

from .recordings import FPS, RATE, HeldAudio, Recording

Array = npt.NDArray[np.float32]
Rows = dict[str, list[Array]]
"""Row name to one (T, 58) face for each recording: 52 weights, head angles (radians), head position (metres)."""

CHANNELS = 58
TEACHER, MODEL, SHUFFLED, MEAN, LOUDNESS = (
    "teacher, true phones",
    "model",
    "shuffled audio",
    "mean pose",
    "loudness to jaw",
)
BASELINES = (SHUFFLED, MEAN, LOUDNESS)
NEUTRAL = EmotionTrack.constant({})
ENCODER = PhoneSource(lips="encoder")
EXTRA_LIPS = ("recogniser", "text")
"""What lips can follow besides the speech encoder, which the row of the model follows."""


@dataclass(frozen=True)
class Animator:
    """Makes takes with the model and keeps them.

    Attributes:
        model: the pipeline with its weights.
        advance: called with the seconds of audio animated so far.
    """

    model: SpeechToCurves
    advance: Callable[[float], None] = lambda seconds: None
    _kept: dict[tuple[object, ...], Array] = field(default_factory=dict)
    _done: list[float] = field(default_factory=list)

    def take(
        self,
        recording: Recording,
        emotion: EmotionTrack = NEUTRAL,
        seed: int = 1,
        style: FaceCurves | None = None,
        source: PhoneSource = ENCODER,
    ) -> Array:
        """Return the (T, 58) take of a recording; made once for each emotion, seed, style clip and source of phones."""
        feelings = (emotion.weights.tobytes(), emotion.times.tobytes())
        key = (recording.name, *feelings, seed, None if style is None else style.stacked().tobytes(), source)
        if key not in self._kept:
            request = AnimationRequest(emotion, seed, FPS, style, source=source)
            self._kept[key] = self.model(cast(AudioStream, HeldAudio(recording.samples)), request).stacked()
            self._done.append(recording.seconds)
            self.advance(sum(self._done))
        return self._kept[key]


def baselines(takes: Sequence[Array], recordings: Sequence[Recording]) -> Rows:
    """Return what a model must beat, for its own ``takes``.

    Shuffled audio is the take of the next recording, repeated or cut to length; a lone recording's take is turned by
    half its length. The mean pose is the mean of all takes, held still. Loudness to jaw moves nothing but the jaw.
    """
    if len(takes) > 1:
        shuffled = [np.resize(takes[(i + 1) % len(takes)], take.shape) for i, take in enumerate(takes)]
    else:
        shuffled = [np.roll(take, len(take) // 2, axis=0) for take in takes]
    mean = np.concatenate(takes).mean(axis=0)
    return {
        SHUFFLED: shuffled,
        MEAN: [np.tile(mean, (len(take), 1)) for take in takes],
        LOUDNESS: [_loud_jaw(recording, len(take)) for recording, take in zip(recordings, takes, strict=True)],
    }


def _loud_jaw(recording: Recording, frames: int) -> Array:
    face = np.zeros((frames, CHANNELS), np.float32)
    face[:, ARKIT_INDEX["jawOpen"]] = loudness_to_jaw(recording.samples, RATE, FPS, frames)
    return face


def lip_rows(
    animator: Animator, recordings: Sequence[Recording], emotion: EmotionTrack = NEUTRAL, lips: Sequence[str] = ()
) -> Rows:
    """Return the faces whose lips are compared: the teacher's where phones are known, the model's, the baselines'.

    Each of ``lips`` (of ``EXTRA_LIPS``) adds a row where it can be: the recogniser on English, the text where it is
    known. The model's own row follows the speech encoder.
    """
    takes = [animator.take(recording, emotion) for recording in recordings]
    rows: Rows = {}
    if all(len(recording.taught) for recording in recordings):
        rows[TEACHER] = [np.pad(recording.taught, ((0, 0), (0, CHANNELS - 52))) for recording in recordings]
    rows[MODEL] = takes
    for name in lips:
        sources = [_source(name, recording) for recording in recordings]
        if all(sources):
            rows[f"{MODEL}, {name}"] = [
                animator.take(recording, emotion, source=source)
                for recording, source in zip(recordings, sources, strict=True)
                if source is not None
            ]
    return rows | baselines(takes, recordings)


def _source(name: str, recording: Recording) -> PhoneSource | None:
    """Return where the phones of ``recording`` come from; None where that cannot be."""
    if name == "text":
        return PhoneSource(recording.text, recording.language) if recording.text else None
    return PhoneSource(lips=name) if recording.language == "en" else None
