"""What a photograph says about its light and its camera, so that a drawn mouth looks taken with it.

Light is a first-order function of the surface's direction, fitted to the skin (Ramamoorthi and Hanrahan 2001: nine
spherical harmonics suffice; the first four are what a face seen from one side supports).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.face_mesh import LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Bytes, Floats, Reals
from .fit import PortraitFit
from .layers import polygon_mask
from .mouth_model import to_linear, vertex_normals
from .topology import EYE_LOOPS, IRIS_CENTRES, LOWER_LID_RINGS, UPPER_LID_RINGS

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
_ENAMEL = np.array([1.02, 0.985, 0.86], np.float32)  # linear tint of a tooth beside the white of an eye
_SKIN_CHROMA, _LIP_CHROMA = 0.6, 0.5  # (red - blue) / red in linear light, in a photograph of ordinary saturation
_PIXEL_BLUR = 0.65  # pixels: what the gradient's own mask and the pixels add
_EDGE_BLUR = 1.0  # pixels of blur that is added to tell how much there was


@dataclass(frozen=True)
class MouthLight:
    """The light and the camera of one portrait.

    Attributes:
        ambient: brightness in all directions.
        direction: (3,) brightness added along camera axes; both are relative to a surface that faces the camera.
        white: (3,) linear light 0..1, a lit white surface of the body, as a front tooth.
        enamel: (3,) linear light 0..1, this person's front teeth when lit.
        lips: (3,) linear light, the lower lip.
        saturation: 0 (grey picture) to 1.1, relative to an ordinary photograph.
        blur: pixels, standard deviation of the sharpest edges of the face.
        grain: 0..255, standard deviation of the noise.
    """

    ambient: float
    direction: Floats
    white: Floats
    enamel: Floats
    lips: Floats
    saturation: float
    blur: float
    grain: float

    def irradiance(self, normals: Floats) -> Floats:
        """Return (N,) brightness of surfaces with unit normals (N, 3) in camera axes; 1 faces the camera."""
        return np.asarray(np.clip(self.ambient + normals @ self.direction, 0.35, 1.5), np.float32)


def measure_light(pixels: Bytes, fit: PortraitFit) -> MouthLight:
    """Return the light and the camera of a photograph (H, W, 3) uint8 with its measured face."""
    linear = to_linear(pixels / np.float32(255))
    points = fit.points
    skin = _skin_landmarks()
    smooth = cv2.GaussianBlur(linear, (0, 0), max(0.8, 0.012 * fit.face_width))
    seen = _sample(smooth, points[skin])
    ambient, direction = _fit_light(seen @ LUMINANCE, _landmark_normals()[skin] @ fit.rotation.T)
    tone = np.quantile(seen, 0.65, axis=0)
    face = _face_crop(pixels, fit)
    white = _white(pixels, fit, tone)
    lips = np.median(_sample(smooth, points[list(LOWER_LIP_RINGS[1][2:-2])]), axis=0).astype(np.float32)
    return MouthLight(
        ambient,
        direction,
        white,
        white,
        lips,
        float(np.clip(max(_chroma(tone) / _SKIN_CHROMA, _chroma(lips) / _LIP_CHROMA), 0, 1.1)),
        edge_blur(face),
        grain(face),
    )


def _skin_landmarks() -> list[int]:
    rings = (*UPPER_LIP_RINGS, *LOWER_LIP_RINGS, *(r for pair in (*UPPER_LID_RINGS, *LOWER_LID_RINGS) for r in pair))
    other = {number for ring in rings for number in ring} | set(_BROWS)
    return [number for number in range(468) if number not in other]


def _landmark_normals() -> Floats:
    avatar = load_proxy_avatar()
    skin = avatar.triangles[np.isin(avatar.triangle_materials, [avatar.materials.index(n) for n in ("skin", "lips")])]
    return vertex_normals(avatar.vertices, skin)[avatar.landmark_vertices]


def _sample(image: Floats, points: Floats) -> Floats:
    """Return (N, 3) pixels nearest to points (N, 2)."""
    column, row = np.clip(np.round(points).astype(int), 0, np.array(image.shape[1::-1]) - 1).T
    return np.asarray(image[row, column], np.float32)


def _fit_light(brightness: Floats, normals: Floats) -> tuple[float, Floats]:
    """Return ambient and direction (3,), by least squares that trust beards, hair and highlights less each round."""
    rows = np.concatenate([np.ones((len(normals), 1)), normals], axis=1)
    trust = np.ones(len(rows))
    solved = np.zeros(4)
    ridge = np.diag([0.0, 1.0, 1.0, 1.0]) * 0.02 * len(rows)
    for _ in range(5):
        weighted = rows * trust[:, None]
        solved = np.linalg.solve(weighted.T @ rows + ridge, weighted.T @ brightness)
        error = np.abs(rows @ solved - brightness)
        trust = 1 / (1 + (error / max(2 * float(np.median(error)), 1e-4)) ** 2)
    facing = max(float(solved[0] + solved[3]), 1e-3)
    return float(solved[0] / facing), np.asarray(solved[1:] / facing, np.float32)


def _white(pixels: Bytes, fit: PortraitFit, skin: Floats) -> Floats:
    """Return (3,) linear light of a tooth: that of the whites of the eyes, within what the skin makes likely."""
    level = float(skin @ LUMINANCE)
    whites = _eye_whites(pixels, fit)
    # Behind glasses or lashes there is nothing but skin.
    if whites is None or _chroma(whites) > max(0.75 * _chroma(skin), 0.1):
        tint = 0.35 * skin / max(level, 1e-4) + 0.65
        return np.asarray(_ENAMEL * tint * np.clip(1.15 * level + 0.06, 0.05, 0.8), np.float32)
    seen = float(whites @ LUMINANCE)
    # Between red lids the whites take on the skin's colour: more than half of it is not the light's.
    most = 0.55 + 0.45 * skin / max(level, 1e-4)
    tint = np.clip(whites / max(seen, 1e-4), np.minimum(most, 1), np.maximum(most, 1))
    # Whites of eyes lie in the shade of the lids more often than teeth do in that of the lips.
    return np.asarray(_ENAMEL * (0.2 + 0.8 * tint) * np.clip(1.1 * seen, level, 2.2 * level + 0.1), np.float32)


def _chroma(linear: Floats) -> float:
    """Return (red - blue) / red of (3,) linear light."""
    return float((linear[0] - linear[2]) / max(float(linear[0]), 1e-3))


def _eye_whites(pixels: Bytes, fit: PortraitFit) -> Floats | None:
    """Return (3,) linear light of the brighter whites of both eyes, None if too little of them shows."""
    found = []
    picture = fit.landmarks[:, :2] * np.array([1, -1], np.float32)
    for loop, iris in zip(EYE_LOOPS, IRIS_CENTRES, strict=True):
        outline = fit.points[list(loop)]
        outline = outline.mean(axis=0) + 0.78 * (outline - outline.mean(axis=0))
        corner = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        size = np.ceil(outline.max(axis=0)).astype(int) + 1 - corner
        crop = pixels[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
        inside = polygon_mask(outline - corner, (crop.shape[0], crop.shape[1])) > 0.9
        radius = float(np.linalg.norm(picture[iris + 1 : iris + 5] - picture[iris], axis=1).mean())
        rows, columns = np.nonzero(inside)
        away = np.hypot(columns + corner[0] - picture[iris, 0], rows + corner[1] - picture[iris, 1])
        found.append(to_linear(crop[inside][away > 1.15 * radius] / np.float32(255)))
    whites = np.concatenate(found)
    if len(whites) < 8:
        return None
    bright = whites @ LUMINANCE
    return np.asarray(whites[bright >= np.quantile(bright, 0.6)].mean(axis=0), np.float32)


def _face_crop(pixels: Bytes, fit: PortraitFit) -> Floats:
    """Return (h, w) float32 brightness 0..255 of the face's middle."""
    low, high = fit.points.min(axis=0), fit.points.max(axis=0)
    left, top = np.maximum(np.round(low + 0.1 * (high - low)).astype(int), 0)
    right, bottom = np.round(high - 0.1 * (high - low)).astype(int)
    crop = np.ascontiguousarray(pixels[top:bottom, left:right])
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)


