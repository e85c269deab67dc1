"""``dreamtalk batch``: many recordings to files of any kind, one line of a manifest each."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from blendshape_rigs.curves import CurvesError, FaceCurves
from model_server.errors import DreamTalkError, ExportError

from . import options
from .batch_manifest import COLUMNS, VIDEO_SUFFIXES, ManifestLine, read_manifest
from .batch_record import BatchRecord
from .files import finished_output, write_take
from .performance import read_style
from .progress import progress_bar, spinner

if TYPE_CHECKING:
    from model_server.pipeline.speech_to_curves import SpeechToCurves

SUMMARY = "Animate many recordings, as a manifest lists them; a run that was stopped goes on."
EXAMPLE = "dreamtalk batch manifest.csv --out takes/"
_NAME_WIDTH = 32


@dataclass(frozen=True)
class Outcome:
    """What became of one line.

    Attributes:
        line: its number in the manifest.
        audio: the recording.
        output: the file.
        state: ``"made"``, ``"skipped"`` where an earlier run made the very same, or ``"failed"``.
        seconds: length of the performance; 0 where none was made now.
        wall_seconds: time that it took.
        message: why it failed; else empty.
    """

    line: int
    audio: str
    output: str
    state: str
    seconds: float = 0.0
    wall_seconds: float = 0.0
    message: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "manifest",
        type=Path,
        metavar="MANIFEST",
        help=f"CSV file, one recording a line, paths relative to it; columns: {', '.join(COLUMNS)}; only audio and "
        "either an output with its ending or a format must be there",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--max-hours", type=options.positive, default=4.0, help="longest recording to accept (default: 4)"
    )
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Carry out every line that an earlier run has not, and tell what became of each."""
    lines = read_manifest(arguments.manifest)
    out: Path = arguments.out
    _check_outputs(lines, out)
    out.mkdir(parents=True, exist_ok=True)
    with spinner("Loading the model"):
        from model_server.pipeline.speech_to_curves import SpeechToCurves

        model = SpeechToCurves.load()
    batch = _Batch(model, out, arguments.max_hours * 3600)
    outcomes = []
    for number, line in enumerate(lines, 1):
        outcome = batch.carry_out(line, f"{number}/{len(lines)} {line.output}")
        outcomes.append(outcome)
        said = f" ({outcome.message})" if outcome.message else ""
        print(f"{number}/{len(lines)} {line.output}: {outcome.state}{said}", file=sys.stderr, flush=True)
    _tell(outcomes, arguments.json)
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


def _check_outputs(lines: list[ManifestLine], out: Path) -> None:
    """Refuse outputs that would overwrite an input of any line, or lie where a folder is."""
    inputs = {path.resolve() for line in lines for path in line.inputs}
    for line in lines:
        path = out / line.output
        if path.resolve() in inputs:
            raise ExportError(f"line {line.number}: '{path}' is an input; choose another name for the output")
        if path.is_dir():
            raise ExportError(f"line {line.number}: '{path}' is a folder; choose another name for the output")


class _Batch:
    """Carries out lines one after the other, with models and style clips loaded once."""

    def __init__(self, model: SpeechToCurves, out: Path, maximum_seconds: float) -> None:
        self._model, self._out, self._maximum_seconds = model, out, maximum_seconds
        self._record = BatchRecord(out, model.model_hash)
        self._styles: dict[Path, FaceCurves] = {}

    def carry_out(self, line: ManifestLine, label: str) -> Outcome:
        began = time.monotonic()
        audio, output = str(line.audio), str(line.output)
        try:
            settings = self._record.settings_of(line)
            if self._record.has(line.output, settings):
                return Outcome(line.number, audio, output, "skipped")
            seconds = self._make(line, label)
            self._record.add(line.output, settings)
        except (DreamTalkError, CurvesError, OSError) as error:
            message = " ".join(str(error).split())
            return Outcome(line.number, audio, output, "failed", 0.0, _since(began), message)
        return Outcome(line.number, audio, output, "made", round(seconds, 3), _since(began))

    def _make(self, line: ManifestLine, label: str) -> float:
        """Write the line's file and return how many seconds it lasts."""
        from model_server.audio.decode import open_audio

        recording = open_audio(line.audio, maximum_seconds=self._maximum_seconds)
        request = replace(line.request, style=self._style(line.style))
        path = self._out / line.output
        path.parent.mkdir(parents=True, exist_ok=True)
        with finished_output(path, *line.inputs) as scratch:
            with progress_bar(label, recording.duration) as progress:
                curves = self._model(recording, request, progress)
            self._write(line, curves, scratch, label)
        return curves.duration

    def _write(self, line: ManifestLine, curves: FaceCurves, path: Path, label: str) -> None:
        if line.suffix not in VIDEO_SUFFIXES:
            with spinner(f"{label}: writing"):
                write_take(curves, path, line.audio, line.character)
            return
        from model_server.pipeline.portrait_video import make_portrait_video

        assert line.image is not None  # the manifest's check saw to it
        with progress_bar(f"{label}: rendering", curves.duration) as progress:
            make_portrait_video(line.image, curves, line.audio, path, progress)

    def _style(self, clip: Path | None) -> FaceCurves | None:
        if clip is None:
            return None
        if clip not in self._styles:
            self._styles[clip] = read_style(clip)
        return self._styles[clip]


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _tell(outcomes: list[Outcome], as_json: bool) -> None:
    """Print the summary: a row for each line, then how many there are of each state."""
    counts = Counter(outcome.state for outcome in outcomes)
    totals = {state: counts[state] for state in ("made", "skipped", "failed")}
    if as_json:
        print(json.dumps({**totals, "lines": [asdict(outcome) for outcome in outcomes]}))
        return
    width = min(_NAME_WIDTH, max(6, *(len(outcome.output) for outcome in outcomes)))
    print(f"{'line':>5}  {'output':<{width}}  {'state':<7}  {'seconds':>8}  {'took':>8}")
    for outcome in outcomes:
        name = outcome.output if len(outcome.output) <= width else f"…{outcome.output[1 - width :]}"
        times = f"{outcome.seconds:>8.2f}  {outcome.wall_seconds:>8.2f}" if outcome.state == "made" else " " * 18
        print(f"{outcome.line:>5}  {name:<{width}}  {outcome.state:<7}  {times}  {outcome.message}".rstrip())
    print(", ".join(f"{count} {state}" for state, count in totals.items()))
