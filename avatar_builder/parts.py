"""A part of the avatar: a mesh with materials, colours and its displacement at each ARKit shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from .topology import Floats, Ints

MATERIALS = (
    "skin", "lips", "eye_white", "iris", "pupil", "teeth", "gums", "tongue", "mouth_cavity", "brow", "lash", "hair",
    "cloth", "cornea", "caruncle",
)  # fmt: skip
MATERIAL_NUMBER = {name: number for number, name in enumerate(MATERIALS)}

# Display colours (sRGB, 0 to 1).
COLOURS: dict[str, tuple[float, float, float]] = {
    "skin": (0.87, 0.68, 0.58),
    "lips": (0.78, 0.49, 0.45),
    "eye_white": (0.94, 0.93, 0.91),
    "iris": (0.29, 0.42, 0.46),
    "pupil": (0.012, 0.012, 0.015),
    "teeth": (0.94, 0.92, 0.86),
    "gums": (0.72, 0.38, 0.38),
    "tongue": (0.82, 0.46, 0.45),
    "mouth_cavity": (0.42, 0.15, 0.14),
    "brow": (0.26, 0.17, 0.12),
    "lash": (0.12, 0.08, 0.07),
    "hair": (0.30, 0.19, 0.13),
    "cloth": (0.25, 0.32, 0.40),
    "cornea": (0.97, 0.98, 1.0),
    "caruncle": (0.83, 0.52, 0.48),
}


@dataclass(frozen=True)
class Part:
    """Points (V, 3) metres, triangles (F, 3), material numbers (F,), colours (V, 3) and fields name -> (V, 3)."""

    points: Floats
    triangles: Ints
    materials: Ints
    colours: Floats
    fields: Mapping[str, Floats] = field(default_factory=dict)


def plain_part(points: Floats, triangles: Ints, material: str, fields: Mapping[str, Floats] | None = None) -> Part:
    """Return a part of one material in its display colour."""
    return Part(
        points,
        triangles,
        np.full(len(triangles), MATERIAL_NUMBER[material]),
        np.tile(COLOURS[material], (len(points), 1)),
        fields or {},
    )


def attached(points: Floats, normals: Floats, base: Part, lift: Floats) -> tuple[Floats, dict[str, Floats]]:
    """Return points (N, 3) laid on a part's surface, ``lift`` (N,) metres above it, and fields that follow the surface.

    ``normals`` (V, 3) are the part's.
    """
    middles = base.points[base.triangles].mean(axis=1)
    _, nearest = cKDTree(middles).query(points, k=24)
    corners = base.points[base.triangles[nearest]]
    weights = _barycentric(points, corners)
    best = np.argmax(weights.min(axis=2), axis=1)
    rows = np.arange(len(points))
    chosen = np.clip(weights[rows, best], 0, 1)
    chosen /= chosen.sum(axis=1, keepdims=True)
    index = base.triangles[nearest[rows, best]]

    def carried(values: Floats) -> Floats:
        return np.asarray((values[index] * chosen[..., None]).sum(axis=1))

    fields = {name: carried(values) for name, values in base.fields.items()}
    return carried(base.points) + carried(normals) * lift[:, None], fields


def _barycentric(points: Floats, corners: Floats) -> Floats:
    """Return barycentric coordinates (N, K, 3) of points (N, 3) projected onto triangles (N, K, 3, 3)."""
    first, second = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    offset = points[:, None] - corners[:, :, 0]
    normal = np.cross(first, second)
    area = (normal**2).sum(axis=2)
    v = (np.cross(offset, second) * normal).sum(axis=2) / area
    w = (np.cross(first, offset) * normal).sum(axis=2) / area
    return np.stack([1 - v - w, v, w], axis=2)


def joined(parts: list[Part], names: tuple[str, ...]) -> tuple[Part, Floats]:
    """Return all parts as one, and its fields as (len(names), V, 3)."""
    offsets = np.cumsum([0] + [len(part.points) for part in parts])
    deltas = np.zeros((len(names), offsets[-1], 3))
    for part, start in zip(parts, offsets, strict=False):
        for number, name in enumerate(names):
            if name in part.fields:
                deltas[number, start : start + len(part.points)] = part.fields[name]
    whole = Part(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.triangles + start for part, start in zip(parts, offsets, strict=False)]),
        np.concatenate([part.materials for part in parts]),
        np.concatenate([part.colours for part in parts]),
    )
    return whole, deltas


def grid_triangles(rows: int, columns: int, closed: bool) -> Ints:
    """Return triangles of a (rows, columns) grid of points; ``closed`` joins the last column to the first."""
    last = columns if closed else columns - 1
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(last)).ravel()
    b = (np.arange(rows - 1)[:, None] * columns + (np.arange(last) + 1) % columns).ravel()
    return np.concatenate([np.stack([a, b, b + columns], axis=1), np.stack([a, b + columns, a + columns], axis=1)])


def tube(rings: Floats) -> tuple[Floats, Ints]:
    """Return points and triangles of a closed tube over rings (R, N, 3), with a middle point at each end."""
    rows, columns = rings.shape[:2]
    points = np.concatenate([rings.reshape(-1, 3), [rings[0].mean(axis=0), rings[-1].mean(axis=0)]])
    first, last = np.arange(columns), np.arange(columns) + (rows - 1) * columns
    start = np.stack([np.roll(first, -1), first, np.full(columns, rows * columns)], axis=1)
    end = np.stack([last, np.roll(last, -1), np.full(columns, rows * columns + 1)], axis=1)
    return points, np.concatenate([grid_triangles(rows, columns, True), start, end])
