"""Hearing: a recording to its phone track, from the source that the request names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_server.audio.alignment import (
    POSTERIOR_FLOOR,
    AlignedWords,
    Word,
    agreement,
    align,
    align_words,
    phone_prior,
)
from model_server.audio.english import english_phones
from model_server.audio.features import SAMPLE_RATE
from model_server.audio.listener import Hearing, PhoneListener
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack, join_tracks
from model_server.audio.phones import PHONE_INDEX
from model_server.audio.pronunciation import is_english, pronounce
from model_server.audio.prosody import FRAME_SAMPLES
from model_server.audio.timed_phones import SILENCE, TimedPhones
from model_server.errors import AudioError

from .phone_source import PhoneSource
from .phones import decode_phones

if TYPE_CHECKING:
    from model_server.audio.decode import AudioStream

FloatArray = npt.NDArray[np.float32]

LEAST_AGREEMENT = 0.65
"""Below this ``agreement`` a text belongs to another recording."""

ALIGNER_SPREAD = 0.020
"""Seconds by which pocketsphinx's boundaries are trusted beside the encoder's."""
RECOGNISER_TRUST = 0.8
"""Share of the recogniser's phones in the posteriors; the rest is the encoder's."""

_SHORTEST_STRETCH, _LONGEST_STRETCH = 8.0, 25.0
_PAUSE = 0.15


def hear(audio: AudioStream, encoder: Hearing, source: PhoneSource) -> Iterator[PhoneTrack]:
    """Yield consecutive parts of the phone track of a recording.

    By the encoder and by an edited track they come as the sound is read, in constant memory. The recogniser takes
    stretches of at most 25 s. A text needs the whole recording heard first: about 35 MB an hour. Voicing, pitch and
    loudness always are those of the sound.

    Raises:
        AudioError: for a recording that cannot be used, or that a text or an edited track does not belong to.
        ConfigError: for a text that cannot be pronounced.
    """
    if source.phones is not None:
        return _follow_phones(audio, encoder, source.phones)
    return (track for track, _ in _heard(audio, encoder, source))


def hear_phones(audio: AudioStream, encoder: Hearing, source: PhoneSource) -> TimedPhones:
    """Return the timed phones of a whole recording, finer than its phone track where they are aligned.

    Raises:
        AudioError: for a recording that cannot be used, or that the text does not belong to.
        ConfigError: for a text that cannot be pronounced.
    """
    if source.phones is not None:
        return source.phones
    symbols: list[str] = []
    edges = [0.0]
    for track, known in _joined_where_unknown(_heard(audio, encoder, source)):
        phones = known or decode_phones(track.posteriors)
        symbols += phones.symbols
        edges += (track.start + phones.ends).tolist()
        # Stretches meet in silence.
        edges[-1] = track.start + len(track) / FRAME_RATE
    return TimedPhones.from_edges(symbols, edges)


Heard = tuple[PhoneTrack, TimedPhones | None]
"""Part of a phone track and, where they were aligned, its phones; their times count from its start."""


def _heard(audio: AudioStream, encoder: Hearing, source: PhoneSource) -> Iterator[Heard]:
    if source.text:
        return _follow_text(audio, encoder, pronounce(source.text, source.language), is_english(source.language))
    if source.kind == "recogniser":
        return _recognise(audio, encoder)
    return ((track, None) for track in PhoneListener(encoder).listen(audio.blocks()))


def _joined_where_unknown(parts: Iterable[Heard]) -> Iterator[Heard]:
    """Yield parts; consecutive ones without phones as one."""
    waiting: list[PhoneTrack] = []
    for track, known in parts:
        if known is None:
            waiting.append(track)
            continue
        if waiting:
            yield join_tracks(waiting), None
            waiting = []
        yield track, known
    if waiting:
        yield join_tracks(waiting), None


def _follow_phones(audio: AudioStream, encoder: Hearing, phones: TimedPhones) -> Iterator[PhoneTrack]:
    frames = 0
    posteriors = phones.posteriors(int(np.ceil(phones.duration * FRAME_RATE)) + 1)
    for track in PhoneListener(encoder).listen(audio.blocks()):
        told = posteriors[frames : frames + len(track)]
        silence = np.zeros((len(track) - len(told), posteriors.shape[1]), np.float32)
        silence[:, PHONE_INDEX[SILENCE]] = 1
        yield replace(track, posteriors=np.concatenate([told, silence]))
        frames += len(track)
    _check_length(phones, frames / FRAME_RATE)


def _check_length(phones: TimedPhones, seconds: float) -> None:
    spoken = [end for symbol, end in zip(phones.symbols, phones.ends, strict=True) if symbol != SILENCE]
    if spoken and spoken[-1] > seconds + 0.5:
        raise AudioError(
            f"the edited phones last {spoken[-1]:.2f} s and the recording {seconds:.2f} s; "
            "check that they belong together"
        )


def _follow_text(audio: AudioStream, encoder: Hearing, words: Sequence[Word], english: bool) -> Iterator[Heard]:
    track = join_tracks(list(PhoneListener(encoder).listen(audio.blocks())))
    heard = align_words(track.posteriors, words)
    found = agreement(track.posteriors, heard.phones)
    if found < LEAST_AGREEMENT:
        raise AudioError(
            f"the text does not seem to be what is said in '{audio.name}' (agreement {found:.2f}, at least "
            f"{LEAST_AGREEMENT} is needed); check the text and its language, or leave the text out"
        )
    phones = _with_english_aligner(audio, track, heard, words) if english else heard.phones
    yield replace(track, posteriors=phones.posteriors(len(track))), phones


def _with_english_aligner(
    audio: AudioStream, track: PhoneTrack, heard: AlignedWords, words: Sequence[Word]
) -> TimedPhones:
    """Return the alignment that the encoder and pocketsphinx agree on best.

    Pocketsphinx works on stretches between pauses; one that it cannot align stays as the encoder has it.
    """
    told = np.ones_like(track.posteriors)
    stretches = _stretches(heard, len(track) / FRAME_RATE)
    sounds = _cut(audio.blocks(), [stretch.stop for stretch in stretches])
    asked = (
        (samples, words[stretch.first_word : stretch.last_word], stretch)
        for stretch, samples in zip(stretches, sounds, strict=True)
    )
    for aligned, stretch in english_phones(asked):
        if aligned is not None:
            first, last = round(stretch.start * FRAME_RATE), round(stretch.stop * FRAME_RATE)
            told[first:last] = aligned.posteriors(last - first, ALIGNER_SPREAD)
    both = np.maximum(track.posteriors, POSTERIOR_FLOOR) * np.maximum(told, POSTERIOR_FLOOR)
    return align(both / both.sum(axis=1, keepdims=True), words, phone_prior(track.posteriors))


@dataclass(frozen=True)
class _Stretch:
    """Part of a recording, in seconds at frame edges, and the words said in it."""

    start: float
    stop: float
    first_word: int
    last_word: int


def _stretches(heard: AlignedWords, seconds: float) -> list[_Stretch]:
    """Return the parts of a recording, cut in pauses so that they last some seconds; the last one ends with it."""
    phones = heard.phones
    stretches: list[_Stretch] = []
    start, first, word = 0.0, 0, 0
    for place, owner in enumerate(heard.word_of):
        if owner >= 0:
            word = owner + 1
            continue
        long_enough = phones.ends[place] - phones.starts[place] >= _PAUSE
        middle = round((phones.starts[place] + phones.ends[place]) / 2 * FRAME_RATE) / FRAME_RATE
        if long_enough and word > first and middle - start >= _SHORTEST_STRETCH and place + 1 < len(phones):
            stretches.append(_Stretch(start, middle, first, word))
            start, first = middle, word
    return [*stretches, _Stretch(start, seconds, first, word)]


def _cut(blocks: Iterable[FloatArray], stops: Sequence[float]) -> Iterator[FloatArray]:
    """Yield the sound up to each of ``stops`` seconds, from the stop before; the last has all that is left."""
    source = iter(blocks)
    kept = np.zeros(0, np.float32)
    lengths = [round((stop - start) * SAMPLE_RATE) for start, stop in pairwise([0.0, *stops])]
    for number, length in enumerate(lengths):
        is_last = number == len(lengths) - 1
        parts = [kept]
        held = len(kept)
        while (is_last or held < length) and (block := next(source, None)) is not None:
            parts.append(block)
            held += len(block)
        joined = np.concatenate(parts)
        length = held if is_last else length
        yield joined[:length]
        kept = joined[length:]


def _recognise(audio: AudioStream, encoder: Hearing) -> Iterator[Heard]:
    asked = ((samples, None, track) for samples, track in _heard_stretches(audio, encoder))
    for aligned, track in english_phones(asked):
        if aligned is None:
            yield track, None
            continue
        told = aligned.posteriors(len(track))
        mixed = RECOGNISER_TRUST * told + (1 - RECOGNISER_TRUST) * track.posteriors
        yield replace(track, posteriors=mixed), aligned


def _heard_stretches(audio: AudioStream, encoder: Hearing) -> Iterator[tuple[FloatArray, PhoneTrack]]:
    """Yield the sound and the encoder's phone track of consecutive stretches, cut in pauses."""
    sound: list[FloatArray] = []

    def kept_blocks() -> Iterator[FloatArray]:
        for block in audio.blocks(1.0):
            sound.append(block)
            yield block

    tracks: list[PhoneTrack] = []
    for part in PhoneListener(encoder).listen(kept_blocks()):
        tracks.append(part)
        track = join_tracks(tracks)
        stop = _end_of_stretch(track.posteriors[:, PHONE_INDEX[SILENCE]])
        if stop:
            samples = np.concatenate(sound)
            yield samples[: stop * FRAME_SAMPLES], _frames(track, 0, stop)
            sound[:] = [samples[stop * FRAME_SAMPLES :]]
            tracks = [_frames(track, stop, len(track))]
    if tracks:
        yield np.concatenate(sound), join_tracks(tracks)


def _end_of_stretch(silence: FloatArray) -> int:
    """Return the frame at which to cut what was heard, 0 where more must be heard first.

    Args:
        silence: (T,) probability of silence since the last cut.
    """
    shortest, longest = round(_SHORTEST_STRETCH * FRAME_RATE), round(_LONGEST_STRETCH * FRAME_RATE)
    pause = round(_PAUSE * FRAME_RATE)
    if len(silence) <= shortest + pause:
        return 0
    level = np.convolve(silence[shortest:], np.full(pause, 1 / pause), "valid")
    best = int(level.argmax())
    if level[best] > 0.7 or len(silence) >= longest:
        return shortest + best + pause // 2
    return 0


def _frames(track: PhoneTrack, first: int, stop: int) -> PhoneTrack:
    part = slice(first, stop)
    return PhoneTrack(
        track.posteriors[part],
        track.voicing[part],
        track.pitch[part],
        track.loudness[part],
        track.start + first / FRAME_RATE,
    )
