"""Splits a photograph into a person and what lies behind: matte, background, premultiplied person layer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .fit import PortraitFit, without_native_noise
from .photo import Photo

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_BACKGROUND_GAP = 0.03  # face widths beyond the matte where stray hair still colours the background


@dataclass(frozen=True)
class PersonLayers:
    """A photograph as ``person + background * (1 - alpha)``, exact to one grey level where nothing moves.

    Attributes:
        person: (H, W, 4) uint8, colour already multiplied by alpha, and alpha.
        background: (H, W, 3) uint8, the person painted out.
    """

    person: Bytes
    background: Bytes


def person_matte(photo: Photo, fit: PortraitFit) -> Floats:
    """Return (H, W) float32 in [0, 1]: the photograph's own opacity, or the person segmented from the background."""
    if photo.opacity is not None:
        return photo.opacity.astype(np.float32) / 255
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    with without_native_noise(), SelfieSegmentation(model_selection=0) as segmentation:
        rough = segmentation.process(photo.pixels).segmentation_mask
    rough = np.ascontiguousarray(rough, np.float32)
    # The network's matte is coarse; the photograph's own edges sharpen it.
    radius = max(2, round(0.05 * fit.face_width))
    guide = photo.pixels.astype(np.float32) / 255
    fine = cv2.ximgproc.guidedFilter(guide, rough, radius, 1e-3)
    matte = np.clip((fine - 0.15) / 0.7, 0, 1)
    hull = cv2.convexHull(np.round(fit.points).astype(np.int32))
    face = cv2.fillConvexPoly(np.zeros(matte.shape, np.uint8), hull, 1)
    return np.maximum(matte, face).astype(np.float32)


def split_layers(photo: Photo, matte: Floats, face_width: float) -> PersonLayers:
    """Return the person and the painted-out background of ``photo`` for a matte (H, W) in [0, 1]."""
    gap = 2 * max(1, round(_BACKGROUND_GAP * face_width)) + 1
    unknown = cv2.dilate((matte > 0.02).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap)))
    filled = fill_from_known(photo.pixels.astype(np.float32), 1.0 - unknown)
    alpha = np.round(matte * 255) / 255
    through = (1 - alpha)[:, :, None]
    # A background brighter than the photograph allows would need a person of negative colour.
    background = np.minimum(filled, photo.pixels / np.maximum(through, 1e-3))
    background = np.floor(np.clip(background, 0, 255))
    person = photo.pixels - through * background
    stacked = np.concatenate([np.clip(np.round(person), 0, 255), alpha[:, :, None] * 255], axis=2)
    return PersonLayers(np.round(stacked).astype(np.uint8), background.astype(np.uint8))


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


def polygon_mask(points: Floats, size: tuple[int, int]) -> Floats:
    """Return (H, W) float32 coverage in [0, 1] of a polygon (N, 2) in pixels; edges are smooth."""
    fine = 4
    canvas = np.zeros((size[0] * fine, size[1] * fine), np.uint8)
    corners = np.round(((points + 0.5) * fine - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 255, cv2.LINE_8, 4)
    return cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
