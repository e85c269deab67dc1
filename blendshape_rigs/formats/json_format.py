"""Face curves as JSON, for people and for other programs.

One object::

    {"format": "dreamtalk-face-curves", "version": 1, "fps": 30.0, "start": 0.0,
     "provenance": {"source": "speech", "model_hash": "", "audio_hash": "", "emotion": "happy", "seed": 0},
     "names": ["eyeBlinkLeft", ...],
     "values": [[0.0, ...], ...], "head_rotation": [[0.0, 0.0, 0.0], ...], "head_translation": [...]}

``names`` are ARKit blendshapes in any order and case; each row of ``values`` has one number a name.
``head_rotation`` is pitch (positive looks down), yaw (to the subject's left) and roll (to the subject's left
shoulder) in radians, ``head_translation`` metres to the subject's left, up and forward. ``start`` (seconds),
``provenance`` and both head arrays may be left out: they default to 0 and rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_NAMES
from ..curves import CurvesError, FaceCurves
from .common import (
    MAX_FRAMES,
    FormatError,
    arkit_columns,
    check_size,
    check_values,
    in_arkit_order,
    write_bytes,
)
from .provenance import provenance_from

FORMAT = "dreamtalk-face-curves"
VERSION = 1
REQUIRED = ("format", "version", "fps", "names", "values")
OPTIONAL = ("start", "provenance", "head_rotation", "head_translation")


def write_json(curves: FaceCurves, path: Path) -> None:
    """Write ``curves`` as JSON, one frame a line."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "fps": curves.fps,
        "start": curves.start,
        "provenance": asdict(curves.provenance),
        "names": list(ARKIT_NAMES),
    }
    parts = [json.dumps(head)[:-1]]
    for name in ("values", "head_rotation", "head_translation"):
        # Ten decimals restore float32 weights exactly and keep the file short.
        rows = np.round(getattr(curves, name).astype(np.float64), 10).tolist()
        parts.append(f' "{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    write_bytes(path, (",\n".join(parts) + "}\n").encode())


def read_json(path: Path) -> FaceCurves:
    """Read curves from JSON.

    Raises:
        FormatError: for text that is no such object; the message names the part and the frame.
    """
    check_size(path)
    record = _decode(path)
    if record["format"] != FORMAT or record["version"] != VERSION:
        raise FormatError(
            f"{path.name}: this is '{record['format']}' version {record['version']}; "
            f"expected '{FORMAT}' version {VERSION}"
        )
    names = record["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError(f"{path.name}: names must be a list of texts")
    columns = arkit_columns(names, f"{path.name}, names")
    values = _rows(record["values"], len(names), "values", path)
    rest = [[0.0, 0.0, 0.0]] * len(values)
    head = [_rows(record.get(n, rest), 3, n, path) for n in ("head_rotation", "head_translation")]
    try:
        return FaceCurves(
            in_arkit_order(values, columns).astype(np.float32),
            head[0].astype(np.float32),
            head[1].astype(np.float32),
            _number(record["fps"], "fps", path),
            _number(record.get("start", 0.0), "start", path),
            provenance_from(record.get("provenance", {})),
        )
    except CurvesError as error:
        raise FormatError(f"{path.name}: {error}") from error


def _decode(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise FormatError(f"{path.name}: expected one object, found a {type(record).__name__}")
    missing = [key for key in REQUIRED if key not in record]
    unknown = [key for key in record if key not in REQUIRED + OPTIONAL]
    if missing or unknown:
        names = ", ".join(f"'{key[:40]}'" for key in (missing or unknown)[:5])
        raise FormatError(f"{path.name}: {names} {'missing' if missing else 'unknown: remove it'}")
    return record


def _refuse_constant(text: str) -> float:
    raise FormatError(f"{text} is not a number that JSON allows; correct or remove that frame")


def _number(value: object, name: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e9:
        raise FormatError(f"{path.name}: {name} must be a number")
    return float(value)


def _rows(rows: object, width: int, name: str, path: Path) -> npt.NDArray[np.float64]:
    """Return (T, width) float64 of a list of rows, or raise :class:`FormatError` with the frame at fault."""
    if not isinstance(rows, list) or len(rows) > MAX_FRAMES:
        raise FormatError(f"{path.name}: {name} must be a list of at most {MAX_FRAMES} frames")
    for frame, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            count = len(row) if isinstance(row, list) else "no"
            raise FormatError(f"{path.name}: {name}, frame {frame}: {count} numbers where {width} belong")
        if any(type(value) is not float and type(value) is not int for value in row):
            raise FormatError(f"{path.name}: {name}, frame {frame}: something there is no number")
        if any(abs(value) > 1e9 for value in row):
            raise FormatError(f"{path.name}: {name}, frame {frame}: a number is out of all range")
    array = np.array(rows, np.float64).reshape(len(rows), width)
    check_values(array, range(len(rows)), f"{path.name}: {name}, frame")
    return array
