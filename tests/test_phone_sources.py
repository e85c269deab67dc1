"""Sources of phones beside the encoder: alignment with known words, recognition, edited tracks."""

from __future__ import annotations

import numpy as np
import pytest

from model_server.audio.alignment import Word, agreement, align
from model_server.audio.phones import PHONE_INDEX, PHONES
from model_server.audio.timed_phones import TimedPhones
from model_server.errors import AudioError


def timed(text: str, edges: list[float]) -> TimedPhones:
    return TimedPhones.from_edges(text.split(), edges)


def noisy(phones: TimedPhones, frames: int, sureness: float = 0.6) -> np.ndarray:
    """Return posteriors as an encoder that is not sure gives them."""
    posteriors = sureness * phones.posteriors(frames)
    others = np.random.default_rng(1).dirichlet(np.full(len(PHONES), 0.2), frames)
    return (posteriors + (1 - sureness) * others).astype(np.float32)


class TestTimedPhones:
    def test_labels_are_the_phones_at_the_middles_of_frames(self) -> None:
        phones = timed("m a", [0.04, 0.075, 0.1])
        assert [PHONES[label] for label in phones.labels(7)] == ["sil", "sil", "m", "m", "a", "sil", "sil"]

    def test_posteriors_blend_at_boundaries(self) -> None:
        posteriors = timed("m a", [0.1, 0.2, 0.4]).posteriors(25)
        assert posteriors.dtype == np.float32
        assert posteriors.sum(axis=1) == pytest.approx(1, abs=1e-6)
        # The middles of the frames beside a boundary lie one standard deviation from it.
        assert posteriors[9, PHONE_INDEX["m"]] == pytest.approx(0.846, abs=1e-3)
        assert posteriors[9, PHONE_INDEX["a"]] == pytest.approx(0.154, abs=1e-3)
        assert posteriors[15, PHONE_INDEX["a"]] == pytest.approx(1, abs=1e-3)
        assert posteriors[0, PHONE_INDEX["sil"]] == pytest.approx(1, abs=1e-3)

    def test_phones_shorter_than_a_frame_keep_their_share(self) -> None:
        posteriors = timed("a p a", [0, 0.1, 0.105, 0.3]).posteriors(15)
        assert posteriors[:, PHONE_INDEX["p"]].sum() == pytest.approx(0.25, rel=0.02)

    def test_no_phones_are_silence(self) -> None:
        nothing = TimedPhones((), np.zeros(0), np.zeros(0))
        assert (nothing.labels(3) == 0).all()
        assert (nothing.posteriors(3)[:, 0] == 1).all()

    @pytest.mark.parametrize(
        ("symbols", "starts", "ends", "message"),
        [
            (("a", "b"), [0, 1], [1.1, 2], "where the one before ends"),
            (("a",), [1], [1], "end after"),
            (("Q",), [0], [1], "inventory"),
            (("a",), [-1], [1], "before 0"),
            (("a",), [0], [np.nan], "end after"),
        ],
    )
    def test_wrong_times_are_refused(
        self, symbols: tuple[str, ...], starts: list[float], ends: list[float], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            TimedPhones(symbols, np.array(starts), np.array(ends))


class TestAlign:
    truth = timed("sil h ɛ l o sil w ɜ l d sil", [0, 0.3, 0.36, 0.47, 0.55, 0.7, 0.9, 0.97, 1.11, 1.2, 1.27, 1.5])

    def test_finds_phones_and_the_silence_between_words(self) -> None:
        words = [Word("hello", (("h", "ɛ", "l", "o"),)), Word("world", (("w", "ɜ", "l", "d"),))]
        found = align(noisy(self.truth, 75), words)
        assert found.symbols == self.truth.symbols
        assert np.abs(found.ends - self.truth.ends).max() < 0.015

    def test_silence_is_left_out_where_none_is_heard(self) -> None:
        spoken = timed("h o w ɜ", [0, 0.1, 0.3, 0.4, 0.6])
        found = align(noisy(spoken, 30), [Word("ho", (("h", "o"),)), Word("were", (("w", "ɜ"),))])
        assert found.symbols == ("h", "o", "w", "ɜ")

    def test_chooses_the_pronunciation_that_is_heard(self) -> None:
        words = [
            Word("hello", (("h", "ʌ", "l", "u", "s"), ("h", "ɛ", "l", "o"), ("l", "o"))),
            Word("world", (("v", "o"), ("w", "ɜ", "l", "d"))),
        ]
        assert align(noisy(self.truth, 75), words).symbols == self.truth.symbols

    def test_long_speech_keeps_its_place(self) -> None:
        generator = np.random.default_rng(2)
        symbols = generator.integers(1, len(PHONES), 3000)
        symbols[::60] = 0
        edges = np.concatenate([[0], np.cumsum(generator.uniform(0.04, 0.15, 3000))])
        truth = TimedPhones.from_edges([PHONES[symbol] for symbol in symbols], edges)
        words = []
        for start in range(0, 3000, 60):
            spoken = [PHONES[symbol] for symbol in symbols[start + 1 : start + 60]]
            words += [Word("", (tuple(spoken[place : place + 5]),)) for place in range(0, 59, 5)]
        frames = int(truth.duration * 50)
        found = align(noisy(truth, frames), words)
        assert (found.labels(frames) == truth.labels(frames)).mean() > 0.95

    def test_sound_that_says_something_else_does_not_agree(self) -> None:
        words = [Word("hello", (("h", "ɛ", "l", "o"),)), Word("world", (("w", "ɜ", "l", "d"),))]
        others = [Word("fish", (("f", "ɪ", "ʃ"),)), Word("moon", (("m", "u", "n"),))]
        posteriors = noisy(self.truth, 75)
        assert agreement(posteriors, align(posteriors, words)) > 0.5
        assert agreement(posteriors, align(posteriors, others)) < 0.25

    def test_more_sounds_than_time_is_one_clear_error(self) -> None:
        with pytest.raises(AudioError, match=r"too many for 0\.1 s of sound"):
            align(noisy(self.truth, 5), [Word("hello", (("h", "ɛ", "l", "o", "w", "ɜ"),))])
