"""The skin: the cage subdivided twice, with its shapes, materials and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.face_mesh import LANDMARKS

from .base_face import EYE_RADIUS, smooth_step
from .cage import EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT, Cage
from .correctives import JOINT
from .details import nostrils, relief
from .parts import COLOURS, MATERIAL_NUMBER, Part
from .refine import Refined, refine
from .surface import vertex_normals
from .topology import LOWER_LID_RINGS, LOWER_LIP_RINGS, UPPER_LID_RINGS, UPPER_LIP_RINGS, Floats, Ints

LID_CLEARANCE = 0.0007


@dataclass(frozen=True)
class Skin:
    """The subdivided skin as a part, and how it comes from the cage.

    ``lip_lines`` (2, L) are the lines of contact of the upper and lower lip, ``upper_lids`` (2, M) the right and left
    upper lids' margins from the outer to the inner corner.
    """

    part: Part
    refined: Refined
    lip_lines: Ints
    upper_lids: Ints


def _keep_off_eyes(points: Floats, outside: Floats) -> Floats:
    """Return the points with those in ``outside`` (V,) bool pushed out of both eyeballs."""
    result = points.copy()
    for centre in (EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT):
        offset = result - centre
        distance = np.linalg.norm(offset, axis=1)
        low = outside & (distance < EYE_RADIUS + LID_CLEARANCE)
        result[low] = centre + offset[low] / distance[low, None] * (EYE_RADIUS + LID_CLEARANCE)
    return result


def _follow_edges(line: Ints, creases: Ints) -> Ints:
    """Return the fine points of a coarse polyline, in order, given the fine creases."""
    coarse = set(line.tolist())
    neighbours: dict[int, list[int]] = {}
    for first, second in creases.tolist():
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    result = [int(line[0])]
    for target in line[1:].tolist():
        for first in neighbours[result[-1]]:
            path, previous = [first], result[-1]
            while path[-1] not in coarse:
                onward = [n for n in neighbours[path[-1]] if n != previous]
                previous = path[-1]
                path.append(onward[0])
            if path[-1] == target:
                result += path
                break
        else:
            raise RuntimeError("the contact line of the lips is broken")
    return np.array(result)


def build_skin(cage: Cage, fields: dict[str, Floats]) -> Skin:
    """Return the skin with the cage's fields carried over."""
    levels = np.where(_plain(cage)[cage.triangles].all(axis=1), 1, 2)
    levels[np.isin(cage.triangles, [*cage.head_rings[-3:].ravel(), cage.floor]).all(axis=1)] = 0
    fine = refine(cage.triangles, len(cage.points), cage.creases, levels)
    matrix, triangles = fine.matrix, fine.triangles
    hidden = np.zeros(len(cage.points))
    hidden[np.concatenate([cage.lid_inner, cage.lid_hidden]).ravel()] = 1.0
    outside = (matrix @ hidden) < 1e-9
    smooth = matrix @ cage.points
    smooth = smooth + relief(cage, matrix, smooth, vertex_normals(smooth, triangles))
    rest = _keep_off_eyes(smooth, outside)
    moved = {}
    for name, field in fields.items():
        target = rest + matrix @ field
        near_eyes = (name in ARKIT_INDEX and name.startswith(("eye", "cheek"))) or name == "eyes"
        moved[name] = (_keep_off_eyes(target, outside) if near_eyes else target) - rest
    materials, colours = _paint(cage, matrix, fine.source)
    lines = [_follow_edges(np.array(rings[3]), fine.creases) for rings in (UPPER_LIP_RINGS, LOWER_LIP_RINGS)]
    right = np.array(UPPER_LID_RINGS[0])
    lids = [_follow_edges(margin, fine.creases) for margin in (right, cage.mirror[right])]
    low = np.array(LOWER_LID_RINGS[0])
    low_lids = [_follow_edges(margin, fine.creases) for margin in (low, cage.mirror[low])]
    _shut(rest, moved, {"Right": (lids[0], low_lids[0]), "Left": (lids[1], low_lids[1])})
    return Skin(Part(rest, triangles, materials, colours, moved), fine, np.stack(lines), np.stack(lids))