def edge_blur(grey: Reals) -> float:
    """Return the blur of the sharper edges of (H, W) brightness in pixels, 0.3 to 4.

    Method: how much an edge's gradient falls when a known blur is added (Zhuo and Sim 2011).
    """
    image = np.asarray(grey, np.float32)

    def gradient(picture: Reals) -> Floats:
        slopes = np.hypot(cv2.Sobel(picture, cv2.CV_32F, 1, 0), cv2.Sobel(picture, cv2.CV_32F, 0, 1))
        return np.asarray(slopes, np.float32)

    sharp, soft = gradient(image), gradient(cv2.GaussianBlur(image, (0, 0), _EDGE_BLUR))
    edges = sharp >= max(float(np.quantile(sharp, 0.95)), 1.0)
    if not edges.any():
        return 4.0
    ratio = np.maximum(sharp[edges] / np.maximum(soft[edges], 1e-3), 1.01)
    variance = float(np.quantile(_EDGE_BLUR**2 / (ratio**2 - 1), 0.25)) - _PIXEL_BLUR**2
    return float(np.clip(np.sqrt(max(variance, 0)), 0.3, 4.0))


def grain(grey: Reals) -> float:
    """Return the standard deviation of the noise of (H, W) brightness, from its smoothest parts.

    Method: the mask of Immerkaer (1996), which is blind to gradients.
    """
    image = np.asarray(grey, np.float32)
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    noise = cv2.boxFilter(np.abs(cv2.filter2D(image, cv2.CV_32F, mask)), -1, (9, 9))
    return float(np.clip(np.sqrt(np.pi / 2) / 6 * np.quantile(noise, 0.2), 0, 6))
