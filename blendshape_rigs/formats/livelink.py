"""The CSV files of Epic's Live Link Face app, both ways.

A header, then one row a frame: a timecode ``HH:MM:SS:FF`` or ``HH:MM:SS:FF.fff``, the number of values, 52
ARKit weights (51 in files without ``TongueOut``) and nine angles in radians. Columns are matched by name.

Times
    The app counts 60 timecode frames a second at any capture rate, and phones drop rows: rows are often 25 to
    30 a second and not evenly spaced. A reader that takes one row for one frame drifts. Here rows are placed
    by their timecodes and brought to an even rate. How many frames the timecode counts is seen where its
    seconds change; a file within one second is taken to count 60. Curves start at 0 s: the timecode is the
    time of day.

Angles
    ``HeadPitch`` positive looks down, ``HeadYaw`` positive turns to the subject's left, ``HeadRoll`` positive
    tilts to the subject's left shoulder, as in :class:`~..curves.FaceCurves`. The eyes' angles repeat the
    ``EyeLook`` shapes:
    pitch positive looks down, yaw positive to the subject's *right*. They are written for programs that turn
    eye bones and not read. The sign of the eye angles was measured on recordings of the app, whose head
    angles were all zero.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_INDEX, ARKIT_NAMES
from ..curves import FaceCurves, Provenance
from ..filters import interpolate
from .common import (
    MAX_FRAMES,
    FormatError,
    arkit_columns,
    check_size,
    check_values,
    in_arkit_order,
    write_bytes,
)

FloatArray = npt.NDArray[np.float64]

TIMECODE_RATE = 60
SUBFRAMES = 1000
DAY = 86400
# The app writes the right-hand ones of these pairs first, unlike Apple's list.
_APP_ORDER = {
    "jawLeft": "jawRight",
    "jawRight": "jawLeft",
    "mouthLeft": "mouthRight",
    "mouthRight": "mouthLeft",
}
SHAPE_COLUMNS = tuple(name[0].upper() + name[1:] for name in (_APP_ORDER.get(plain, plain) for plain in ARKIT_NAMES))
HEAD_COLUMNS = ("HeadYaw", "HeadPitch", "HeadRoll")
EYE_COLUMNS = tuple(f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll"))
EYE_ANGLE = 0.54
"""Radians of eye rotation at a full ``EyeLook`` shape: least squares over 11,700 recorded frames."""
USUAL_RATES = (15, 24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60, 100, 120, 240)


def read_livelink(path: Path, fps: float | None = None) -> FaceCurves:
    """Read a Live Link Face CSV.

    Args:
        path: the file.
        fps: take the rows as evenly spaced at this rate and ignore the timecodes; by default the timecodes
            decide.

    Raises:
        FormatError: for unknown or missing columns, text that is not a number, rows of different lengths,
            timecodes that go back, or a file without frames; the message names the row as a text editor
            counts it.
    """
    check_size(path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            return parse_livelink(stream, path.name, fps)
        except UnicodeDecodeError as error:
            raise FormatError(f"{path.name} is not UTF-8 text; export it again as CSV") from error
        except csv.Error as error:
            raise FormatError(f"{path.name} is not CSV: {error}") from error


def first_timecode(path: Path) -> float | None:
    """Return the time of day, in seconds, of the first row of a Live Link Face CSV; None without timecodes.

    Raises:
        FormatError: as :func:`read_livelink`.
    """
    check_size(path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            table = _read_table(stream, path.name)
        except (UnicodeDecodeError, csv.Error) as error:
            raise FormatError(f"{path.name} is not CSV: {error}") from error
    if not table.timecodes:
        return None
    stamps = [
        _parse_timecode(text, f"{path.name}, row {row}") for text, row in zip(table.timecodes, table.rows, strict=True)
    ]
    seconds, frames = np.array(stamps, np.float64).T
    return float(seconds[0] + frames[0] / _timecode_rate(seconds, frames))


def parse_livelink(lines: Iterable[str], name: str, fps: float | None = None) -> FaceCurves:
    """Read the lines of a Live Link Face CSV; ``name`` is for messages. See :func:`read_livelink`."""
    if fps is not None and not 0 < fps <= 1000:
        raise FormatError(f"fps is {fps}; choose a frame rate above 0 and up to 1000")
    table = _read_table(lines, name)
    values = in_arkit_order(table.columns(table.layout.shapes), table.layout.arkit)
    yaw, pitch, roll = (table.column(column) for column in HEAD_COLUMNS)
    stacked = np.concatenate([values, np.stack([pitch, yaw, roll], axis=1)], axis=1)
    if fps is None:
        stacked, fps = _on_even_grid(stacked, table, name)
    return FaceCurves(
        stacked[:, : len(ARKIT_NAMES)].astype(np.float32),
        stacked[:, len(ARKIT_NAMES) :].astype(np.float32),
        np.zeros((len(stacked), 3), np.float32),
        fps,
        provenance=Provenance(source="live_link"),
    )


@dataclass(frozen=True)
class _Layout:
    """Where the columns of one file are: lower-case name to index, shape columns and their ARKit indices."""

    indices: dict[str, int]
    shapes: list[int]
    arkit: list[int]


@dataclass(frozen=True)
class _Table:
    """The rows of one file: numbers (T, N) with 0 for the timecode's column, timecodes, and row numbers."""

    layout: _Layout
    numbers: FloatArray
    timecodes: list[str]
    rows: list[int]

    def columns(self, indices: list[int]) -> FloatArray:
        return self.numbers[:, indices]

    def column(self, name: str) -> FloatArray:
        index = self.layout.indices.get(name.lower())
        return self.numbers[:, index] if index is not None else np.zeros(len(self.numbers))


