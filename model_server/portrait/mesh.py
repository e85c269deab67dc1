"""The moving mesh of a portrait: the face, rings around it, and a grid over head, hair, neck and shoulders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay

from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS

from .arrays import Floats, Ints, Reals
from .fit import PortraitFit
from .matte import PersonMatte
from .topology import CHIN, face_triangles, hole_triangles

RING_SCALES = (1.06, 1.14, 1.25, 1.4, 1.6)
_EXPRESSION_REACH = 0.5  # of the oval's radius: how far an expression spreads past the oval
_GRID_FACES = 0.16  # grid spacing in face widths
_SINK_REACH = 1.0  # oval radii past the oval at which hair and ears are as deep as the neck
_NECK_FACES = 0.95  # length of the neck's falloff below the chin in face heights
_STEEPEST = 1.6  # pixels of depth a pixel across: a steeper part would fold over when the head turns
_LETTING_GO = 1.8  # how much of the head's movement may be lost over a face width
_SKIN_REACH = 0.7  # oval radii past the oval over which neck and collar let go of the face
_SOFT_BEGIN, _SOFT_REACH = 1.35, 1.5  # the same for the background of a picture without a person's matte


@dataclass(frozen=True)
class PortraitMesh:
    """Vertices 0..467 are the landmarks. Coordinates are pixels in camera axes (x right, y up, z forward).

    Attributes:
        points: (V, 3) float32 at rest; the depth is that used for turning the head.
        triangles: (F, 3) int32: eye and mouth holes first.
        holes: how many triangles close the eyes and the mouth.
        oval_weights: (V, 36) float32, how much of each oval landmark's expression a vertex follows.
        head_weight: (V,) float32 in [0, 1], how much of the head's movement a vertex follows.
        roi: left, top, right, bottom pixels of everything that can move.
    """

    points: Floats
    triangles: Ints
    holes: int
    oval_weights: Floats
    head_weight: Floats
    roi: tuple[int, int, int, int]


def build_mesh(fit: PortraitFit, matte: PersonMatte, pivot: Floats) -> PortraitMesh:
    """Return the mesh of a portrait.

    Args:
        fit: the measured face.
        matte: the person.
        pivot: (3,) pixels in camera axes, where the head turns.
    """
    landmarks = fit.landmarks[:LANDMARKS]
    oval = landmarks[list(FACE_OVAL), :2]
    centre = oval.mean(axis=0)
    region = _moving_region(fit, matte.alpha)
    rings = np.concatenate([centre + (oval - centre) * scale for scale in RING_SCALES])
    grid = _grid(region, fit.face_width * _GRID_FACES, centre, oval)
    outer = np.concatenate([oval, rings, grid])
    flat = np.concatenate([landmarks[:, :2], rings, grid])

    triangles = Delaunay(outer).simplices
    middle = outer[triangles].mean(axis=1)
    outside = _radius(middle, centre, oval) > 1.0
    number = np.concatenate([np.array(FACE_OVAL), LANDMARKS + np.arange(len(rings) + len(grid))])
    holes = hole_triangles()
    triangles = np.concatenate([holes, number[triangles[outside]], face_triangles()])

    depth = np.concatenate([landmarks[:, 2], np.zeros(len(flat) - LANDMARKS)])
    radius, nearest = _radius_and_oval_weights(flat[LANDMARKS:], centre, oval)
    oval_depth = depth[list(FACE_OVAL)]
    sinking = np.clip((radius - 1) / _SINK_REACH, 0, 1)[:, None]
    depth[LANDMARKS:] = (nearest * ((1 - sinking) * oval_depth + sinking * pivot[2])).sum(axis=1)
    depth = gentle_depth(flat, depth, triangles[len(holes) :])
    weights = np.zeros((len(flat), len(FACE_OVAL)), np.float32)
    weights[LANDMARKS:] = nearest * (np.clip(1 - (radius - 1) / _EXPRESSION_REACH, 0, 1) ** 2)[:, None]
    points = np.concatenate([flat, depth[:, None]], axis=1).astype(np.float32)
    head_weight = _head_weight(flat, fit)
    # The face's own edge moves with the head; what is next to it must not tear off.
    head_weight[LANDMARKS:] += (1 - head_weight[LANDMARKS:]) * (1 - _smooth((radius - 1) / _SKIN_REACH))
    head_weight = _eased_off(flat, head_weight, triangles[len(holes) :], fit.face_width)
    if not matte.separable:
        # The background moves along near the head, by less and less, so that nothing parts from it.
        head_weight[LANDMARKS:] *= 1 - _smooth((radius - _SOFT_BEGIN) / _SOFT_REACH)
    return PortraitMesh(points, triangles.astype(np.int32), len(holes), weights, head_weight, region)


def _head_weight(flat: Floats, fit: PortraitFit) -> Floats:
    """Return (V,) 1 above the chin, easing to 0 at the shoulders, along the head's own axes."""
    down, side = -fit.rotation[:2, 1], fit.rotation[:2, 0]
    down, side = down / np.linalg.norm(down), side / np.linalg.norm(side)
    away = flat - fit.landmarks[CHIN, :2]
    below = away @ down / fit.face_height
    lateral = np.abs(away @ side) / fit.face_width
    # Shoulders begin sooner at the sides than under the chin.
    begin = -0.25 + 0.25 * np.exp(-((lateral / 0.35) ** 2))
    weight = 1 - _smooth((below - begin) / _NECK_FACES)
    # Far to the side is another person, a raised hand or a flag.
    weight = weight * (1 - _smooth((lateral - 1.3) / 0.8))
    weight[:LANDMARKS] = 1.0
    return np.asarray(weight, np.float32)


