"""Performances of the speech corpus: the encoder hears its voices, the teachers move a face to their true phones.

What the models learn to read is what the encoder really hears of voices in noise and on the telephone, with its
mistakes; sometimes it is an alignment instead, as when the words are known.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from blendshape_rigs.arkit import LIP_CHANNELS
from model_server.audio.features import RunningMean
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack
from model_server.audio.phones import PHONE_INDEX, PHONES
from model_server.audio.timed_phones import TimedPhones
from model_server.errors import ConfigError
from model_server.models.checkpoint import load_checkpoint
from model_server.models.speech_encoder import SpeechEncoder

from .expression_teacher import Actor, Prosody, express
from .mouth_teacher import VOWELS, PhoneSegments, Speaker, articulate
from .performance_corpus import random_emotion, random_speaker
from .performances import Performance, save_performances
from .speech_corpus.engines import VOICES
from .speech_corpus.sessions import Session, SessionFile, index_sessions, load_sessions

FloatArray = npt.NDArray[np.float32]

_ALIGNED_SHARE = 0.25
_STYLE_SECONDS = 4.0
_SHORTEST_PAUSE = 0.18
_LONGEST_SECONDS = 60.0
_HELD_OUT_SHARE = 0.05
_LIPS = list(LIP_CHANNELS)


@dataclass(frozen=True)
class Speech:
    """A session as the face models learn from it.

    Attributes:
        features: (T, 45) float32 phone-track features as heard.
        loudness: (T,) float32 as in ``PhoneTrack``.
        segments: the true phones.
        speech: (T,) float32, 1 while somebody speaks.
        prosody: accents and phrase ends.
    """

    features: FloatArray
    loudness: FloatArray
    segments: PhoneSegments
    speech: FloatArray
    prosody: Prosody


def true_segments(phones: npt.NDArray[np.uint8]) -> PhoneSegments:
    """Return frame-wise phones (T,) as timed segments; equal neighbours become one."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(phones.astype(np.int64))) + 1])
    symbols = tuple(PHONES[phones[edge]] for edge in edges)
    return PhoneSegments(symbols, edges / FRAME_RATE, len(phones) / FRAME_RATE)


def find_prosody(segments: PhoneSegments, pitch: FloatArray, loudness: FloatArray) -> Prosody:
    """Return the pitch accents and phrase ends of speech.

    A vowel bears an accent when it stands out among its neighbours by pitch, loudness and length together, as accents
    do (Fry 1958); its strength is how far it stands out.
    """
    ends = np.append(segments.starts[1:], segments.end)
    vowels = [i for i, symbol in enumerate(segments.symbols) if symbol in VOWELS]
    pauses = [
        float(segments.starts[i])
        for i, symbol in enumerate(segments.symbols)
        if i and symbol == "sil" and ends[i] - segments.starts[i] >= _SHORTEST_PAUSE
    ]
    if len(vowels) < 3:
        return Prosody(np.zeros(0), np.zeros(0), np.array(pauses), loudness)
    starts, stops = segments.starts[vowels], ends[vowels]
    spans = [
        slice(int(a * FRAME_RATE), max(int(a * FRAME_RATE) + 1, int(b * FRAME_RATE)))
        for a, b in zip(starts, stops, strict=True)
    ]
    cues = np.stack(
        [
            [float(pitch[span].max()) for span in spans],
            [float(loudness[span].max()) for span in spans],
            np.log(stops - starts),
        ]
    )
    scaled = (cues - np.median(cues, axis=1, keepdims=True)) / (cues.std(axis=1, keepdims=True) + 1e-3)
    prominence = np.array([0.45, 0.35, 0.2]) @ scaled
    around = np.pad(prominence, 1, constant_values=-np.inf)
    stands_out = (prominence > 0.25) & (prominence >= around[:-2]) & (prominence >= around[2:])
    times = 0.5 * (starts + stops)
    return Prosody(times[stands_out], np.clip(0.3 + 0.45 * prominence[stands_out], 0, 1), np.array(pauses), loudness)


def listen(session: Session, encoder: SpeechEncoder, generator: np.random.Generator) -> Speech:
    """Return a session as heard by ``encoder``, sometimes as aligned with its words, and what is true of it."""
    pitch, loudness = session.pitch.astype(np.float32), session.loudness.astype(np.float32)
    mel = RunningMean(encoder.mel_prior()).push(session.mel.astype(np.float32))
    late = np.zeros((2 * encoder.delay, mel.shape[1]), np.float32)
    posteriors, voicing, _ = encoder.hear(np.concatenate([mel, late]), encoder.start())
    heard, voicing = posteriors[encoder.delay :], voicing[encoder.delay :]
    if generator.random() < _ALIGNED_SHARE:
        heard = aligned_posteriors(session.phones, generator)
    track = PhoneTrack(heard, voicing, pitch, loudness)
    segments = true_segments(session.phones)
    speech = (session.phones != PHONE_INDEX["sil"]).astype(np.float32)
    return Speech(track.features(), loudness, segments, speech, find_prosody(segments, pitch, loudness))


def aligned_posteriors(phones: npt.NDArray[np.uint8], generator: np.random.Generator) -> FloatArray:
    """Return (T, 42) posteriors of an alignment with the text: right phones, boundaries off by 10 ms or so."""
    segments = true_segments(phones)
    starts = segments.starts + generator.normal(0, 0.010, len(segments.starts))
    starts[0] = 0
    edges = np.maximum.accumulate(np.append(starts, segments.end))
    return TimedPhones.from_edges(segments.symbols, np.minimum(edges, segments.end)).posteriors(len(phones))


