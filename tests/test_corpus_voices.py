"""Recorded people and engines of the speech corpus: their texts, symbols and times."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soxr", reason="corpus making needs the extra 'train'")
pytest.importorskip("pocketsphinx", reason="corpus making needs the extra 'train'")

from model_server.audio.phones import MOUTH_CLASS_OF, PHONE_INDEX
from model_server.training.speech_corpus.amazon_queen import lines, read_parts, segments
from model_server.training.speech_corpus.engines import VOICES
from model_server.training.speech_corpus.phone_sets import japanese_phones, mbrola_phones
from model_server.training.speech_corpus.recordings import fish_lines, zhuyin_phones
from model_server.training.speech_corpus.synthesisers import (
    JTALK_VOICE,
    MBROLA_VOICES,
    flite_says,
    mbrola,
    open_jtalk,
)
from model_server.training.speech_corpus.text_alignment import align_text, hear
from model_server.training.speech_corpus.texts import stamp_line
from model_server.training.speech_corpus.utterance import label_shift

BY_NAME = {voice.name: voice for voice in VOICES}
ENGLISH_TEXTS = pytest.mark.skipif(
    not Path("/usr/share/games/fortunes/fortunes").exists(), reason="fortunes are not installed"
)


@pytest.mark.parametrize(
    ("symbol", "language", "phones"),
    [
        ("tS", "en", ("t", "ʃ")),
        ("r", "en", ("ɹ",)),
        ("r=", "en", ("ɜ",)),
        ("p_h", "en", ("p",)),
        ("2:", "de", ("ø",)),
        ("?", "de", ()),
        ("a~", "fr", ("a",)),
        ("E1", "it", ("ɛ",)),
        ("ts'", "pl", ("t", "ʃ")),
        ("h\\", "cs", ("h",)),
        ("_", "es", ("sil",)),
    ],
)
def test_mbrola_symbols(symbol: str, language: str, phones: tuple[str, ...]) -> None:
    assert mbrola_phones(symbol, language) == phones


def test_the_first_half_of_a_long_stop_is_that_stop() -> None:
    phones = japanese_phones(["sil", "k", "i", "cl", "p", "u", "ry", "o", "N", "pau"])
    assert phones == [("sil",), ("k",), ("i",), ("p",), ("p",), ("ɨ",), ("r", "j"), ("o",), ("ŋ",), ("sil",)]


@pytest.mark.parametrize(
    ("syllable", "phones"),
    [
        ("ㄅㄚ1", ("p", "a")),
        ("ㄕ4", ("ʃ", "ɨ")),
        ("ㄊㄧㄢ", ("t", "i", "ɛ", "n")),
        ("ㄓㄨㄥ1", ("t", "ʃ", "ʊ", "ŋ")),
        ("ㄩ3", ("y",)),
    ],
)
def test_mandarin_syllables(syllable: str, phones: tuple[str, ...]) -> None:
    assert zhuyin_phones(syllable) == phones


def test_what_is_no_syllable_is_refused() -> None:
    with pytest.raises(ValueError, match="zhuyin"):
        zhuyin_phones("ba1")


def test_lines_of_fish_fillets() -> None:
    script = """
dialogId("a-1", "font_small", "Look, as I said.")
dialogStr("Kijk, \\"precies\\" zoals ik zei.")

dialogId("a-2", "font_big", "Aha.")

