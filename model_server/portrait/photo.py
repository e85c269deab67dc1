"""Reads a photograph: bounded in size before it is decoded, upright, 8-bit RGB, of even size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from model_server.errors import PortraitError

from .arrays import Bytes

MAXIMUM_MEGAPIXELS = 64.0
MAXIMUM_FILE_BYTES = 128 * 2**20
LONG_SIDE, SHORT_SIDE = 1920, 1080
MINIMUM_SIDE = 64
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_BACKDROP = 128  # what shows through a transparent portrait


@dataclass(frozen=True)
class Photo:
    """A photograph ready to be animated.

    Attributes:
        name: what messages call it.
        pixels: (H, W, 3) uint8 sRGB; H and W are even, at most 1920 x 1080 or 1080 x 1920.
        opacity: (H, W) uint8 of a picture with an alpha channel, else None.
        source_size: width and height in pixels of the picture before it was made to fit; None when not known.
    """

    name: str
    pixels: Bytes
    opacity: Bytes | None = None
    source_size: tuple[int, int] | None = None


def read_photo(path: str | Path) -> Photo:
    """Return the photograph in ``path``: JPEG, PNG, WebP, TIFF or BMP; greyscale, palette, 16-bit, with alpha.

    A transparent picture is laid on mid-grey. The EXIF orientation is applied. Larger pictures are made smaller.

    Raises:
        PortraitError: for a file that is missing, no picture, damaged, too large or too small.
    """
    path = Path(path)
    if not path.is_file():
        raise PortraitError(f"'{path.name}' does not exist or is no file; check its path")
    if path.stat().st_size > MAXIMUM_FILE_BYTES:
        raise PortraitError(
            f"'{path.name}' is larger than {MAXIMUM_FILE_BYTES >> 20} MiB; save it as JPEG or make it smaller"
        )
    try:
        return _decode(path)
    except UnidentifiedImageError:
        if _is_heic(path):
            raise PortraitError(
                f"'{path.name}' is a HEIC or AVIF picture, which cannot be read here; export it as JPEG first "
                "(iPhone: Settings, Camera, Formats, Most Compatible)"
            ) from None
        raise PortraitError(
            f"'{path.name}' is not a picture that can be read; give JPEG, PNG, WebP, TIFF or BMP"
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow reports damage with these three; its words name the damage.
        raise PortraitError(f"'{path.name}' is damaged ({error}); save or export it again") from error


def photo_from_array(pixels: Bytes, name: str = "photo") -> Photo:
    """Return an RGB (H, W, 3) or RGBA (H, W, 4) uint8 array as a photograph, at an even and bounded size.

    Raises:
        PortraitError: for another shape or type, or a picture that is too small.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise PortraitError(f"'{name}': pixels must be (H, W, 3) or (H, W, 4) uint8, got {pixels.shape}")
    if min(pixels.shape[:2]) < MINIMUM_SIDE:
        raise PortraitError(
            f"'{name}' is only {pixels.shape[1]} x {pixels.shape[0]} pixels; give at least {MINIMUM_SIDE} each way"
        )
    height, width = pixels.shape[:2]
    if fitting_scale(width, height) < 1:
        pixels = np.asarray(cv2.resize(pixels, _fitted(width, height), interpolation=cv2.INTER_AREA), np.uint8)
    # Video needs even sides: one row or column is a smaller loss than resampling everything.
    pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
    if pixels.shape[2] == 3:
        return Photo(name, np.ascontiguousarray(pixels), None, (width, height))
    opacity = pixels[:, :, 3:].astype(np.float32) / 255
    laid = pixels[:, :, :3] * opacity + _BACKDROP * (1 - opacity)
    whole = opacity.min() > 0.99
    return Photo(name, np.round(laid).astype(np.uint8), None if whole else pixels[:, :, 3].copy(), (width, height))


def fitting_scale(width: int, height: int) -> float:
    """Return the scale in (0, 1] at which a picture of this size in pixels is animated."""
    return min(1.0, LONG_SIDE / max(height, width), SHORT_SIDE / min(height, width))


def animated_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height in pixels, both even, of the :class:`Photo` of a picture of this size."""
    width, height = _fitted(width, height)
    return width // 2 * 2, height // 2 * 2


def _fitted(width: int, height: int) -> tuple[int, int]:
    scale = fitting_scale(width, height)
    return max(2, round(width * scale)), max(2, round(height * scale))


def _decode(path: Path) -> Photo:
    with warnings.catch_warnings():
        # Pillow warns about large pictures; the limit below is stricter and says what to do.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        try:
            image = Image.open(path, formats=FORMATS)
        except Image.DecompressionBombError:
            raise _too_many_pixels(path.name) from None
        with image:
            if image.width * image.height > MAXIMUM_MEGAPIXELS * 1e6:
                raise _too_many_pixels(path.name)
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                return photo_from_array(_eight_bit(np.asarray(upright, np.float64), 65535.0), path.name)
            if upright.mode == "F":
                grey = np.nan_to_num(np.asarray(upright, np.float64), posinf=0.0, neginf=0.0)
                white = next((white for white in (1.0, 255.0) if grey.max() <= white), 65535.0)
                return photo_from_array(_eight_bit(grey, white), path.name)
            transparent = "A" in upright.getbands() or "transparency" in upright.info
            return photo_from_array(np.array(upright.convert("RGBA" if transparent else "RGB")), path.name)


def _too_many_pixels(name: str) -> PortraitError:
    return PortraitError(f"'{name}' has more than {MAXIMUM_MEGAPIXELS:g} megapixels; make it smaller first")


def _is_heic(path: Path) -> bool:
    """Return whether the file begins as ISO/IEC 23008-12 pictures do: a box "ftyp" and the brand of a picture."""
    with path.open("rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")


def _eight_bit(grey: npt.NDArray[np.float64], white: float) -> Bytes:
    """Return (H, W, 3) of (H, W) greyscale from 0 to ``white``."""
    levels = np.clip(grey / white * 255, 0, 255).round().astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)