def _shut(rest: Floats, moved: dict[str, Floats], margins: dict[str, tuple[Ints, Ints]]) -> None:
    """Change every blink, and every corrective of one, so that the fine margins of the lids meet.

    Refining and details at rest move the upper and the lower margin differently by tenths of a millimetre.
    """
    for side, (upper, lower) in margins.items():
        blink = f"eyeBlink{side}"
        for name in (blink, *(name for name in moved if name.startswith(blink + JOINT))):
            shut = rest + sum(moved[driver] for driver in {blink, *name.split(JOINT), name})
            gap = (shut[upper] - shut[lower]) / 2
            moved[name][upper] -= gap
            moved[name][lower] += gap


def _plain(cage: Cage) -> NDArray[np.bool_]:
    """Return which cage points (V,) lie where few look: skull, neck, shoulders and the depth of the mouth."""
    plain = np.zeros(len(cage.points), dtype=bool)
    plain[cage.head_rings[1:]] = True
    plain[cage.mouth_rings[1:]] = True
    plain[[cage.throat, cage.floor]] = True
    return plain


def _paint(cage: Cage, matrix: sparse.csr_matrix, face_of: Ints) -> tuple[Ints, Floats]:
    """Return material numbers per fine triangle and colours per fine point."""
    lips = np.zeros(len(cage.points))
    for rings in (UPPER_LIP_RINGS, LOWER_LIP_RINGS):
        for ring, amount in zip(rings, (0.5, 1.0, 1.0, 1.0), strict=True):
            lips[list(ring)] = amount
    lips[cage.mouth_rings[0]] = 1.0
    cavity = np.zeros(len(cage.points))
    cavity[cage.mouth_rings[1:]] = 1.0
    cavity[cage.throat] = 1.0
    lip_points = np.isin(np.arange(len(cage.points)), np.unique([*UPPER_LIP_RINGS, *LOWER_LIP_RINGS])) | (lips > 0)
    of_coarse = np.full(len(cage.triangles), MATERIAL_NUMBER["skin"])
    of_coarse[lip_points[cage.triangles].all(axis=1)] = MATERIAL_NUMBER["lips"]
    of_coarse[(cavity[cage.triangles] > 0).any(axis=1)] = MATERIAL_NUMBER["mouth_cavity"]
    cloth = np.zeros(len(cage.points))
    cloth[cage.head_rings[cage.collar :]] = 1.0
    cloth[cage.floor] = 1.0
    of_coarse[cloth[cage.triangles].all(axis=1)] = MATERIAL_NUMBER["cloth"]
    blush = _blush(cage)
    skin, lip, inside, shirt = (np.array(COLOURS[name]) for name in ("skin", "lips", "mouth_cavity", "cloth"))
    lips, cavity, blush = (np.clip(matrix @ value, 0, 1)[:, None] for value in (lips, cavity, blush))
    clothed = (matrix @ cloth)[:, None] > 0.5
    colours = skin + (np.array([0.86, 0.54, 0.47]) - skin) * blush * 0.55
    colours = colours + (lip - colours) * smooth_step(lips, 0.28, 0.72)
    colours = colours + (inside - colours) * cavity
    colours = colours + (np.array([0.30, 0.13, 0.11]) - colours) * 0.85 * nostrils(matrix @ cage.points)[:, None]
    return of_coarse[face_of], np.where(clothed, shirt, colours)


def _blush(cage: Cage) -> Floats:
    """Return 0 to 1 per cage point: warmer cheeks, nose tip and lid margins."""
    blush = np.zeros(len(cage.points))
    for landmark, size, amount in (
        (50, 0.020, 0.55),
        (205, 0.018, 0.5),
        (4, 0.011, 0.5),
        (64, 0.008, 0.4),
        (199, 0.012, 0.2),
    ):
        for index in (landmark, int(cage.mirror[landmark])):
            distance = np.linalg.norm(cage.points - cage.points[index], axis=1)
            blush = np.maximum(blush, amount * np.exp(-((distance / size) ** 2)))
    blush[cage.lid_loops] = np.maximum(blush[cage.lid_loops], 0.6)
    blush[cage.lid_inner] = blush[cage.lid_hidden] = 1.0
    blush[LANDMARKS:][cage.points[LANDMARKS:, 2] < -0.06] = 0.0
    return blush
