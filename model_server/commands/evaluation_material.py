"""What ``dreamtalk evaluate`` measures on: recordings with texts, captured mouths, and held-out voices."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats.livelink import parse_livelink, read_livelink
from model_server.errors import AudioError, ConfigError
from model_server.evaluation.recordings import FPS, RATE, Recording, RecordingSet
from model_server.pipeline.request import EmotionTrack

if TYPE_CHECKING:
    from model_server.metrics.closures import TimedPhone
    from model_server.training.speech_corpus.utterance import Utterance

Array = npt.NDArray[np.float32]

CAPTURED_CURVES = "curves_30fps.npz"
_CAPTURED_FPS = 30.0
_LARGEST_FILE = 1 << 30
_TEACHER_SEED = 2024
_SHORTEST_UTTERANCE = 4.0

# Weights of the captured channels. Which of them open and which round the lips was seen by their means over the phones
# that the speech encoder hears in the recordings: mouth_stretch_c is 0.28 on open vowels and 0.09 on p b m;
# mouth_oh_c, mouth_oo_c and mouth_pucker are three to four times as strong on rounded sounds as on any other. The
# funnel channels are strongest on sibilants, so they are no measure of rounding.
OPENING = {"mouth_stretch_c": 1.0, "mouth_oh_c": 0.35}
ROUNDING = {"mouth_pucker_l": 0.5, "mouth_pucker_r": 0.5, "mouth_oo_c": 1.0, "mouth_oh_c": 1.0}


def read_source(source: Path, most_seconds: float) -> RecordingSet | list[FaceCurves]:
    """Return what a folder or file holds: recordings with a truth, or real Live Link curves without sound.

    Args:
        source: a folder laid out as FACEGOOD's recordings (``curves_30fps.npz``) or as LJSpeech (``metadata.csv``), a
            folder of Live Link Face CSVs, plain or gzipped, or one such file. In a folder, names with "rom" are ranges
            of motion, no performances, and left out.
        most_seconds: how much of a captured recording to use.

    Raises:
        AudioError: for a folder that is none of these, or whose texts cannot be aligned.
        FormatError: for a CSV that is no Live Link recording.
    """
    if (source / CAPTURED_CURVES).is_file():
        return _read_captured(source, most_seconds)
    if (source / "metadata.csv").is_file():
        return _read_texts(source)
    files = [source] if source.is_file() else sorted(source.glob("*.csv")) + sorted(source.glob("*.csv.gz"))
    chosen = [file for file in files if file == source or "rom" not in file.stem.lower()]
    if not chosen:
        raise AudioError(
            f"'{source}' has neither metadata.csv (texts as LJSpeech has them) nor {CAPTURED_CURVES} (captured curves) "
            "nor Live Link Face CSVs; give a folder with one of them"
        )
    return [_read_live_link(file) for file in chosen]


def _read_live_link(file: Path) -> FaceCurves:
    if file.suffix != ".gz":
        return read_livelink(file)
    with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as stream:
        return parse_livelink(stream, file.name)


def _read_texts(folder: Path) -> RecordingSet:
    """Return the recordings whose every word pocketsphinx's dictionary has, aligned with their texts by it."""
    from model_server.training.speech_corpus.align import align_words, pad
    from model_server.training.speech_corpus.texts import pronounced_words, spoken_words
    from model_server.training.speech_corpus.voice import read_sound

    recordings: list[Recording] = []
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        name, *texts = line.split("|")
        path = next(folder.rglob(f"{name}.*"), None) if texts else None
        words = spoken_words(texts[-1]) if texts else []
        if path is None or not words or not all(word in pronounced_words() for word in words):
            continue
        aligned = align_words(pad(read_sound(path)), words)
        if aligned is not None:
            recordings.append(_known(name, aligned, texts[-1], "en"))
    if not recordings:
        raise AudioError("no recording could be aligned with its text; the texts must be plain English words")
    note = f"A human voice, {len(recordings)} of {len(lines)} recordings; phones by alignment with the text."
    return RecordingSet(folder.name, note, tuple(recordings))


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
        recordings = tuple(
            _known(f"{voice.name} {number + 1}", each, "", voice.language) for number, each in enumerate(chosen)
        )
        truth = "exact phone times" if voice.exact else "phones by alignment with the text"
        sets.append(RecordingSet(voice.name, f"A synthetic voice kept out of training; {truth}.", recordings))
    if not sets:
        raise ConfigError(f"'{corpus}' holds no held-out voice; make them with: dreamtalk corpus build")
    return sets


def _first(utterances: Iterable[Utterance], seconds: float) -> list[Utterance]:
    chosen: list[Utterance] = []
    for utterance in utterances:
        if sum(each.seconds for each in chosen) >= seconds:
            break
        chosen.append(utterance)
    return chosen


def _known(name: str, utterance: Utterance, text: str, language: str) -> Recording:
    return Recording(name, utterance.samples, text, language, _timed_phones(utterance), _teach(utterance))


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


def teach(emotion: EmotionTrack, seconds: float, actor: int, take: int) -> Array:
    """Return (T, 58) what the mouth and expression teachers make of invented speech.

    Args:
        emotion: emotion weights over time.
        seconds: length.
        actor: number of the actor, who says the same at every call of the same length.
        take: number of the take; each has its own chance.
    """
    from model_server.training.expression_teacher import Actor
    from model_server.training.performance_corpus import perform, random_speaker
    from model_server.training.phone_sequences import invent_utterance

    manner = np.random.default_rng([_TEACHER_SEED, actor])
    played, speaker = Actor.random(manner), random_speaker(manner)
    seconds = max(seconds, _SHORTEST_UTTERANCE)
    utterance = invent_utterance(seconds, FPS, np.random.default_rng([_TEACHER_SEED, actor, round(10 * seconds)]))
    weights = emotion.sample(np.arange(round(seconds * FPS)) / FPS)
    chance = np.random.default_rng([_TEACHER_SEED, actor, take, 1])
    return perform(utterance, weights, played, speaker, chance).face
