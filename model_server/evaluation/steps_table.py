"""Quality against sampling steps: what a faster sampler loses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from model_server.metrics.motion import jerk, measure_blinks
from model_server.pipeline.speech_to_curves import SpeechToCurves

from .expression_tables import HEAD, TAUGHT, Teach, feeling
from .motion_tables import LIDS, MOTION_REGIONS, SLOW_FPS, UPPER, slow_rows
from .recordings import FPS, Recording
from .table import Cell, Column, Table
from .takes import BASELINES, NEUTRAL, Animator, baselines

Array = npt.NDArray[np.float32]

STEPS = (2, 4, 6, 8, 12, 20, 50)
_EMOTIONS = (NEUTRAL, feeling("happy"), feeling("sad"), feeling("surprised"))


def steps_table(
    model: SpeechToCurves,
    recordings: Sequence[Recording],
    teach: Teach,
    advance: Callable[[float], None],
    steps: Sequence[int] = STEPS,
) -> Table:
    """Return how takes of 2 to 50 steps move beside the teachers', and how long they take."""
    seconds = sum(recording.seconds for recording in recordings)
    taught = [
        teach(emotion, recording.seconds, actor, 1)
        for emotion in _EMOTIONS
        for recording in recordings
        for actor in range(4)
    ]
    rows: list[tuple[str, tuple[Cell, ...]]] = [(TAUGHT, (*_movement(taught), None))]
    takes: list[Array] = []
    for number, count in enumerate(steps):
        # A copy of the pipeline with other settings; the weights are shared.
        animator = Animator(replace(model, sampling=replace(model.sampling, steps=count)))
        begun = time.perf_counter()
        takes = [animator.take(recording, emotion) for emotion in _EMOTIONS for recording in recordings]
        taken = time.perf_counter() - begun
        rows.append((f"{count} steps", (*_movement(takes), seconds * len(_EMOTIONS) / taken)))
        advance((number + 1) * seconds * len(_EMOTIONS))
    flat = baselines(takes, [recording for _ in _EMOTIONS for recording in recordings])
    rows += [(name, (*_movement(flat[name]), None)) for name in BASELINES]
    note = (
        f"{len(recordings)} recordings, {seconds:.0f} s, neutral, happy, sad and surprised at intensity 1. Mean "
        "standard deviation over time within a take, by region (the head in degrees); blinks per minute and depth; "
        "mean jerk of brows, eyes, cheeks and nose at 25 frames a second; seconds of sound animated per second, "
        "hearing and lips included, on this machine as it was. The baselines are those of the last row of steps."
    )
    columns = (
        *(Column(f"std {name}", ".3f") for name in MOTION_REGIONS),
        Column("std head", ".2f"),
        Column("blinks per minute", ".1f"),
        Column("blink depth"),
        Column("jerk, upper", ".1f"),
        Column("× real time", ".1f"),
    )
    return Table("Quality against sampling steps", note, columns, tuple(rows))


def _movement(takes: Sequence[Array]) -> list[Cell]:
    cells: list[Cell] = [
        float(np.mean([take[:, channels].std(axis=0).mean() for take in takes])) for channels in MOTION_REGIONS.values()
    ]
    cells.append(float(np.degrees(np.mean([take[:, HEAD].std(axis=0).mean() for take in takes]))))
    blinks = measure_blinks([take[:, LIDS].mean(axis=1) for take in takes], FPS)
    slow = slow_rows({"": list(takes)})[""]
    shake = float(np.mean([jerk(take[:, UPPER], SLOW_FPS).mean() for take in slow]))
    return [*cells, blinks.per_minute, blinks.depth, shake]


def steps_seconds(recordings: Sequence[Recording], steps: Sequence[int] = STEPS) -> float:
    """Return the seconds of sound that :func:`steps_table` animates."""
    return len(steps) * len(_EMOTIONS) * sum(recording.seconds for recording in recordings)
