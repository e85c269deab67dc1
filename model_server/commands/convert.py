"""``dreamtalk convert``: curves from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import options
from .files import CURVE_SUFFIXES, SCENE_SUFFIXES, finished_output, write_take
from .progress import spinner

SUMMARY = "Convert facial animation from one format to another."
EXAMPLE = "dreamtalk convert take.csv -o take.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("take", type=Path, metavar="IN", help=f"curves: {' '.join(CURVE_SUFFIXES)}")
    parser.add_argument(
        "-o",
        "--output",
        type=options.output(CURVE_SUFFIXES + SCENE_SUFFIXES),
        required=True,
        metavar="OUT",
        help=f"file to write: {' '.join(CURVE_SUFFIXES + SCENE_SUFFIXES)}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the curves and write them again."""
    from blendshape_rigs.formats import read_curves

    out: Path = arguments.output
    with finished_output(out, arguments.take) as scratch, spinner(f"Writing {out.name}"):
        curves = read_curves(arguments.take)
        write_take(curves, scratch)
    print(f"{out}: {len(curves)} frames, {curves.duration:.2f} s at {curves.fps:g} fps")
    return 0
