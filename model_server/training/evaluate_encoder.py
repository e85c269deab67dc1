"""Measure the speech encoder: ``python -m model_server.training.evaluate_encoder --human FOLDER``.

``FOLDER`` holds ``metadata.csv`` (id|text) and the recordings in the manner of LJSpeech. Their phones are aligned with
the text by pocketsphinx (boundaries good to about 10 ms) and compared with what the streaming listener hears. The
figures are printed and, with ``--write``, stored in the weights file.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from model_server.audio.listener import PhoneListener
from model_server.audio.phone_track import FRAME_RATE, join_tracks
from model_server.audio.phones import MOUTH_CLASS_OF, MOUTH_CLASSES, PHONES, VOICELESS
from model_server.models.checkpoint import load_checkpoint, read_extra, save_checkpoint
from model_server.models.speech_encoder import SpeechEncoder

from .speech_corpus.align import align_words, pad
from .speech_corpus.sessions import load_sessions
from .speech_corpus.texts import pronounced_words, spoken_words
from .speech_corpus.utterance import Utterance, to_16k
from .train_encoder import SpeechSet, class_accuracy, held_out_names

BILABIAL = next(number for number, members in enumerate(MOUTH_CLASSES) if "p" in members)
_TOLERANCE_FRAMES = 1

Classes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """How well spans of one class are heard."""

    found: int
    wanted: int
    right: int
    heard: int

    def figures(self) -> dict[str, float]:
        """Return recall, precision and F1."""
        recall, precision = self.found / max(1, self.wanted), self.right / max(1, self.heard)
        return {"recall": recall, "precision": precision, "f1": 2 * recall * precision / max(1e-9, recall + precision)}


def _spans(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def match_spans(heard: Classes, wanted: Classes, number: int) -> Spans:
    """Return how many spans of class ``number`` meet one of the other side within a frame of tolerance."""

    def meets(ours: Classes, theirs: Classes) -> tuple[int, int]:
        spans = _spans(ours == number)
        near = [(theirs[max(0, a - _TOLERANCE_FRAMES) : b + _TOLERANCE_FRAMES] == number).any() for a, b in spans]
        return int(sum(near)), len(spans)

    return Spans(*meets(wanted, heard), *meets(heard, wanted))


def read_human(folder: Path) -> list[Utterance]:
    """Return the recordings of ``folder`` whose every word pocketsphinx can pronounce, aligned with their text."""
    utterances = []
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, *texts = line.split("|")
        path = next(folder.rglob(f"{name}.*"), None)
        words = spoken_words(texts[-1])
        if path is None or not all(word in pronounced_words() for word in words):
            continue
        samples, rate = soundfile.read(path, dtype="float32")
        aligned = align_words(pad(to_16k(samples, rate)), words)
        if aligned is not None:
            utterances.append(aligned)
    return utterances


def measure_human(model: SpeechEncoder, utterances: list[Utterance]) -> dict[str, float]:
    """Return accuracies and bilabial spans of utterances heard one after another, each as a recording of its own."""
    merge = np.eye(len(MOUTH_CLASSES), dtype=np.float32)[list(MOUTH_CLASS_OF)]
    mouth = np.array(MOUTH_CLASS_OF)
    voiced = np.array([phone not in VOICELESS for phone in PHONES])
    right = right_voicing = frames = 0
    spans = np.zeros(4, int)
    for utterance in utterances:
        track = join_tracks(list(PhoneListener(model).listen([utterance.samples])))
        labels = utterance.labels(FRAME_RATE, len(track))
        heard, wanted = (track.posteriors @ merge).argmax(axis=1), mouth[labels]
        right += int((heard == wanted).sum())
        right_voicing += int(((track.voicing >= 0.5) == voiced[labels]).sum())
        frames += len(track)
        found = match_spans(heard, wanted, BILABIAL)
        spans += np.array([found.found, found.wanted, found.right, found.heard])
    bilabial = {f"bilabial_{key}": value for key, value in Spans(*spans.tolist()).figures().items()}
    return {
        "utterances": len(utterances),
        "seconds": frames / FRAME_RATE,
        "class_accuracy": right / max(1, frames),
        "voicing_accuracy": right_voicing / max(1, frames),
        **bilabial,
    }


def main() -> None:
    """Measure and print, and store the figures when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("model_server/weights/speech_encoder.safetensors"))
    parser.add_argument("--sessions", type=Path, default=Path("runs/sessions"))
    parser.add_argument("--human", type=Path, help="folder of human recordings with texts")
    parser.add_argument("--write", action="store_true", help="store the figures in the weights file")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_checkpoint(arguments.weights, SpeechEncoder)
    figures: dict[str, dict[str, float]] = {}
    for name in sorted(held_out_names()):
        for copy, kind in ((-1, "clean"), (0, "augmented")):
            path = arguments.sessions / f"{name}.{copy}.npz"
            if path.exists() and load_sessions(path):
                sessions = SpeechSet([path], model.mel_prior()).sessions
                figures[f"{name}_{kind}"] = class_accuracy(model, sessions)
    if arguments.human:
        figures["human"] = measure_human(model, read_human(arguments.human))
    rounded = {name: {key: round(value, 4) for key, value in part.items()} for name, part in figures.items()}
    print(json.dumps(rounded, indent=1))
    if arguments.write:
        extra = read_extra(arguments.weights) | {"figures": rounded}
        save_checkpoint(model, model.config, arguments.weights, extra)


if __name__ == "__main__":
    main()
