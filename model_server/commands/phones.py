"""``dreamtalk phones``: what is said in a recording, as a track of timed phones to look at and to edit."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import options
from .files import finished_output
from .progress import spinner

SUMMARY = "Write the timed phones of a recording, to edit them and animate from them."
EXAMPLE = """dreamtalk phones line.wav --text "Hello there" -o line.TextGrid
  (edit line.TextGrid in Praat)
  dreamtalk animate line.wav --phones line.TextGrid -o line.fbx"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("audio", type=Path, metavar="AUDIO", help="speech: any common audio or video file")
    options.add_source_options(parser)
    parser.add_argument("--max-hours", type=options.positive, default=4.0, help="longest recording (default: 4)")
    parser.add_argument(
        "-o",
        "--output",
        type=options.output((".textgrid", ".json", ".csv")),
        required=True,
        metavar="TRACK",
        help="file to write: .TextGrid (Praat), .json or .csv",
    )
    options.add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Hear, write and say what was written."""
    from model_server.audio.decode import open_audio
    from model_server.audio.phone_files import write_phones

    out: Path = arguments.output
    recording = open_audio(arguments.audio, maximum_seconds=arguments.max_hours * 3600)
    source = options.phone_source(arguments)
    with finished_output(out, arguments.audio, arguments.text_file) as scratch:
        with spinner("Loading the model"):
            from model_server.pipeline.speech_to_curves import SpeechToCurves

            model = SpeechToCurves.load()
        with spinner("Listening"):
            phones = model.timed_phones(recording, source)
        write_phones(phones, scratch)
    if arguments.json:
        record = {"output": str(out), "phones": len(phones), "duration": phones.duration, "source": source.kind}
        print(json.dumps(record))
    else:
        print(f"{out}: {len(phones)} phones, {phones.duration:.2f} s, from the {source.kind}")
    return 0
