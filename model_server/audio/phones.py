"""The phones that the project hears and speaks: one small IPA inventory for every language and engine.

Affricates are a stop and a fricative, diphthongs are two vowels, length is time and not a symbol, and every other
sound is the nearest one of the inventory as the mouth makes it.
"""

from __future__ import annotations

import unicodedata

PHONES: tuple[str, ...] = (
    "sil",
    *("p", "b", "m", "f", "v", "w", "θ", "ð", "s", "z", "ʃ", "ʒ", "t", "d", "n", "l", "ɹ", "r", "k", "ɡ", "ŋ", "x"),
    *("h", "j", "i", "ɪ", "e", "ɛ", "æ", "a", "ɑ", "ɔ", "o", "ʊ", "u", "ə", "ʌ", "ɜ", "y", "ø", "ɨ"),
)  # fmt: skip
"""The inventory, ``"sil"`` (silence, breath, noise) first."""

PHONE_INDEX: dict[str, int] = {phone: index for index, phone in enumerate(PHONES)}

VOICELESS: frozenset[str] = frozenset(["sil", "p", "f", "θ", "s", "ʃ", "t", "k", "x", "h"])
"""Phones spoken without the vocal folds."""

MOUTH_CLASSES: tuple[tuple[str, ...], ...] = (
    ("sil",),
    ("p", "b", "m"),
    ("f", "v"),
    ("θ", "ð"),
    ("s", "z"),
    ("ʃ", "ʒ"),
    ("t", "d", "n", "l", "ɹ", "r"),
    ("k", "ɡ", "ŋ", "x", "h"),
    ("i", "ɪ", "ɨ", "j"),
    ("e", "ɛ", "æ"),
    ("a", "ɑ", "ʌ"),
    ("ɔ", "o"),
    ("ʊ", "u", "w", "y", "ø"),
    ("ə", "ɜ"),
)
"""Phones that look alike: the 14 classes in which hearing is measured."""

MOUTH_CLASS_OF: tuple[int, ...] = tuple(
    next(number for number, members in enumerate(MOUTH_CLASSES) if phone in members) for phone in PHONES
)
"""For each phone of ``PHONES`` the index of its class in ``MOUTH_CLASSES``."""

# IPA letters outside the inventory, as the nearest sounds of the inventory.
_NEAREST: dict[str, str] = {
    "g": "ɡ", "ɸ": "f", "β": "v", "ʋ": "v", "ⱱ": "v", "ɱ": "m", "ʙ": "b", "ɓ": "b", "ʍ": "w", "ɥ": "w",
    "c": "k", "ɟ": "ɡ", "q": "k", "ɢ": "ɡ", "ʛ": "ɡ", "ɠ": "ɡ", "ʔ": "h", "ʡ": "h", "ʈ": "t", "ɖ": "d", "ɗ": "d",
    "ᶑ": "d", "ʄ": "ɡ", "ɳ": "n", "ɲ": "n", "ɴ": "ŋ", "ɭ": "l", "ʎ": "l", "ɬ": "l", "ɮ": "l", "ɫ": "l", "ʟ": "l",
    "ɺ": "l", "ɾ": "r", "ɽ": "r", "ʀ": "x", "ʁ": "x", "ɻ": "ɹ", "ɰ": "ɡ", "ɣ": "ɡ", "χ": "x", "ç": "x", "ʝ": "j",
    "ħ": "h", "ʕ": "h", "ɦ": "h", "ʜ": "h", "ʢ": "h", "ɧ": "ʃ", "ɕ": "ʃ", "ʑ": "ʒ", "ʂ": "ʃ", "ʐ": "ʒ",
    "ʘ": "p", "ǀ": "t", "ǃ": "t", "ǂ": "t", "ǁ": "t",
    "ɐ": "ʌ", "ɒ": "ɔ", "ɘ": "ə", "ɵ": "ø", "ɞ": "ɜ", "ɤ": "ʌ", "ɯ": "ɨ", "ʉ": "u", "ʏ": "y", "œ": "ø", "ɶ": "a",
    "ᵻ": "ɪ", "ᵿ": "ʊ", "ε": "ɛ",  # espeak-ng writes some open vowels with the Greek letter
    "ɚ": "ɜ", "ɝ": "ɜ",
    "ʧ": "t ʃ", "ʤ": "d ʒ", "ʦ": "t s", "ʣ": "d z", "ʨ": "t ʃ", "ʥ": "d ʒ",
}  # fmt: skip


def to_inventory(ipa: str) -> tuple[str, ...]:
    """Return the phones of ``PHONES`` that stand for IPA text, such as ``("t", "ʃ", "a", "ɪ")`` for ``"t͡ʃaɪ̯ː"``.

    Stress, length, tones, ties, spaces and diacritics are dropped; ``"sil"`` never results.

    Raises:
        ValueError: for a letter that is not IPA.
    """
    phones: list[str] = []
    for letter in unicodedata.normalize("NFC", ipa):
        # A letter with a diacritic that Unicode writes as one (ã, é) counts as its base; ç is a letter of its own.
        base = letter if letter in _NEAREST else unicodedata.normalize("NFD", letter)[0]
        if base in PHONE_INDEX:
            phones.append(base)
        elif base in _NEAREST:
            phones.extend(_NEAREST[base].split())
        elif unicodedata.category(base) in ("Ll", "Lu", "Lo"):
            raise ValueError(f"'{letter}' in '{ipa}' is not a letter of the International Phonetic Alphabet")
    return tuple(phones)


_ARPABET: dict[str, str] = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɜ", "ay": "aɪ", "b": "b", "ch": "tʃ",
    "d": "d", "dh": "ð", "dx": "d", "eh": "ɛ", "el": "əl", "em": "m", "en": "n", "er": "ɜ", "ey": "eɪ", "f": "f",
    "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ", "ix": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m",
    "n": "n", "ng": "ŋ", "nx": "n", "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t",
    "th": "θ", "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
    "pau": "", "h#": "", "brth": "", "sil": "", "ssil": "", "+spn+": "", "+nsn+": "",
}  # fmt: skip


def from_arpabet(symbol: str) -> tuple[str, ...]:
    """Return the phones of one ARPAbet symbol (CMU dictionary, flite, Festival, pocketsphinx; any case, any stress).

    Pauses and noises give ``("sil",)``.

    Raises:
        ValueError: for an unknown symbol.
    """
    ipa = _ARPABET.get(symbol.lower().rstrip("012"))
    if ipa is None:
        raise ValueError(f"'{symbol}' is not an ARPAbet symbol")
    return to_inventory(ipa) or ("sil",)
