"""Lays a surface with the topology of a disc flat, with little stretch and without folds.

The start is Tutte's embedding, which cannot fold; then the symmetric Dirichlet energy is lowered by reweighted
least squares with steps that keep every triangle upright (Rabinovich et al., "Scalable Locally Injective Mappings",
2017).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from .surface import edges_of
from .topology import Floats, Ints

FLAT = 0.7
"""Share of a surface's area that it must keep seen from above to be laid flat by looking at it."""


def boundary_loops(triangles: Ints) -> list[list[int]]:
    """Return the closed border loops of a surface, each in the direction of its triangles' edges."""
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    inner = set(map(tuple, edges[:, ::-1].tolist()))
    onward = dict(edge for edge in map(tuple, edges.tolist()) if edge not in inner)
    loops = []
    while onward:
        loop = [min(onward)]
        while (following := onward.pop(loop[-1])) != loop[0]:
            loop.append(following)
        loops.append(loop)
    return loops


def is_disc(triangles: Ints) -> bool:
    """Tell whether the triangles form one disc, holes allowed: one outline, and no handle."""
    used = len(np.unique(triangles))
    edges, of_triangle = edges_of(triangles)
    uses = np.bincount(of_triangle.ravel())
    border = edges[uses == 1]
    simple = len(border) > 0 and (np.bincount(border.ravel(), minlength=1)[np.unique(border)] == 2).all()
    return bool(simple and used - len(edges) + len(triangles) + len(boundary_loops(triangles)) == 2)


def flatten(points: Floats, triangles: Ints, rounds: int) -> Floats:
    """Return places (V, 2), in the unit of ``points`` (V, 3), for a disc; its holes are closed while it is laid out.
    More ``rounds`` stretch less.

    Triangles keep their winding: counter-clockwise seen from outside is counter-clockwise on the plane.
    """
    if (straight := _projected(points, triangles)) is not None:
        return straight
    loops = boundary_loops(triangles)
    lengths = [np.linalg.norm(points[loop] - points[np.roll(loop, 1)], axis=1).sum() for loop in loops]
    outline = loops.pop(int(np.argmax(lengths)))
    whole, all_points = triangles, points
    for loop in loops:
        fan = np.stack([np.roll(loop, -1), loop, np.full(len(loop), len(all_points))], axis=1)
        whole = np.concatenate([whole, fan])
        all_points = np.concatenate([all_points, points[loop].mean(axis=0, keepdims=True)])
    places = _tutte(all_points, whole, np.array(outline))
    return _relax(all_points, whole, places, len(triangles), rounds)[: len(points)]


def _projected(points: Floats, triangles: Ints) -> Floats | None:
    """Return the places (V, 2) of a nearly flat surface seen from straight above, or None when it is not flat."""
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    above = normals.sum(axis=0)
    total = float(np.linalg.norm(normals, axis=1).sum())
    above /= max(float(np.linalg.norm(above)), 1e-30)
    if float((normals @ above).min()) <= 0 or float((normals @ above).sum()) < FLAT * total:
        return None
    across = np.linalg.svd(above[None])[2][1:]
    across[1] *= np.sign(np.dot(np.cross(across[0], across[1]), above))
    return np.asarray((points - points.mean(axis=0)) @ across.T)


