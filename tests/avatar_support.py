"""Measurements on the freshly built avatar: which points lie inside which surface, and how deep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import ProxyAvatar, read_proxy_avatar

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def built_avatar(folder: Path) -> ProxyAvatar:
    """Return the avatar as the builder makes it now."""
    from avatar_builder.build import build

    build(folder / "avatar.npz")
    return read_proxy_avatar(folder / "avatar.npz")


def posed(avatar: ProxyAvatar, **shapes: float) -> Floats:
    """Return the vertices (V, 3) with the given shapes; a name without its side sets both sides."""
    values = np.zeros(ARKIT_COUNT, dtype=np.float32)
    for name, value in shapes.items():
        for full in (name,) if name in ARKIT_INDEX else (name + "Left", name + "Right"):
            values[ARKIT_INDEX[full]] = value
    return avatar.deform(values).astype(np.float64)


def triangles_of(avatar: ProxyAvatar, *materials: str) -> Ints:
    """Return the triangles (F, 3) of the given materials."""
    numbers = [avatar.materials.index(name) for name in materials]
    return avatar.triangles[np.isin(avatar.triangle_materials, numbers)].astype(np.intp)


def head_skin(avatar: ProxyAvatar) -> Ints:
    """Return the triangles of the head's skin with the mouth's lining, without the ears."""
    triangles = triangles_of(avatar, "skin", "lips", "mouth_cavity")
    label = _connected(triangles, np.zeros((0, 2), dtype=np.intp))
    return triangles[label == label[(triangles == avatar.landmark_vertices[0]).any(axis=1)][0]]


def closed_face(avatar: ProxyAvatar) -> Ints:
    """Return the skin that is seen with the mouth shut, and a curtain between the lips: the mouth is inside it."""
    skin = head_skin(avatar)
    upper, lower = avatar.upper_lip.astype(np.intp), avatar.lower_lip.astype(np.intp)
    seam = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in (upper, lower)])
    label = _connected(skin, seam)
    outer = skin[label == np.argmax(np.bincount(label))]
    curtain = [np.stack([upper[:-1], upper[1:], lower[1:]], 1), np.stack([upper[:-1], lower[1:], lower[:-1]], 1)]
    return np.concatenate([outer, *curtain])


def _connected(triangles: Ints, seam: Ints) -> Ints:
    """Return a number per triangle of the piece it belongs to when the surface is cut along the edges ``seam``."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    count = int(triangles.max()) + 1
    keys = edges[:, 0] * count + edges[:, 1]
    owner = np.repeat(np.arange(len(triangles)), 3)
    cut = np.sort(seam, axis=1)
    kept = ~np.isin(keys, cut[:, 0] * count + cut[:, 1])
    _, edge = np.unique(keys[kept], return_inverse=True)
    touching = sparse.coo_matrix((np.ones(kept.sum()), (owner[kept], edge)), shape=(len(triangles), edge.max() + 1))
    label: Ints = connected_components(touching @ touching.T, directed=False)[1]
    return label


def in_front(vertices: Floats, triangles: Ints, points: Floats) -> Ints:
    """Return how many triangles lie straight in front (+Z) of each point (N,)."""
    corners = vertices[triangles]
    low, high = corners[..., :2].min(axis=1), corners[..., :2].max(axis=1)
    counts = np.zeros(len(points), dtype=np.intp)
    if not len(points):
        return counts
    # Off the mirror plane, where points and edges lie exactly in line.
    shifted = points + np.array([1.3e-7, 0.7e-7, 0.0])
    order = np.argsort(shifted[:, 0])
    for chunk in np.array_split(order, max(1, len(points) // 128)):
        at = shifted[chunk]
        near = ((high >= at[:, :2].min(axis=0)) & (low <= at[:, :2].max(axis=0))).all(axis=1)
        counts[chunk] = _crossed(corners[near], at)
    return counts


def _crossed(corners: Floats, points: Floats) -> Ints:
    from_point = corners[None, ..., :2] - points[:, None, None, :2]
    following, after = np.roll(from_point, -1, axis=2), np.roll(from_point, -2, axis=2)
    share = following[..., 0] * after[..., 1] - following[..., 1] * after[..., 0]
    total = share.sum(axis=2)
    hit = ((share >= 0).all(axis=2) | (share <= 0).all(axis=2)) & (total != 0)
    depth = (share * corners[None, ..., 2]).sum(axis=2) / np.where(total == 0, 1, total)
    result: Ints = (hit & (depth > points[:, None, 2])).sum(axis=1)
    return result


def inside(vertices: Floats, triangles: Ints, points: Floats) -> NDArray[np.bool_]:
    """Return which points (N, 3) lie inside a surface that is closed in front of them."""
    return in_front(vertices, triangles, points) % 2 == 1


def deepest(vertices: Floats, triangles: Ints, points: Floats) -> float:
    """Return how far in metres the deepest of the points inside a surface is from it; 0 where none is inside."""
    within = points[inside(vertices, triangles, points)]
    return float(distance_to(vertices, triangles, within).max(initial=0.0))


def distance_to(vertices: Floats, triangles: Ints, points: Floats) -> Floats:
    """Return the distance (N,) in metres from points to a surface, through 10 samples of each near triangle."""
    if not len(points):
        return np.zeros(0)
    grid = np.array([(a, b, 3 - a - b) for a in range(4) for b in range(4 - a)]) / 3
    low, high = points.min(axis=0) - 0.01, points.max(axis=0) + 0.01
    corners = vertices[triangles]
    near = corners[((corners.max(axis=1) > low) & (corners.min(axis=1) < high)).all(axis=1)]
    samples = np.einsum("gc,fcx->fgx", grid, near).reshape(-1, 3)
    distance: Floats = cKDTree(samples).query(points)[0]
    return distance