def _read_table(lines: Iterable[str], name: str) -> _Table:
    reader = csv.reader(lines, strict=True)
    header = next(reader, [])
    layout = _layout(header, name)
    timecode = layout.indices.get("timecode")
    numbers, timecodes, rows = array("d"), [], []
    for fields in reader:
        if not fields:
            continue
        row = reader.line_num
        if len(fields) != len(header):
            raise FormatError(
                f"{name}, row {row}: {len(fields)} values where the header has {len(header)}; correct or remove the row"
            )
        if timecode is not None:
            timecodes.append(fields[timecode].strip())
            fields[timecode] = "0"
        numbers.extend(_numbers(fields, header, f"{name}, row {row}"))
        rows.append(row)
        if len(rows) > MAX_FRAMES:
            raise FormatError(f"{name} has more than {MAX_FRAMES} rows; split it")
    if not rows:
        raise FormatError(f"{name} has a header but no frames; record again")
    table = np.frombuffer(numbers).reshape(len(rows), len(header))
    counts = layout.indices.get("blendshapecount")
    check_values(np.delete(table, counts, axis=1) if counts is not None else table, rows, f"{name}, row")
    return _Table(layout, table, timecodes, rows)


def _layout(header: list[str], name: str) -> _Layout:
    if not header:
        raise FormatError(f"{name} is empty; record again")
    if len(header) == 1 and ";" in header[0]:
        raise FormatError(f"{name}, row 1: columns are separated by semicolons; save it with commas")
    known = {column.lower() for column in (*HEAD_COLUMNS, *EYE_COLUMNS, "Timecode", "BlendShapeCount")}
    indices: dict[str, int] = {}
    shapes: list[int] = []
    for index, column in enumerate(header):
        lower = column.strip().lower()
        if lower in indices:
            raise FormatError(f"{name}, row 1: the column '{column}' is there twice; remove one")
        if lower in known:
            indices[lower] = index
        else:
            shapes.append(index)
    arkit = arkit_columns([header[index] for index in shapes], f"{name}, row 1")
    return _Layout(indices, shapes, arkit)


def _numbers(fields: list[str], header: list[str], where: str) -> list[float]:
    try:
        if any("_" in field for field in fields):  # float() would read 1_0 as 10
            raise ValueError
        return [float(field) for field in fields]
    except ValueError:
        column, field = next(pair for pair in zip(header, fields, strict=True) if not _is_number(pair[1]))
        raise FormatError(
            f"{where}: {column.strip()} is '{field[:40]}', not a number; correct or remove the row"
        ) from None


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _on_even_grid(stacked: FloatArray, table: _Table, name: str) -> tuple[FloatArray, float]:
    """Return (frames, channels) values at an even rate, and the rate, from rows placed by their timecodes."""
    if not table.timecodes:
        raise FormatError(f"{name}, row 1: there is no Timecode column; say the frame rate instead")
    if len(stacked) == 1:
        return stacked, 30.0
    times = _row_times(table, name)
    later = np.append(np.diff(times) > 0, True)  # of rows with the same timecode, the last counts
    times, stacked = times[later], stacked[later]
    if len(times) < 2:
        raise FormatError(f"{name}: all rows have the same timecode; say the frame rate instead")
    fps = _frame_rate(times)
    if _is_even(times, fps):
        return stacked, fps
    frames = int(np.floor(times[-1] * fps + 1e-6)) + 1
    if frames > MAX_FRAMES:
        gap = table.rows[int(np.argmax(np.diff(times))) + 1]
        raise FormatError(f"{name}, row {gap}: the timecode jumps {np.diff(times).max():.0f} s; split the file there")
    return interpolate(times, stacked, np.arange(frames) / fps).astype(np.float64), fps


