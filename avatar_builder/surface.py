"""Surface mathematics of the builder: subdivision, fairing, normals."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from .topology import Floats, Ints


def edges_of(triangles: Ints) -> tuple[Ints, Ints]:
    """Return unique edges (E, 2), sorted inside, and for each triangle its edges (F, 3): ab, bc, ca."""
    pairs = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, index = np.unique(pairs, axis=0, return_inverse=True)
    return edges, index.reshape(-1, 3)


def loop_subdivide(triangles: Ints, count: int, creases: Ints) -> tuple[sparse.csr_matrix, Ints, Ints]:
    """One step of Loop subdivision.

    ``creases`` (C, 2) are edges whose curve follows only its own points, like the border does; a point where other
    than two of them meet stays in place. Returns the matrix (count + E, count) that makes the new points, the new
    triangles (4 F, 3) and the new creases (2 C', 2). The old points keep their numbers.
    """
    edges, of_triangle = edges_of(triangles)
    uses = np.bincount(of_triangle.ravel(), minlength=len(edges))
    crease_keys = np.sort(creases, axis=1) @ np.array([count, 1])
    sharp = (uses == 1) | np.isin(edges @ np.array([count, 1]), crease_keys)

    opposite = sparse.coo_matrix(
        (np.ones(of_triangle.size), (of_triangle.ravel(), triangles[:, [2, 0, 1]].ravel())),
        shape=(len(edges), count),
    ).tocsr()
    ends = sparse.coo_matrix(
        (np.ones(edges.size), (np.repeat(np.arange(len(edges)), 2), edges.ravel())), shape=(len(edges), count)
    ).tocsr()
    soft_edge = sparse.diags((~sharp).astype(float))
    edge_points = soft_edge @ (ends * 0.375 + opposite * 0.125) + sparse.diags(sharp.astype(float)) @ ends * 0.5

    def adjacency(chosen: Ints) -> sparse.csr_matrix:
        both = np.concatenate([chosen, chosen[:, ::-1]])
        return sparse.coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()

    around, along = adjacency(edges), adjacency(edges[sharp])
    valence = np.asarray(around.sum(axis=1)).ravel()
    sharpness = np.asarray(along.sum(axis=1)).ravel()
    beta = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))
    smooth, curve = sharpness == 0, sharpness == 2
    own = np.where(smooth, 1 - valence * beta, np.where(curve, 0.75, 1.0))
    old_points = sparse.diags(own) + sparse.diags(beta * smooth) @ around + sparse.diags(0.125 * curve) @ along
    ab, bc, ca = (of_triangle + count).T
    a, b, c = triangles.T
    new = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
    middle = np.flatnonzero(sharp) + count
    new_creases = np.concatenate(
        [np.stack([edges[sharp, 0], middle], axis=1), np.stack([middle, edges[sharp, 1]], axis=1)]
    )
    return sparse.vstack([old_points, edge_points]).tocsr(), new, new_creases


def graph_laplacian(triangles: Ints, count: int) -> sparse.csr_matrix:
    """Return the row-normalised neighbour-average operator minus the identity, negated: ``x - mean of neighbours``."""
    edges, _ = edges_of(triangles)
    both = np.concatenate([edges, edges[:, ::-1]])
    around = sparse.coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
    valence = np.maximum(np.asarray(around.sum(axis=1)).ravel(), 1)
    return (sparse.identity(count) - sparse.diags(1 / valence) @ around).tocsr()


class Spread:
    """Spreads displacements of some points smoothly over the rest of a surface.

    The stiffness is a mixture of membrane and thin plate: ``membrane`` 1 gives a tent, 0 a smooth plate.
    """

    def __init__(self, points: Floats, triangles: Ints, membrane: float = 0.05) -> None:
        laplacian = cotangent_laplacian(points, triangles)
        mass = vertex_areas(points, triangles)
        scale = float(mass.mean())
        plate = laplacian @ sparse.diags(scale / mass) @ laplacian
        self.stiffness = (membrane * laplacian + (1 - membrane) * plate).tocsc()
        self.count = len(points)

    def __call__(self, handles: dict[int, Floats] | tuple[Ints, Floats], fixed: Ints) -> Floats:
        """Return displacements (V, K) that equal the handles' at the handles and zero at ``fixed``.

        A point that is both handle and fixed is a handle.
        """
        if isinstance(handles, dict):
            index = np.array(sorted(handles), dtype=np.int64)
            values = np.array([handles[int(i)] for i in index], dtype=np.float64)
        else:
            index, values = handles
        result = np.zeros((self.count, values.shape[1]))
        result[index] = values
        held = np.zeros(self.count, dtype=bool)
        held[index] = True
        held[fixed] = True
        free = np.flatnonzero(~held)
        known = np.flatnonzero(held)
        right = -self.stiffness[free][:, known] @ result[known]
        result[free] = splu(self.stiffness[free][:, free].tocsc()).solve(np.ascontiguousarray(right))
        return result


def cotangent_laplacian(points: Floats, triangles: Ints) -> sparse.csr_matrix:
    """Return the positive semi-definite cotangent Laplacian (V, V); very sharp angles are bounded."""
    count = len(points)
    rows, columns, weights = [], [], []
    for corner in range(3):
        apex, first, second = (triangles[:, (corner + k) % 3] for k in range(3))
        u, v = points[first] - points[apex], points[second] - points[apex]
        cotangent = (u * v).sum(axis=1) / np.maximum(np.linalg.norm(np.cross(u, v), axis=1), 1e-12)
        half = np.clip(cotangent, 0.02, 5.0) / 2
        rows += [first, second]
        columns += [second, first]
        weights += [half, half]
    around = sparse.coo_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    ).tocsr()
    return (sparse.diags(np.asarray(around.sum(axis=1)).ravel()) - around).tocsr()


def vertex_areas(points: Floats, triangles: Ints) -> Floats:
    """Return a third of the area of the triangles around each point, in square metres, (V,)."""
    corners = points[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    total = np.bincount(triangles.ravel(), np.repeat(area / 3, 3), minlength=len(points))
    return np.maximum(total, float(area.mean()) * 1e-2)


def vertex_normals(points: Floats, triangles: Ints) -> Floats:
    """Return unit normals (V, 3), weighted by area."""
    corners = points[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], normal)
    result: Floats = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-15)
    return result