def _tutte(points: Floats, triangles: Ints, outline: Ints) -> Floats:
    """Return places (V, 2) with the outline on a circle of the surface's area."""
    count = len(points)
    edges, _ = edges_of(triangles)
    weight = 1 / np.maximum(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1), 1e-6)
    around = sparse.coo_matrix((weight, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    around = around + around.T
    laplacian = (sparse.diags(np.asarray(around.sum(axis=1)).ravel()) - around).tocsr()
    steps = np.linalg.norm(points[outline] - points[np.roll(outline, 1)], axis=1)
    turn = 2 * np.pi * np.cumsum(steps) / steps.sum()
    radius = np.sqrt(_areas(points, triangles).sum() / np.pi)
    places = np.zeros((count, 2))
    places[outline] = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    free = np.setdiff1d(np.arange(count), outline)
    if len(free):
        places[free] = splu(laplacian[free][:, free].tocsc()).solve(-laplacian[free][:, outline] @ places[outline])
    return places


def _areas(points: Floats, triangles: Ints) -> Floats:
    corners = points[triangles]
    return np.asarray(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    )


def _gradients(points: Floats, triangles: Ints) -> Floats:
    """Return (F, 2, 3): maps the values at a triangle's corners to their gradient in the triangle's own plane."""
    corners = points[triangles]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.maximum(np.linalg.norm(first, axis=1), 1e-7)
    along = (second * first).sum(axis=1) / length
    height = np.maximum(np.linalg.norm(np.cross(first, second), axis=1) / length, 0.02 * length)
    zero = np.zeros_like(length)
    # The inverse of the matrix of both edges, applied to the differences of the corners' values.
    inverse = np.stack([np.stack([1 / length, zero], 1), np.stack([-along / (length * height), 1 / height], 1)], 1)
    difference = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    return np.asarray(inverse @ difference)


def _relax(points: Floats, triangles: Ints, start: Floats, seen: int, rounds: int) -> Floats:
    """Lower the stretch of the first ``seen`` triangles; the others only must not fold."""
    gradients, count = _gradients(points, triangles), len(points)
    area = np.maximum(_areas(points, triangles), 1e-10)
    area[seen:] *= 1e-3
    area /= area.sum()
    columns = np.repeat(triangles, 2, axis=0).ravel()
    rows = np.repeat(np.arange(2 * len(triangles)), 3)
    operator = sparse.coo_matrix((gradients.reshape(-1), (rows, columns)), shape=(2 * len(triangles), count)).tocsr()
    places, energy = start, _energy(operator, area, start)
    for _ in range(rounds):
        goal = _proposal(operator, area, places)
        step = min(1.0, 0.8 * _longest_step(triangles, places, goal - places))
        while step > 1e-6 and _energy(operator, area, places + step * (goal - places)) >= energy:
            step /= 2
        if step <= 1e-6:
            break
        places = places + step * (goal - places)
        before, energy = energy, _energy(operator, area, places)
        if before - energy < 1e-4 * energy:
            break
    return places


def _jacobians(operator: sparse.csr_matrix, places: Floats) -> Floats:
    """Return (F, 2, 2): rows are the plane's axes u and v, columns the triangle's own axes."""
    return np.asarray((operator @ places).reshape(-1, 2, 2).transpose(0, 2, 1))


def _energy(operator: sparse.csr_matrix, area: Floats, places: Floats) -> float:
    jacobian = _jacobians(operator, places)
    determinant = np.linalg.det(jacobian)
    if (determinant <= 0).any():
        return float("inf")
    squares = (jacobian**2).sum(axis=(1, 2))
    return float((area * squares * (1 + 1 / determinant**2)).sum())


def _proposal(operator: sparse.csr_matrix, area: Floats, places: Floats) -> Floats:
    """Return the places that best turn every triangle's map into its nearest rotation, with SLIM's weights."""
    left, stretch, right = np.linalg.svd(_jacobians(operator, places))
    stretch = np.maximum(stretch, 1e-4)
    near = np.abs(stretch - 1) < 1e-6
    ratio = np.where(near, 4.0, (stretch - stretch**-3) / np.where(near, 1.0, stretch - 1))
    weight = (left * ratio[:, None, :]) @ left.transpose(0, 2, 1) * area[:, None, None]
    target = weight @ left @ right
    count = operator.shape[1]
    # Both axes of the triangles' planes share the weight between u and v.
    blocks = [[operator.T @ sparse.diags(np.repeat(weight[:, i, j], 2)) @ operator for j in (0, 1)] for i in (0, 1)]
    small = 1e-9 * sparse.identity(2 * count) * float(blocks[0][0].diagonal().mean())
    matrix = sparse.bmat(blocks).tocsc() + small
    right_side = np.concatenate([operator.T @ target[:, i].ravel() for i in (0, 1)])
    right_side += small @ np.concatenate([places[:, 0], places[:, 1]])
    solved: Floats = splu(matrix.tocsc()).solve(right_side).reshape(2, -1).T
    return solved


def _longest_step(triangles: Ints, places: Floats, move: Floats) -> float:
    """Return how far along ``move`` (V, 2) the first triangle collapses; infinite when none does."""
    corner, going = places[triangles], move[triangles]
    p, q = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    r, s = going[:, 1] - going[:, 0], going[:, 2] - going[:, 0]

    def cross(a: Floats, b: Floats) -> Floats:
        return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])

    a, b, c = cross(r, s), cross(p, s) + cross(r, q), cross(p, q)
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([2 * c / (-b + root), 2 * c / (-b - root)])
    roots[:, b * b - 4 * a * c < 0] = np.inf
    valid = roots[np.isfinite(roots) & (roots > 0)]
    return float(valid.min()) if len(valid) else float("inf")
