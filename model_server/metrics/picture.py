"""Faults of a warped picture, read from the map that says where each of its pixels comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

SMEARED = 0.2
"""One source pixel drawn over more than five: a smear to the eye."""

TORN = 5.0
"""Neighbours that lie more than five source pixels apart: something is torn off or folded over there."""


def local_scales(column: FloatArray, row: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (H - 1, W - 1) the least and the greatest number of source pixels a step of one pixel crosses.

    They are the singular values of the map's Jacobian by forward differences. 1 and 1 is a picture at rest.

    Args:
        column: (H, W) source column of each pixel.
        row: (H, W) source row.
    """
    a, b = np.diff(column, axis=1)[:-1], np.diff(column, axis=0)[:, :-1]
    c, d = np.diff(row, axis=1)[:-1], np.diff(row, axis=0)[:, :-1]
    # Singular values of [[a, b], [c, d]] in closed form (Blinn, "Consider the lowly 2 x 2 matrix", 1996).
    whole, turned = np.hypot(a + d, c - b), np.hypot(a - d, c + b)
    return np.abs(whole - turned) / 2, (whole + turned) / 2


def smeared_pixels(column: FloatArray, row: FloatArray) -> Flags:
    """Return (H - 1, W - 1), where one source pixel is drawn over more than ``1 / SMEARED``."""
    return np.asarray(local_scales(column, row)[0] < SMEARED)


def torn_pixels(column: FloatArray, row: FloatArray) -> Flags:
    """Return (H - 1, W - 1), where neighbours come from more than ``TORN`` pixels apart."""
    return np.asarray(local_scales(column, row)[1] > TORN)


def outside_pixels(column: FloatArray, row: FloatArray, size: tuple[int, int]) -> Flags:
    """Return (H, W), which pixels would come from outside a picture of height and width ``size``."""
    return np.asarray((column < -0.5) | (row < -0.5) | (column > size[1] - 0.5) | (row > size[0] - 0.5))
