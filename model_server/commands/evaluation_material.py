"""What ``dreamtalk evaluate`` measures on: recordings with texts, captured mouths, and held-out voices."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_server.errors import AudioError, ConfigError
from model_server.evaluation.recordings import FPS, RATE, Recording, RecordingSet

if TYPE_CHECKING:
    from model_server.metrics.closures import TimedPhone
    from model_server.training.speech_corpus.utterance import Utterance

Array = npt.NDArray[np.float32]

CAPTURED_CURVES = "curves_30fps.npz"
_CAPTURED_FPS = 30.0
_LARGEST_FILE = 1 << 30

# Weights of the captured channels. Which of them open and which round the lips was seen by their means over the phones
# that the speech encoder hears in the recordings: mouth_stretch_c is 0.28 on open vowels and 0.09 on p b m;
# mouth_oh_c, mouth_oo_c and mouth_pucker are three to four times as strong on rounded sounds as on any other. The
# funnel channels are strongest on sibilants, so they are no measure of rounding.
OPENING = {"mouth_stretch_c": 1.0, "mouth_oh_c": 0.35}
ROUNDING = {"mouth_pucker_l": 0.5, "mouth_pucker_r": 0.5, "mouth_oo_c": 1.0, "mouth_oh_c": 1.0}


def read_folder(folder: Path, most_seconds: float) -> RecordingSet:
    """Return the recordings of a folder: a captured mouth (``curves_30fps.npz``) or read texts (``metadata.csv``).

    Args:
        folder: laid out as FACEGOOD's recordings or as LJSpeech.
        most_seconds: how much of a captured recording to use.

    Raises:
        AudioError: for a folder that is neither, or whose texts cannot be aligned.
    """
    if (folder / CAPTURED_CURVES).is_file():
        return _read_captured(folder, most_seconds)
    if (folder / "metadata.csv").is_file():
        return _read_texts(folder)
    raise AudioError(
        f"'{folder}' has neither metadata.csv (texts as LJSpeech has them) nor {CAPTURED_CURVES} (captured curves); "
        "give a folder with one of them"
    )


def _read_texts(folder: Path) -> RecordingSet:
    from model_server.training.evaluate_encoder import read_human

    utterances = read_human(folder)
    if not utterances:
        raise AudioError("no recording could be aligned with its text; the texts must be plain English words")
    recordings = tuple(_known(f"{folder.name} {number + 1}", each) for number, each in enumerate(utterances))
    return RecordingSet(folder.name, "A human voice; phones by alignment with the text.", recordings)


def read_voices(corpus: Path, most_seconds: float) -> list[RecordingSet]:
    """Return the held-out voices of a speech corpus, the first ``most_seconds`` of each.

    Raises:
        ConfigError: for a folder without any of them.
    """
    from model_server.training.speech_corpus.engines import VOICES
    from model_server.training.speech_corpus.utterance import load_shard

    sets: list[RecordingSet] = []
    for voice in VOICES:
        path = corpus / f"{voice.name}.npz"
        if not voice.held_out or not path.is_file():
            continue
        chosen = _first(load_shard(path), most_seconds)
        recordings = tuple(_known(f"{voice.name} {number + 1}", each) for number, each in enumerate(chosen))
        truth = "exact phone times" if voice.exact else "phones by alignment with the text"
        sets.append(RecordingSet(voice.name, f"A synthetic voice kept out of training; {truth}.", recordings))
    if not sets:
        raise ConfigError(
            f"'{corpus}' holds no held-out voice; make them with python -m model_server.training.speech_corpus"
        )
    return sets


def _first(utterances: Iterable[Utterance], seconds: float) -> list[Utterance]:
    chosen: list[Utterance] = []
    for utterance in utterances:
        if sum(each.seconds for each in chosen) >= seconds:
            break
        chosen.append(utterance)
    return chosen


def _known(name: str, utterance: Utterance) -> Recording:
    return Recording(name, utterance.samples, _timed_phones(utterance), _teach(utterance))


def _timed_phones(utterance: Utterance) -> tuple[TimedPhone, ...]:
    from model_server.audio.phones import PHONES
    from model_server.metrics.closures import TimedPhone

    starts = np.concatenate([[0.0], utterance.ends[:-1]])
    return tuple(
        TimedPhone(PHONES[phone], float(start), float(end))
        for phone, start, end in zip(utterance.phones, starts, utterance.ends, strict=True)
    )


def _teach(utterance: Utterance) -> Array:
    """Return (T, 52) what the mouth teacher makes of the true phones, at a level loudness."""
    from model_server.audio.phones import PHONES
    from model_server.training.mouth_teacher import PhoneSegments, Speaker, articulate

    starts = np.concatenate([[0.0], utterance.ends[:-1]])
    segments = PhoneSegments(tuple(PHONES[phone] for phone in utterance.phones), starts, float(utterance.ends[-1]))
    frames = round(utterance.seconds * FPS)
    return articulate(segments, np.zeros(frames, np.float32), FPS, Speaker(), np.zeros((frames, 52), np.float32))


def _read_captured(folder: Path, most_seconds: float) -> RecordingSet:
    import soundfile
    import soxr

    path = folder / CAPTURED_CURVES
    if path.stat().st_size > _LARGEST_FILE:
        raise AudioError(f"'{path}' is larger than 1 GiB; cut it into shorter recordings")
    recordings: list[Recording] = []
    with np.load(path, allow_pickle=False) as data:
        names = [str(name) for name in data["names"]]
        for key in sorted(data.files):
            audio = folder / f"{key.removeprefix('c_')}.flac"
            if not key.startswith("c_") or not audio.is_file():
                continue
            samples, rate = soundfile.read(audio, dtype="float32", always_2d=True, stop=None)
            mono = np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), np.float32)[: int(most_seconds * RATE)]
            curves = [_weighted(data[key], names, weights, len(mono) / RATE) for weights in (OPENING, ROUNDING)]
            recordings.append(Recording(audio.stem, mono, opening=curves[0], rounding=curves[1]))
    if not recordings:
        raise AudioError(f"'{folder}' holds no .flac recording that {CAPTURED_CURVES} has curves for")
    note = "A face captured with the sound; opening and rounding are fixed combinations of its channels."
    return RecordingSet(folder.name, note, tuple(recordings))


def _weighted(curves: Array, names: list[str], weights: dict[str, float], seconds: float) -> Array:
    """Return (T,) the weighted sum of captured channels, read at ``FPS`` for ``seconds``."""
    total = sum(weight * curves[:, names.index(name)] for name, weight in weights.items())
    times = np.arange(int(seconds * FPS)) / FPS
    return np.interp(times, np.arange(len(curves)) / _CAPTURED_FPS, np.asarray(total)).astype(np.float32)
