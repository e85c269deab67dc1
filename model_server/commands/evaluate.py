"""``dreamtalk evaluate``: how the lips follow human speech whose words are known."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_server.errors import ConfigError
from model_server.pipeline.request import EmotionTrack

from . import options
from .progress import progress_bar, spinner

SUMMARY = "Measure how the lips follow read English, beside the teacher, the mean pose and shuffled audio."
EXAMPLE = "dreamtalk evaluate LJSpeech/ --emotion happy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "folders",
        type=Path,
        nargs="*",
        metavar="FOLDER",
        help="recordings with metadata.csv (id|text), as LJSpeech has them, or with captured curves, as FACEGOOD's",
    )
    parser.add_argument("--corpus", type=Path, help="folder of the speech corpus: its held-out voices are measured")
    parser.add_argument("--emotion", type=options.emotion, default=EmotionTrack.constant({}), help="default: neutral")
    parser.add_argument("--quick", action="store_true", help="20 s of each voice and captured recording, not 60 s")


def run(arguments: argparse.Namespace) -> int:
    """Read the recordings, make the takes, measure, print Markdown tables."""
    from model_server.evaluation.lip_tables import capture_table, lip_table
    from model_server.evaluation.takes import Animator, lip_rows
    from model_server.pipeline.speech_to_curves import SpeechToCurves

    from .evaluation_material import read_folder, read_voices

    if not arguments.folders and arguments.corpus is None:
        raise ConfigError("there is nothing to measure; name folders of recordings, or a speech corpus with --corpus")
    most_seconds = 20.0 if arguments.quick else 60.0
    with spinner("Reading and aligning"):
        sets = [read_folder(folder, most_seconds) for folder in arguments.folders]
        sets += read_voices(arguments.corpus, most_seconds) if arguments.corpus else []
    with progress_bar("Animating", sum(group.seconds for group in sets)) as progress:
        animator = Animator(SpeechToCurves.load(), progress)
        for group in sets:
            rows = lip_rows(animator, group.recordings, arguments.emotion)
            if group.recordings[0].phones:
                table = lip_table(group, rows, arguments.emotion.describe())
            else:
                table = capture_table(group, rows)
            print(f"## {table.title}\n\n{table.note}\n\n{table.markdown()}\n", flush=True)
    return 0
