"""What the phones of each engine and of the Russian recordings are in the inventory."""

from __future__ import annotations

from model_server.audio.phones import from_arpabet, to_inventory

_ITALIAN = {
    "E": "ɛ", "O": "ɔ", "S": "ʃ", "Z": "ʒ", "ts": "ts", "tS": "tʃ", "dz": "dz", "dZ": "dʒ", "J": "ɲ", "ng": "ŋ",
    "nf": "m", "L": "ʎ", "g": "ɡ",
}  # fmt: skip
_CZECH = {
    "e": "ɛ", "i": "ɪ", "i:": "i", "e:": "ɛ", "b": "b", "c": "ts", "c~": "tʃ", "ch": "x", "d~": "ɟ", "dz": "dz",
    "dz~": "dʒ", "g": "ɡ", "h": "ɦ", "n*": "ŋ", "n~": "ɲ", "r~": "rʒ", "r~*": "rʃ", "s~": "ʃ", "t~": "c", "z~": "ʒ",
    "_": "",
}  # fmt: skip
_FINNISH = {
    "@": "æ", "7": "ø", "&": "ɛ", "a": "ɑ", "T": "θ", "D": "ð", "S": "ʃ", "Z": "ʒ", "N": "ŋ", "L": "l", "g": "ɡ",
    "v": "ʋ",
}  # fmt: skip
_CATALAN = {
    "ax": "ə", "E": "ɛ", "O": "ɔ", "J": "ɲ", "L": "ʎ", "rr": "r", "r": "ɾ", "S": "ʃ", "Z": "ʒ", "g": "ɡ",
    "_": "",
}  # fmt: skip
_RUSSIAN = {
    "ii": "i", "yy": "ɨ", "uu": "u", "ee": "e", "oo": "o", "aa": "a", "a": "ʌ", "e": "ɪ", "i": "ɪ", "y": "ɨ",
    "u": "ʊ", "ae": "ə", "ay": "ə", "ur": "ʊ", "c": "ts", "ch": "tɕ", "sh": "ʂ", "sch": "ɕ", "zh": "ʐ",
    "h": "x", "hh": "x", "j": "j", "g": "ɡ", "gg": "ɡ",
}  # fmt: skip
_TABLES = {"it": _ITALIAN, "cs": _CZECH, "fi": _FINNISH, "ca": _CATALAN, "ru": _RUSSIAN}
_SILENCES = frozenset(["#", "##", "pau", "sil", "h#", "brth", "ssil", "SIL"])


def festival_phones(symbol: str, language: str) -> tuple[str, ...]:
    """Return the inventory's phones for a Festival symbol of a language (``en it cs fi ca ru``).

    Raises:
        ValueError: for an unknown symbol.
    """
    if symbol in _SILENCES:
        return ("sil",)
    if language == "en":
        return from_arpabet(symbol)
    table = _TABLES[language]
    if language in ("it", "ca"):
        symbol = symbol.rstrip("1")
    if symbol in table:
        return to_inventory(table[symbol]) if table[symbol] else ()
    plain = symbol.rstrip(":")
    if language == "ru" and len(plain) == 2 and plain[0] == plain[1]:
        plain = plain[0]  # a soft consonant is written double
    return to_inventory(table.get(plain, plain))


_JAPANESE = {
    "A": "a", "I": "i", "U": "ɯ", "E": "e", "O": "o", "u": "ɯ", "N": "ŋ", "sh": "ɕ", "ch": "tɕ", "j": "dʑ", "f": "ɸ",
    "y": "j", "g": "ɡ",
}  # fmt: skip
# X-SAMPA (J. C. Wells, 1995) as MBROLA's voices use it, letter by letter.
_SAMPA = {
    "@": "ə", "{": "æ", "A": "ɑ", "E": "ɛ", "I": "ɪ", "O": "ɔ", "U": "ʊ", "V": "ʌ", "Q": "ɒ", "Y": "ʏ", "2": "ø",
    "9": "œ", "3": "ɜ", "6": "ɐ", "S": "ʃ", "Z": "ʒ", "T": "θ", "D": "ð", "C": "ç", "N": "ŋ", "J": "ɲ", "L": "ʎ",
    "R": "ʁ", "H": "ɥ", "G": "ɣ", "X": "χ", "g": "ɡ", "5": "ɫ", "4": "ɾ", "?": "",
}  # fmt: skip
_MBROLA = {
    "en": {"r": "ɹ", "r=": "ɝ", "l=": "əl", "n=": "n", "O2": "ɔ", "4": "d"},
    "it": {"ng": "ŋ", "nf": "ɱ", "ts2": "ts", "ss": "s", "i/": "i", "d[": "d"},
    "pl": {"I": "ɨ", "ts'": "tɕ", "dz'": "dʑ", "s'": "ɕ", "z'": "ʑ", "n'": "ɲ"},
    "cs": {"r'": "rʒ", "n'": "ɲ", "t'": "c", "d'": "ɟ", "h\\": "ɦ"},
}  # fmt: skip


def japanese_phones(symbols: list[str]) -> list[tuple[str, ...]]:
    """Return the inventory's phones for each of Open JTalk's symbols; the first half of a long stop is that stop.

    Raises:
        ValueError: for an unknown symbol.
    """
    phones: list[tuple[str, ...]] = []
    for symbol in reversed(symbols):
        if symbol in ("sil", "pau"):
            phones.append(("sil",))
        elif symbol == "cl":
            phones.append(phones[-1][:1] if phones else ("sil",))
        elif symbol in _JAPANESE:
            phones.append(to_inventory(_JAPANESE[symbol]))
        elif len(symbol) == 2 and symbol[1] == "y":
            phones.append(to_inventory(_JAPANESE.get(symbol[0], symbol[0]) + "j"))
        else:
            phones.append(to_inventory(symbol))
    return phones[::-1]


def mbrola_phones(symbol: str, language: str) -> tuple[str, ...]:
    """Return the inventory's phones for a symbol of an MBROLA voice of a language.

    Raises:
        ValueError: for an unknown symbol.
    """
    if symbol == "_":
        return ("sil",)
    table = _MBROLA.get(language, {})
    plain = symbol if symbol in table else symbol.replace("_h", "").rstrip(":~/#")
    if language == "it":
        plain = plain.rstrip("1")  # stress
    if plain in table:
        return to_inventory(table[plain])
    return to_inventory("".join(table.get(letter, _SAMPA.get(letter, letter)) for letter in plain))
