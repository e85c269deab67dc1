"""Sources of phones beside the encoder: alignment with known words, recognition, edited tracks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.formats import read_curves
from model_server.audio.alignment import Word, agreement, align
from model_server.audio.decode import AudioStream, open_audio
from model_server.audio.phone_files import read_phones, write_phones
from model_server.audio.phone_track import join_tracks
from model_server.audio.phones import PHONE_INDEX, PHONES, from_arpabet
from model_server.audio.pronunciation import english_pronunciations, pronounce
from model_server.audio.recogniser import to_arpabet
from model_server.audio.timed_phones import TimedPhones
from model_server.cli import main
from model_server.commands.demo import DEMO_SPEECH
from model_server.errors import AudioError, ConfigError
from model_server.pipeline.hearing import hear, hear_phones
from model_server.pipeline.phone_source import PhoneSource
from model_server.pipeline.request import AnimationRequest
from model_server.pipeline.speech_to_curves import SpeechToCurves
from model_server.server.protocol import parse_options

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


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
        assert posteriors[:, PHONE_INDEX["p"]].sum() == pytest.approx(0.25, rel=0.06)

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
        assert agreement(posteriors, align(posteriors, words)) > 0.8
        assert agreement(posteriors, align(posteriors, others)) < 0.5

    def test_more_sounds_than_time_is_one_clear_error(self) -> None:
        with pytest.raises(AudioError, match=r"too many for 0\.1 s of sound"):
            align(noisy(self.truth, 5), [Word("hello", (("h", "ɛ", "l", "o", "w", "ɜ"),))])


class TestPronounce:
    def test_english_words_have_the_dictionarys_alternatives(self) -> None:
        words = {word.spelling: word.pronunciations for word in pronounce("Don't read—“the” forty-two bibles!", "en")}
        assert list(words) == ["don't", "read", "the", "forty", "two", "bibles"]
        assert {("ɹ", "ɛ", "d"), ("ɹ", "i", "d")} <= set(words["read"])
        assert words["two"] == (("t", "u"),)

    @needs_espeak
    def test_numbers_and_unknown_words_are_spelled_out(self) -> None:
        year, blorp = pronounce("1455 blorptastic", "en")
        assert len(year.pronunciations) == 2
        assert "".join(year.pronunciations[0]).startswith("foɹtin")
        assert "".join(blorp.pronunciations[0]).startswith("bloɹp")

    @needs_espeak
    @pytest.mark.parametrize(
        ("language", "text", "expected"),
        [
            ("de", "Guten Tag, 2 Äpfel", "ɡutən tɑk tsvaɪ ɛpfəl"),
            ("ru", "привет мир", "privet mir"),
            ("cmn", "你好，世界", "ni xɑu ʃi tʃiɛ"),
            ("fr", "Je suis là", "ʒə syi la"),
        ],
    )
    def test_other_languages_by_espeak(self, language: str, text: str, expected: str) -> None:
        assert " ".join("".join(word.pronunciations[0]) for word in pronounce(text, language)) == expected

    def test_without_espeak_english_works_and_the_rest_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        assert len(pronounce("hello there", "en")) == 2
        with pytest.raises(ConfigError, match=r"not installed: install it \(Debian"):
            pronounce("Guten Tag", "de")
        with pytest.raises(ConfigError, match="'blorptastic' is not in the English dictionary"):
            pronounce("hello blorptastic", "en")

    @needs_espeak
    @pytest.mark.parametrize(
        ("text", "language", "message"),
        [
            ("...", "en", "no words"),
            ("...", "de", "no words"),
            ("hello", "../etc", "no language code"),
            ("hello", "-v", "no language code"),
            ("hello", "xx", "cannot pronounce 'xx'"),
            ("x" * 200_001, "en", "at most 200000"),
        ],
    )
    def test_what_cannot_be_spoken_is_one_clear_error(self, text: str, language: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            pronounce(text, language)

    def test_arpabet_says_the_same_phones(self) -> None:
        for word in ("choose", "boy", "judge", "pleasure", "thing", "how", "yellow"):
            phones = english_pronunciations(word)[0]
            symbols = to_arpabet(phones).split()
            assert tuple(phone for symbol in symbols for phone in from_arpabet(symbol)) == phones


class TestPhoneFiles:
    track = timed("sil p ə m ʌ m sil", [0.1, 1 / 3, 0.4, 0.51, 0.6, 0.7, 0.9, 1.25])

    @pytest.mark.parametrize("suffix", [".TextGrid", ".json", ".csv"])
    def test_round_trip_is_exact(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"track{suffix}"
        write_phones(self.track, path)
        read = read_phones(path)
        assert read.symbols == self.track.symbols
        assert np.array_equal(read.starts, self.track.starts)
        assert np.array_equal(read.ends, self.track.ends)

    def test_reads_the_short_format_and_other_aligners_tiers(self, tmp_path: Path) -> None:
        path = tmp_path / "short.TextGrid"
        path.write_text(
            'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n2\n'
            '"IntervalTier"\n"words"\n0\n1\n2\n0\n0.5\n"chum ""x"" 3"\n0.5\n1\n""\n'
            '"IntervalTier"\n"phones"\n0\n1\n4\n0\n0.2\n"CH"\n0.2\n0.3\n"AH1"\n0.3\n0.5\n"M"\n0.5\n1\n""\n',
            encoding="utf-16",
        )
        read = read_phones(path)
        assert read.symbols == ("t", "ʃ", "ʌ", "m")
        assert read.ends == pytest.approx([0.09, 0.2, 0.3, 0.5])

    def test_gaps_become_silence_and_affricates_two_phones(self, tmp_path: Path) -> None:
        path = tmp_path / "track.csv"
        path.write_text("start,end,phone\n0.1,0.2,tʃ\n0.3,0.4,ˈaː\n")
        assert read_phones(path).symbols == ("t", "ʃ", "sil", "a")

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.csv", "start,end,phone\n0,0.2,m\n0.1,0.3,a\n", r"a\.csv', line 3: 'a' starts at 0\.1 s"),
            ("a.csv", "start,end,phone\n0,zero,m\n", "line 2: '0 zero' is not two numbers"),
            ("a.csv", "start,end,phone\n0,nan,m\n", "line 2: 'm' is from 0 to nan s"),
            ("a.csv", "phone\n", "line 1: the header must be start,end,phone"),
            ("a.csv", "start,end,phone\n0,1,Ω\n", "line 2: 'Ω' in 'Ω' is not a letter"),
            ("a.csv", b"\xff\x00\xff", "not UTF-8"),
            ("a.json", '{"format": "dreamtalk-phones", "version": 1, "phones": [["m", 0]]}', "phone 1: expected"),
            ("a.json", "[", "not JSON"),
            ("a.TextGrid", "hello", "line 1: the TextGrid ends"),
            ("a.TextGrid", '"ooTextFile"\n"TextGrid"\n0 1\n<exists>\n1e99', "line 5: 1e.99 is no number of tiers"),
            ("a.lab", "", "read from .TextGrid"),
        ],
    )
    def test_what_breaks_a_format_is_named(self, tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ConfigError, match=message):
            read_phones(path)


class TestPhoneSource:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"lips": "ear"}, "choose from auto, encoder, recogniser"),
            ({"lips": "recogniser", "language": "de"}, "knows English only"),
            ({"lips": "encoder", "text": "hello"}, "not both"),
            ({"text": "hello", "phones": timed("m", [0, 1])}, "needs neither"),
            ({"text": "  "}, "is empty"),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            PhoneSource(**arguments)


@pytest.fixture(scope="module")
def model() -> SpeechToCurves:
    return SpeechToCurves.load()


@pytest.fixture(scope="module")
def line(shared_data: Path) -> tuple[AudioStream, str]:
    """Return a sentence of human speech and what is said in it."""
    folder = shared_data / "speech_ljspeech"
    name, text, _ = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()[1].split("|")
    return open_audio(folder / f"{name}.flac"), text


class TestHearing:
    def test_lips_follow_an_edited_track(self, model: SpeechToCurves) -> None:
        phones = timed("sil m a m sil a sil", [0, 1, 1.3, 1.6, 1.8, 2.5, 2.9, 3])
        take = model(open_audio(DEMO_SPEECH), AnimationRequest(fps=50, source=PhoneSource(phones=phones)))
        gap = load_proxy_avatar().lip_gap(take.values)
        assert gap[(take.times > 1.1) & (take.times < 1.25)].min() < 0.0015
        assert gap[(take.times > 1.3) & (take.times < 1.6)].max() > 0.004
        assert take.duration == pytest.approx(open_audio(DEMO_SPEECH).duration or 0, abs=0.05)

    def test_a_track_of_another_recording_is_refused(
        self, model: SpeechToCurves, line: tuple[AudioStream, str]
    ) -> None:
        source = PhoneSource(phones=timed("m a", [0, 30, 31]))
        with pytest.raises(AudioError, match=r"last 31\.00 s and the recording 1\.9"):
            list(hear(line[0], model.encoder, source))

    def test_text_gives_the_phones_of_the_words(self, model: SpeechToCurves, line: tuple[AudioStream, str]) -> None:
        audio, text = line
        phones = hear_phones(audio, model.encoder, PhoneSource(text=text))
        spoken = [symbol for symbol in phones.symbols if symbol != "sil"]
        assert "".join(spoken) == "ɪnbiɪŋkʌmpɛɹʌtɪvlimɑdɜn"
        track = join_tracks(list(hear(audio, model.encoder, PhoneSource(text=text))))
        assert (track.posteriors.argmax(axis=1) == phones.labels(len(track))).mean() > 0.97
        encoder = join_tracks(list(hear(audio, model.encoder, PhoneSource())))
        assert np.array_equal(track.loudness, encoder.loudness)
        assert np.array_equal(track.voicing, encoder.voicing)

    def test_recogniser_hears_nearly_the_same_words(self, model: SpeechToCurves, line: tuple[AudioStream, str]) -> None:
        audio, text = line
        told = hear_phones(audio, model.encoder, PhoneSource(text=text))
        recognised = hear_phones(audio, model.encoder, PhoneSource(lips="recogniser"))
        frames = round(told.duration * 50)
        assert (told.labels(frames) == recognised.labels(frames)).mean() > 0.75

    def test_text_of_another_recording_is_one_clear_error(
        self, model: SpeechToCurves, line: tuple[AudioStream, str]
    ) -> None:
        with pytest.raises(AudioError, match="does not seem to be what is said"):
            list(hear(line[0], model.encoder, PhoneSource(text="Wash your fish for four shillings")))
        with pytest.raises(AudioError, match="too many for"):
            list(hear(line[0], model.encoder, PhoneSource(text="Wash your fish for four shillings " * 10)))

    def test_long_recordings_are_cut_in_pauses(self, model: SpeechToCurves) -> None:
        phones = hear_phones(open_audio(DEMO_SPEECH), model.encoder, PhoneSource(lips="recogniser"))
        assert phones.duration == pytest.approx(open_audio(DEMO_SPEECH).duration or 0, abs=0.03)
        assert sum(symbol in "pbm" for symbol in phones.symbols) >= 15

    def test_the_command_writes_a_track_that_animate_follows(self, tmp_path: Path) -> None:
        track, curves = tmp_path / "line.TextGrid", tmp_path / "line.npz"
        assert main(["phones", str(DEMO_SPEECH), "-o", str(track)]) == 0
        assert main(["animate", str(DEMO_SPEECH), "--phones", str(track), "-o", str(curves)]) == 0
        assert read_curves(curves).duration == pytest.approx(open_audio(DEMO_SPEECH).duration or 0, abs=0.05)


class TestProtocol:
    def test_options_name_the_source(self) -> None:
        source = parse_options('{"protocol": 1, "text": "Guten Tag", "language": "de"}').request().source
        assert (source.text, source.language, source.kind) == ("Guten Tag", "de", "text")
        source = parse_options('{"protocol": 1, "phones": [["m", 0, 0.5], ["a", 0.5, 1]]}').request().source
        assert source.phones is not None
        assert source.phones.symbols == ("m", "a")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ('"phones": [["m", "0", 1]]', "phone 1: expected"),
            ('"phones": [["m", 0, 1], ["a", 0.5, 2]]', "phone 2: 'a' starts at 0.5 s"),
            ('"lips": "recogniser", "language": "fr"', "knows English only"),
            ('"text": 3', "option 'text'"),
        ],
    )
    def test_bad_sources_are_refused(self, options: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            parse_options('{"protocol": 1, ' + options + "}").request()
