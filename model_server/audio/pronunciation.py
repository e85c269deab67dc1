"""How written words are spoken: any language by espeak-ng, English by pocketsphinx's dictionary first."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from model_server.errors import ConfigError

from .alignment import Word
from .phones import from_arpabet, to_inventory

MAXIMUM_CHARACTERS = 200_000
"""Longest text to pronounce: about four hours of speech."""

_MOST_LETTERS_OF_A_WORD = 100
_TIMEOUT_SECONDS = 60
_LANGUAGE = re.compile(r"[a-z]{2,4}(-[a-z0-9]{1,8}){0,4}", re.IGNORECASE)
# espeak-ng's own name of Mandarin reads Chinese characters as English letters in some releases; this one never does.
_VOICES = {"zh": "cmn-latn-pinyin", "cmn": "cmn-latn-pinyin", "zh-cn": "cmn-latn-pinyin", "en": "en-us"}
_INSTALL = "install it (Debian and Ubuntu: apt install espeak-ng, macOS: brew install espeak-ng)"
# "(en)" and "(cmn)" mark where espeak-ng changes the language within a text.
_LANGUAGE_MARK = re.compile(r"\([a-z0-9-]+\)", re.IGNORECASE)
# Where espeak-ng forgets to write IPA.
_SLIPS = str.maketrans({"ε": "ɛ", "S": "ʃ", "X": "x", "A": "ɑ", "Z": "ʒ", "N": "ŋ"})
_TONAL = ("cmn", "yue", "vi", "th")
# Years are spoken in pairs of digits.
_YEAR = re.compile(r"(1[1-9])([0-9][1-9]|[1-9]0)")


def is_english(language: str) -> bool:
    """Return whether a language such as ``"en"`` or ``"en-gb"`` is English."""
    return language.lower().split("-")[0] == "en"


def pronounce(text: str, language: str) -> list[Word]:
    """Return the words of a text as they are spoken, numbers and abbreviations spelled out.

    English words are looked up in pocketsphinx's dictionary; what it does not hold, and every other language, is
    espeak-ng's, which may join short words into one.

    Args:
        text: at most ``MAXIMUM_CHARACTERS``.
        language: a language of espeak-ng such as ``"en"``, ``"de"``, ``"cmn"`` or ``"pt-br"``.

    Raises:
        ConfigError: for text without words, text that is too long, an unknown language, or when espeak-ng is needed
            and not installed.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise ConfigError(f"the text has {len(text)} characters; give at most {MAXIMUM_CHARACTERS}")
    if not _LANGUAGE.fullmatch(language):
        raise ConfigError(f"'{language[:20]}' is no language code; write it like en, de, cmn or pt-br")
    words = _pronounce_english(text) if is_english(language) else _spoken_by_espeak(text, language)
    if not words:
        raise ConfigError("the text has no words that can be spoken")
    return words


@cache
def _english_dictionary() -> dict[str, list[str]]:
    """Return the pronunciations of each lower-case English word of pocketsphinx's dictionary, in its own symbols."""
    import pocketsphinx

    path = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    entries: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        spelling, _, symbols = line.partition(" ")
        entries.setdefault(spelling.partition("(")[0], []).append(symbols)
    return entries


def english_pronunciations(word: str) -> tuple[tuple[str, ...], ...]:
    """Return how a lower-case English word may be spoken, as phones; nothing where the dictionary does not hold it."""
    spoken = (from_dictionary.split() for from_dictionary in _english_dictionary().get(word, []))
    found = (tuple(phone for symbol in symbols for phone in from_arpabet(symbol)) for symbols in spoken)
    return tuple(dict.fromkeys(found))


def english_tokens(text: str) -> list[str]:
    """Return the lower-case words and numbers of English text, without the punctuation around them."""
    plain = text.lower().replace("’", "'").replace("‘", "'")
    tokens = []
    for part in re.split(r"[\s—–]+|(?<=[^\W\d])-+(?=\w)|--+|/", plain):
        token = part.strip('"“”«»()[]{}<>.,;:!?…*_-')
        if any(letter.isalnum() for letter in token):
            tokens.append(token)
    return tokens


def _pronounce_english(text: str) -> list[Word]:
    known: dict[str, tuple[tuple[str, ...], ...]] = {}
    words = []
    for token in english_tokens(text):
        if token not in known:
            entry = english_pronunciations(token) or english_pronunciations(token.strip("'"))
            known[token] = entry or _guess_english(token)
        if known[token]:
            words.append(Word(token, known[token]))
    return words


def _guess_english(token: str) -> tuple[tuple[str, ...], ...]:
    """Return the pronunciations of a word or number that the dictionary does not hold."""
    readings = [token]
    if year := _YEAR.fullmatch(token):
        readings.insert(0, f"{year[1]} {year[2]}")
    try:
        spoken = [_spoken_by_espeak(reading, "en-us") for reading in readings]
    except ConfigError as error:
        raise ConfigError(f"'{token[:40]}' is not in the English dictionary, and {error}") from error
    found = (tuple(phone for word in words for phone in word.pronunciations[0]) for words in spoken)
    return tuple(dict.fromkeys(phones for phones in found if phones))


def _spoken_by_espeak(text: str, language: str) -> list[Word]:
    voice = _VOICES.get(language.lower(), language)
    simplify = _simplifier(voice)
    words = []
    for spoken in _espeak(_bounded_words(text), voice).split():
        ipa = simplify(_LANGUAGE_MARK.sub("", spoken))
        try:
            phones = to_inventory(ipa)
        except ValueError as error:
            raise ConfigError(f"espeak-ng's pronunciation in '{language}' cannot be read: {error}") from error
        if phones:
            words.append(Word(ipa, (phones,)))
    return words


def _simplifier(voice: str) -> Callable[[str], str]:
    """Return what turns espeak-ng's way of writing a language into IPA."""
    if voice.startswith(_TONAL):
        return _simplify_tonal
    if is_english(voice):
        return lambda ipa: ipa.replace("ɾ", "d").replace("ʔ", "t")
    return lambda ipa: ipa.translate(_SLIPS)


def _simplify_tonal(ipa: str) -> str:
    """Return IPA: tones are digits, the third sometimes "ɜ"; a dot marks retroflex sounds, "h" a stop's breath."""
    plain = ipa.translate(_SLIPS).replace("s.", "ʂ").replace("nɡ", "ŋ").replace("ɜ", "")
    return re.sub(r"(?<=[ptkɕʂs])h", "", plain)


def _bounded_words(text: str) -> str:
    """Return the text without control characters; endless words would keep espeak-ng busy for as long."""
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    # Chinese, Japanese, Thai and others write without spaces.
    for word in plain.split():
        if len(word) > _MOST_LETTERS_OF_A_WORD and word.isascii():
            raise ConfigError(f"'{word[:20]}…' has {len(word)} letters; no word is that long")
    return plain


def _espeak(text: str, voice: str) -> str:
    """Return the IPA that espeak-ng gives for UTF-8 text, clauses and words apart by white space."""
    command: Sequence[str] = ("espeak-ng", "-v", voice, "--ipa", "-q", "-b", "1", "--stdin")
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_SECONDS)
    except FileNotFoundError:
        raise ConfigError(f"espeak-ng, which pronounces it, is not installed: {_INSTALL}") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(f"espeak-ng took longer than {_TIMEOUT_SECONDS} s to pronounce the text") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip() or f"it ended with status {done.returncode}"
        raise ConfigError(f"espeak-ng cannot pronounce '{voice}': {' '.join(complaint.split())[:200]}")
    return done.stdout.decode(errors="replace")
