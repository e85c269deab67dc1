"""Texture coordinates: every part cut into charts, laid flat and packed into the unit square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .cage import Cage
from .parts import MATERIALS, Part
from .refine import Refined
from .skin import Skin
from .surface import edges_of
from .topology import Floats, Ints
from .unwrap import flatten, is_disc

MARGIN = 0.004
"""Free border around each chart, in the unit square; tiny ones have less."""
CAGE_ROUNDS, PART_ROUNDS = 24, 5
# Where the skull's seam begins on its way down the back of the head to the shirt.
SEAM_START = 2
# Texture per metre, relative to the skin's.
DENSITY = {"eye_white": 2.0, "iris": 2.0, "hair": 0.45, "gums": 0.7}
SKIN_DENSITY = (1.0, 0.6, 0.35, 0.2)
"""Head, mouth lining, shirt, underside."""


def cut(triangles: Ints, charts: Ints, seam: Ints) -> tuple[Ints, Ints]:
    """Part a surface along chart borders and seam edges.

    Args:
        triangles: (F, 3); neighbours are wound alike.
        charts: (F,) each triangle's chart.
        seam: (S, 2) edges to cut inside charts.

    Returns:
        Triangles (F, 3) into new points and each new point's old number (N,).
    """
    edges, of_triangle = edges_of(triangles)
    key = np.array([len(triangles) * 3 + 1, 1])
    closed = np.isin(edges @ key, np.sort(seam, axis=1) @ key) if len(seam) else np.zeros(len(edges), dtype=bool)
    order = np.argsort(of_triangle.ravel(), kind="stable")
    sides = of_triangle.ravel()[order]
    pair = np.flatnonzero(sides[1:] == sides[:-1])
    first, second = order[pair], order[pair + 1]
    joined = (charts[first // 3] == charts[second // 3]) & ~closed[sides[pair]]
    first, second = first[joined], second[joined]
    # Corner numbers at the start and end of each side; the other triangle runs through the edge the other way.
    ends = [(corner // 3) * 3 + (corner + turn) % 3 for corner in (first, second) for turn in (0, 1)]
    # ``corner % 3`` counts within a triangle, and a triangle's corners start at a multiple of three.
    rows, columns = np.concatenate([ends[0], ends[1]]), np.concatenate([ends[3], ends[2]])
    corners = triangles.size
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(corners, corners))
    count, label = connected_components(graph, directed=False)
    old = np.empty(count, dtype=np.int64)
    old[label] = triangles.ravel()
    return label.reshape(-1, 3), old


def part_charts(points: Floats, triangles: Ints) -> Ints:
    """Return a chart number (F,) per triangle so that every chart is a disc: closed pieces are halved by a plane."""
    charts = np.full(len(triangles), -1)
    waiting = [(np.arange(len(triangles)), 0)]
    number = 0
    while waiting:
        faces, depth = waiting.pop()
        for piece in _pieces(triangles[faces]):
            chosen = faces[piece]
            if is_disc(triangles[chosen]):
                charts[chosen] = number
                number += 1
                continue
            middle = points[triangles[chosen]].mean(axis=1)
            axes = np.linalg.svd(middle - middle.mean(axis=0), full_matrices=False)[2]
            along = (middle - middle.mean(axis=0)) @ axes[2 if depth == 0 else 0]
            waiting += [(chosen[along > 0], depth + 1), (chosen[along <= 0], depth + 1)]
    return charts


def _pieces(triangles: Ints) -> list[Ints]:
    """Return the rows of each piece whose triangles hang together by edges."""
    _, of_triangle = edges_of(triangles)
    rows = np.repeat(np.arange(len(triangles)), 3)
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, of_triangle.ravel()))).tocsr()
    count, label = connected_components(graph @ graph.T, directed=False)
    return [np.flatnonzero(label == number) for number in range(count)]


def laid_out(points: Floats, triangles: Ints, charts: Ints, seam: Ints, rounds: int) -> tuple[Floats, Ints]:
    """Return flat places (F, 3, 2) in metres of each triangle's corners and the charts' numbers (F,), 0 upwards."""
    parted, old = cut(triangles, charts, seam)
    result = np.zeros((len(triangles), 3, 2))
    numbers = np.unique(charts, return_inverse=True)[1]
    for chart in range(numbers.max() + 1):
        faces = np.flatnonzero(numbers == chart)
        used, local = np.unique(parted[faces], return_inverse=True)
        local = local.reshape(-1, 3)
        places = _upright(flatten(points[old[used]], local, rounds), points[old[used]])
        result[faces] = places[local]
    return result, numbers


def _upright(places: Floats, points: Floats) -> Floats:
    """Return the places (V, 2) turned so that up on the plane is up in space, or forward where nothing is up."""
    flat, solid = places - places.mean(axis=0), points - points.mean(axis=0)
    slopes = np.linalg.lstsq(flat, solid, rcond=None)[0].T
    up = slopes[1] if np.linalg.norm(slopes[1]) > 0.35 else -slopes[2]
    cosine, sine = up[1] / np.linalg.norm(up), up[0] / np.linalg.norm(up)
    return np.asarray(flat @ np.array([[cosine, sine], [-sine, cosine]]))


def _cage_layout(cage: Cage) -> tuple[Floats, Ints]:
    """Return flat places (F, 3, 2) and charts (F,) of the cage: head, mouth lining, shirt, underside."""
    cloth, mouth = np.zeros((2, len(cage.points)), dtype=bool)
    cloth[cage.head_rings[cage.collar :]] = True
    mouth[cage.mouth_rings] = True
    under = np.zeros_like(cloth)
    under[cage.head_rings[-2:]] = True
    cloth[cage.floor] = under[cage.floor] = mouth[cage.throat] = True
    charts = np.select([group[cage.triangles].all(axis=1) for group in (mouth, under, cloth)], [1, 3, 2], 0)
    back = cage.head_rings[SEAM_START:, 0]
    return laid_out(cage.points, cage.triangles, charts, np.stack([back[:-1], back[1:]], axis=1), CAGE_ROUNDS)


def _on_skin(places: Floats, cage: Cage, fine: Refined) -> Floats:
    """Return places (T, 3, 2) of fine triangles within the cage's (F, 3, 2)."""
    triangles, source = fine.triangles, fine.source
    corners = np.repeat(triangles[:, :, None], 3, axis=2)
    weights = np.asarray(fine.linear[corners.ravel(), np.repeat(cage.triangles[source][:, None], 3, axis=1).ravel()])
    return np.asarray(weights.reshape(-1, 3, 3) @ places[source])


