"""The MediaPipe Face Mesh: triangles, named rings of landmarks and the mirror permutation.

Connections come from the installed ``mediapipe`` package; the rings list its landmark indices from the subject's
right to the subject's left.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from blendshape_rigs import face_mesh

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Lip rings from the vermilion border (0) to the line where the lips touch (3), corner to corner.
UPPER_LIP_RINGS = face_mesh.UPPER_LIP_RINGS[::-1]
LOWER_LIP_RINGS = face_mesh.LOWER_LIP_RINGS[::-1]

# The subject's right eye, outer corner to inner corner; ring 0 is the lid margin.
UPPER_LID_RINGS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (130, 247, 30, 29, 27, 28, 56, 190, 243),
    (226, 113, 225, 224, 223, 222, 221, 189, 244),
)
LOWER_LID_RINGS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (130, 25, 110, 24, 23, 22, 26, 112, 243),
    (226, 31, 228, 229, 230, 231, 232, 233, 244),
)

# Closed loops. The lip loop runs along the upper lip to the left corner and back along the lower lip.
LIP_LOOP = UPPER_LIP_RINGS[3] + LOWER_LIP_RINGS[3][-2:0:-1]
RIGHT_LID_LOOP = UPPER_LID_RINGS[0] + LOWER_LID_RINGS[0][-2:0:-1]

# The subject's right brow, inner end to outer end.
BROW_UPPER = (107, 66, 105, 63, 70)
BROW_LOWER = (55, 65, 52, 53, 46)


def face_triangles() -> Ints:
    """Return the 852 triangles (852, 3) of the mesh; eyes and mouth are holes. Winding is not yet consistent."""
    edges = {frozenset(edge) for edge in FACEMESH_TESSELATION}
    neighbours: dict[int, set[int]] = {}
    for first, second in (sorted(edge) for edge in edges):
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
    cliques = {
        tuple(sorted((first, second, third)))
        for first, around in neighbours.items()
        for second, third in combinations(sorted(around), 2)
        if third in neighbours[second]
    }
    uses = Counter(pair for clique in cliques for pair in combinations(clique, 2))
    # A triangle around a single inner vertex is a clique but no face: each of its edges is used three times.
    faces = sorted(clique for clique in cliques if min(uses[pair] for pair in combinations(clique, 2)) < 3)
    return np.array(faces, dtype=np.int64)


def facing_front(points: Floats, triangles: Ints) -> Ints:
    """Return the triangles wound so that neighbours agree and the first one faces +Z."""
    corners = points[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    seed = int(np.argmax(normal[:, 2] ** 2 / (normal**2).sum(axis=1)))
    result = triangles.copy()
    if normal[seed, 2] < 0:
        result[seed] = result[seed, ::-1]
    by_edge: dict[frozenset[int], list[int]] = {}
    for index, triangle in enumerate(triangles.tolist()):
        for pair in combinations(triangle, 2):
            by_edge.setdefault(frozenset(pair), []).append(index)
    done, queue = {seed}, [seed]
    while queue:
        current = queue.pop()
        a, b, c = (int(v) for v in result[current])
        for first, second in ((a, b), (b, c), (c, a)):
            for other in by_edge[frozenset((first, second))]:
                if other in done:
                    continue
                row = result[other].tolist()
                if (row.index(second) - row.index(first)) % 3 == 1:
                    result[other] = result[other, ::-1]
                done.add(other)
                queue.append(other)
    return result


def mirror_permutation(points: Floats) -> Ints:
    """Return (468,) the landmark on the other side of each landmark, by matching with the mirrored points.

    The points must be roughly frontal. The result is an involution.
    """
    mirrored = points * np.array([-1.0, 1.0, 1.0])
    cost = ((points[:, None, :] - mirrored[None, :, :]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(cost + cost.T)
    permutation = np.empty(len(points), dtype=np.int64)
    permutation[rows] = columns
    if not np.array_equal(permutation[permutation], np.arange(len(points))):
        raise RuntimeError("the mirror matching is not an involution")
    return permutation
