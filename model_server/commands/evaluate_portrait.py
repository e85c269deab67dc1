"""``dreamtalk evaluate portrait``: the closed loop of portraits, and their contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from model_server.errors import ConfigError

from .progress import progress_bar, spinner

if TYPE_CHECKING:
    from blendshape_rigs.curves import FaceCurves
    from model_server.evaluation.portrait_loop import PortraitMeasurement
    from model_server.evaluation.table import Table
    from model_server.portrait.renderer import PortraitRenderer

WORD = "portrait"
"""As the first source of ``dreamtalk evaluate`` it asks for this."""
_FPS = 25.0
_SPEECH_OPTIONS = ("corpus", "lips", "emotions", "steps_table", "quick", "weights")


def evaluate_portraits(arguments: argparse.Namespace) -> int:
    """Measure the photographs that follow the word in the sources, print tables, write what is asked for.

    With ``--sheet`` and without ``--out`` nothing is measured: the contact sheet is what eyes need after every change.

    Raises:
        ConfigError: for an option that is for speech.
        PortraitError: for a photograph that cannot be used.
        CurvesError: for a take that is no file of curves.
    """
    given = [name for name in _SPEECH_OPTIONS if getattr(arguments, name)]
    if given:
        raise ConfigError(f"--{given[0].replace('_', '-')} is for speech; leave it out for portraits")
    out, sheet = arguments.out, arguments.sheet
    with spinner("Reading the portraits"):
        portraits = _read(arguments.sources[1:])
    if sheet is not None:
        _draw(sheet, portraits, arguments.curves)
    if out is not None or sheet is None:
        measured = _measure(portraits)
        tables = _tables(measured)
        _show(tables)
        if out is not None:
            _write(out, portraits, measured, tables, arguments.curves)
    return 0


def _read(images: list[Path]) -> list[PortraitRenderer]:
    from model_server.portrait.photo import photo_from_array, read_photo
    from model_server.portrait.renderer import PortraitRenderer

    if images:
        return [PortraitRenderer(read_photo(image)) for image in images]
    from skimage import data

    return [PortraitRenderer(photo_from_array(data.astronaut(), "astronaut"))]


def _measure(portraits: list[PortraitRenderer]) -> list[PortraitMeasurement]:
    from model_server.evaluation.portrait_loop import FRAMES, measure_portrait

    measured = []
    with progress_bar("Measuring", float(FRAMES * len(portraits))) as progress:
        for number, portrait in enumerate(portraits):

            def step(done: float, before: float = float(FRAMES * number)) -> None:
                progress(before + done)

            measured.append(measure_portrait(portrait, step))
    return measured


def _tables(measured: list[PortraitMeasurement]) -> tuple[Table, ...]:
    from model_server.evaluation.portrait_loop import avatar_gains
    from model_server.evaluation.portrait_tables import gain_table, picture_table

    with spinner("Measuring the avatar itself"):
        avatar = avatar_gains()
    return picture_table(measured), gain_table(measured, avatar)


def _show(tables: tuple[Table, ...]) -> None:
    for table in tables:
        print(f"## {table.title}\n\n{table.note}\n\n{table.markdown()}\n", flush=True)


def _draw(path: Path, portraits: list[PortraitRenderer], take: Path | None) -> None:
    from model_server.evaluation.portrait_sheet import draw_sheet, write_sheet

    curves = _take(take)
    with spinner("Drawing the contact sheet"):
        write_sheet(path, draw_sheet(portraits, take=curves))
    print(f"{path}: {', '.join(portrait.photo.name for portrait in portraits)}; look at every pose")


def _take(path: Path | None) -> FaceCurves:
    """Return the take of ``path``, or the packaged recording animated with the shipped weights."""
    from blendshape_rigs.formats import read_curves

    if path is not None:
        return read_curves(path)
    from model_server.audio.decode import open_audio
    from model_server.pipeline.request import AnimationRequest, EmotionTrack
    from model_server.pipeline.speech_to_curves import SpeechToCurves

    from .demo import DEMO_SPEECH

    recording = open_audio(DEMO_SPEECH)
    request = AnimationRequest(EmotionTrack.constant({"happy": 0.4}), 0, _FPS)
    with spinner("Loading the model"):
        model = SpeechToCurves.load()
    with progress_bar("Animating", recording.duration) as progress:
        return model(recording, request, progress)


def _write(
    out: Path,
    portraits: list[PortraitRenderer],
    measured: list[PortraitMeasurement],
    tables: tuple[Table, ...],
    take: Path | None,
) -> None:
    from model_server.evaluation.portrait_tables import plot_gains
    from model_server.evaluation.report import Report, Section

    out.mkdir(parents=True, exist_ok=True)
    plot_gains(out / "portrait_gains.png", measured)
    _draw(out / "portrait_sheet.jpg", portraits, take)
    facts = {"portraits": ", ".join(f"{each.name} (face {each.face_width:.0f} px wide)" for each in measured)}
    section = Section("Portraits", tables, ("portrait_gains.png", "portrait_sheet.jpg"))
    Report(facts, (section,)).write(out)
    print(f"{out / 'report.md'}: tables, plot and contact sheet")
