"""The MediaPipe Face Mesh: triangles and the named rings of landmarks that the portrait renderer moves.

Source: the connections in the ``mediapipe`` package. Rings run from the subject's right to the subject's left; for
both eyes from the outer to the inner corner.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import combinations

import numpy as np

from blendshape_rigs.face_mesh import LANDMARKS, LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Ints

INNER_MOUTH = UPPER_LIP_RINGS[0] + LOWER_LIP_RINGS[0][-2:0:-1]

# Lid rings from the lid margin (0) outwards: the subject's left eye, then the right.
UPPER_LID_RINGS = (
    (
        (263, 466, 388, 387, 386, 385, 384, 398, 362),
        (359, 467, 260, 259, 257, 258, 286, 414, 463),
        (446, 342, 445, 444, 443, 442, 441, 413, 464),
    ),
    (
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (130, 247, 30, 29, 27, 28, 56, 190, 243),
        (226, 113, 225, 224, 223, 222, 221, 189, 244),
    ),
)
LOWER_LID_RINGS = (
    (
        (263, 249, 390, 373, 374, 380, 381, 382, 362),
        (359, 255, 339, 254, 253, 252, 256, 341, 463),
        (446, 261, 448, 449, 450, 451, 452, 453, 464),
    ),
    (
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (130, 25, 110, 24, 23, 22, 26, 112, 243),
        (226, 31, 228, 229, 230, 231, 232, 233, 244),
    ),
)
EYE_LOOPS = tuple(upper[0] + lower[0][-2:0:-1] for upper, lower in zip(UPPER_LID_RINGS, LOWER_LID_RINGS, strict=True))
IRIS_CENTRES = (473, 468)
"""Landmarks of the irises, left and right; only the detector with refined landmarks gives them."""
LANDMARKS_WITH_IRISES = LANDMARKS + 10

LEFT_CHEEK, RIGHT_CHEEK = 454, 234
FOREHEAD, CHIN, NOSE_TIP = 10, 152, 1


@lru_cache
def face_triangles() -> Ints:
    """Return the 852 triangles (852, 3) of the mesh; eyes and mouth are holes. Winding is not consistent."""
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    neighbours: dict[int, set[int]] = {}
    for first, second in FACEMESH_TESSELATION:
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
    cliques = {
        tuple(sorted((first, second, third)))
        for first, around in neighbours.items()
        for second, third in combinations(sorted(around), 2)
        if third in neighbours[second]
    }
    uses = Counter(pair for clique in cliques for pair in combinations(clique, 2))
    # The triangle around a single inner vertex is a clique but no face: each of its edges is used three times.
    faces = sorted(clique for clique in cliques if min(uses[pair] for pair in combinations(clique, 2)) < 3)
    return np.array(faces, dtype=np.int32)


def strip(first: tuple[int, ...], second: tuple[int, ...]) -> Ints:
    """Return triangles (N, 3) of the band between two rings of equal length; shared ends give no triangle."""
    triangles = []
    for a, b, c, d in zip(first, first[1:], second, second[1:], strict=False):
        triangles += [t for t in ((a, b, c), (b, d, c)) if len(set(t)) == 3]
    return np.array(triangles, dtype=np.int32)


def hole_triangles() -> Ints:
    """Return triangles (N, 3) that close the mouth and both eyes."""
    bands = [strip(UPPER_LIP_RINGS[0], LOWER_LIP_RINGS[0])]
    bands += [strip(upper[0], lower[0]) for upper, lower in zip(UPPER_LID_RINGS, LOWER_LID_RINGS, strict=True)]
    return np.concatenate(bands)
