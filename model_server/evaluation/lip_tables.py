"""Tables on how lips follow speech: against timed phones, and against a captured mouth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX
from model_server.metrics.closures import CLOSED_METRES, labiodental_rate, measure_lips, sibilant_rate
from model_server.metrics.correlation import best_lag, correlation
from model_server.metrics.mouth_mesh import load_mouth_mesh
from model_server.metrics.rounding import rounding_auc

from .recordings import FPS, Recording, RecordingSet
from .table import Cell, Column, Table
from .takes import Rows

Array = npt.NDArray[np.float32]

LIP_COLUMNS = (
    Column("bilabials", ".0f"),
    Column("recall"),
    Column("precision"),
    Column("F1"),
    Column("timing, ms", ".0f", 1000),
    Column("open vowels closed", ".1%"),
    Column("vowel gap, mm", ".1f", 1000),
    Column("silence gap, mm", ".1f", 1000),
    Column("f v", ".2f"),
    Column("s z ʃ ʒ", ".2f"),
    Column("rounding AUC"),
)
LIP_NOTE = (
    "Distances on the proxy avatar's mesh. Bilabial closures p b m (±40 ms, lips nearer than 1.5 mm): recall, "
    "precision, F1, median timing error. Open vowels closed: share of a ɑ æ ɔ ʌ of 60 ms or more that never open. f "
    "v: share with the lips within 4 mm and mouthRollLower at 0.15 or more (±40 ms). s z ʃ ʒ: share whose teeth come "
    "within 4 mm. Rounding AUC: u ʊ o ɔ w y ø against i ɪ e ɛ æ j by the width of the mouth (0.5 is chance)."
)
THRESHOLDS = (0.001, 0.0015, 0.002)
CAPTURED = "captured face"
CAPTURE_COLUMNS = (
    Column("opening r"),
    Column("opening r, worst recording"),
    Column("rounding r"),
    Column("opening: r at the best lag"),
    Column("best lag, ms", ".0f", 1000),
)
CAPTURE_NOTE = (
    "Pearson's r without any shift, mean of the recordings. Opening: gap between the middles of the inner lips on "
    "the proxy avatar's mesh. Rounding: narrowing of the mouth there. The best lag is looked for within ±200 ms, "
    "positive where the curves come late; it enters no other figure."
)


def lip_cells(faces: Sequence[Array], recordings: Sequence[Recording], closed: float = CLOSED_METRES) -> list[Cell]:
    """Return the figures of ``LIP_COLUMNS`` for (T, 52 or more) faces of recordings whose phones are known."""
    mesh = load_mouth_mesh()
    truths = [recording.phones for recording in recordings]
    gaps = [mesh.lip_gap(face) for face in faces]
    figures = measure_lips(gaps, truths, FPS, closed)
    return [
        figures.bilabials,
        figures.recall,
        figures.precision,
        figures.f1,
        figures.timing_error,
        figures.vowels_closed,
        figures.vowel_gap,
        figures.silence_gap,
        labiodental_rate(gaps, [face[:, ARKIT_INDEX["mouthRollLower"]] for face in faces], truths, FPS),
        sibilant_rate([mesh.teeth_gap(face) for face in faces], truths, FPS),
        rounding_auc([-mesh.width(face) for face in faces], truths, FPS),
    ]


def lip_table(group: RecordingSet, rows: Rows, condition: str) -> Table:
    """Return how the lips of every row follow the phones of ``group``; ``condition`` names the emotion."""
    title = f"Lips: {group.name}, {condition}"
    note = f"{group.note} {len(group.recordings)} recordings, {group.seconds:.0f} s. {LIP_NOTE}"
    measured = tuple((name, tuple(lip_cells(faces, group.recordings))) for name, faces in rows.items())
    return Table(title, note, LIP_COLUMNS, measured)


def capture_table(group: RecordingSet, rows: Rows) -> Table:
    """Return how the mouths of every row follow the captured face of ``group``."""
    mesh = load_mouth_mesh()
    openings = {name: [mesh.lip_gap(face) for face in faces] for name, faces in rows.items()}
    roundings = {name: [-mesh.width(face) for face in faces] for name, faces in rows.items()}
    openings = {CAPTURED: [recording.opening for recording in group.recordings]} | openings
    roundings = {CAPTURED: [recording.rounding for recording in group.recordings]} | roundings
    measured = tuple(
        (name, tuple(_capture_cells(openings[name], roundings[name], group.recordings))) for name in openings
    )
    note = f"{group.note} {len(group.recordings)} recordings, {group.seconds:.0f} s. {CAPTURE_NOTE}"
    return Table(f"Captured mouth: {group.name}", note, CAPTURE_COLUMNS, measured)


def _capture_cells(
    openings: Sequence[Array], roundings: Sequence[Array], recordings: Sequence[Recording]
) -> list[Cell]:
    fits, rounds, lags = [], [], []
    for opening, rounding, recording in zip(openings, roundings, recordings, strict=True):
        frames = min(len(opening), len(recording.opening))
        fits.append(correlation(opening[:frames], recording.opening[:frames]))
        rounds.append(correlation(rounding[:frames], recording.rounding[:frames]))
        lags.append(best_lag(opening[:frames], recording.opening[:frames], FPS))
    moves = any(fits)
    return [
        float(np.mean(fits)),
        min(fits),
        float(np.mean(rounds)),
        float(np.mean([r for _, r in lags])) if moves else None,
        float(np.mean([lag for lag, _ in lags])) if moves else None,
    ]


def emotion_lip_table(group: RecordingSet, rows: Rows, recordings: Sequence[Recording]) -> Table:
    """Return the lips of ``rows``, which differ in their emotion, over ``recordings`` of ``group``."""
    note = (
        f"{len(recordings)} recordings of {group.name}. The teacher is without emotion; the baselines are made of the "
        f"takes of all emotions. {LIP_NOTE}"
    )
    measured = []
    for name, faces in rows.items():
        # A row may hold several takes of each recording.
        owners = list(recordings) * (len(faces) // len(recordings))
        measured.append((name, tuple(lip_cells(faces, owners))))
    return Table("Lips under every emotion at intensity 1", note, LIP_COLUMNS, tuple(measured))


def threshold_table(groups: Sequence[tuple[RecordingSet, Rows]]) -> Table:
    """Return how bilabial closures change with the distance that counts as closed, over all groups together."""
    names = [name for name in groups[0][1] if all(name in rows for _, rows in groups)]
    recordings = [recording for group, _ in groups for recording in group.recordings]
    measured = []
    for name in names:
        faces = [face for _, rows in groups for face in rows[name]]
        cells: list[Cell] = []
        for closed in THRESHOLDS:
            figures = lip_cells(faces, recordings, closed)
            cells += [figures[1], figures[2], figures[3]]
        measured.append((name, tuple(cells)))
    columns = tuple(
        Column(f"{figure} at {closed * 1000:.1f} mm")
        for closed in THRESHOLDS
        for figure in ("recall", "precision", "F1")
    )
    note = (
        f"Bilabial closures of all {len(recordings)} recordings with known phones, neutral, by the gap that is closed."
    )
    return Table("Sensitivity to the closure threshold", note, columns, tuple(measured))
