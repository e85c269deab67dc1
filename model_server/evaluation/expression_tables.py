"""Tables on the expression: emotions told apart, intensity, style clips, and how takes of different seeds differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, EMOTIONS, LIP_CHANNELS, REGIONS
from blendshape_rigs.curves import FaceCurves
from model_server.metrics.motion import diversity
from model_server.metrics.statistics import (
    accuracy,
    channel_statistics,
    confusion,
    nearest_centroid,
    retrieval,
    spearman,
    strength,
)
from model_server.pipeline.request import EmotionTrack

from .recordings import FPS, Recording
from .table import Cell, Column, Table
from .takes import LOUDNESS, MEAN, MODEL, NEUTRAL, SHUFFLED, Animator, baselines

Array = npt.NDArray[np.float32]
Teach = Callable[[EmotionTrack, float, int, int], Array]
"""``teach(emotion, seconds, actor, take)`` returns (T, 58): what the teachers make of invented speech."""

TAUGHT = "teacher, invented speech"
FEELINGS = EMOTIONS[1:]
_CLIP_SECONDS = 6.0
INTENSITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
SEEN = [*range(ARKIT_COUNT), ARKIT_COUNT, ARKIT_COUNT + 1, ARKIT_COUNT + 2]
"""Channels by which emotions and styles are told: the 52 weights and the head's angles, not its position."""
HEAD = [ARKIT_COUNT, ARKIT_COUNT + 1, ARKIT_COUNT + 2]
BODY_REGIONS: dict[str, list[int]] = {name: list(channels) for name, channels in REGIONS.items() if name != "tongue"}


def feeling(name: str, intensity: float = 1.0) -> EmotionTrack:
    """Return a constant emotion; neutral has no intensity."""
    return NEUTRAL if name == "neutral" or intensity == 0 else EmotionTrack.constant({name: intensity})


@dataclass(frozen=True)
class Separability:
    """How emotions are told apart: the table and, for each row, (8, 8) the share of each emotion taken for each."""

    table: Table
    confusions: dict[str, npt.NDArray[np.float64]]


def separability(
    animator: Animator, recordings: Sequence[Recording], seeds: Sequence[int], teach: Teach
) -> Separability:
    """Tell eight emotions at intensity 1 apart by the statistics of the channels, recording by recording."""
    labels = [name for name in EMOTIONS for _ in recordings for _ in seeds]
    groups = [recording.name for _ in EMOTIONS for recording in recordings for _ in seeds]
    takes = [
        animator.take(recording, feeling(name), seed) for name in EMOTIONS for recording in recordings for seed in seeds
    ]
    seconds = [recording.seconds for recording in recordings]
    rows = {
        TAUGHT: [
            teach(feeling(name), seconds[i], i, seed)
            for name in EMOTIONS
            for i in range(len(recordings))
            for seed in seeds
        ],
        MODEL: takes,
    }
    flat = baselines(takes, [recording for _ in EMOTIONS for recording in recordings for _ in seeds])
    rows |= {name: flat[name] for name in (MEAN, LOUDNESS)}
    measured: list[tuple[str, tuple[Cell, ...]]] = []
    confusions: dict[str, npt.NDArray[np.float64]] = {}
    shuffled = np.random.default_rng(0).permutation(labels).tolist()
    for name, faces, truth in [*((name, faces, labels) for name, faces in rows.items()), (SHUFFLED, takes, shuffled)]:
        features = np.stack([channel_statistics(face[:, SEEN]) for face in faces])
        guesses = nearest_centroid(features, truth, groups)
        confusions[name] = confusion(guesses, truth, EMOTIONS)
        measured.append((name, (accuracy(guesses, truth), *np.diag(confusions[name]).tolist())))
    note = (
        f"Share of {len(labels)} takes ({len(recordings)} recordings, seeds {', '.join(map(str, seeds))}) whose "
        "emotion at intensity 1 is told by the nearest class mean of channel means and deviations (52 weights, 3 "
        "head angles), learnt from the other recordings. Chance is 0.125. In the row of shuffled audio the emotions "
        "of the takes are shuffled: the audio does not decide them."
    )
    columns = (Column("all"), *(Column(name) for name in EMOTIONS))
    return Separability(Table("Emotions told apart", note, columns, tuple(measured)), confusions)