def _row_times(table: _Table, name: str) -> FloatArray:
    """Return (T,) seconds of the rows since the first one."""
    seconds, frames = np.empty(len(table.rows)), np.empty(len(table.rows))
    for i, (timecode, row) in enumerate(zip(table.timecodes, table.rows, strict=True)):
        seconds[i], frames[i] = _parse_timecode(timecode, f"{name}, row {row}")
    times = seconds + frames / _timecode_rate(seconds, frames)
    steps = np.diff(times)
    steps[steps < -DAY / 2] += DAY  # midnight
    if (steps < 0).any():
        at = int(np.argmax(steps < 0)) + 1
        raise FormatError(
            f"{name}, row {table.rows[at]}: the timecode {table.timecodes[at]} goes back; "
            "sort the rows, or say the frame rate instead"
        )
    return np.concatenate([[0.0], np.cumsum(steps)])


def _parse_timecode(text: str, where: str) -> tuple[int, float]:
    """Return whole seconds of the day and frames of a timecode; ``;`` before the frames marks drop frames."""
    parts = text.replace(";", ":").split(":")
    plain = len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts[:3])
    whole, _, fraction = parts[-1].partition(".")
    if not plain or not (whole + fraction).isascii() or not (whole + (fraction or "0")).isdigit() or len(whole) > 3:
        raise FormatError(f"{where}: the timecode is '{text[:40]}'; expected HH:MM:SS:FF or HH:MM:SS:FF.fff")
    hours, minutes, seconds = (int(part) for part in parts[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise FormatError(f"{where}: the timecode '{text}' is no time of day; correct or remove the row")
    return (hours * 60 + minutes) * 60 + seconds, float(f"{whole}.{fraction or 0}")


def _timecode_rate(seconds: FloatArray, frames: FloatArray) -> int:
    """Return how many frames the timecode counts a second, from (T,) seconds and frames of each row.

    Where the seconds go up by one, the frames fall by the rate less the usual step.
    """
    same_second = np.diff(seconds) == 0
    next_second = np.diff(seconds) == 1
    highest = int(np.floor(frames.max())) + 1
    if not next_second.any() or not same_second.any():
        return max(TIMECODE_RATE, highest)
    step = float(np.median(np.diff(frames)[same_second]))
    falls = -np.diff(frames)[next_second]
    return max(round(float(np.median(falls)) + step), highest)


def _frame_rate(times: FloatArray) -> float:
    """Return the even rate for rows at (T,) ``times``: a usual one if it is near, else the one measured."""
    steps = np.diff(times)
    typical = float(np.median(steps))
    steady = 1 / float(steps[np.abs(steps / typical - 1) < 0.25].mean())  # without the gaps of dropped rows
    usual = min(USUAL_RATES, key=lambda rate: abs(rate / steady - 1))
    if abs(usual / steady - 1) <= 0.0005:  # a phone's clock is not exact, nor are timecodes
        return float(usual)
    return steady if _is_even(times, steady) else float(max(1, round(steady)))


def _is_even(times: FloatArray, fps: float) -> bool:
    """Tell whether every row is within a fiftieth of a frame of its place on an even grid."""
    return bool(np.abs(times * fps - np.arange(len(times))).max() <= 0.02)


def write_livelink(curves: FaceCurves, path: Path) -> None:
    """Write the app's 61 columns, with a timecode that counts 60 frames a second.

    Head translation has no column and is not written.
    """
    header = ["Timecode", "BlendShapeCount", *SHAPE_COLUMNS, *HEAD_COLUMNS, *EYE_COLUMNS]
    order = [ARKIT_INDEX[name[0].lower() + name[1:]] for name in SHAPE_COLUMNS]
    angles = curves.head_rotation[:, [1, 0, 2]]
    table = np.concatenate([curves.values[:, order], angles, _eye_angles(curves)], axis=1).astype(np.float64)
    template = ",".join(["%.10f"] * table.shape[1])
    lines = [",".join(header)]
    for time, row in zip(curves.times, table.tolist(), strict=True):
        lines.append(f"{_timecode(time)},{table.shape[1]},{template % tuple(row)}")
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _timecode(time: float) -> str:
    ticks = round(time * TIMECODE_RATE * SUBFRAMES) % (DAY * TIMECODE_RATE * SUBFRAMES)
    seconds, ticks = divmod(ticks, TIMECODE_RATE * SUBFRAMES)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}:{ticks // SUBFRAMES:02d}.{ticks % SUBFRAMES:03d}"


def _eye_angles(curves: FaceCurves) -> FloatArray:
    """Return (T, 6) radians, left eye then right: yaw (to the subject's right), pitch (down), roll (0)."""
    down = [curves.channel(f"eyeLookDown{side}") - curves.channel(f"eyeLookUp{side}") for side in ("Left", "Right")]
    right = [
        curves.channel("eyeLookInLeft") - curves.channel("eyeLookOutLeft"),
        curves.channel("eyeLookOutRight") - curves.channel("eyeLookInRight"),
    ]
    still = np.zeros(len(curves), np.float32)
    angles: FloatArray = np.stack([right[0], down[0], still, right[1], down[1], still], axis=1)
    return angles * EYE_ANGLE
