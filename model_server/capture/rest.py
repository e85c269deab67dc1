"""Where a measure rests most of the time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def most_usual(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the half of (T,) ``values`` that lies closest together, the shorth (Andrews et al., 1972)."""
    ordered = np.sort(values)
    half = len(ordered) // 2 + 1
    widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    first = int(widths.argmin())
    return float(ordered[first : first + half].mean())