@dataclass(frozen=True)
class Intensity:
    """How intensity reads: the table and, for each row and emotion, the strengths at ``INTENSITIES``."""

    table: Table
    curves: dict[str, dict[str, list[float]]]


def intensity(animator: Animator, recordings: Sequence[Recording], teach: Teach) -> Intensity:
    """Measure how the expression grows with the intensity that is asked for."""
    curves: dict[str, dict[str, list[float]]] = {TAUGHT: {}, MODEL: {}, SHUFFLED: {}, MEAN: {}, LOUDNESS: {}}
    for name in FEELINGS:
        made = [[animator.take(recording, feeling(name, x)) for recording in recordings] for x in INTENSITIES]
        taught = [
            [teach(feeling(name, x), recording.seconds, i, 1) for i, recording in enumerate(recordings)]
            for x in INTENSITIES
        ]
        flat = [np.concatenate(baselines(takes, recordings)[LOUDNESS]) for takes in made]
        order = np.random.default_rng(FEELINGS.index(name)).permutation(len(INTENSITIES))
        still = [np.zeros((1, len(SEEN)))] * len(INTENSITIES)
        joined = [np.concatenate(takes) for takes in made]
        curves[TAUGHT][name] = _strengths([np.concatenate(takes) for takes in taught])
        curves[MODEL][name] = _strengths(joined)
        curves[SHUFFLED][name] = [curves[MODEL][name][place] for place in order]
        curves[MEAN][name] = [strength(*[still[0]] * 3) for _ in INTENSITIES]
        curves[LOUDNESS][name] = _strengths(flat)
    measured = []
    for row, emotions in curves.items():
        ranks = [spearman(INTENSITIES, values) for values in emotions.values()]
        steps = [bool((np.diff(values) > 0).all()) for values in emotions.values()]
        halves = [values[INTENSITIES.index(0.5)] for values in emotions.values()]
        measured.append((row, (float(np.mean(ranks)), min(ranks), float(np.mean(steps)), float(np.mean(halves)))))
    note = (
        f"Strength of the expression: mean pose of {len(recordings)} recordings, projected on the way from neutral "
        "(0) to the full emotion (1). Spearman's rank correlation with the intensities "
        f"{', '.join(map(str, INTENSITIES))}, mean and lowest of seven emotions; share of emotions that grow at every "
        "step; strength at half the intensity. In the row of shuffled audio the intensities are shuffled."
    )
    columns = (
        Column("Spearman, mean"),
        Column("Spearman, lowest"),
        Column("always growing", ".0%"),
        Column("strength at 0.5"),
    )
    return Intensity(Table("Intensity", note, columns, tuple(measured)), curves)


def _strengths(faces: Sequence[Array]) -> list[float]:
    seen = [face[:, SEEN] for face in faces]
    return [strength(face, seen[0], seen[-1]) for face in seen]


