"""Options that several commands share. A bad value is wrong usage: argparse shows it with exit status 2."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from blendshape_rigs.arkit import EMOTIONS
from model_server.errors import ConfigError
from model_server.pipeline.phone_source import LIPS, MAXIMUM_TEXT, PhoneSource
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


def style_strength(text: str) -> float:
    """Return how far a style clip shows, 0 to 1."""
    try:
        return AnimationRequest(style_strength=float(text)).style_strength
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
    """Add what shapes a performance: --emotion, --seed, --style and its strength, --max-hours, options of the lips."""
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
        help="curves (.csv .json .npz), or a video of a face, to borrow the manner of moving from",
    )
    parser.add_argument(
        "--style-strength",
        type=style_strength,
        default=1.0,
        metavar="AMOUNT",
        help="how far the style shows, 0 to 1; between them it takes twice the time (default: 1)",
    )
    parser.add_argument("--max-hours", type=positive, default=4.0, help="longest recording to accept (default: 4)")
    add_source_options(parser)
    parser.add_argument(
        "--phones",
        type=Path,
        metavar="TRACK",
        help="edited phones (.TextGrid .json .csv) that the lips follow; dreamtalk phones makes such a track",
    )


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add what the phones come from: --text, --text-file, --lips, --lang."""
    texts = parser.add_mutually_exclusive_group()
    texts.add_argument("--text", metavar="LINE", help="what is said in the recording; the lips follow it exactly")
    texts.add_argument("--text-file", type=Path, metavar="F", help="UTF-8 file of what is said")
    parser.add_argument(
        "--lips",
        choices=LIPS,
        default="auto",
        help="what hears the phones: the encoder (any language, fast), the recogniser (English, more exact), or auto: "
        "the text where there is one, otherwise the encoder (default: auto)",
    )
    parser.add_argument(
        "--lang", default="en", metavar="CODE", help="language of the text, like de or cmn (default: en)"
    )


def phone_source(arguments: argparse.Namespace) -> PhoneSource:
    """Return what the options of :func:`add_source_options`, and --phones where the command has it, ask for.

    Raises:
        ConfigError: for options that do not fit together, or a file that cannot be read.
    """
    text: str = arguments.text or ""
    if arguments.text is not None and not text.strip():
        raise ConfigError("--text is empty; write what is said, or leave it out")
    if arguments.text_file is not None:
        text = read_text(arguments.text_file)
    track: Path | None = getattr(arguments, "phones", None)
    phones = None
    if track is not None:
        from model_server.audio.phone_files import read_phones

        phones = read_phones(track)
    return PhoneSource(text, arguments.lang, arguments.lips, phones)


def read_text(path: Path) -> str:
    """Return what is said, from the UTF-8 file at ``path``.

    Raises:
        ConfigError: for a file that is too long, empty or no UTF-8 text.
        OSError: when it cannot be read.
    """
    if path.stat().st_size > 4 * MAXIMUM_TEXT:
        raise ConfigError(f"'{path}' is too long; give at most {MAXIMUM_TEXT} characters of text")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"'{path}' is not UTF-8 text; save it as UTF-8") from None
    if not text.strip():
        raise ConfigError(f"'{path}' is empty; write what is said")
    return text


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