def perform(
    speech: Speech, emotion: FloatArray, actor: Actor, speaker: Speaker, generator: np.random.Generator
) -> FloatArray:
    """Return (T, 58) the face of ``actor`` who speaks as ``speaker`` with ``emotion`` (T, 8)."""
    values, rotation, translation = express(emotion, speech.speech, speech.prosody, FRAME_RATE, actor, generator)
    emotional = np.zeros_like(values)
    emotional[:, _LIPS] = values[:, _LIPS]
    mouth = articulate(speech.segments, speech.loudness, FRAME_RATE, speaker, emotional)
    values[:, _LIPS] = mouth[:, _LIPS]
    return np.concatenate([values, rotation, translation], axis=1).astype(np.float32)


def make_performance(
    session: Session, other: Session, encoder: SpeechEncoder, actor_name: str, generator: np.random.Generator
) -> Performance:
    """Return a taught performance of ``session``, with a style clip of the same actor who says part of ``other``."""
    actor, speaker = Actor.random(generator), random_speaker(generator)
    speech = listen(session, encoder, generator)
    emotion = random_emotion(len(session), generator)
    face = perform(speech, emotion, actor, speaker, generator)
    # The actor's manner in an emotion of this performance, at other words.
    clip = _cut(other, round(_STYLE_SECONDS * FRAME_RATE), generator)
    manner = np.tile(emotion[generator.integers(len(emotion))], (len(clip), 1))
    pitch, loudness = clip.pitch.astype(np.float32), clip.loudness.astype(np.float32)
    segments = true_segments(clip.phones)
    said = Speech(
        np.zeros((0, 0), np.float32),
        loudness,
        segments,
        (clip.phones != PHONE_INDEX["sil"]).astype(np.float32),
        find_prosody(segments, pitch, loudness),
    )
    style = perform(said, manner, actor, speaker, generator)
    half = np.float16
    return Performance(
        speech.features.astype(half), emotion.astype(half), face.astype(half), style.astype(half), actor_name
    )


def _cut(session: Session, frames: int, generator: np.random.Generator) -> Session:
    """Return up to ``frames`` of a session, from anywhere in it."""
    first = int(generator.integers(0, max(1, len(session) - frames + 1)))
    part = slice(first, first + frames)
    return Session(
        session.mel[2 * first : 2 * (first + frames)], session.phones[part], session.pitch[part], session.loudness[part]
    )


def make_file(source: SessionFile, seconds: float, encoder_path: Path, out: Path, seed: int) -> float:
    """Write up to ``seconds`` of performances of the sessions in ``source``; return how long they are."""
    torch.set_num_threads(1)
    encoder = load_checkpoint(encoder_path, SpeechEncoder)
    generator = np.random.default_rng([seed, source.copy + 1, *source.voice.encode()])
    sessions = [s for s in load_sessions(source.path) if len(s) >= 4 * FRAME_RATE]
    longest = round(_LONGEST_SECONDS * FRAME_RATE)
    performances: list[Performance] = []
    total = 0.0
    for number in generator.permutation(len(sessions)):
        if total >= seconds:
            break
        session = _cut(sessions[number], longest, generator)
        other = sessions[int(generator.integers(len(sessions)))]
        name = f"{source.voice}.{source.copy}.{number}"
        performances.append(make_performance(session, other, encoder, name, generator))
        total += len(session) / FRAME_RATE
    if performances:
        save_performances(out, performances)
    return total


def plan(files: list[SessionFile], hours: float) -> list[tuple[SessionFile, float]]:
    """Return how many seconds to take of each file: all voices alike as far as they go, ``hours`` in all."""
    wanted = 3600 * hours
    lengths = np.array([file.seconds for file in files])
    low, high = 0.0, float(lengths.max(initial=0.0))
    for _ in range(40):
        level = 0.5 * (low + high)
        low, high = (level, high) if np.minimum(lengths, level).sum() < wanted else (low, level)
    return [(file, float(min(file.seconds, high))) for file in files]


def perform_corpus(
    sessions: Path, folder: Path, encoder: Path, hours: float, jobs: int, seed: int
) -> Generator[tuple[Path, float], None, None]:
    """Make what is missing of the performances of a speech corpus; a stopped run goes on.

    Args:
        sessions: folder of augmented sessions; clean copies are left out.
        folder: where ``<voice>.<copy>.npz`` go; those of held-out voices end in ``.held_out.npz``.
        encoder: weights of the speech encoder that hears them.
        hours: of performances to train on; a twentieth more is held out.
        jobs: processes at once.
        seed: the same seed gives the same performances.

    Yields:
        each new file and the seconds in it.

    Raises:
        ConfigError: when there are no sessions.
    """
    files = [file for file in index_sessions(sessions) if file.copy >= 0]
    held_names = {voice.name for voice in VOICES if voice.held_out}
    trained = [file for file in files if file.voice not in held_names]
    if not trained:
        raise ConfigError(f"'{sessions}' holds no sessions; make them with: dreamtalk corpus build")
    held = [file for file in files if file.voice in held_names and file.copy == 0]
    with ProcessPoolExecutor(jobs) as pool:
        work = {}
        for source, seconds in plan(trained, hours) + plan(held, _HELD_OUT_SHARE * hours):
            suffix = ".held_out" if source.voice in held_names else ""
            out = folder / f"{source.voice}.{source.copy}{suffix}.npz"
            if not out.exists():
                work[pool.submit(make_file, source, seconds, encoder, out, seed)] = out
        try:
            for job in as_completed(work):
                yield work[job], job.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
