"""Sentences for the voices to say, from Debian's fortunes, word lists and Tux Paint, or invented from syllables.

They need not make sense: they must have the sounds of the language in varied company.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pocketsphinx

_FORTUNES = Path("/usr/share/games/fortunes")
_WORDS = Path("/usr/share/dict")
_STAMPS = Path("/usr/share/tuxpaint/stamps")
_STAMP_LANGUAGES = ("eo", "ja", "uk")
_FORTUNE_FILES = {
    "en": ("fortunes", "literature", "riddles"),
    "it": ("italia", "formiche", "leggi", "definizioni"),
    "de": ("de/*",),
    "es": ("es/*",),
    "ru": ("ru/*",),
    "cs": ("cs/*",),
}
_WORD_FILES = {
    "de": "ngerman",
    "fr": "french",
    "it": "italian",
    "es": "spanish",
    "pt": "portuguese",
    "nl": "dutch",
    "sv": "swedish",
    "pl": "polish",
    "en": "american-english",
}
_FINNISH = (
    ("p", "t", "k", "v", "s", "h", "l", "r", "j", "m", "n", "d", "", ""),
    ("a", "e", "i", "o", "u", "y", "ä", "ö", "aa", "ee", "ii", "oo", "uu", "yy", "ää", "öö", "ai", "ei", "oi", "ui",
     "au", "ou", "eu", "äi", "öi"),
    ("", "", "", "n", "s", "l", "r", "t", "k", "mp", "nk", "tt", "kk", "pp", "ss", "ll"),
)  # fmt: skip
_CATALAN = (
    ("p", "t", "c", "b", "d", "g", "f", "v", "s", "z", "m", "n", "l", "r", "j", "x", "ll", "ny", "qu", "tr", "pr",
     "cl", "bl", "", "", ""),
    ("a", "e", "i", "o", "u", "à", "è", "é", "í", "ò", "ó", "ú"),
    ("", "", "", "n", "s", "l", "r", "t", "m", "ix"),
)  # fmt: skip
_MANDARIN = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学"
    "如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将"
    "两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及"
    "比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统"
)


@cache
def pronounced_words() -> frozenset[str]:
    """Return the words of pocketsphinx's English dictionary."""
    path = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    return frozenset(line.split()[0] for line in path.read_text().splitlines() if "(" not in line.split()[0])


@cache
def _fortune_sentences(language: str) -> tuple[str, ...]:
    sentences: list[str] = []
    for pattern in _FORTUNE_FILES[language]:
        for path in sorted(_FORTUNES.glob(pattern)):
            if path.suffix in (".dat", ".u8") or not path.is_file():
                continue
            text = re.sub(r"\s+", " ", path.read_text(errors="ignore").replace("%", " . "))
            text = re.sub(r"[^\w\s'’.,;!?-]|[\d_]", " ", text)
            for sentence in re.split(r"(?<=[.!?])\s", text):
                words = sentence.lstrip("-'’.,;!? ").split()
                if 4 <= len(words) <= 18 and max(map(len, words)) < 18:
                    sentences.append(" ".join(words))
    return tuple(sentences)


@cache
def _words(language: str) -> tuple[str, ...]:
    lines = (_WORDS / _WORD_FILES[language]).read_text(errors="ignore").splitlines()
    step = max(1, len(lines) // 80_000)
    words = [word.strip() for word in lines[::step]]
    return tuple(word for word in words if 1 < len(word) < 14 and word.isalpha() and word[1:].islower())


def _invented(tables: tuple[tuple[str, ...], ...], generator: np.random.Generator) -> str:
    words = []
    for _ in range(generator.integers(4, 10)):
        syllables = generator.choice([1, 2, 3, 4], p=[0.15, 0.45, 0.3, 0.1])
        parts = [str(generator.choice(table)) for _ in range(syllables) for table in tables]
        words.append("".join(parts))
    return " ".join(words) + "."


def sentence(language: str, generator: np.random.Generator) -> str:
    """Return a sentence; languages: ``en it de es ru cs fr pt nl sv pl fi ca cmn eo ja uk``.

    English sentences hold only words of pocketsphinx's dictionary, so that all of them can be aligned.
    """
    if language == "fi":
        return _invented(_FINNISH, generator)
    if language == "ca":
        return _invented(_CATALAN, generator)
    if language == "cmn":
        return "".join(generator.choice(list(_MANDARIN), generator.integers(6, 20))) + "。"
    if language in _STAMP_LANGUAGES:
        return " ".join(generator.choice(_stamp_array(language), 2))
    if language in _FORTUNE_FILES and (language not in _WORD_FILES or generator.random() < 0.7):
        for _ in range(100):
            text = str(generator.choice(_fortune_array(language)))
            if language != "en" or all(word in pronounced_words() for word in spoken_words(text)):
                return text
    words = generator.choice(_word_array(language), generator.integers(4, 11)).tolist()
    if language == "en":
        words = [word for word in words if word.lower() in pronounced_words()] or ["hello"]
    return " ".join(words) + "."


@cache
def _fortune_array(language: str) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array(_fortune_sentences(language))


@cache
def _word_array(language: str) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array(_words(language))


@cache
def _stamp_array(language: str) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Return the descriptions of Tux Paint's stamps, which are translated into many languages."""
    texts = (path.read_text(encoding="utf-8", errors="ignore") for path in sorted(_STAMPS.rglob("*.txt")))
    lines = {line[1].strip() for text in texts if (line := stamp_line(text, language))}
    return np.array(sorted(line for line in lines if 8 < len(line) < 120))


def stamp_line(texts: str, language: str) -> re.Match[str] | None:
    """Return the line of a language, its text as group 1, in a stamp's file of texts."""
    return re.search(rf"^{language}\.utf8=(.*\S)\s*$", texts, re.MULTILINE)


def spoken_words(text: str) -> list[str]:
    """Return the lower-case words of English text, as pocketsphinx's dictionary spells them."""
    words = re.findall(r"[a-z']+", text.lower().replace("’", "'").replace("-", " "))
    return [stripped for word in words if (stripped := word.strip("'"))]
