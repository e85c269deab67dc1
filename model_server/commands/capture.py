"""``dreamtalk capture``: the face in a video to curves."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_server.errors import WeightsError

from . import options
from .files import CURVE_SUFFIXES, finished_output
from .progress import progress_bar, spinner

if TYPE_CHECKING:
    from model_server.capture import CapturedFace, Method

SUMMARY = "Capture the face in a video as curves."
EXAMPLE = """dreamtalk capture interview.mp4 -o interview.csv
  dreamtalk capture --download-model
  dreamtalk capture interview.mp4 --compare"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("video", type=Path, nargs="?", metavar="VIDEO", help="a video of one face, from the front")
    parser.add_argument(
        "--method",
        choices=("landmarks", "blendshapes"),
        default="landmarks",
        help="landmarks: the avatar's shapes fitted to the face's landmarks, needs nothing else; blendshapes: the "
        "scores of MediaPipe's Face Landmarker, needs its model (default: landmarks)",
    )
    parser.add_argument(
        "--compare", action="store_true", help="capture by both methods, and print how far each channel agrees"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="MediaPipe's face_landmarker.task (default: the file that DREAMTALK_FACE_LANDMARKER names, else the one "
        "of --download-model)",
    )
    parser.add_argument(
        "--download-model",
        action="store_true",
        help="fetch MediaPipe's Face Landmarker once, after asking, into your data folder",
    )
    parser.add_argument("--yes", action="store_true", help="answer the question of --download-model with yes")
    parser.add_argument(
        "-o",
        "--output",
        type=options.output(CURVE_SUFFIXES),
        metavar="OUT",
        help=f"file to write: {' '.join(CURVE_SUFFIXES)}",
    )
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Capture the face and write its curves, compare the methods, or fetch the model."""
    if arguments.download_model:
        _download(arguments.yes)
        if arguments.video is None:
            return 0
    if arguments.video is None:
        arguments.parser.error("name the VIDEO to capture")
    if arguments.output is None and not arguments.compare:
        arguments.parser.error("name the file to write with -o OUT")
    facts = _capture(arguments, arguments.output) if arguments.output is not None else {}
    if arguments.compare:
        facts |= _compare(arguments)
    if arguments.json:
        print(json.dumps(facts))
    return 0


def _capture(arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Write the curves to ``out`` and return what a program would want to know."""
    from blendshape_rigs.formats import write_curves

    with finished_output(out, arguments.video, arguments.model) as scratch:
        captured = _captured(arguments, arguments.method)
        write_curves(captured.curves, scratch)
    curves, bridged = captured.curves, int((~captured.seen).sum())
    if not arguments.json:
        print(f"{out}: {len(curves)} frames, {curves.duration:.2f} s at {curves.fps:g} fps, {bridged} without a face")
    return {"output": str(out), "fps": curves.fps, "frames": len(curves), "frames_without_face": bridged}


def _captured(arguments: argparse.Namespace, method: Method) -> CapturedFace:
    from model_server.capture import capture_face

    with progress_bar("Capturing", None) as progress:
        return capture_face(arguments.video, arguments.model, progress, method)


def _compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Capture by both methods, print how they agree, and return it by channel."""
    from model_server.capture import METHODS
    from model_server.capture.agreement import channel_agreement
    from model_server.capture.face_landmarker import find_model

    find_model(arguments.model)  # before the first of two long captures
    rows = channel_agreement(*(_captured(arguments, method) for method in METHODS))
    if not arguments.json:
        print(f"{'channel':<20}{'r':>6}{'spread by landmarks':>21}{'by blendshapes':>16}")
        for row in rows:
            shown = "-" if row.correlation is None else f"{row.correlation:.2f}"
            print(f"{row.channel:<20}{shown:>6}{row.spreads[0]:>21.3f}{row.spreads[1]:>16.3f}")
    return {"agreement": {row.channel: row.correlation for row in rows}}


def _download(agreed: bool) -> None:
    """Fetch the Face Landmarker, once the user has seen what and from where, and agreed.

    Raises:
        WeightsError: when the user does not agree, or the model cannot be fetched.
    """
    from model_server.capture.model_file import (
        MODEL_ADDRESS,
        MODEL_LICENCE,
        MODEL_SHA256,
        download_model,
        downloaded_model,
    )

    print(
        f"MediaPipe's Face Landmarker ({MODEL_LICENCE}, 3.6 MiB)\n  from   {MODEL_ADDRESS}\n"
        f"  to     {downloaded_model()}\n  sha256 {MODEL_SHA256}",
        file=sys.stderr,
    )
    if not agreed:
        if not sys.stdin.isatty():
            raise WeightsError("nobody can be asked here; add --yes to fetch the model")
        print("Fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise WeightsError("the model was not fetched")
    with spinner("Fetching"):
        path = download_model()
    print(f"Fetched {path}", file=sys.stderr)
