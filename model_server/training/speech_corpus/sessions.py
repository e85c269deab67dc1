"""Sessions: several utterances of one voice in one place, augmented, as features with labels."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.audio.features import SAMPLE_RATE, LogMelStream
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import PHONE_INDEX, PHONES, VOICELESS
from model_server.audio.prosody import FRAME_SAMPLES, ProsodyStream
from model_server.errors import ConfigError

from .augment import augment
from .backgrounds import Backgrounds, breath, room_tone
from .utterance import FloatArray, Utterance, load_shard, shard_seconds
from .voice_change import VoiceChange
from .workers import workers

_SESSION_SECONDS = 20.0
_PROSODY_DELAY = 2
_PROSODY_BLOCK = 50
# A noise gate closes no shorter pauses than this.
_GATE_SECONDS = 0.12
_TONE_CHANCE = 0.75
_SIL = PHONE_INDEX["sil"]
_VOICED = np.array([phone not in VOICELESS for phone in PHONES], np.float32)
_INTERLUDES = {"music": 0.4, "noise": 0.2, "applause": 0.2, "voices": 0.1, "hum": 0.1}


@dataclass(frozen=True)
class Session:
    """Features of some twenty seconds, frame by frame in step.

    Attributes:
        mel: (2 T, 64) natural logarithms of mel power at 100 frames a second.
        phones: (T,) indices into ``PHONES`` at 50 frames a second.
        pitch: (T,) semitones above the voice's running median, as in ``PhoneTrack``; 0 where unvoiced.
        loudness: (T,) as in ``PhoneTrack``.
    """

    mel: npt.NDArray[np.float16]
    phones: npt.NDArray[np.uint8]
    pitch: npt.NDArray[np.float16]
    loudness: npt.NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.phones)


def session_mel(samples: FloatArray) -> FloatArray:
    """Return the whole frames of log-mel spectra of ``samples``, frame ``j`` centred on (j + 0.5) / 100 s."""
    stream = LogMelStream()
    count = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
    late = np.zeros(LogMelStream.DELAY * 160, np.float32)
    return stream.push(np.concatenate([samples[:count], late]))[LogMelStream.DELAY :]


def session_prosody(samples: FloatArray, phones: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
    """Return (T,) pitch and (T,) loudness of sound with (T,) phones, as a listener that hears no phone wrong."""
    stream = ProsodyStream(_PROSODY_DELAY)
    block = _PROSODY_BLOCK * FRAME_SAMPLES
    blocks = -(-(len(phones) + _PROSODY_DELAY) // _PROSODY_BLOCK)
    padded = np.zeros(blocks * block, np.float32)
    padded[: len(phones) * FRAME_SAMPLES] = samples[: len(phones) * FRAME_SAMPLES]
    voicing = np.zeros(blocks * _PROSODY_BLOCK, np.float32)
    voicing[_PROSODY_DELAY : _PROSODY_DELAY + len(phones)] = _VOICED[phones]
    parts = [
        stream.push(padded[number * block :][:block], voicing[number * _PROSODY_BLOCK :][:_PROSODY_BLOCK])
        for number in range(blocks)
    ]
    pitch, loudness = (np.concatenate(column)[_PROSODY_DELAY:][: len(phones)] for column in zip(*parts, strict=True))
    return pitch, loudness


def _pause(generator: np.random.Generator) -> FloatArray:
    count = int(generator.choice([generator.uniform(0.02, 0.2), generator.uniform(0.2, 1.2)]) * SAMPLE_RATE)
    return breath(count, generator) if generator.random() < 0.4 else np.zeros(count, np.float32)


def _interlude(backgrounds: Backgrounds, generator: np.random.Generator) -> FloatArray:
    """Return up to six seconds in which nobody speaks: music, noise, applause, the murmur of others."""
    count = int(generator.uniform(0.5, 6) * SAMPLE_RATE)
    kind = str(generator.choice(list(_INTERLUDES), p=list(_INTERLUDES.values())))
    sound = backgrounds.bed(kind, count, generator)
    fade = min(count // 2, int(generator.uniform(0.005, 0.5) * SAMPLE_RATE))
    sound[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    sound[count - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    # Speech comes at about -20 decibels. Voices as loud as that would be speech, whatever they say.
    loudest = -34 if kind == "voices" else -17
    return np.asarray(sound * np.float32(10 ** (generator.uniform(-45, loudest) / 20)))


def _fill_pauses(pieces: list[Utterance], generator: np.random.Generator) -> list[Utterance]:
    """Return the pieces with the noise of the next recording in each pause: noise alone must not mean speech."""
    filled = []
    speech = next(piece for piece in reversed(pieces) if len(piece.phones)).samples
    for piece in reversed(pieces):
        if len(piece.phones):
            speech = piece.samples
            filled.append(piece)
        else:
            filled.append(_silence(piece.samples + room_tone(speech, len(piece.samples), generator)))
    return filled[::-1]


def _join(pieces: list[Utterance]) -> Utterance:
    """Return sounds one after the other; what a piece does not label is silence."""
    phones: list[int] = []
    ends: list[float] = []
    position = 0
    for piece in pieces:
        begin = position / SAMPLE_RATE
        position += len(piece.samples)
        phones += [*piece.phones.tolist(), _SIL]
        ends += [*np.minimum(begin + piece.ends, position / SAMPLE_RATE).tolist(), position / SAMPLE_RATE]
    return Utterance(np.concatenate([p.samples for p in pieces]), np.array(phones, np.uint8), np.array(ends))


def _gate(samples: FloatArray, whole: Utterance) -> FloatArray:
    """Return the sound with pure zeros in its pauses, as editors and noise gates leave it."""
    silent = whole.labels(SAMPLE_RATE / 160, len(samples) // 160 + 1) == _SIL
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(int))).reshape(-1, 2) * 160
    gated = samples.copy()
    margin = int(0.03 * SAMPLE_RATE)
    for first, last in edges:
        if last - first > _GATE_SECONDS * SAMPLE_RATE:
            gated[first + margin : last - margin] = 0
    return gated


def _silence(samples: FloatArray) -> Utterance:
    return Utterance(samples, np.zeros(0, np.uint8), np.zeros(0))


def make_session(
    utterances: list[Utterance], backgrounds: Backgrounds | None, generator: np.random.Generator
) -> Session:
    """Return utterances of one voice as a session; without ``backgrounds`` the voice and the sound are left clean."""
    pieces: list[Utterance] = []
    change = VoiceChange() if backgrounds is None else VoiceChange.draw(generator)
    for utterance in utterances:
        pieces.append(_silence(_pause(generator)))
        # A word alone is followed by an interlude less often than a sentence.
        if backgrounds is not None and generator.random() < min(0.12, 0.03 * utterance.seconds):
            pieces.append(_silence(_interlude(backgrounds, generator)))
        spoken = change(utterance)
        if backgrounds is not None:
            level = np.float32(10 ** (generator.uniform(-8, 0) / 20))
            spoken = Utterance(spoken.samples * level, spoken.phones, spoken.ends)
        pieces.append(spoken)
    pieces.append(_silence(_pause(generator)))
    if backgrounds is not None and generator.random() < _TONE_CHANCE:
        pieces = _fill_pauses(pieces, generator)
    whole = _join(pieces)
    sound = whole.samples
    if backgrounds is not None:
        sound = augment(sound, backgrounds, generator)
        if generator.random() < 0.12:
            sound = _gate(sound, whole)
    mel = session_mel(sound)
    phones = whole.labels(FRAME_RATE, len(mel) // 2)
    pitch, loudness = session_prosody(sound, phones)
    return Session(mel.astype(np.float16), phones, pitch.astype(np.float16), loudness.astype(np.float16))


def make_sessions(utterances: list[Utterance], clean: bool, generator: np.random.Generator) -> list[Session]:
    """Return all utterances once, in random order, as sessions of about 20 s."""
    backgrounds = None if clean else Backgrounds.make(utterances, generator)
    order = generator.permutation(len(utterances))
    sessions: list[Session] = []
    group: list[Utterance] = []
    for number, index in enumerate(order):
        group.append(utterances[index])
        if sum(u.seconds for u in group) >= _SESSION_SECONDS or number == len(order) - 1:
            sessions.append(make_session(group, backgrounds, generator))
            group = []
    return sessions


def save_sessions(path: Path, sessions: list[Session]) -> None:
    """Write sessions as one file; a crash leaves no half file."""
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        counts=np.array([len(session) for session in sessions]),
        mel=np.concatenate([session.mel for session in sessions]),
        phones=np.concatenate([session.phones for session in sessions]),
        pitch=np.concatenate([session.pitch for session in sessions]),
        loudness=np.concatenate([session.loudness for session in sessions]),
    )
    partial.replace(path)


def load_sessions(path: Path) -> list[Session]:
    """Return the sessions of :func:`save_sessions`.

    Raises:
        ConfigError: for a file of another version.
    """
    with np.load(path, allow_pickle=False) as data:
        missing = {"counts", "mel", "phones", "pitch", "loudness"} - set(data.files)
        if missing:
            raise ConfigError(f"'{path}' has no {' and no '.join(sorted(missing))}; delete it and make it again")
        edges = np.cumsum(data["counts"])[:-1]
        columns = [np.split(data[name], edges) for name in ("phones", "pitch", "loudness")]
        mels = np.split(data["mel"], 2 * edges)
    return [Session(mel, *column) for mel, *column in zip(mels, *columns, strict=True)]


@dataclass(frozen=True)
class SessionFile:
    """What a file of sessions holds, read without its sound.

    Attributes:
        path: the file, ``<voice>.<copy>.npz``.
        voice: name of the voice.
        copy: which copy of it: -1 is clean, the others are augmented, each in another way.
        counts: (S,) frames of each session at 50 a second.
    """

    path: Path
    voice: str
    copy: int
    counts: npt.NDArray[np.int64]

    @property
    def seconds(self) -> float:
        """How long its sessions are together."""
        return float(self.counts.sum()) / FRAME_RATE


def index_sessions(folder: Path) -> list[SessionFile]:
    """Return what every finished file of sessions in ``folder`` holds, by name; reads a few bytes of each."""
    found = []
    for path in sorted(folder.glob("*.*.npz")):
        voice, copy = path.name.removesuffix(".npz").rsplit(".", 1)
        if copy == "partial":
            continue
        with np.load(path, allow_pickle=False) as data:
            found.append(SessionFile(path, voice, int(copy), data["counts"].astype(np.int64)))
    return found


@dataclass(frozen=True)
class SessionWork:
    """One file of sessions to be made.

    Attributes:
        shard: the voice's utterances.
        copy: -1 for clean, others are augmented.
        out: the file.
        seconds: of speech in the shard.
    """

    shard: Path
    copy: int
    out: Path
    seconds: float


def wanted_files(corpus: Path, folder: Path, copies: int, voices: Collection[str] | None = None) -> list[SessionWork]:
    """Return what is missing or older than its voice: ``copies`` augmented copies and a clean one of every voice.

    Args:
        corpus: folder of the voices' shards.
        folder: where session files go.
        copies: augmented copies of each voice.
        voices: names of the voices; all in ``corpus`` where none are given.
    """
    wanted = []
    shards = [path for path in sorted(corpus.glob("*.npz")) if ".partial" not in path.name]
    seconds = {shard: shard_seconds(shard) for shard in shards if voices is None or shard.stem in voices}
    # One copy of everything first: training can begin with it.
    for copy in (0, -1, *range(1, copies)):
        for shard in seconds:
            out = folder / f"{shard.stem}.{copy}.npz"
            if not out.exists() or out.stat().st_mtime < shard.stat().st_mtime:
                wanted.append(SessionWork(shard, copy, out, seconds[shard]))
    return wanted


def make_file(work: SessionWork, seed: int) -> float:
    """Make one copy of one voice; returns the processor seconds that it took."""
    started = time.process_time()
    generator = np.random.default_rng([seed, work.copy + 1, *work.shard.stem.encode()])
    save_sessions(work.out, make_sessions(load_shard(work.shard), work.copy < 0, generator))
    return time.process_time() - started


def make_files(wanted: Sequence[SessionWork], jobs: int, seed: int) -> Generator[tuple[SessionWork, float], None, None]:
    """Make files of sessions; the same seed gives the same sessions, whatever ``jobs``.

    Args:
        wanted: which.
        jobs: processes that work at once.
        seed: of everything that chance decides.

    Yields:
        each finished file and the processor seconds that it took.
    """
    if not wanted:
        return
    for folder in {work.out.parent for work in wanted}:
        folder.mkdir(parents=True, exist_ok=True)
    with workers(jobs) as pool:
        running = {pool.submit(make_file, work, seed): work for work in wanted}
        for job in as_completed(running):
            yield running[job], job.result()
