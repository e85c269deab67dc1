"""Fills what a person hides of the background: its own texture, mirrored, at the edge; smooth colours deep inside."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from .arrays import Bytes, Floats
from .layers import fill_from_known

Flags = npt.NDArray[np.bool_]

_MIRRORED = 0.6  # face widths inside the edge up to which the background's texture is mirrored
_ROUND = 0.08  # face widths: the outline's detail that the mirror does not follow
_SMOOTH = 0.045  # face widths over which neighbouring reflections are evened out


def fill_background(pixels: Bytes, hidden: Flags, face_width: float) -> Floats:
    """Return (H, W, 3) float32, 0..255: ``pixels`` with what is hidden painted in.

    A head that turns uncovers narrow strips. What lies beside a strip, mirrored at its edge, joins without a step,
    is as sharp as the rest and never comes from far away.

    Args:
        pixels: (H, W, 3) photograph.
        hidden: (H, W), where the background is not seen.
        face_width: pixels.
    """
    height, width = hidden.shape
    soft = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), _ROUND * face_width)
    outline = hidden | (soft > 0.4)
    depth, (edge_y, edge_x) = distance_transform_edt(outline, return_indices=True)
    y, x = np.mgrid[:height, :width]
    sigma = _SMOOTH * face_width
    # Where the nearest edge jumps from one side to the other, the reflections of both are blended.
    from_y, from_x = (
        cv2.GaussianBlur(at.astype(np.float32), (0, 0), sigma)
        for at in (_reflected(2 * edge_y - y, height), _reflected(2 * edge_x - x, width))
    )
    mirrored = cv2.remap(pixels.astype(np.float32), from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    seen = cv2.remap((~outline).astype(np.float32), from_x, from_y, cv2.INTER_LINEAR) > 0.99
    taken = outline & seen & (depth < _MIRRORED * face_width)
    known = np.where(hidden, taken, True).astype(np.float32)
    colours = np.where((hidden & taken)[:, :, None], mirrored, pixels)
    return fill_from_known(colours.astype(np.float32), known)


def _reflected(index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Return indices mirrored into 0..size - 1."""
    index = np.abs(index)
    return np.asarray(np.clip(np.where(index > size - 1, 2 * (size - 1) - index, index), 0, size - 1))
