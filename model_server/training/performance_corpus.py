"""Performances for training EmoDiff and LipRefiner: what is heard, the emotion, and the face that goes with them.

They come from files (recorded, captured or taught over real speech) and from two teachers over invented speech.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from blendshape_rigs.arkit import EMOTIONS, LIP_CHANNELS
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack
from model_server.errors import ConfigError
from model_server.models.emodiff import FACE_CHANNELS

from . import performances
from .configs import PerformanceData
from .expression_teacher import Actor, express
from .mouth_teacher import Speaker, articulate
from .phone_sequences import Utterance, heard_posteriors, invent_utterance

Array = npt.NDArray[np.float32]

_INVENTED_SECONDS = 12.0
_TRAINING_SEED, _HELD_OUT_SEED = 1, 2
_HELD_OUT_INVENTED = 96
_INVENTED = "invented "


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
class Windows:
    """A batch of stretches of performances.

    Attributes:
        rows: (B,) number of each performance in the corpus.
        audio: (B, W, A) float32, A as in the performances.
        emotion: (B, W, 8) float32.
        face: (B, W, 58) float32.
        valid: (B, W) float32, 0 in the frames after the end of a performance, which repeat its last frame.
    """

    rows: npt.NDArray[np.int64]
    audio: Array
    emotion: Array
    face: Array
    valid: Array


class PerformanceCorpus:
    """Performances of any lengths, from which batches of stretches are drawn.

    Args:
        items: the performances; their arrays are kept as they are, 16 bits a value.
        weights: how often each is drawn from, times its length; None for all alike.

    Raises:
        ConfigError: when there are none, one is empty, or they are heard in different ways.
    """

    def __init__(self, items: Sequence[performances.Performance], weights: Sequence[float] | None = None) -> None:
        if not items:
            raise ConfigError("there are no performances to learn from")
        self.items = list(items)
        for item in items:
            if not len(item) or not len(item.style):
                raise ConfigError(f"a performance of '{item.actor}' has no frames, or its style clip has none")
        self.audio_features = items[0].audio.shape[1]
        if any(item.audio.shape[1] != self.audio_features for item in items):
            raise ConfigError(
                "some performances have features of a pretrained encoder and some have not; "
                "take those apart, and set data.invented to 0"
            )
        each = np.ones(len(items)) if weights is None else np.asarray(weights, float)
        self.chances = torch.from_numpy(np.array([len(item) for item in items]) * each)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def hours(self) -> float:
        """Hours of performance."""
        return sum(map(len, self.items)) / FRAME_RATE / 3600

    def facts(self) -> dict[str, float]:
        """Return what belongs into a weights file about this data."""
        invented = sum(len(item) for item in self.items if item.actor.startswith(_INVENTED))
        hours = {"invented_hours": invented / FRAME_RATE / 3600, "hours": self.hours}
        return {name: round(value, 2) for name, value in hours.items()}

    def windows(self, batch: int, frames: int, generator: torch.Generator) -> Windows:
        """Return ``batch`` stretches of ``frames``: performances by chance and length, from anywhere in them."""
        rows = torch.multinomial(self.chances, batch, replacement=True, generator=generator).numpy()
        places = torch.rand(batch, generator=generator, dtype=torch.float64).tolist()
        drawn = Windows(
            rows,
            np.empty((batch, frames, self.audio_features), np.float32),
            np.empty((batch, frames, len(EMOTIONS)), np.float32),
            np.empty((batch, frames, FACE_CHANNELS), np.float32),
            np.zeros((batch, frames), np.float32),
        )
        for row, (number, place) in enumerate(zip(rows, places, strict=True)):
            item = self.items[number]
            count = min(frames, len(item))
            start = int(place * (len(item) - count + 1))
            for target, source in ((drawn.audio, item.audio), (drawn.emotion, item.emotion), (drawn.face, item.face)):
                target[row, :count] = source[start : start + count]
                target[row, count:] = source[start + count - 1]
            drawn.valid[row, :count] = 1
        return drawn

    def styles(self, rows: npt.NDArray[np.int64], frames: int, generator: torch.Generator) -> Array:
        """Return (B, frames, 58) stretches of the style clips of performances ``rows``.

        A clip that is shorter is run forwards and backwards: no jump comes into it, and its statistics stay.
        """
        places = torch.rand(len(rows), generator=generator, dtype=torch.float64).tolist()
        drawn = np.empty((len(rows), frames, FACE_CHANNELS), np.float32)
        for row, (number, place) in enumerate(zip(rows, places, strict=True)):
            clip = self.items[number].style
            last = len(clip) - 1
            start = int(place * max(1, len(clip) - frames + 1))
            there_and_back = (start + np.arange(frames)) % max(1, 2 * last)
            drawn[row] = clip[last - np.abs(last - there_and_back)]
        return drawn

    def statistics(self) -> tuple[Array, Array]:
        """Return (58,) the mean and (58,) the spread of the channels, as often as they are drawn."""
        total, squares, weight = np.zeros(FACE_CHANNELS), np.zeros(FACE_CHANNELS), 0.0
        for item, chance in zip(self.items, self.chances.tolist(), strict=True):
            face = item.face.astype(np.float64)
            total += chance * face.mean(axis=0)
            squares += chance * (face**2).mean(axis=0)
            weight += chance
        mean = total / weight
        return mean.astype(np.float32), np.sqrt(np.maximum(squares / weight - mean**2, 0)).astype(np.float32)


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


def invent_performances(
    count: int, seconds: float, seed: int, progress: Callable[[int], None] | None = None
) -> list[performances.Performance]:
    """Return ``count`` performances of invented speech; the same seed gives the same ones.

    Args:
        count: number of performances, each by an actor of its own.
        seconds: length of each; at least 4. Style clips are 4 s long.
        seed: any integer.
        progress: called with the number of performances done.
    """
    frames, style_frames = round(seconds * FRAME_RATE), round(4 * FRAME_RATE)
    made: list[performances.Performance] = []
    for index in range(count):
        generator = np.random.default_rng([seed, index])
        actor, speaker = Actor.random(generator), random_speaker(generator)
        emotion = random_emotion(frames, generator)
        take = perform(invent_utterance(seconds, FRAME_RATE, generator), emotion, actor, speaker, generator)
        manner = np.tile(emotion[generator.integers(frames)], (style_frames, 1))
        other = perform(invent_utterance(4, FRAME_RATE, generator), manner, actor, speaker, generator)
        audio, weights, face, style = (a.astype(np.float16) for a in (take.audio, take.emotion, take.face, other.face))
        made.append(performances.Performance(audio, weights, face, style, f"{_INVENTED}{seed}.{index}"))
        if progress is not None:
            progress(index + 1)
    return made


def performance_files(folders: Sequence[str | Path]) -> list[Path]:
    """Return the performance files in ``folders``, which may name files too.

    Raises:
        ConfigError: for a folder that is missing or holds none.
    """
    files: list[Path] = []
    for folder in map(Path, folders):
        found = [folder] if folder.is_file() else sorted(folder.glob("*.npz"))
        found = [path for path in found if not path.name.endswith(".partial.npz")]
        if not found:
            raise ConfigError(f"'{folder}' holds no performances (*.npz)")
        files += found
    return files


def load_corpora(
    data: PerformanceData, audio_features: int, progress: Callable[[int], None] | None = None
) -> tuple[PerformanceCorpus, PerformanceCorpus]:
    """Return what to train on and what to validate with.

    Validation performances are those of ``*.held_out.npz`` files and of held-out actors; where there are none, they
    are invented.

    Args:
        data: the settings.
        audio_features: width of what the model hears.
        progress: called with the number of performances invented.

    Raises:
        ConfigError: when a folder holds no performances, a held-out actor is nowhere, there is nothing at all, or it
            is not what the model hears.
    """
    items: list[performances.Performance] = []
    weights: list[float] = []
    held_out: list[performances.Performance] = []
    absent = set(data.held_out_actors)
    for path in performance_files(data.folders):
        weight = next((value for name, value in data.weights.items() if fnmatch.fnmatch(path.name, name)), 1.0)
        for item in performances.load_performances(path):
            absent.discard(item.actor)
            if path.name.endswith(".held_out.npz") or item.actor in data.held_out_actors:
                held_out.append(item)
            else:
                items.append(item)
                weights.append(weight)
    if absent:
        raise ConfigError(f"nobody in the performances is called {', '.join(sorted(absent))}")
    invented = invent_performances(data.invented, _INVENTED_SECONDS, _TRAINING_SEED, progress)
    each = 1.0
    if items and invented:
        # So much each that invented windows are drawn as often as wanted.
        recorded = float(np.dot([len(item) for item in items], weights))
        share = data.invented_share
        each = share * recorded / sum(map(len, invented))
        weights = [(1 - share) * weight for weight in weights]
    training = PerformanceCorpus(items + invented, weights + [each] * len(invented))
    if not held_out:
        held_out = invent_performances(_HELD_OUT_INVENTED, _INVENTED_SECONDS, _HELD_OUT_SEED)
    validating = PerformanceCorpus(held_out)
    for corpus in (training, validating):
        if corpus.audio_features != audio_features:
            raise ConfigError(
                f"the model hears {audio_features} features and performances have {corpus.audio_features}; "
                "set model.audio_features, and hold some of the performances out"
            )
    return training, validating