def _moving_region(fit: PortraitFit, matte: Floats) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the part of the picture that can move."""
    height, width = matte.shape
    step = 4
    rows, columns = np.mgrid[0:height:step, 0:width:step]
    flat = np.stack([columns.ravel(), -rows.ravel()], axis=1).astype(np.float32)
    padded = np.concatenate([fit.landmarks[:LANDMARKS, :2], flat])
    weight = _head_weight(padded, fit)[LANDMARKS:].reshape(rows.shape)
    moving = (weight > 0) & (matte[::step, ::step] > 0.01)
    ys, xs = np.nonzero(moving)
    face = fit.points
    margin = 0.2 * fit.face_width
    left = min(xs.min() * step, face[:, 0].min()) - margin
    right = max(xs.max() * step, face[:, 0].max()) + margin
    top = min(ys.min() * step, face[:, 1].min()) - margin
    bottom = max(ys.max() * step, face[:, 1].max()) + margin
    return (max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1))


def _grid(region: tuple[int, int, int, int], spacing: float, centre: Floats, oval: Floats) -> Floats:
    """Return (G, 2) points of a grid past the picture's moving part, without those near the face."""
    left, top, right, bottom = region
    reach = spacing * 2
    xs = np.linspace(left - reach, right + reach, max(3, round((right - left + 2 * reach) / spacing)))
    ys = np.linspace(top - reach, bottom + reach, max(3, round((bottom - top + 2 * reach) / spacing)))
    columns, rows = np.meshgrid(xs, ys)
    points = np.stack([columns.ravel(), -rows.ravel()], axis=1)
    return np.asarray(points[_radius(points, centre, oval) > RING_SCALES[-1] + 0.1], np.float32)


def _radius_and_oval_weights(points: Floats, centre: Floats, oval: Floats) -> tuple[Floats, Floats]:
    """Return (N,) distance in oval radii along the same direction, and (N, 36) weights of the oval's two landmarks."""
    angle = np.arctan2(*(points - centre).T[::-1])
    corner = np.arctan2(*(oval - centre).T[::-1])
    order = np.argsort(corner)
    slot = np.searchsorted(corner[order], angle) % len(oval)
    after, before = order[slot], order[slot - 1]
    span = (corner[after] - corner[before]) % (2 * np.pi)
    share = ((angle - corner[before]) % (2 * np.pi)) / span
    weights = np.zeros((len(points), len(oval)), np.float32)
    rows = np.arange(len(points))
    weights[rows, before] = 1 - share
    weights[rows, after] += share
    edge = weights @ np.linalg.norm(oval - centre, axis=1)
    return np.linalg.norm(points - centre, axis=1) / edge, weights


def _radius(points: Floats, centre: Floats, oval: Floats) -> Floats:
    return _radius_and_oval_weights(points, centre, oval)[0]


def _eased_off(flat: Floats, weight: Floats, triangles: Ints, face_width: float) -> Floats:
    """Return weights (V,) raised where they fall so fast that what lets go of the head would fold under it."""
    first, second = _edges(triangles)
    loss = (_LETTING_GO / face_width * np.linalg.norm(flat[first] - flat[second], axis=1)).astype(np.float32)
    weight = weight.copy()
    for _ in range(40):
        np.maximum.at(weight, second, weight[first] - loss)
        np.maximum.at(weight, first, weight[second] - loss)
    return weight


def _edges(triangles: Ints) -> Ints:
    """Return (2, E) the vertices of each edge of triangles (F, 3)."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.asarray(np.unique(np.sort(sides, axis=1), axis=0).T, np.int32)


def gentle_depth(flat: Floats, depth: Floats, triangles: Ints) -> Floats:
    """Return depths (V,) near ``depth`` without steps so steep that a turn by the limits folds the mesh.

    Args:
        flat: (V, 2) pixels.
        depth: (V,) pixels.
        triangles: (F, 3), whose edges are kept gentle.
    """
    first, second = _edges(triangles)
    allowed = _STEEPEST * np.linalg.norm(flat[first] - flat[second], axis=1)
    depth = depth.astype(np.float64)
    for _ in range(80):
        step = depth[first] - depth[second]
        over = np.sign(step) * np.maximum(np.abs(step) - allowed, 0)
        pull = np.bincount(second, over, len(depth)) - np.bincount(first, over, len(depth))
        count = np.bincount(first, over != 0, len(depth)) + np.bincount(second, over != 0, len(depth))
        depth += 0.6 * pull / np.maximum(count, 1)
    return np.asarray(depth, np.float32)


def _smooth(x: Reals) -> Floats:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x), np.float32)
