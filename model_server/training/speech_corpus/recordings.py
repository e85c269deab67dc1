"""Recorded people with texts, from free packages of Debian: prompts, games, lessons for children.

Each function reads the files where the package installs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from model_server.audio.alignment import Word
from model_server.audio.phones import to_inventory

from .align import align_words, pad, recognise_words
from .synthesisers import from_labels
from .text_alignment import align_pronounced, words_of
from .texts import stamp_line
from .utterance import Utterance
from .voice import Source, limited, read_sound

RUSSIAN_RECORDINGS = Path("festvox-ru")
"""Folder of the unpacked source of Debian's festvox-ru, below the corpus folder."""

_SHARE = Path("/usr/share")
_PROMPTS = _SHARE / "asterisk" / "sounds" / "en_US_f_Allison"
_FISHES = _SHARE / "games" / "fillets-ng"
_STAMPS = _SHARE / "tuxpaint" / "stamps"
_LETTERS = _SHARE / "klettres"
_SYLLABLES = _SHARE / "gcin-voice" / "ogg"

# Zhuyin: initials and medials one by one, finals with what precedes them.
_ZHUYIN = {
    "ㄅ": "p", "ㄆ": "p", "ㄇ": "m", "ㄈ": "f", "ㄉ": "t", "ㄊ": "t", "ㄋ": "n", "ㄌ": "l", "ㄍ": "k", "ㄎ": "k",
    "ㄏ": "x", "ㄐ": "tɕ", "ㄑ": "tɕ", "ㄒ": "ɕ", "ㄓ": "tʂ", "ㄔ": "tʂ", "ㄕ": "ʂ", "ㄖ": "ʐ", "ㄗ": "ts",
    "ㄘ": "ts", "ㄙ": "s", "ㄚ": "a", "ㄛ": "o", "ㄜ": "ɤ", "ㄝ": "ɛ", "ㄞ": "aɪ", "ㄟ": "eɪ", "ㄠ": "aʊ",
    "ㄡ": "oʊ", "ㄢ": "an", "ㄣ": "ən", "ㄤ": "ɑŋ", "ㄥ": "əŋ", "ㄦ": "ɑɹ", "ㄧ": "i", "ㄨ": "u", "ㄩ": "y",
    "ㄧㄢ": "iɛn", "ㄩㄢ": "yɛn", "ㄧㄣ": "in", "ㄩㄣ": "yn", "ㄧㄥ": "iŋ", "ㄨㄥ": "ʊŋ", "ㄩㄥ": "jʊŋ",
}  # fmt: skip
_BARE_INITIALS = frozenset("ㄓㄔㄕㄖㄗㄘㄙ")


@dataclass(frozen=True)
class Recording:
    """A sound file and what is said in it."""

    path: Path
    text: str


def _shuffled(recordings: list[Recording], seed: int) -> list[Recording]:
    order = np.random.default_rng(seed).permutation(len(recordings))
    return [recordings[index] for index in order]


def aligned(find: Callable[[], list[Recording]], language: str) -> Source:
    """Return recordings in a language whose phones are found by alignment with their texts."""

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        recordings = _shuffled(find(), seed)
        # espeak-ng is another process, for which there is no need to wait one text at a time.
        with ThreadPoolExecutor(4) as pool:
            words = pool.map(lambda recording: words_of(recording.text, language), recordings)
            spoken = (align_pronounced(read_sound(r.path), said) for r, said in zip(recordings, words, strict=True))
            yield from limited(spoken, seconds)

    return source


def fishes(language: str) -> Source:
    """Return the dialogues of the game Fish Fillets in ``cs``, ``nl`` or ``en``."""

    def find() -> list[Recording]:
        found = []
        for script in sorted(_FISHES.glob(f"script/*/*dialogs_{language}.lua")):
            lines = fish_lines(script.read_text(encoding="utf-8"))
            paths = sorted(_FISHES.glob(f"sound/{script.parent.name}/**/{language}/*.ogg"))
            found += [Recording(path, lines[path.stem]) for path in paths if path.stem in lines]
        return found

    return aligned(find, language)


