"""The shapes of a mesh as a file holds them, with their motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FileShape:
    """One shape in a file.

    Attributes:
        name: as the file gives it.
        seconds: (K,) of its keys, the file's own; one of 0 where it stands still.
        values: (K,) weights.
    """

    name: str
    seconds: Array
    values: Array


FileShapes = dict[str, list[FileShape]]
"""The shapes of a file in its order, by the name of the object that has them."""