def style_table(
    animator: Animator, recording: Recording, teach: Teach, emotions: Sequence[EmotionTrack], title: str
) -> Table:
    """Give the model a style clip in each of ``emotions``, by an actor each, and look whether takes find their clips.

    The model is told no emotion: the clip has to bring it along.
    """
    actors = len(emotions)
    clips = [teach(emotion, _CLIP_SECONDS, actor, 0) for actor, emotion in enumerate(emotions)]
    takes = [animator.take(recording, seed=1, style=as_curves(clip)) for clip in clips]
    flat = baselines(takes, [recording] * actors)
    rows = {
        TAUGHT: [teach(emotion, recording.seconds, actor, 1) for actor, emotion in enumerate(emotions)],
        MODEL: takes,
        f"{MODEL}, clips shuffled": [*takes[1:], takes[0]],
        f"{MODEL}, no clip": [animator.take(recording, seed=seed) for seed in range(1, actors + 1)],
        MEAN: flat[MEAN],
        LOUDNESS: flat[LOUDNESS],
    }
    wanted = np.stack([channel_statistics(clip[:, SEEN]) for clip in clips])
    measured = tuple(
        (name, retrieval(np.stack([channel_statistics(face[:, SEEN]) for face in faces]), wanted))
        for name, faces in rows.items()
    )
    note = (
        f"{actors} style clips of {_CLIP_SECONDS:.0f} s, each by another taught actor; one recording of "
        f"{recording.seconds:.0f} s, animated with each of them and no emotion told. Found: share of takes whose "
        f"channel statistics are nearest to their own clip's (chance {1 / actors:.2f}). Distance: to the own clip over "
        "the mean distance to the others; below 1 is nearer. The teacher's row is another performance of each actor: "
        "what these statistics can tell at best."
    )
    return Table(title, note, (Column("found"), Column("distance")), measured)


def as_curves(face: Array) -> FaceCurves:
    """Return a (T, 58) face as curves."""
    return FaceCurves(face[:, :ARKIT_COUNT], face[:, ARKIT_COUNT : ARKIT_COUNT + 3], face[:, ARKIT_COUNT + 3 :], FPS)


def diversity_table(animator: Animator, recordings: Sequence[Recording], seeds: Sequence[int], teach: Teach) -> Table:
    """Measure how takes of different seeds differ, by region, and what that does to the lips."""
    regions = BODY_REGIONS | {"head, degrees": HEAD}
    takes = [[animator.take(recording, seed=seed) for seed in seeds] for recording in recordings]
    taught = [[teach(NEUTRAL, recording.seconds, i, seed) for seed in seeds] for i, recording in enumerate(recordings)]
    shuffled = [[np.resize(each[0], (len(own[0]), own[0].shape[1])) for each in takes] for own in takes]
    still = [[own[0]] * 2 for own in takes]
    rows = {TAUGHT: taught, MODEL: takes, SHUFFLED: shuffled, f"{MEAN} and {LOUDNESS}": still}
    measured = []
    for name, sets in rows.items():
        cells: list[Cell] = []
        for region, channels in regions.items():
            scale = 180 / np.pi if region.startswith("head") else 1.0
            cells.append(float(np.mean([scale * diversity([take[:, channels] for take in own]) for own in sets])))
        known = name == MODEL and all(len(recording.taught) for recording in recordings)
        cells += list(_lip_errors(takes, recordings)) if known else [None, None]
        measured.append((name, tuple(cells)))
    note = (
        f"Mean L2 distance between takes of seeds {', '.join(map(str, seeds))}, over all pairs and frames, neutral, "
        f"{len(recordings)} recordings; by region of ARKit channels. Shuffled audio: between takes of different "
        "recordings. The teacher's actor says the same thing by another chance. Lip error: mean over frames of the "
        f"L2 distance over the {len(LIP_CHANNELS)} jaw, mouth and tongue channels to the teacher on true phones; mean "
        "and best of the seeds."
    )
    columns = (*(Column(name) for name in regions), Column("lip error, mean"), Column("lip error, best"))
    return Table("Takes of different seeds", note, columns, tuple(measured))


def _lip_errors(takes: Sequence[Sequence[Array]], recordings: Sequence[Recording]) -> tuple[float, float]:
    lips = list(LIP_CHANNELS)
    errors = np.array(
        [
            [lip_error(take[:, lips], recording.taught[:, lips]) for take in own]
            for own, recording in zip(takes, recordings, strict=True)
        ]
    )
    return float(errors.mean()), float(errors.min(axis=1).mean())


def lip_error(face: Array, truth: Array) -> float:
    """Return the mean over the common frames of the L2 distance of (T, C) channels."""
    frames = min(len(face), len(truth))
    return float(np.linalg.norm(face[:frames] - truth[:frames], axis=1).mean())
