"""Forced alignment: when each phone of known words is spoken, by Viterbi on phone posteriors. For any language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model_server.errors import AudioError

from .phone_track import FRAME_RATE
from .phones import MOUTH_CLASS_OF, MOUTH_CLASSES, PHONE_INDEX, PHONES
from .timed_phones import SILENCE, TimedPhones

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

POSTERIOR_FLOOR = 1e-3
"""No frame speaks against a phone more than this: the encoder can be sure and wrong."""

_PRIOR_SHARE = 0.1
# A pause between words lasts as long at least; less is the closure of a stop or an error of the encoder.
_SILENCE_FRAMES = 2
# Paths that are this much less likely than the best one (nats) are given up; tried again wider when that fails.
_BEAMS = (150.0, 600.0, np.inf)
# Most (frame, state) pairs to remember, 1 byte each.
_MOST_MEMORY = 1_000_000_000


@dataclass(frozen=True)
class Word:
    """A word and how it may be spoken.

    Attributes:
        spelling: as written, for messages.
        pronunciations: one or more alternatives of one or more phones of ``PHONES``.
    """

    spelling: str
    pronunciations: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class AlignedWords:
    """Words with the times of their phones.

    Attributes:
        phones: all phones and the silences between words.
        word_of: for each phone the index of its word, -1 for silence.
    """

    phones: TimedPhones
    word_of: tuple[int, ...]


@dataclass
class _Network:
    """States from left to right: silence, the pronunciations of a word, silence, the next word and so on.

    Attributes:
        phones: (S,) phone index of each state.
        word_of: (S,) index of its word, -1 for silence.
        before: (S, K) states from which a state is reached; the first is itself, unused places are -1.
        starts: states in which speech may begin.
        stops: states in which it may end.
    """

    phones: list[int] = field(default_factory=list)
    word_of: list[int] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)

    def add(self, phone: str, word: int, before: Sequence[int]) -> int:
        state = len(self.phones)
        self.phones.append(PHONE_INDEX[phone])
        self.word_of.append(word)
        self.before.append([state, *before])
        return state


def _network(words: Sequence[Word]) -> _Network:
    network = _Network()
    silence = _add_silence(network, [])
    network.starts = list(range(silence + 1))
    entries = [silence]
    for index, word in enumerate(words):
        ends = []
        for pronunciation in word.pronunciations:
            before = entries
            for place, phone in enumerate(pronunciation):
                state = network.add(phone, index, before)
                if place == 0 and index == 0:
                    network.starts.append(state)
                before = [state]
            ends += before
        entries = [_add_silence(network, ends), *ends]
    network.stops = entries
    return network


def _add_silence(network: _Network, before: Sequence[int]) -> int:
    """Add a silence of at least ``_SILENCE_FRAMES`` and return its last state."""
    for _ in range(_SILENCE_FRAMES):
        before = [network.add(SILENCE, -1, before)]
    return before[0]


def phone_prior(posteriors: FloatArray) -> FloatArray:
    """Return (42,) how often the encoder names each phone: the mean of (T, 42) posteriors, drawn to evenness."""
    even = np.full(len(PHONES), 1 / len(PHONES), np.float32)
    return np.asarray((1 - _PRIOR_SHARE) * posteriors.mean(axis=0) + _PRIOR_SHARE * even, np.float32)


def align(posteriors: FloatArray, words: Sequence[Word], prior: FloatArray | None = None) -> TimedPhones:
    """Return the phones of :func:`align_words`."""
    return align_words(posteriors, words, prior).phones


def align_words(posteriors: FloatArray, words: Sequence[Word], prior: FloatArray | None = None) -> AlignedWords:
    """Return when each phone of ``words`` is spoken; silences lie between words and at the ends where they are heard.

    Viterbi on posteriors divided by the prior (Bourlard and Morgan, Connectionist Speech Recognition, 1994). Within
    20 ms a boundary lies where the two phones are equally likely.

    Args:
        posteriors: (T, 42) phone posteriors at ``FRAME_RATE``.
        words: what is said, in order.
        prior: (42,) how often the encoder names each phone; by default as in these posteriors.

    Raises:
        AudioError: when the recording is too short to hold the words, or the two together are too long.
        ValueError: for a word without a pronunciation.
    """
    if any(not word.pronunciations or not all(word.pronunciations) for word in words):
        raise ValueError("every word needs a pronunciation")
    network = _network(words)
    fewest = sum(min(map(len, word.pronunciations)) for word in words)
    if fewest > len(posteriors):
        raise AudioError(
            f"the text has at least {fewest} sounds, too many for {len(posteriors) / FRAME_RATE:.1f} s of sound; "
            "check that the text belongs to this recording"
        )
    if not len(posteriors):
        return AlignedWords(TimedPhones((), np.zeros(0), np.zeros(0)), ())
    prior = phone_prior(posteriors) if prior is None else prior
    scores = np.log(np.maximum(posteriors, POSTERIOR_FLOOR) / prior).astype(np.float32)
    path = next(path for beam in _BEAMS if (path := _best_path(scores, network, beam)) is not None)
    return _timed(path, scores, network)


def agreement(posteriors: FloatArray, phones: TimedPhones) -> float:
    """Return in 0..1 how well the sound agrees with the phones, whatever the recording's quality.

    In speech, the mean posterior of the phones' mouth classes over that of the classes heard best. Read English gives
    0.85 to 0.95, a text that belongs to another recording 0.15 to 0.5.

    Args:
        posteriors: (T, 42) phone posteriors at ``FRAME_RATE``.
        phones: as aligned with them.
    """
    merge = np.zeros((len(PHONES), len(MOUTH_CLASSES)), np.float32)
    merge[np.arange(len(PHONES)), MOUTH_CLASS_OF] = 1
    labels = phones.labels(len(posteriors))
    spoken = labels != PHONE_INDEX[SILENCE]
    if not spoken.any():
        return 0.0
    classes = (posteriors @ merge)[spoken]
    told = classes[np.arange(len(classes)), np.array(MOUTH_CLASS_OF)[labels[spoken]]]
    return float(told.mean() / classes.max(axis=1).mean())


def _best_path(scores: FloatArray, network: _Network, beam: float) -> IntArray | None:
    """Return (T,) the state of every frame, or None when no path within the beam reaches the end.

    States further than ``beam`` below the best are forgotten. As words come in order, those that remain lie close
    together, so that a frame costs a window of states, however long the text is.
    """
    count = len(network.phones)
    width = max(map(len, network.before))
    before = np.array([row + [-1] * (width - len(row)) for row in network.before])
    reach = _reach(before)
    phones = np.array(network.phones)
    total = np.full(count + 1, -np.inf, np.float32)  # the last is no state: what -1 points to
    total[network.starts] = scores[0, phones[network.starts]]
    low, high = 0, max(network.starts) + 1
    firsts: list[int] = [0]
    choices: list[npt.NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    memory = 0
    for frame in scores[1:]:
        high = min(count, int(reach[high - 1]) + 1)
        reached = total[before[low:high]]
        choice = reached.argmax(axis=1)
        fresh = reached[np.arange(high - low), choice] + frame[phones[low:high]]
        total[low:high] = fresh
        alive = np.flatnonzero(fresh >= fresh.max() - beam) if beam < np.inf else np.flatnonzero(fresh > -np.inf)
        firsts.append(low)
        choices.append(choice.astype(np.uint8))
        memory += high - low
        if memory > _MOST_MEMORY:
            raise AudioError("the recording and its text are too long to align in one piece; cut them into parts")
        total[low : low + alive[0]] = -np.inf
        total[low + alive[-1] + 1 : high] = -np.inf
        low, high = low + int(alive[0]), low + int(alive[-1]) + 1
    state = max(network.stops, key=lambda stop: float(total[stop]))
    if not np.isfinite(total[state]):
        return None
    path = np.empty(len(scores), np.int64)
    for index in range(len(scores) - 1, -1, -1):
        path[index] = state
        if index:
            state = int(before[state, choices[index][state - firsts[index]]])
    return path


def _reach(before: IntArray) -> IntArray:
    """Return (S,) the furthest state that any state up to this one leads to."""
    reach = np.arange(len(before))
    for state, row in enumerate(before):
        for origin in row[row >= 0]:
            reach[origin] = max(reach[origin], state)
    return np.asarray(np.maximum.accumulate(reach), np.int64)


def _timed(path: IntArray, scores: FloatArray, network: _Network) -> AlignedWords:
    """Return the phones of a path with boundaries finer than a frame."""
    phones = np.array(network.phones)
    # Silence has several states of one phone; two states of any other phone are two phones.
    silent = phones[path] == PHONE_INDEX[SILENCE]
    changes = np.flatnonzero((np.diff(path) != 0) & ~(silent[1:] & silent[:-1])) + 1
    here, there = phones[path[changes - 1]], phones[path[changes]]
    # How much more likely the later phone is, at the middles of the frames on either side.
    early = (scores[changes - 1, there] - scores[changes - 1, here]).astype(np.float64)
    late = (scores[changes, there] - scores[changes, here]).astype(np.float64)
    crosses = (early < 0) & (late > 0)
    part = np.where(crosses, -early / np.where(crosses, late - early, 1), 0.5)
    # A phone of one frame may end where it began: it keeps a tenth of its frame.
    edges = (changes - 0.5 + part.clip(0.05, 0.95)) / FRAME_RATE
    states = path[np.append(0, changes)]
    starts, ends = np.append(0.0, edges), np.append(edges, len(path) / FRAME_RATE)
    timed = TimedPhones(tuple(PHONES[phones[state]] for state in states), starts, ends)
    return AlignedWords(timed, tuple(network.word_of[state] for state in states))
