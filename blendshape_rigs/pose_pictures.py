"""Small pictures of the proxy avatar's face, drawn without a graphics card. numpy only."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .avatar import ProxyAvatar, load_proxy_avatar

_LIGHTS = ((0.35, 0.55, 0.75, 0.75), (-0.8, 0.1, 0.5, 0.25))
"""Direction to each light, and its strength."""
_AMBIENT = 0.32
_HIDDEN = ("cornea",)  # clear: what lies behind is what is seen
_CENTRE = (0.0, -0.02)  # metres from between the eyes: the middle of the picture
_REACH = 0.105  # metres from the middle to the edge
_PIXELS_A_STEP = 0.7  # of a triangle's own grid: closer than a pixel, so that none stays empty
_DEPTHS = 2**20


@cache
def _scene() -> tuple[ProxyAvatar, npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return the avatar, its visible triangles (F, 3) and their colours (F, 3), linear enough for a thumbnail."""
    avatar = load_proxy_avatar()
    hidden = [avatar.materials.index(name) for name in _HIDDEN if name in avatar.materials]
    shown = avatar.triangles[~np.isin(avatar.triangle_materials, hidden)]
    return avatar, shown, avatar.vertex_colors[shown].mean(axis=1)


def _shade(corners: npt.NDArray[np.float32], colours: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the lit colours (F, 3) of triangles with ``corners`` (F, 3, 3)."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    light = np.full(len(normals), _AMBIENT)
    for x, y, z, strength in _LIGHTS:
        direction = np.array([x, y, z]) / np.linalg.norm([x, y, z])
        light += strength * np.clip(normals @ direction, 0, None)
    shaded: npt.NDArray[np.float32] = np.clip(colours * light[:, None], 0, 1).astype(np.float32)
    return shaded


def _samples(corners: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return which triangle each of N points belongs to, and the points (N, 3), one a pixel or more.

    Args:
        corners: (F, 3, 3) pixels across, pixels down, depth.
    """
    spans = np.ptp(corners[:, :, :2], axis=1).max(axis=1)
    steps = 2 ** np.ceil(np.log2(np.maximum(spans / _PIXELS_A_STEP, 1))).astype(np.int64)
    numbers, points = [], []
    for count in np.unique(steps):
        chosen = np.flatnonzero(steps == count)
        u, v = (axis.ravel() for axis in np.meshgrid(*[(np.arange(count) + 1 / 3) / count] * 2))
        inside = u + v < 1
        weights = np.stack([1 - u - v, u, v], axis=1)[inside].astype(np.float32)
        numbers.append(np.repeat(chosen, len(weights)))
        points.append((weights @ corners[chosen]).reshape(-1, 3))
    return np.concatenate(numbers), np.concatenate(points)


def face_picture(values: npt.NDArray[np.floating[Any]], size: int, fineness: int = 2) -> npt.NDArray[np.float32]:
    """Return a picture (size, size, 4) of the avatar with ARKit weights (52,), RGBA in 0..1, the lowest row first.

    Args:
        values: ARKit weights.
        size: width and height in pixels.
        fineness: how many times larger it is drawn before it is shrunk to its size.
    """
    avatar, triangles, colours = _scene()
    fine = fineness * size
    corners = avatar.deform(np.asarray(values, np.float32))[triangles]
    placed = (corners - np.array([*_CENTRE, 0], np.float32)) * (fine / 2 / _REACH)
    placed[:, :, :2] += fine / 2
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    seen = facing & ((placed[:, :, :2] >= 0) & (placed[:, :, :2] < fine)).all(axis=(1, 2))
    numbers, points = _samples(placed[seen])
    across, up, depth = points.T
    pixels = up.astype(np.int64) * fine + across.astype(np.int64)
    ranks = ((depth - depth.min()) * (_DEPTHS - 1) / max(float(np.ptp(depth)), 1e-9)).astype(np.int64)
    order = np.argsort(pixels * _DEPTHS + ranks)
    pixels, numbers = pixels[order], numbers[order]
    front = np.append(pixels[1:] != pixels[:-1], True)  # the last of each pixel is the nearest
    picture = np.zeros((fine * fine, 4), np.float32)
    picture[pixels[front], :3] = _shade(corners[seen], colours[seen])[numbers[front]]
    picture[pixels[front], 3] = 1.0
    shrunk: npt.NDArray[np.float32] = picture.reshape(size, fineness, size, fineness, 4).mean(axis=(1, 3))
    shrunk[..., :3] /= np.maximum(shrunk[..., 3:], 1e-6)
    return shrunk
