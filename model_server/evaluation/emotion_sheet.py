"""The contact sheet of a report: every emotion in growing intensity, at an open vowel and at closed lips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blendshape_rigs.curves import FaceCurves, concatenate
from model_server.metrics.mouth_mesh import load_mouth_mesh
from model_server.pipeline.phones import PhoneSegment

from .contact_sheet import Image, Still, draw_contact_sheet, telling_moments
from .expression_tables import FEELINGS, INTENSITIES, as_curves, feeling
from .motion_tables import LIDS
from .recordings import FPS, Recording
from .takes import Animator

Array = npt.NDArray[np.float32]

SHEET_INTENSITIES = tuple(x for x in INTENSITIES if x != 0.75)
"""Half a row of the sheet: neutral, and three intensities."""

Render = Callable[[FaceCurves], list[Image]]
"""Returns one (H, W, 3) uint8 picture for each frame."""


def draw_emotion_sheet(path: Path, animator: Animator, recording: Recording, render: Render) -> None:
    """Write a PNG with the neutral take and stills of the avatar in every emotion.

    Each emotion has neutral and three intensities at one open vowel and at one p b m of the recording; where its
    phones are not known, at the widest and the narrowest opening of the neutral take.
    """
    neutral = animator.take(recording)
    segments = [PhoneSegment(phone.symbol, phone.start, phone.end) for phone in recording.phones]
    vowel, closure = _moments(neutral, segments)
    rows: dict[str, list[tuple[Array, float, str]]] = {}
    for name in FEELINGS:
        takes = [(animator.take(recording, feeling(name, x)), x) for x in SHEET_INTENSITIES]
        rows[name] = [
            (take, _eyes_open(take, moment), f"{moment.symbol} {amount:.0%}")
            for moment in (vowel, closure)
            for take, amount in takes
        ]
    frames = [_frame(take, time) for row in rows.values() for take, time, _ in row]
    # All stills go through the renderer at once, as frames of one take at one frame a second.
    images = iter(render(concatenate(frames)))
    stills = {name: [Still(next(images), time, label) for _, time, label in row] for name, row in rows.items()}
    draw_contact_sheet(
        path, f"{recording.name}: curves neutral, stills by emotion", as_curves(neutral), segments, stills
    )


def _moments(face: Array, segments: list[PhoneSegment]) -> tuple[PhoneSegment, PhoneSegment]:
    """Return an open vowel and a p b m, the longest of each."""
    found = telling_moments(segments, 2)
    closures = [moment for moment in found if moment.symbol in "pbm"]
    vowels = [moment for moment in found if moment.symbol not in "pbm"]
    gap = load_mouth_mesh().lip_gap(face)
    widest, narrowest = (float(place / FPS) for place in (gap.argmax(), gap.argmin()))
    return (
        vowels[0] if vowels else PhoneSegment("open", widest, widest),
        closures[0] if closures else PhoneSegment("closed", narrowest, narrowest),
    )


def _eyes_open(face: Array, moment: PhoneSegment) -> float:
    """Return the seconds in the middle half of ``moment`` at which the lids are furthest open: no still in a blink."""
    quarter = (moment.end - moment.start) / 4
    first, last = round((moment.start + quarter) * FPS), round((moment.end - quarter) * FPS)
    lids = face[first : last + 1, LIDS].mean(axis=1)
    return float((first + int(lids.argmin())) / FPS) if len(lids) else moment.start


def _frame(face: Array, time: float) -> FaceCurves:
    curves = as_curves(face)
    index = min(len(curves) - 1, round(time * FPS))
    return curves.with_stacked(face[index : index + 1], fps=1.0, start=0.0)
