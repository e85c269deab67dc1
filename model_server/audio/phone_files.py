"""Timed phones as files that people edit: Praat TextGrid, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from model_server.errors import ConfigError

from .phones import from_arpabet, to_inventory
from .timed_phones import SILENCE, TimedPhones, share_times

SUFFIXES = (".textgrid", ".json", ".csv")
"""Lower-case suffixes of the files that are read and written."""

MAXIMUM_BYTES = 32 * 2**20
MAXIMUM_PHONES = 500_000
MAXIMUM_SECONDS = 24 * 3600.0

_FORMAT, _VERSION = "dreamtalk-phones", 1
_TIER = "phones"
_SILENT = frozenset(["", "sil", "sp", "spn", "pau", "_", "#", "<eps>", "<sil>", "h#"])
# Times this close are one: editors print few digits.
_SAME_SECONDS = 1e-4
_HEADER = ["start", "end", "phone"]

Row = tuple[str, float, float]


def phones_from_rows(rows: Iterable[Row], place: Callable[[int], str]) -> TimedPhones:
    """Return timed phones from (symbol, start, end) rows in the order of time; silence fills gaps between them.

    Symbols are IPA, with or without stress and length, affricates and diphthongs too, or upper-case ARPAbet.

    Args:
        rows: at most ``MAXIMUM_PHONES``.
        place: what messages call the row of an index, such as ``"line 3"``.

    Raises:
        ConfigError: for a symbol that is no phone, times that are none or overlap, or too many rows.
    """
    symbols: list[str] = []
    edges: list[float] = []
    for index, (symbol, start, end) in enumerate(rows):
        if index >= MAXIMUM_PHONES:
            raise ConfigError(f"{place(index)}: at most {MAXIMUM_PHONES} phones are read; cut the track into parts")
        if not 0 <= start < end <= MAXIMUM_SECONDS:
            raise ConfigError(f"{place(index)}: '{symbol[:20]}' is from {start:g} to {end:g} s; its end must be later")
        if not edges:
            edges.append(start)
        elif start < edges[-1] - _SAME_SECONDS:
            raise ConfigError(f"{place(index)}: '{symbol[:20]}' starts at {start:g} s, inside the last; shorten one")
        elif start > edges[-1] + _SAME_SECONDS:
            symbols.append(SILENCE)
            edges.append(start)
        if end <= edges[-1]:
            raise ConfigError(f"{place(index)}: '{symbol[:20]}' has no length; remove it")
        parts = _phones_of(symbol, place(index))
        if len(parts) == 1:
            stops = [end]
        else:
            _, shares = share_times([parts], [end - edges[-1]])
            stops = [*(edges[-1] + share for share in shares[:-1]), end]
        symbols += parts
        edges += stops
    if not symbols:
        return TimedPhones((), np.zeros(0), np.zeros(0))
    return TimedPhones(tuple(symbols), np.array(edges[:-1]), np.array(edges[1:]))


def _phones_of(symbol: str, place: str) -> tuple[str, ...]:
    plain = symbol.strip()
    if plain.lower() in _SILENT:
        return (SILENCE,)
    try:
        phones = from_arpabet(plain) if plain.isascii() and plain[0].isupper() else to_inventory(plain)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}; write phones in IPA, silence as sil") from None
    if not phones:
        raise ConfigError(f"{place}: '{plain[:20]}' is no phone; write phones in IPA, silence as sil")
    return phones


def read_phones(path: Path) -> TimedPhones:
    """Return the timed phones in a file whose suffix is one of ``SUFFIXES``.

    Raises:
        ConfigError: for another suffix, or a file that breaks its format; the message names the line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"'{path.name}': phones are read from .TextGrid, .json and .csv files")
    if not path.is_file():
        raise ConfigError(f"'{path}' does not exist or is no file; check its path")
    if path.stat().st_size > MAXIMUM_BYTES:
        raise ConfigError(f"'{path.name}' is larger than {MAXIMUM_BYTES // 2**20} MiB; it cannot be a track of phones")
    data = path.read_bytes()
    # Praat writes UTF-16 where it must.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise ConfigError(f"'{path.name}' is not UTF-8 text; save it as UTF-8") from None
    try:
        return reader(text)
    except ConfigError as error:
        raise ConfigError(f"'{path.name}', {error}") from None


