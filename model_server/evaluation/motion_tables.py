"""Tables on the motion: speeds beside real ones, jerk, window edges, blinks, beat and the Fréchet distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX, LIP_CHANNELS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.filters import resample
from model_server.metrics.beats import beat_consistency, motion_beats, speech_onsets
from model_server.metrics.frechet import WindowSpace, frechet_distance, window_statistics
from model_server.metrics.motion import dynamics_deviation, jerk, measure_blinks, seam_ratio, speed
from model_server.pipeline.performance import INITIAL_FRAMES, LOOK_AHEAD_FRAMES

from .expression_tables import BODY_REGIONS, HEAD, as_curves
from .recordings import FPS, RATE, Recording
from .table import Cell, Column, Table
from .takes import Rows

Array = npt.NDArray[np.float32]

_BLOCK_WINDOWS = 8
SLOW_FPS = 25.0
"""Speeds and jerk are compared at this rate, to which everything is low-passed: captured faces have no more."""
LIDS = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]
LOOK = [index for name, index in ARKIT_INDEX.items() if name.startswith("eyeLook")]
UPPER = [*BODY_REGIONS["brow"], *BODY_REGIONS["eye"], *BODY_REGIONS["nose_cheek"]]
MOTION_REGIONS: dict[str, list[int]] = {
    "brow": BODY_REGIONS["brow"],
    "lids": LIDS,
    "gaze": LOOK,
    "cheek, nose": BODY_REGIONS["nose_cheek"],
    "jaw": BODY_REGIONS["jaw"],
    "mouth": BODY_REGIONS["mouth"],
}


def slowed(curves: FaceCurves) -> Array:
    """Return (T, 58) the channels of ``curves`` at ``SLOW_FPS``."""
    return resample(curves, SLOW_FPS).stacked()


def slow_rows(rows: Rows) -> Rows:
    """Return the faces of every row at ``SLOW_FPS``."""
    return {name: [slowed(as_curves(face)) for face in faces] for name, faces in rows.items()}


def window_edges(frames: int, window: int) -> list[int]:
    """Return the frames at which the pipeline begins another window, for a take of ``frames``."""
    first = window - LOOK_AHEAD_FRAMES
    return list(range(first, frames, first - INITIAL_FRAMES))


def speed_table(slow: Rows, reference: str) -> Table:
    """Return how fast every row moves, region by region; ``slow`` holds faces at ``SLOW_FPS``."""
    truth = np.concatenate(slow[reference])
    measured = []
    for name, faces in slow.items():
        cells: list[Cell] = [_quick_moments(faces, channels) for channels in MOTION_REGIONS.values()]
        turn = np.concatenate([np.linalg.norm(speed(face[:, HEAD], SLOW_FPS), axis=1) for face in faces])
        cells.append(float(np.degrees(np.percentile(turn, 95))) if turn.any() else None)
        cells += [
            float(np.concatenate([jerk(face[:, channels], SLOW_FPS) for face in faces]).mean())
            for channels in (UPPER, list(LIP_CHANNELS))
        ]
        cells += dynamics_deviation(np.concatenate(faces)[:, UPPER], truth[:, UPPER])
        measured.append((name, tuple(cells)))
    note = (
        "At 25 frames a second. 95th percentile over frames of the fastest channel of a region, per second; the head "
        "in degrees per second. Jerk: mean absolute third difference per second cubed, of brows, eyes, cheeks and "
        "nose, and of jaw, mouth and tongue. Upper-face deviation: mean over the channels of brows, eyes, cheeks and "
        f"nose of the std over time of '{reference}' minus the row's, signed and absolute. A dash: the head was not "
        "recorded."
    )
    columns = (
        *(Column(name) for name in MOTION_REGIONS),
        Column("head"),
        Column("jerk, upper", ".1f"),
        Column("jerk, lips", ".1f"),
        Column("upper-face deviation", ".3f"),
        Column("absolute", ".3f"),
    )
    return Table("Speed and jerk", note, columns, tuple(measured))


def _quick_moments(faces: Sequence[Array], channels: list[int]) -> float:
    """Return the 95th percentile over frames of the speed of the fastest of ``channels``."""
    fastest = [speed(face[:, channels], SLOW_FPS).max(axis=1) for face in faces]
    return float(np.percentile(np.concatenate(fastest), 95))


def event_table(rows: Rows, recordings: Sequence[Recording], own: Sequence[str], window: int) -> Table:
    """Return blinks, beat and window edges of every row; the rows in ``own`` belong to ``recordings``."""
    onsets = [speech_onsets(recording.samples, RATE) for recording in recordings]
    measured = []
    for name, faces in rows.items():
        blinks = measure_blinks([face[:, LIDS].mean(axis=1) for face in faces], FPS)
        cells: list[Cell] = [blinks.per_minute, blinks.duration, blinks.depth]
        if name in own:
            cells += [
                _beat([face[:, channels] for face in faces], onsets) for channels in (HEAD, UPPER, list(LIP_CHANNELS))
            ]
            ratios = [seam_ratio(face, window_edges(len(face), window)) for face in faces]
            known = [ratio for ratio in ratios if np.isfinite(ratio)]
            cells.append(float(np.mean(known)) if known else None)
        else:
            cells += [None] * 4
        measured.append((name, tuple(cells)))
    note = (
        "Neutral takes of every recording above. A blink is a stretch with the lids above 0.5. Beat: loudness onsets "
        "against the slowest moments of the head's angles, of brows, eyes, cheeks and nose, and of jaw, mouth and "
        "tongue (1 is best; compare with shuffled audio, chance is not 0). Window edges: mean second difference of "
        "all channels at the edges of the model's windows over that elsewhere; 1 is seamless."
    )
    columns = (
        Column("blinks per minute", ".1f"),
        Column("blink, ms", ".0f", 1000),
        Column("blink depth"),
        Column("beat, head"),
        Column("beat, upper face"),
        Column("beat, lips"),
        Column("window edges"),
    )
    return Table("Blinks, beat and window edges", note, columns, tuple(measured))


def _beat(faces: Sequence[Array], onsets: Sequence[npt.NDArray[np.float64]]) -> float:
    scores = [
        beat_consistency(times, motion_beats(face, FPS))
        for face, times in zip(faces, onsets, strict=True)
        if len(times)
    ]
    return float(np.mean(scores)) if scores else float("nan")


def frechet_table(slow: Rows, reference: str) -> Table:
    """Return the Fréchet distance of every row to ``reference``, in spaces fitted to every other four seconds of it."""
    spaces = {"face": [*UPPER, *LIP_CHANNELS], "upper face": UPPER, "lips": list(LIP_CHANNELS)}
    measured: list[tuple[str, list[Cell]]] = [(name, []) for name in slow]
    for channels in spaces.values():
        windows = {name: window_statistics([f[:, channels] for f in faces], SLOW_FPS) for name, faces in slow.items()}
        own = (np.arange(len(windows[reference])) // _BLOCK_WINDOWS) % 2 == 0
        space = WindowSpace.fit(windows[reference][own])
        base = space(windows[reference][own])
        for name, cells in measured:
            points = windows[name][~own] if name == reference else windows[name]
            cells.append(frechet_distance(base, space(points)) if len(points) > 1 else None)
    note = (
        f"To every other four seconds of '{reference}'; its own row is the rest of it, the lowest to hope for. The "
        "space is no learned one: means, deviations and speeds of the channels over windows of a second, turned to "
        "the 8 principal axes of the reference, in which it has unit variance. It knows no order of events."
    )
    columns = tuple(Column(name, ".1f") for name in spaces)
    return Table("Fréchet distance", note, columns, tuple((name, tuple(cells)) for name, cells in measured))
