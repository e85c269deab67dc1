"""``dreamtalk evaluate``: how the lips follow human speech whose words are known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_server.errors import AudioError
from model_server.pipeline.request import AnimationRequest, EmotionTrack

from . import options
from .progress import spinner

if TYPE_CHECKING:
    from model_server.metrics.closures import LipFigures, TimedPhone
    from model_server.training.speech_corpus.utterance import Utterance

SUMMARY = "Measure how the lips follow read English, beside the teacher, the mean pose and shuffled audio."
EXAMPLE = "dreamtalk evaluate LJSpeech/ --emotion happy"
_FPS = 50.0
_COLUMNS = (
    "bilabials",
    "recall",
    "precision",
    "F1",
    "timing, ms",
    "open vowels closed",
    "vowel gap, mm",
    "silence gap, mm",
)


class _InMemory:
    """A recording held as samples, for a pipeline that asks for blocks."""

    def __init__(self, samples: npt.NDArray[np.float32]) -> None:
        self.samples = samples
        self.sha256 = ""

    def blocks(self) -> list[npt.NDArray[np.float32]]:
        """Return the recording as one block."""
        return [self.samples]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", type=Path, help="recordings with metadata.csv (id|text), as LJSpeech has them")
    parser.add_argument("--emotion", type=options.emotion, default=EmotionTrack.constant({}), help="default: neutral")


def run(arguments: argparse.Namespace) -> int:
    """Align the words, make the curves, measure, print a Markdown table."""
    from blendshape_rigs.avatar import load_proxy_avatar
    from model_server.metrics.closures import measure_lips
    from model_server.pipeline.speech_to_curves import SpeechToCurves
    from model_server.training.evaluate_encoder import read_human

    if not (arguments.folder / "metadata.csv").is_file():
        raise AudioError(f"'{arguments.folder}' has no metadata.csv; give a folder laid out like LJSpeech")
    with spinner("Aligning the words"):
        utterances = read_human(arguments.folder)
    if not utterances:
        raise AudioError("no recording could be aligned with its text; the texts must be plain English words")
    truths = [_timed_phones(utterance) for utterance in utterances]
    avatar, model = load_proxy_avatar(), SpeechToCurves.load()
    request = AnimationRequest(arguments.emotion, seed=1, fps=_FPS)
    with spinner("Animating"):
        takes = [model(_InMemory(utterance.samples), request).values for utterance in utterances]  # type: ignore[arg-type]
        gaps = [avatar.lip_gap(values) for values in takes]
        taught = [avatar.lip_gap(_teach(utterance)) for utterance in utterances]
    print(f"{len(utterances)} recordings, {request.emotion.describe()}, lips closed below 1.5 mm\n")
    print(
        "| | bilabials | recall | precision | F1 | timing, ms | open vowels closed | vowel gap, mm | silence gap, mm |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    shuffled = [np.resize(gaps[(i + 1) % len(gaps)], len(gap)) for i, gap in enumerate(gaps)]
    rows = {
        "teacher, true phones": taught,
        "model": gaps,
        "shuffled audio": shuffled,
        "mean pose": [np.full(len(gap), gap.mean()) for gap in gaps],
    }
    for name, row in rows.items():
        print(_table_row(name, measure_lips(row, truths, _FPS)))
    return 0


def _timed_phones(utterance: Utterance) -> list[TimedPhone]:
    from model_server.audio.phones import PHONES
    from model_server.metrics.closures import TimedPhone

    starts = np.concatenate([[0.0], utterance.ends[:-1]])
    return [
        TimedPhone(PHONES[phone], float(start), float(end))
        for phone, start, end in zip(utterance.phones, starts, utterance.ends, strict=True)
    ]


def _teach(utterance: Utterance) -> npt.NDArray[np.float32]:
    """Return (T, 52) what the mouth teacher makes of the true phones, at a level loudness."""
    from model_server.audio.phones import PHONES
    from model_server.training.mouth_teacher import PhoneSegments, Speaker, articulate

    starts = np.concatenate([[0.0], utterance.ends[:-1]])
    segments = PhoneSegments(tuple(PHONES[phone] for phone in utterance.phones), starts, float(utterance.ends[-1]))
    frames = round(utterance.seconds * _FPS)
    return articulate(segments, np.zeros(frames, np.float32), _FPS, Speaker(), np.zeros((frames, 52), np.float32))


def _table_row(name: str, figures: LipFigures) -> str:
    cells = [
        name,
        str(figures.bilabials),
        f"{figures.recall:.2f}",
        f"{figures.precision:.2f}",
        f"{figures.f1:.2f}",
        f"{figures.timing_error * 1000:.0f}",
        f"{figures.vowels_closed:.0%}",
        f"{figures.vowel_gap * 1000:.1f}",
        f"{figures.silence_gap * 1000:.1f}",
    ]
    return f"| {' | '.join(cells)} |"