def write_phones(phones: TimedPhones, path: Path) -> None:
    """Write timed phones to a file whose suffix is one of ``SUFFIXES``; reading it gives the same to the last bit.

    Raises:
        ConfigError: for another suffix.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise ConfigError(f"'{path.name}': phones are written to .TextGrid, .json and .csv files")
    path.write_text(writer(phones), encoding="utf-8", newline="")


def _rows(phones: TimedPhones) -> list[Row]:
    return list(zip(phones.symbols, phones.starts.tolist(), phones.ends.tolist(), strict=True))


def _to_csv(phones: TimedPhones) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows((repr(start), repr(end), symbol) for symbol, start, end in _rows(phones))
    return out.getvalue()


def _from_csv(text: str) -> TimedPhones:
    reader = csv.reader(io.StringIO(text, newline=""))
    lines: list[int] = []
    rows: list[Row] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if reader.line_num == 1:
                if [cell.strip().lower() for cell in cells] != _HEADER:
                    raise ConfigError(f"line 1: the header must be {','.join(_HEADER)}")
                continue
            if len(cells) != len(_HEADER):
                raise ConfigError(f"line {reader.line_num}: {len(cells)} cells; expected {','.join(_HEADER)}")
            rows.append((cells[2], *_seconds(cells[:2], f"line {reader.line_num}")))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ConfigError(f"line {reader.line_num}: {error}") from None
    return phones_from_rows(rows, lambda index: f"line {lines[index]}")


def _seconds(cells: Sequence[str], place: str) -> tuple[float, float]:
    try:
        start, end = (float(cell) for cell in cells)
    except ValueError:
        raise ConfigError(f"{place}: '{' '.join(cells)[:40]}' is not two numbers of seconds") from None
    return start, end


def _to_json(phones: TimedPhones) -> str:
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in _rows(phones))
    return f'{{"format": "{_FORMAT}", "version": {_VERSION}, "phones": [\n{rows}\n]}}\n'


def _from_json(text: str) -> TimedPhones:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from None
    if not isinstance(record, dict) or record.get("format") != _FORMAT or record.get("version") != _VERSION:
        raise ConfigError(f'not a track of phones: "format" must be "{_FORMAT}" and "version" {_VERSION}')
    return phones_from_lists(record.get("phones"))


def phones_from_lists(rows: object) -> TimedPhones:
    """Return timed phones from a JSON list of ``[symbol, start, end]``.

    Raises:
        ConfigError: for anything else, or as :func:`phones_from_rows`.
    """
    if not isinstance(rows, list):
        raise ConfigError('"phones" must be a list of [symbol, start, end]')
    checked: list[Row] = []
    for index, row in enumerate(rows):
        match row:
            case [str(symbol), int() | float() as start, int() | float() as end]:
                checked.append((symbol, float(start), float(end)))
            case _:
                raise ConfigError(f'phone {index + 1}: expected ["symbol", start, end] with seconds')
    return phones_from_rows(checked, lambda index: f"phone {index + 1}")


def _to_textgrid(phones: TimedPhones) -> str:
    """Return Praat's long text format; an interval without a name lies before the first phone where it starts late."""
    rows = _rows(phones)
    if rows and rows[0][1] > 0:
        rows.insert(0, ("", 0.0, rows[0][1]))
    end = rows[-1][2] if rows else 0.0
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0.0", f"xmax = {end!r}",
        "tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"',
        f'        name = "{_TIER}"', "        xmin = 0.0", f"        xmax = {end!r}",
        f"        intervals: size = {len(rows)}",
    ]  # fmt: skip
    for number, (symbol, start, stop) in enumerate(rows, 1):
        lines.append(f"        intervals [{number}]:")
        lines += [f"            xmin = {start!r}", f"            xmax = {stop!r}", f'            text = "{symbol}"']
    return "\n".join(lines) + "\n"


# Praat's text formats are a sequence of strings, numbers and flags; all else between them is commentary.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|(?<![\w\[.])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\].])')


class _Tokens:
    """The values of a TextGrid in their order, each with its line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matches = _TOKEN.finditer(text)
        self.line = 1
        self._seen = 0

    def _next(self, group: int, what: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise ConfigError(f"line {self.line}: the TextGrid ends where {what} is expected")
        self.line += self._text.count("\n", self._seen, match.start())
        self._seen = match.start()
        value: str | None = match[group]
        if value is None:
            raise ConfigError(f"line {self.line}: {match[0][:20]!r} is no {what}")
        return value

    def string(self) -> str:
        return self._next(1, "text").replace('""', '"')

    def flag(self) -> str:
        return self._next(2, "flag")

    def number(self) -> float:
        return float(self._next(3, "number"))

    def count(self) -> int:
        number = self.number()
        if not 0 <= number <= MAXIMUM_PHONES:
            raise ConfigError(f"line {self.line}: {number:g} is no number of tiers or intervals")
        return int(number)


def _from_textgrid(text: str) -> TimedPhones:
    tokens = _Tokens(text)
    if tokens.string() != "ooTextFile" or tokens.string() != "TextGrid":
        raise ConfigError("line 1: not a TextGrid in Praat's text format; save it with Save as text file")
    tokens.number()
    tokens.number()
    if tokens.flag() != "exists":
        raise ConfigError("the TextGrid has no tiers")
    tiers: dict[str, tuple[list[Row], list[int]]] = {}
    for _ in range(tokens.count()):
        kind, name = tokens.string(), tokens.string()
        tokens.number()
        tokens.number()
        rows: list[Row] = []
        lines: list[int] = []
        for _ in range(tokens.count()):
            start = tokens.number()
            end = tokens.number() if kind == "IntervalTier" else start
            rows.append((tokens.string(), start, end))
            lines.append(tokens.line)
        if kind == "IntervalTier":
            tiers.setdefault(name.lower(), (rows, lines))
    if not tiers:
        raise ConfigError("the TextGrid has no interval tier; phones need one")
    # Montreal Forced Aligner and others put words and phones into two tiers.
    rows, lines = tiers[_TIER] if _TIER in tiers else list(tiers.values())[-1]
    while rows and not rows[0][0].strip():
        rows, lines = rows[1:], lines[1:]
    while rows and not rows[-1][0].strip():
        rows, lines = rows[:-1], lines[:-1]
    return phones_from_rows(rows, lambda index: f"line {lines[index]}")


_READERS = {".textgrid": _from_textgrid, ".json": _from_json, ".csv": _from_csv}
_WRITERS = {".textgrid": _to_textgrid, ".json": _to_json, ".csv": _to_csv}
