"""Reading and writing face curves, by file suffix: ``.csv`` (Live Link Face), ``.json`` and ``.npz``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..curves import FaceCurves
from .common import FormatError
from .json_format import read_json, write_json
from .livelink import read_livelink, write_livelink
from .npz_format import curves_from_npz, npz_bytes, read_npz, write_npz

__all__ = [
    "READERS",
    "WRITERS",
    "FormatError",
    "curves_from_npz",
    "npz_bytes",
    "read_curves",
    "read_livelink",
    "write_curves",
]

READERS: Final[dict[str, Callable[[Path], FaceCurves]]] = {
    ".csv": read_livelink,
    ".json": read_json,
    ".npz": read_npz,
}
WRITERS: Final[dict[str, Callable[[FaceCurves, Path], None]]] = {
    ".csv": write_livelink,
    ".json": write_json,
    ".npz": write_npz,
}


def read_curves(path: str | Path) -> FaceCurves:
    """Read face curves from a file whose suffix is in ``READERS``.

    Raises:
        FormatError: for another suffix or a file that breaks its format; the message names the row.
        OSError: for a file that cannot be opened.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise FormatError(f"{path.name}: curves are read from {', '.join(READERS)} files, not '{path.suffix}'")
    return reader(path)


def write_curves(curves: FaceCurves, path: str | Path) -> None:
    """Write face curves to a file whose suffix is in ``WRITERS``; the file appears whole or not at all.

    Raises:
        FormatError: for another suffix.
        OSError: for a file that cannot be written.
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise FormatError(f"{path.name}: curves are written to {', '.join(WRITERS)} files, not '{path.suffix}'")
    writer(curves, path)
