"""Options that several commands share. A bad value is wrong usage: argparse shows it with exit status 2."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from blendshape_rigs.arkit import EMOTIONS
from model_server.errors import ConfigError
from model_server.pipeline.request import AnimationRequest, EmotionTrack


def emotion(text: str) -> EmotionTrack:
    """Return the emotion that ``text`` (like ``happy:0.8``) names."""
    try:
        return EmotionTrack.parse(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def seed(text: str) -> int:
    """Return a seed, a whole number from 0 on."""
    try:
        return AnimationRequest(seed=int(text)).seed
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def fps(text: str) -> float:
    """Return a frame rate from 1 to 240."""
    try:
        return AnimationRequest(fps=float(text)).fps
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def positive(text: str) -> float:
    """Return a finite number above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' must be a number above zero")
    return number


def output(suffixes: tuple[str, ...], hints: dict[str, str] | None = None) -> Callable[[str], Path]:
    """Return a reader of output paths that end in one of ``suffixes``; ``hints`` answer other suffixes."""

    def parse(text: str) -> Path:
        path = Path(text)
        suffix = path.suffix.lower()
        if suffix not in suffixes:
            hint = (hints or {}).get(suffix, f"must end in one of {' '.join(suffixes)}")
            raise argparse.ArgumentTypeError(f"'{text}': {hint}")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"'{text}': the folder '{path.parent}' does not exist")
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"'{text}' is a folder; name a file")
        return path

    return parse


def add_performance_options(parser: argparse.ArgumentParser) -> None:
    """Add what shapes a performance: --emotion, --seed, --style, --max-hours."""
    parser.add_argument(
        "--emotion",
        type=emotion,
        metavar="NAME:AMOUNT",
        help=f"like happy:0.8 or a blend happy:0.5,surprised:0.3; names: {', '.join(EMOTIONS)} (default: neutral)",
    )
    parser.add_argument("--seed", type=seed, help="same seed, same performance (default: 0)")
    parser.add_argument(
        "--style",
        type=Path,
        metavar="CLIP",
        help="curves (.csv .json .npz) to borrow the manner of moving from",
    )
    parser.add_argument("--max-hours", type=positive, default=4.0, help="longest recording to accept (default: 4)")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
