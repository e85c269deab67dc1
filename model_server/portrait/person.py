"""Splits a photograph into a person and what lies behind: background, premultiplied person layer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats
from .inpaint import Flags, fill_background
from .matte import PersonMatte
from .photo import Photo

_STRAY = 0.025  # face widths beyond the matte where stray hair still colours the background
_BORDER = 0.35  # face widths by which the person goes on past the picture's border
_CLEAR = 0.03


@dataclass(frozen=True)
class PersonLayers:
    """A photograph as ``person + background * (1 - alpha)``, exact to one grey level where nothing moves.

    Attributes:
        person: (H + 2 B, W + 2 B, 4) uint8, colour already multiplied by alpha, and alpha; it goes on past the
            picture's border where the person is cut off there.
        border: B, pixels.
        background: (H, W, 3) uint8, the person painted out.
    """

    person: Bytes
    border: int
    background: Bytes


def split_layers(photo: Photo, matte: PersonMatte, face_width: float) -> PersonLayers:
    """Return the person and the painted-out background of ``photo``.

    Args:
        photo: the photograph.
        matte: its person.
        face_width: pixels.
    """
    border = max(8, round(_BORDER * face_width))
    alpha = np.round(matte.alpha * 255) / 255
    if not matte.separable:
        whole = np.dstack([photo.pixels, np.full(alpha.shape, 255, np.uint8)])
        return PersonLayers(_continued(whole, border), border, photo.pixels)
    behind = fill_background(photo.pixels, _grown(alpha > _CLEAR, _STRAY * face_width), face_width)
    person, background = _unmixed(
        photo.pixels.astype(np.float32), alpha.astype(np.float32), behind, _STRAY * face_width
    )
    return PersonLayers(_continued(person, border), border, background)


def _unmixed(pixels: Floats, alpha: Floats, behind: Floats, stray: float) -> tuple[Bytes, Bytes]:
    """Return the premultiplied person (H, W, 4) and the background (H, W, 3) that mix to ``pixels`` again.

    What differs from the background at the edge is the person's, as opaque as it has to be for that; ``stray``
    pixels past the matte this ends, and the background takes what is left.
    """
    dark = 1 - pixels / np.maximum(behind, 1)
    bright = (pixels - behind) / np.maximum(255 - behind, 1)
    needed = np.maximum(dark, bright).max(axis=2)
    past = cv2.distanceTransform((alpha <= _CLEAR).astype(np.uint8), cv2.DIST_L2, 5)
    most = np.clip(0.35 - 0.5 * past / stray + 2 * alpha, 0, 1)
    cover = np.ceil(np.maximum(alpha, np.minimum(needed, most)) * 255)[:, :, None] / 255
    clear = np.maximum(1 - cover, 1e-3)
    # A background outside these bounds would ask for a person darker than black or brighter than white.
    mixed = np.clip(np.round(behind), np.ceil((pixels - 255 * cover) / clear), np.floor(pixels / clear))
    background = np.where(cover < 1, np.clip(mixed, 0, 255), np.round(behind))
    person = np.clip(np.round(pixels - (1 - cover) * background), 0, np.round(255 * cover))
    return np.round(np.concatenate([person, 255 * cover], axis=2)).astype(np.uint8), background.astype(np.uint8)


def _grown(mask: Flags, reach: float) -> Flags:
    side = 2 * max(1, round(reach)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)


def _continued(person: Bytes, border: int) -> Bytes:
    """Return a premultiplied layer (H + 2 B, W + 2 B, 4) that goes on past its border.

    Texture is mirrored there; but where nobody is cut off by the border, nobody is mirrored into it.
    """
    around = (border, border, border, border)
    mirrored = cv2.copyMakeBorder(person, *around, cv2.BORDER_REFLECT_101)
    held = cv2.copyMakeBorder(person, *around, cv2.BORDER_REPLICATE)
    opaque = mirrored[:, :, 3:] >= held[:, :, 3:]
    scale = held[:, :, 3:] / np.maximum(mirrored[:, :, 3:], 1).astype(np.float32)
    fitted = np.round(mirrored * np.minimum(scale, 1)).astype(np.uint8)
    return np.ascontiguousarray(np.where(opaque, fitted, held))
