"""``dreamtalk animate``: a recording to curves or to an animated character."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from model_server.errors import ExportError

from . import keeping, options
from .files import CURVE_SUFFIXES, SCENE_SUFFIXES, finished_output, write_take
from .performance import perform
from .progress import spinner

SUMMARY = "Animate a face from a speech recording."
EXAMPLE = "dreamtalk animate line.wav --emotion happy:0.8 -o line.fbx"
_HINTS = {".mp4": "a video needs a portrait: dreamtalk portrait AUDIO IMAGE -o out.mp4"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("audio", type=Path, metavar="AUDIO", help="speech: any common audio or video file")
    options.add_performance_options(parser)
    keeping.add_keeping_options(parser)
    parser.add_argument("--fps", type=options.fps, default=30.0, help="frames per second (default: 30)")
    parser.add_argument(
        "--character",
        type=Path,
        metavar="FILE",
        help="character with ARKit-named shape keys (.blend .fbx .glb .usd); default: the bundled one",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=options.output(CURVE_SUFFIXES + SCENE_SUFFIXES, _HINTS),
        required=True,
        metavar="OUT",
        help=f"file to write: {' '.join(CURVE_SUFFIXES + SCENE_SUFFIXES)}",
    )
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the performance and write it."""
    began = time.monotonic()
    out: Path = arguments.output
    character: Path | None = arguments.character
    if character is not None:
        if out.suffix.lower() in CURVE_SUFFIXES:
            arguments.parser.error(f"--character is of no use to {out.suffix}, which holds curves alone")
        if not character.is_file():
            raise ExportError(f"'{character}' does not exist or is no file; check its path")
    with finished_output(out, arguments.audio, arguments.style, character, arguments.phones, arguments.keep) as scratch:
        curves = perform(arguments, arguments.audio, arguments.fps, keeping.kept_part(arguments))
        with spinner(f"Writing {out.name}"):
            write_take(curves, scratch, arguments.audio, character)
    if arguments.json:
        print(
            json.dumps(
                {
                    "output": str(out),
                    "frames": len(curves),
                    "fps": curves.fps,
                    "duration": curves.duration,
                    "seed": curves.provenance.seed,
                    "emotion": curves.provenance.emotion,
                    "model_hash": curves.provenance.model_hash,
                    "audio_hash": curves.provenance.audio_hash,
                    "wall_seconds": round(time.monotonic() - began, 3),
                }
            )
        )
    else:
        print(f"{out}: {len(curves)} frames, {curves.duration:.2f} s at {curves.fps:g} fps")
    return 0