dialogId("a-3", "font_big", "%1 fishes")
dialogStr("%1 vissen")
"""
    assert fish_lines(script) == {"a-1": 'Kijk, "precies" zoals ik zei.', "a-2": "Aha."}


def test_description_of_a_stamp_in_a_language() -> None:
    texts = "A red apple.\nfr.utf8=Une pomme rouge. \nro.utf8=Un măr roșu.\n"
    line = stamp_line(texts, "fr")
    assert line is not None and line[1] == "Une pomme rouge."
    assert stamp_line(texts, "de") is None


def test_lines_are_cut_at_stage_directions() -> None:
    assert segments("*FRYes.*01Now help me!*XY00(237,112)Quick*03") == ["", "Yes.", "Now help me!", "Quick", ""]


def test_parts_and_lines_of_the_amazon_queen() -> None:
    def string(text: str, place: int, step: int) -> bytes:
        made = bytes([len(text)]) + text.encode()
        return made + bytes(-(place + len(made)) % step)

    header = bytes(20)
    scene = struct.pack(">6H", 0, 1, 0, 0, 12, 0) + b"\0"
    scene += b"".join([string("*FL", 13, 2), string("Hey!*01Over here!*02", 18, 2)])
    own = struct.pack(">HH", 0, 0x1E) + string("At last!*15", 36, 4)
    dialogue = struct.pack(">5h", 0, 1, 7, 1, 0).ljust(32, b"\0") + own
    remarks = "\r\n".join(["x"] * 10 + ["Neat*02"])
    parts = {
        "C1A.CUT": header + scene,
        "TIM.DOG": header + dialogue,
        "QUEEN2.JAS": remarks.encode(),
        **dict.fromkeys(("C1A__021.SB", "C1A__022.SB", "07001EJ1.SB", "JOE00511.SB"), b"sound"),
    }
    table, data = b"", b""
    start = 15 + 21 * len(parts)
    for name, part in parts.items():
        table += struct.pack(">12sBII", name.encode(), 1, start + len(data), len(part))
        data += part
    packed = b"QTBLCEM10\0\0\0\x01" + struct.pack(">H", len(parts)) + table + data
    assert read_parts(packed) == parts
    assert lines(parts) == {
        "C1A__021.SB": "Hey!",
        "C1A__022.SB": "Over here!",
        "07001EJ1.SB": "At last!",
        "JOE00511.SB": "Neat",
    }
    with pytest.raises(ValueError, match="Amazon Queen"):
        read_parts(b"RIFF")


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_alignment_finds_the_times_that_the_engine_told(tmp_path: Path) -> None:
    text = "My neighbour bought a pump and seven big melons from Bob."
    spoken = flite_says("rms", text, 1.0, tmp_path)
    found = align_text(spoken.samples, text, "en")
    assert found is not None
    frames = len(spoken.samples) // 320
    classes = np.array(MOUTH_CLASS_OF)
    wanted, got = (classes[utterance.labels(50, frames)] for utterance in (spoken, found))
    assert (wanted == got).mean() > 0.8
    lips = [utterance.ends[np.isin(utterance.phones, [PHONE_INDEX[p] for p in "pbm"])] for utterance in (spoken, found)]
    assert len(lips[0]) == len(lips[1])
    assert np.median(np.abs(lips[0] - lips[1])) < 0.025
    assert align_text(spoken.samples, "Thirty thirsty geese flew over the quiet yellow hills.", "en") is None
    assert align_text(spoken.samples, "…", "en") is None
    assert hear(spoken.samples).shape == (frames, 42)


@pytest.mark.skipif(shutil.which("open_jtalk") is None or not JTALK_VOICE.exists(), reason="no Open JTalk")
@pytest.mark.skipif(not Path("/usr/share/tuxpaint/stamps").exists(), reason="Tux Paint's stamps are not installed")
def test_open_jtalk_labels_fit_its_sound(tmp_path: Path) -> None:
    utterances = list(open_jtalk(15, 0, tmp_path))
    assert abs(label_shift(utterances)) < 0.015
    assert all(abs(u.ends[-1] - u.seconds) < 0.02 for u in utterances)


@ENGLISH_TEXTS
@pytest.mark.skipif(not (MBROLA_VOICES / "us1").exists(), reason="mbrola and mbrola-us1 are not installed")
def test_mbrola_labels_fit_its_sound(tmp_path: Path) -> None:
    utterances = list(mbrola("us1", "en")(15, 0, tmp_path))
    assert abs(label_shift(utterances)) < 0.02
    assert all(abs(u.ends[-1] - u.seconds) < 0.1 for u in utterances)


def test_a_whole_engine_is_held_out_and_people_speak_most() -> None:
    assert all(voice.held_out for voice in VOICES if voice.name.startswith("mbrola"))
    trained = [voice for voice in VOICES if not voice.held_out]
    hours = {human: sum(v.seconds for v in trained if v.human == human) / 3600 for human in (True, False)}
    assert sum(hours.values()) > 20
    assert BY_NAME["espeak"].seconds / 3600 < 0.05 * sum(hours.values())
    assert len({voice.language for voice in trained if voice.human}) > 10
    assert all(voice.needs for voice in VOICES)
