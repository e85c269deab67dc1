"""Sessions: several utterances of one voice in one place, augmented, as log-mel spectra with labels.

``python -m model_server.training.speech_corpus.sessions --copies 3`` makes them from the corpus; what is already
there is left as it is.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from model_server.audio.features import SAMPLE_RATE, LogMelStream
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import PHONE_INDEX

from .augment import augment, breaths
from .utterance import FloatArray, Utterance, load_shard

_SESSION_SECONDS = 20.0


@dataclass(frozen=True)
class Session:
    """Log-mel spectra (2 T, 64) at 100 frames a second and phones (T,) at 50, frame by frame in step."""

    mel: npt.NDArray[np.float16]
    phones: npt.NDArray[np.uint8]


def session_mel(samples: FloatArray) -> FloatArray:
    """Return the whole frames of log-mel spectra of ``samples``, frame ``j`` centred on (j + 0.5) / 100 s."""
    stream = LogMelStream()
    count = len(samples) // 320 * 320
    late = np.zeros(LogMelStream.DELAY * 160, np.float32)
    return stream.push(np.concatenate([samples[:count], late]))[LogMelStream.DELAY :]


def _pause(generator: np.random.Generator) -> FloatArray:
    count = int(generator.choice([generator.uniform(0.02, 0.2), generator.uniform(0.2, 1.2)]) * SAMPLE_RATE)
    return breaths(count, generator) if generator.random() < 0.4 else np.zeros(count, np.float32)


def make_session(utterances: list[Utterance], babble: FloatArray | None, generator: np.random.Generator) -> Session:
    """Return utterances of one voice as a session; without ``babble`` (any length) the sound is left clean."""
    speed = 1.0 if babble is None else float(np.exp(generator.uniform(np.log(0.86), np.log(1.16))))
    pieces: list[FloatArray] = []
    phones: list[int] = []
    ends: list[float] = []
    position = 0

    def add(samples: FloatArray, symbols: npt.NDArray[np.uint8], stops: npt.NDArray[np.float64]) -> None:
        nonlocal position
        begin = position / SAMPLE_RATE
        position += len(samples)
        phones.extend(symbols.tolist())
        ends.extend(np.minimum(begin + stops, position / SAMPLE_RATE).tolist())
        phones.append(PHONE_INDEX["sil"])
        ends.append(position / SAMPLE_RATE)
        pieces.append(samples)

    for utterance in utterances:
        add(_pause(generator), np.zeros(0, np.uint8), np.zeros(0))
        samples = utterance.samples
        if speed != 1:
            samples = soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
        add(samples, utterance.phones, utterance.ends / speed)
    add(_pause(generator), np.zeros(0, np.uint8), np.zeros(0))
    sound = np.concatenate(pieces)
    if babble is not None:
        sound = augment(sound, np.resize(babble, len(sound)), generator)
    mel = session_mel(sound)
    whole = Utterance(sound, np.array(phones, np.uint8), np.array(ends))
    return Session(mel.astype(np.float16), whole.labels(FRAME_RATE, len(mel) // 2))


def make_sessions(utterances: list[Utterance], clean: bool, generator: np.random.Generator) -> list[Session]:
    """Return all utterances once, in random order, as sessions of about 20 s."""
    order = generator.permutation(len(utterances))
    sessions: list[Session] = []
    group: list[Utterance] = []
    for number, index in enumerate(order):
        group.append(utterances[index])
        if sum(u.seconds for u in group) >= _SESSION_SECONDS or number == len(order) - 1:
            sessions.append(make_session(group, None if clean else _babble(utterances, generator), generator))
            group = []
    return sessions


def _babble(utterances: list[Utterance], generator: np.random.Generator) -> FloatArray:
    """Return six seconds of several voices at once, backwards so that no phones are heard in them."""
    total = np.zeros(6 * SAMPLE_RATE, np.float32)
    for index in generator.integers(0, len(utterances), generator.integers(3, 7)):
        total += np.resize(utterances[index].samples[::-1], len(total))
    return total


def save_sessions(path: Path, sessions: list[Session]) -> None:
    """Write sessions as one file; a crash leaves no half file."""
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        mel=np.concatenate([session.mel for session in sessions]),
        phones=np.concatenate([session.phones for session in sessions]),
        counts=np.array([len(session.phones) for session in sessions]),
    )
    partial.replace(path)


def load_sessions(path: Path) -> list[Session]:
    """Return the sessions of :func:`save_sessions`."""
    with np.load(path, allow_pickle=False) as data:
        edges = np.cumsum(data["counts"])[:-1]
        mels, phones = np.split(data["mel"], 2 * edges), np.split(data["phones"], edges)
    return [Session(mel, labels) for mel, labels in zip(mels, phones, strict=True)]


def make_file(voice: Path, copy: int, seed: int, out: Path) -> str:
    """Make one copy of one voice; copy -1 is clean, all others are augmented."""
    generator = np.random.default_rng([seed, copy + 1, *voice.stem.encode()])
    save_sessions(out, make_sessions(load_shard(voice), copy < 0, generator))
    return out.name


def main() -> None:
    """Make the sessions of every voice of the corpus: augmented copies, and one clean copy numbered -1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("runs/speech_corpus"))
    parser.add_argument("--folder", type=Path, default=Path("runs/speech_sessions"))
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    voices = sorted(path for path in arguments.corpus.glob("*.npz") if ".partial" not in path.name)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        jobs = []
        for copy in (0, -1, *range(1, arguments.copies)):
            for voice in voices:
                out = arguments.folder / f"{voice.stem}.{copy}.npz"
                if not out.exists():
                    jobs.append(pool.submit(make_file, voice, copy, arguments.seed, out))
        for job in jobs:
            print(job.result(), flush=True)


if __name__ == "__main__":
    main()
