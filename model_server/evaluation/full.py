"""The whole evaluation: from recordings to the sections of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import EMOTIONS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.filters import resample

from . import plots
from .expression_tables import (
    FEELINGS,
    INTENSITIES,
    TAUGHT,
    Teach,
    diversity_table,
    feeling,
    intensity,
    separability,
    style_table,
)
from .lip_tables import capture_table, emotion_lip_table, lip_table, threshold_table
from .motion_tables import event_table, frechet_table, slow_rows, slowed, speed_table
from .recordings import FPS, RATE, Recording, RecordingSet
from .report import Section
from .table import Table
from .takes import BASELINES, LOUDNESS, MEAN, MODEL, NEUTRAL, TEACHER, Animator, Rows, baselines, lip_rows

Array = npt.NDArray[np.float32]

REAL = "real, Live Link"
_TAUGHT_SECONDS = 30.0


@dataclass(frozen=True)
class Effort:
    """How much is animated for the tables on expression.

    Attributes:
        emotion_seconds: recordings for emotions, each animated in all eight.
        intensity_recordings: how many of them are animated in all intensities.
        seeds: seeds of the emotions; takes of different seeds.
        diversity_seeds: seeds of the takes that are compared with each other.
        style_clips: number of style clips, at most eight.
    """

    emotion_seconds: float = 45.0
    intensity_recordings: int = 2
    seeds: tuple[int, ...] = (1, 2)
    diversity_seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    style_clips: int = 8


QUICK = Effort(16.0, 2, (1,), (1, 2, 3), 4)


@dataclass(frozen=True)
class Material:
    """What is measured on: recordings, real curves (at most a few minutes) and the teachers."""

    sets: tuple[RecordingSet, ...]
    real: tuple[FaceCurves, ...]
    teach: Teach
    effort: Effort = Effort()

    def expression_set(self) -> RecordingSet:
        """Return the set whose recordings are animated in every emotion: the first whose phones are known."""
        known = [group for group in self.sets if group.recordings[0].phones]
        return (known or list(self.sets))[0]

    def expression_recordings(self) -> list[Recording]:
        """Return recordings of the expression set, ``effort.emotion_seconds`` or little more, two or more."""
        chosen: list[Recording] = []
        for recording in _pieces(self.expression_set().recordings):
            if len(chosen) >= 2 and sum(each.seconds for each in chosen) >= self.effort.emotion_seconds:
                break
            chosen.append(recording)
        return chosen

    def seconds(self) -> float:
        """Return about how many seconds of sound the whole evaluation animates."""
        emotional = self.expression_recordings()
        total = sum(each.seconds for each in emotional)
        part = sum(each.seconds for each in emotional[: self.effort.intensity_recordings])
        return (
            sum(group.seconds for group in self.sets)
            + (len(EMOTIONS) * len(self.effort.seeds) - 1) * total
            + len(FEELINGS) * (len(INTENSITIES) - 2) * part
            + (len(self.effort.diversity_seeds) - len(self.effort.seeds)) * part
            + 3 * self.effort.style_clips * emotional[0].seconds
        )


def _pieces(recordings: Sequence[Recording]) -> list[Recording]:
    """Return recordings whose phones are known as they are, others cut into pieces of eight seconds."""
    pieces: list[Recording] = []
    for recording in recordings:
        if recording.phones:
            pieces.append(recording)
            continue
        length = 8 * RATE
        for start in range(0, max(1, len(recording.samples) - length // 2), length):
            name = f"{recording.name} at {start // RATE} s"
            pieces.append(Recording(name, recording.samples[start : start + length]))
    return pieces


def lip_section(
    animator: Animator, material: Material, lips: Sequence[str], folder: Path
) -> tuple[Section, dict[str, Rows]]:
    """Return the section on lips and the neutral rows of every set by its name; ``lips`` as ``lip_rows`` takes them."""
    tables, pictures = [], []
    rows = {group.name: lip_rows(animator, group.recordings, lips=lips) for group in material.sets}
    spoken = [group for group in material.sets if group.recordings[0].phones]
    tables += [lip_table(group, rows[group.name], "neutral") for group in spoken]
    if spoken:
        tables.append(threshold_table([(group, rows[group.name]) for group in spoken]))
        tables.append(emotional_lips(animator, material))
        plots.plot_lips(folder / "lips.png", spoken[0].recordings[0], _first(rows[spoken[0].name]))
        pictures.append("lips.png")
    for group in material.sets:
        if len(group.recordings[0].opening):
            tables.append(capture_table(group, rows[group.name]))
            name = f"captured_{group.name}.png"
            plots.plot_captured(folder / name, group.recordings[0], _first(rows[group.name]), 0, 12)
            pictures.append(name)
    return Section("Lips", tuple(tables), tuple(pictures)), rows


def _first(rows: Rows) -> dict[str, Array]:
    return {name: rows[name][0] for name in (TEACHER, MODEL, LOUDNESS) if name in rows}


def emotional_lips(animator: Animator, material: Material) -> Table:
    """Return the lips of the expression recordings in every emotion at intensity 1."""
    recordings = material.expression_recordings()
    made = {name: [animator.take(recording, feeling(name)) for recording in recordings] for name in EMOTIONS}
    every = [take for takes in made.values() for take in takes]
    rows: Rows = {TEACHER: lip_rows(animator, recordings)[TEACHER]}
    rows |= {f"{MODEL}, {name}": takes for name, takes in made.items()}
    rows |= baselines(every, recordings * len(EMOTIONS))
    return emotion_lip_table(material.expression_set(), rows, recordings)


def expression_section(animator: Animator, material: Material, folder: Path) -> Section:
    """Return the section on emotions, intensity, style clips and seeds."""
    recordings, effort = material.expression_recordings(), material.effort
    few = recordings[: effort.intensity_recordings]
    clips = [feeling(name) for name in EMOTIONS[: effort.style_clips]]
    told = separability(animator, recordings, effort.seeds, material.teach)
    grown = intensity(animator, few, material.teach)
    plots.plot_confusions(folder / "emotions_confused.png", told.confusions)
    plots.plot_intensity(folder / "intensity.png", grown.curves)
    tables = (
        told.table,
        grown.table,
        style_table(animator, recordings[0], material.teach, clips, "Style clips of different emotions"),
        style_table(
            animator, recordings[0], material.teach, [NEUTRAL] * len(clips), "Style clips of different actors, neutral"
        ),
        diversity_table(animator, few, effort.diversity_seeds, material.teach),
    )
    return Section("Expression", tables, ("emotions_confused.png", "intensity.png"))


def motion_section(material: Material, rows: dict[str, Rows], window: int, folder: Path) -> Section:
    """Return the section on motion, over the neutral takes in ``rows`` of every set; ``window`` is the model's."""
    recordings = [recording for group in material.sets for recording in group.recordings]
    own: Rows = {name: [face for each in rows.values() for face in each[name]] for name in (MODEL, *BASELINES)}
    taught = [material.teach(NEUTRAL, _TAUGHT_SECONDS, actor, 1) for actor in range(8)]
    slow = slow_rows({TAUGHT: taught} | own)
    events: Rows = {TAUGHT: taught} | own
    if material.real:
        slow = {REAL: [slowed(curves) for curves in material.real]} | slow
        events = {REAL: [_at_full_rate(curves) for curves in material.real]} | events
    reference = REAL if material.real else TAUGHT
    plots.plot_speeds(folder / "speeds.png", slow, [name for name in slow if name not in (MEAN,)])
    tables = (
        speed_table(slow, reference),
        event_table(events, recordings, tuple(own), window),
        frechet_table(slow, reference),
    )
    return Section("Motion", tables, ("speeds.png",))


def _at_full_rate(curves: FaceCurves) -> Array:
    return resample(curves, FPS).stacked()