def fish_lines(script: str) -> dict[str, str]:
    """Return the lines of a dialogue script of Fish Fillets by their names; untranslated ones are English."""
    quoted = r'"((?:[^"\\]|\\.)*)"'
    pattern = rf"dialogId\({quoted},[^,]*,\s*{quoted}\)(?:\s*dialogStr\({quoted}\))?"
    texts = ((name, translated or english) for name, english, translated in re.findall(pattern, script))
    return {name: text.replace("\\", "") for name, text in texts if "%" not in text}


def stamps(language: str) -> Source:
    """Return the descriptions of Tux Paint's stamps in ``be bg ca da el es fr nl ro`` or ``ru``."""

    def find() -> list[Recording]:
        found = []
        for path in sorted(_STAMPS.rglob(f"*_desc_{language}.ogg")):
            texts = path.with_name(path.name.replace(f"_desc_{language}.ogg", ".txt"))
            if texts.exists() and (line := stamp_line(texts.read_text(encoding="utf-8", errors="ignore"), language)):
                found.append(Recording(path, line[1]))
        return found

    return aligned(find, language)


def letters(language: str) -> Source:
    """Return the letters and syllables of KLettres in a language."""

    def find() -> list[Recording]:
        listing = _LETTERS / language / "sounds.xml"
        if not listing.exists():
            return []
        sounds = ElementTree.fromstring(listing.read_text(encoding="utf-8")).iter("sound")
        pairs = ((_LETTERS / sound.get("file", ""), sound.get("name", "")) for sound in sounds)
        return [Recording(path, text) for path, text in pairs if path.is_file()]

    return aligned(find, {"pt_BR": "pt-br"}.get(language, language.replace("_", "-").lower()))


def syllables(speaker: str) -> Source:
    """Return all syllables of Mandarin by speaker ``"3"`` or ``"5"`` of gcin-voice."""

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        paths = sorted(_SYLLABLES.glob(f"*/{speaker}.ogg"))
        recordings = _shuffled([Recording(path, path.parent.name) for path in paths], seed)

        def spoken() -> Iterator[Utterance | None]:
            for recording in recordings:
                word = Word(recording.text, (zhuyin_phones(recording.text),))
                # What is said is known from the folder's name; short sounds are heard badly.
                yield align_pronounced(pad(read_sound(recording.path)), [word], least=0.3)

        yield from limited(spoken(), seconds)

    return source


def zhuyin_phones(syllable: str) -> tuple[str, ...]:
    """Return the inventory's phones of a Mandarin syllable in zhuyin, such as ``("t", "a", "n")`` for ``"ㄊㄢ3"``.

    Raises:
        ValueError: for another letter.
    """
    symbols = syllable.rstrip("12345˙ˊˇˋ")
    if symbols in _BARE_INITIALS:
        return to_inventory(_ZHUYIN[symbols] + "ɨ")
    ipa, place = "", 0
    while place < len(symbols):
        size = 2 if symbols[place : place + 2] in _ZHUYIN else 1
        part = symbols[place : place + size]
        if part not in _ZHUYIN:
            raise ValueError(f"'{part}' in '{syllable}' is not zhuyin")
        ipa += _ZHUYIN[part]
        place += size
    return to_inventory(ipa)


def russian_recordings(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield the recordings from which festvox-ru was made: a human, with phone labels."""
    folder = corpus / RUSSIAN_RECORDINGS
    waves = sorted((folder / "wav").glob("*.wav"))
    if not waves:
        raise FileNotFoundError(f"{folder} holds no recordings; unpack Debian's source of festvox-ru there")
    pairs = ((wave, folder / "lab" / f"{wave.stem}.lab") for wave in waves)
    spoken = (from_labels(read_sound(wave), labels.read_text(), "ru") for wave, labels in pairs if labels.exists())
    yield from limited(spoken, seconds)


def prompts(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield Asterisk's English prompts: a human; words by recognition, phones by alignment."""

    def spoken() -> Iterator[Utterance | None]:
        for path in sorted(_PROMPTS.rglob("*.g722")):
            samples = pad(read_sound(path))
            words = recognise_words(samples)
            yield align_words(samples, words) if words else None

    yield from limited(spoken(), seconds)
