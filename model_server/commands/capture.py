"""``dreamtalk capture``: the face in a video to curves."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import options
from .files import CURVE_SUFFIXES, finished_output
from .progress import progress_bar

SUMMARY = "Capture the face in a video as curves."
EXAMPLE = "dreamtalk capture interview.mp4 -o interview.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a video of one face, from the front")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="MediaPipe's face_landmarker.task (default: the file that DREAMTALK_FACE_LANDMARKER names)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=options.output(CURVE_SUFFIXES),
        required=True,
        metavar="OUT",
        help=f"file to write: {' '.join(CURVE_SUFFIXES)}",
    )
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Capture the face and write its curves."""
    from blendshape_rigs.formats import write_curves
    from model_server.capture import capture_face

    out: Path = arguments.output
    with finished_output(out, arguments.video, arguments.model) as scratch:
        with progress_bar("Capturing", None) as progress:
            captured = capture_face(arguments.video, arguments.model, progress)
        write_curves(captured.curves, scratch)
    curves, bridged = captured.curves, int((~captured.seen).sum())
    if arguments.json:
        facts = {"output": str(out), "fps": curves.fps, "frames": len(curves), "frames_without_face": bridged}
        print(json.dumps(facts))
    else:
        print(f"{out}: {len(curves)} frames, {curves.duration:.2f} s at {curves.fps:g} fps, {bridged} without a face")
    return 0
