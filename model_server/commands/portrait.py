"""``dreamtalk portrait``: a recording and a photograph to a video with sound."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from model_server.errors import PortraitError

from . import options
from .files import finished_output
from .performance import perform
from .progress import progress_bar

SUMMARY = "Make a portrait photograph speak a recording, as a video with sound."
EXAMPLE = "dreamtalk portrait line.wav me.jpg --emotion happy -o line.mp4"
_FPS = 25.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("audio", type=Path, metavar="AUDIO", help="speech: any common audio or video file")
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a photograph of one face, from the front")
    options.add_performance_options(parser)
    parser.add_argument(
        "--curves",
        type=Path,
        metavar="TAKE",
        help="move by this take (.csv .json .npz) instead; AUDIO is only heard then",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=options.output((".mp4",)),
        required=True,
        metavar="OUT",
        help="file to write: .mp4",
    )
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the performance, render it and write the video."""
    from blendshape_rigs.formats import read_curves
    from model_server.audio.decode import open_audio

    out: Path = arguments.output
    audio, image, take = arguments.audio, arguments.image, arguments.curves
    lips = arguments.text or arguments.text_file or arguments.phones or arguments.lips != "auto"
    if take and (arguments.emotion or arguments.style or arguments.seed is not None or lips):
        arguments.parser.error(
            "--curves holds the performance already; leave out --emotion, --style, --seed, --text, --lips, --phones"
        )
    if not image.is_file():
        raise PortraitError(f"'{image}' does not exist or is no file; check its path")
    with finished_output(out, audio, image, take, arguments.style, arguments.phones) as scratch:
        if take is None:
            curves = perform(arguments, audio, _FPS)
        else:
            open_audio(audio, maximum_seconds=arguments.max_hours * 3600)
            curves = read_curves(take)
        with progress_bar("Rendering", curves.duration) as progress:
            from model_server.pipeline.portrait_video import make_portrait_video

            make_portrait_video(image, curves, audio, scratch, progress)
    if arguments.json:
        print(json.dumps({"output": str(out), "fps": curves.fps, "duration": curves.duration}))
    else:
        print(f"{out}: {curves.duration:.2f} s at {curves.fps:g} fps")
    return 0
