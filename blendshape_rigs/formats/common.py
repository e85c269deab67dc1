"""What all curve formats share: their error, their limits and the order of their channels."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES
from ..curves import CurvesError

MAX_BYTES = 512 * 2**20
"""The largest file, and the largest unpacked array file, that is read: hours of animation."""
MAX_FRAMES = 1_000_000
LARGEST_VALUE = 100.0
"""Weights are near [0, 1], angles are radians, distances metres: anything beyond this is a mistake."""


class FormatError(CurvesError):
    """A file that breaks its format. The message names the file's row or part, and what to do."""


def check_size(path: Path) -> None:
    """Raise :class:`FormatError` for a file of more than ``MAX_BYTES``."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FormatError(f"{path.name} has {size >> 20} MiB; at most {MAX_BYTES >> 20} are read: split it")


def arkit_columns(names: Sequence[str], where: str) -> list[int]:
    """Return the ARKit index of each of ``names``, matched without regard to case or order.

    Raises:
        FormatError: for an unknown or repeated name, or a missing one; only ``tongueOut`` may be missing, as
            in files of 51 shapes.
    """
    by_lower = {name.lower(): index for name, index in ARKIT_INDEX.items()}
    columns: list[int] = []
    for name in names:
        index = by_lower.get(name.strip().lower())
        if index is None:
            raise FormatError(f"{where}: '{name[:60]}' is not an ARKit blendshape; rename or remove it")
        if index in columns:
            raise FormatError(f"{where}: '{name}' is there twice; remove one")
        columns.append(index)
    missing = [name for i, name in enumerate(ARKIT_NAMES) if i not in columns and name != "tongueOut"]
    if missing:
        shown = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        raise FormatError(f"{where}: {shown} missing; all ARKit blendshapes but tongueOut must be there")
    return columns


def in_arkit_order(values: npt.NDArray[np.float64], columns: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return (T, 52) with column ``columns[i]`` taken from (T, N) ``values[:, i]`` and zeros elsewhere."""
    ordered = np.zeros((len(values), ARKIT_COUNT))
    ordered[:, list(columns)] = values
    return ordered


def check_values(values: npt.NDArray[np.float64], rows: Sequence[int], where: str) -> None:
    """Raise :class:`FormatError` where (T, N) ``values`` are not finite or far out of range.

    ``rows`` (T,) are the row numbers to name and ``where`` says what a row is.
    """
    bad = ~(np.abs(values) <= LARGEST_VALUE)
    if bad.any():
        frame, column = (int(i) for i in np.argwhere(bad)[0])
        raise FormatError(
            f"{where} {rows[frame]}: {values[frame, column]:g} is no weight (about 0 to 1), angle in radians "
            "or distance in metres; correct or remove the row"
        )


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(name, 0o666 & ~_umask())  # noqa: PTH101
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
