"""What the phones of each Festival voice and of the Russian recordings are in the inventory."""

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