def _packed(layouts: list[tuple[Floats, Ints, float]]) -> Floats:
    """Return all parts' triangles' corners (F, 3, 2) in the unit square, chart beside chart.

    ``layouts`` hold each part's flat places (F, 3, 2), charts (F,) and density. The first chart is the largest.
    """
    boxes: list[tuple[Floats, NDArray[np.bool_], Floats]] = []
    for places, charts, density in layouts:
        scaled = places * density
        boxes += [(scaled, charts == number, _box(scaled[charts == number])) for number in range(charts.max() + 1)]
    sizes = np.array([box[1] - box[0] for _, _, box in boxes])
    low, high = 0.0, 1.0 / sizes.max()
    for _ in range(30):
        scale = (low + high) / 2
        low, high = (scale, high) if _shelves(sizes * scale) is not None else (low, scale)
    corners = _shelves(sizes * low)
    if corners is None:
        raise RuntimeError("the charts do not fit into the unit square")
    results = {id(places): np.zeros_like(places) for places, _, _ in boxes}
    for (places, chosen, box), corner in zip(boxes, corners, strict=True):
        results[id(places)][chosen] = (places[chosen] - box[0]) * low + corner
    return np.concatenate(list(results.values()))


def _box(places: Floats) -> Floats:
    return np.stack([places.min(axis=(0, 1)), places.max(axis=(0, 1))])


def _shelves(sizes: Floats) -> Floats | None:
    """Return the lower corners (N, 2) of boxes (N, 2) in rows from the bottom, or None when they do not fit.

    Taller boxes come first; equal ones keep their order.
    """
    order = np.argsort(-np.round(sizes[:, 1], 3), kind="stable")
    corners = np.zeros_like(sizes)
    x = y = shelf = 0.0
    margins = np.clip(0.1 * sizes.max(axis=1), MARGIN / 8, MARGIN)
    for number in order:
        margin = margins[number]
        width, height = sizes[number] + 2 * margin
        if width > 1 or height > 1:
            return None
        if x + width > 1:
            x, y, shelf = 0.0, y + shelf, 0.0
        corners[number] = (x + margin, y + margin)
        x, shelf = x + width, max(shelf, height)
        if y + shelf > 1:
            return None
    return corners


def _part_layout(part: Part) -> tuple[Floats, Ints]:
    """Return flat places (F, 3, 2) in metres and charts (F,) of a part that is not skin."""
    charts = part_charts(part.points, part.triangles)
    return laid_out(part.points, part.triangles, charts, np.zeros((0, 2), dtype=np.int64), PART_ROUNDS)


def texture_coordinates(cage: Cage, skin: Skin, others: list[Part]) -> Floats:
    """Return the corners' places (F, 3, 2) in the unit square of the skin's triangles, then of the other parts'."""
    places, charts = _cage_layout(cage)
    places = places * np.array(SKIN_DENSITY)[charts][:, None, None]
    layouts = [(_on_skin(places, cage, skin.refined), charts[skin.refined.source], 1.0)]
    for part in others:
        main = MATERIALS[int(np.bincount(part.materials).argmax())]
        layouts.append((*_part_layout(part), DENSITY.get(main, 1.0)))
    return _packed(layouts)
