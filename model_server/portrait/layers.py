"""Small tools for painting: filling from what is known, patches, polygons."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats


def fill_from_known(image: Floats, known: Floats) -> Floats:
    """Return (H, W, C) float32 where pixels of weight 0 in ``known`` (H, W) take the smooth mean of known ones.

    Method: push-pull over an image pyramid (Gortler et al. 1996).
    """
    known = known.astype(np.float32)
    if min(image.shape[:2]) <= 2 or known.min() > 0:
        mean = (image * known[:, :, None]).sum(axis=(0, 1)) / max(float(known.sum()), 1e-6)
        return np.asarray(np.where(known[:, :, None] > 0, image, mean), np.float32)
    size = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(image * known[:, :, None], size, interpolation=cv2.INTER_AREA)
    coarse = fill_from_known(colour / np.maximum(weight, 1e-6)[:, :, None], np.minimum(weight * 4, 1))
    wide = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(image * known[:, :, None] + wide * (1 - known)[:, :, None], np.float32)


@dataclass(frozen=True)
class Patch:
    """A small piece of the resting picture to be laid over it by degrees.

    Attributes:
        area: rows and columns of the picture.
        colour: (h, w, 3) float32, 0..255.
        alpha: (h, w, 1) float32, 0..1.
    """

    area: tuple[slice, slice]
    colour: Floats
    alpha: Floats

    def lay(self, picture: Bytes, weight: float) -> None:
        """Blend into the first three channels of ``picture`` with ``weight`` in 0..1."""
        below = picture[self.area][..., :3]
        cover = self.alpha * weight
        below[:] = np.round(below * (1 - cover) + self.colour * cover)


def skin_patch(pixels: Bytes, hole: Floats, spread: float, detail: float = 0.0) -> Patch:
    """Return a patch that replaces a polygon (N, 2) pixels by the skin around it.

    Args:
        pixels: (H, W, 3) uint8.
        hole: the polygon.
        spread: pixels by which it is widened.
        detail: share of the original that stays.
    """
    margin = int(3 * spread) + 6
    left, top = np.maximum(np.floor(hole.min(axis=0)).astype(int) - margin, 0)
    right, bottom = np.minimum(np.ceil(hole.max(axis=0)).astype(int) + margin, pixels.shape[1::-1])
    crop = pixels[top:bottom, left:right].astype(np.float32)
    inside = polygon_mask(hole - np.array([left, top]), (int(bottom - top), int(right - left)))
    reach = 2 * max(1, round(spread)) + 1
    wide = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    filled = fill_from_known(crop, (wide < 0.05).astype(np.float32))
    soft = cv2.GaussianBlur(wide, (0, 0), max(0.5, 0.35 * spread))
    return Patch((slice(top, bottom), slice(left, right)), filled * (1 - detail) + crop * detail, soft[:, :, None])


def polygon_mask(points: Floats, size: tuple[int, int]) -> Floats:
    """Return (H, W) float32 coverage in [0, 1] of a polygon (N, 2) in pixels; edges are smooth."""
    fine = 4
    canvas = np.zeros((size[0] * fine, size[1] * fine), np.uint8)
    corners = np.round(((points + 0.5) * fine - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 255, cv2.LINE_8, 4)
    coverage = cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(coverage / np.float32(255), np.float32)
