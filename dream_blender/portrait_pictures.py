"""Frames as picture files, written by Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def linear(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return scene-linear values of sRGB ones in [0, 1] (IEC 61966-2-1)."""
    low = values / np.float32(12.92)
    high = ((values + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(values <= 0.04045, low, high).astype(np.float32)


def save_picture(frame: Pixels, path: Path) -> None:
    """Write one frame; ``.png`` keeps its bytes, ``.exr`` is scene-linear with premultiplied alpha.

    Args:
        frame: (H, W, 3) RGB or (H, W, 4) RGBA uint8, straight alpha.
        path: file to write.

    Raises:
        OSError: when it cannot be written.
    """
    height, width, channels = frame.shape
    floats = path.suffix == ".exr"
    pixels = np.ones((height, width, 4), np.float32)
    np.multiply(frame[::-1], np.float32(1 / 255), out=pixels[:, :, :channels])
    if floats:
        pixels[:, :, :3] = linear(pixels[:, :, :3]) * pixels[:, :, 3:]
    # As data, a float image is written as it is; as colour, Blender would convert it once more.
    image = bpy.data.images.new(path.name, width, height, alpha=channels == 4, float_buffer=floats, is_data=floats)
    try:
        _write(image, pixels, path, floats)
    finally:
        bpy.data.images.remove(image)


def _write(image: Any, pixels: npt.NDArray[np.float32], path: Path, floats: bool) -> None:
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw = str(path)
    image.file_format = "OPEN_EXR" if floats else "PNG"
    try:
        image.save()
    except RuntimeError as error:
        raise OSError(f"{path.name} could not be written: {str(error).strip()}") from error
