"""The parts of the avatar that must not go through each other, found by materials, landmarks and connection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from blendshape_rigs.avatar import ProxyAvatar

from .rig_surface import FlipCounter, Floats, Ints, Surface

LIDS = (
    ((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)),
    ((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)),
)
"""Landmarks of the upper and the lower lid's margin, right eye then left, without the corners."""
LID_CORNERS = ((33, 133), (263, 362))
LIP_WIDTH = 0.014
LID_WIDTH = 0.008
EYE_REACH = 0.016
"""Metres along the skin that belong to a lip or a lid, and around an eye's centre that belong to the eyeball."""
JAW_REACH = 0.045
"""Metres from teeth and gums at rest within which the skin may meet them."""
CORNER = 0.003
"""Metres around the corners of mouth and eyes, where both sides are one, that are left out."""
HIDDEN, MARGIN = 0.0006, 0.0012
"""Metres above the eyeball below which a lid's points are its hidden edge, which dips into the eyeball, and below
which they are its inner edge, which meets the other lid's when the eye is shut."""
NEAR = 0.004
"""Metres: how far inside a part a point is looked for."""


@dataclass(frozen=True)
class Depths:
    """The deepest overlap in metres of each kind in one pose, and the number of flipped triangles."""

    flips: int
    lips: float
    lids: float
    eyes: float
    teeth: float
    gums: float
    tongue: float


class RigParts:
    """Measures poses of one avatar.

    Lips and lids are told apart by which margin is nearer along the skin. The lids' hidden edges and the gums'
    roots, which are set into eyeballs and jaws, are left out.
    """

    def __init__(self, avatar: ProxyAvatar) -> None:
        rest = avatar.vertices.astype(np.float64)
        triangles = avatar.triangles.astype(np.int64)
        materials = np.array(avatar.materials)[avatar.triangle_materials]
        label = _components(len(rest), triangles)
        self.skin = triangles[label[triangles[:, 0]] == label[avatar.landmark_vertices[0]]]
        moving = (avatar.deltas != 0).any(axis=(0, 2))
        self.flips = FlipCounter(rest, triangles[moving[triangles].any(axis=1)])
        graph = _edge_lengths(rest, self.skin)
        lip_lines = avatar.upper_lip[1:-1], avatar.lower_lip[1:-1], avatar.upper_lip[[0, -1]]
        self.lips = _sides(self.skin, graph, lip_lines, LIP_WIDTH)
        marks = avatar.landmark_vertices
        self.lids = [
            _sides(self.skin, graph, (marks[list(upper)], marks[list(lower)], marks[list(corners)]), LID_WIDTH)
            for (upper, lower), corners in zip(LIDS, LID_CORNERS, strict=True)
        ]
        self.eyes, self.lid_skin = [], []
        for centre, (upper, lower) in zip(avatar.eye_centres[::-1], self.lids, strict=True):
            eye = _eyeball(rest, triangles, materials, label, centre)
            around = np.concatenate([upper.points, lower.points])
            radius = np.median(np.linalg.norm(rest[eye.points] - centre, axis=1))
            height = np.linalg.norm(rest[around] - centre, axis=1) - radius
            self.eyes.append((eye, around[height > HIDDEN]))
            self.lid_skin.append(around[height > MARGIN])
        self.teeth = Surface(triangles[materials == "teeth"])
        around = np.concatenate([surface.points for surface in self.lips])
        self.lip_edges = np.intersect1d(around, triangles[materials == "lips"])
        self.lip_points = self.lip_edges[self.teeth.depths(rest, self.lip_edges, NEAR) == 0]
        self.tongue = Surface(triangles[materials == "tongue"])
        self.tongue_points = self.tongue.points[self.teeth.depths(rest, self.tongue.points, NEAR) == 0]
        outer = materials == "skin"
        outer &= label[triangles[:, 0]] == label[avatar.landmark_vertices[0]]
        hard = np.unique(triangles[np.isin(materials, ("teeth", "gums"))])
        outer &= cKDTree(rest[hard]).query(rest[triangles].mean(axis=1))[0] < JAW_REACH
        # Turned inside out, so that what lies outside the skin is inside this surface.
        self.outer = Surface(triangles[outer][:, ::-1])
        self.hard = hard[self.outer.depths(rest, hard, 3 * NEAR) == 0]

    def measure(self, posed: Floats) -> Depths:
        """Return what overlaps in posed vertices (V, 3)."""
        posed = np.asarray(posed, np.float64)
        lids = max(_overlap(posed, *pair, skin) for pair, skin in zip(self.lids, self.lid_skin, strict=True))
        eyes = max(_deepest(eye.depths(posed, around, NEAR)) for eye, around in self.eyes)
        return Depths(
            flips=len(self.flips.flipped(posed)),
            lips=_overlap(posed, *self.lips, self.lip_edges),
            lids=lids,
            eyes=eyes,
            teeth=_deepest(self.teeth.depths(posed, self.lip_points, NEAR)),
            gums=_deepest(self.outer.depths(posed, self.hard, 3 * NEAR, borders=False)),
            tongue=max(
                _deepest(self.tongue.depths(posed, self.lip_points, NEAR)),
                _deepest(self.teeth.depths(posed, self.tongue_points, NEAR)),
            ),
        )


def _deepest(depths: Floats) -> float:
    return float(depths.max(initial=0.0))


def _overlap(posed: Floats, first: Surface, second: Surface, samples: Ints) -> float:
    """Return how deep in metres either of two surfaces' points among ``samples`` go into the other."""
    return max(
        _deepest(first.depths(posed, np.intersect1d(second.points, samples), NEAR, borders=False)),
        _deepest(second.depths(posed, np.intersect1d(first.points, samples), NEAR, borders=False)),
    )


def _components(count: int, triangles: Ints) -> npt.NDArray[np.int32]:
    """Return the number of the connected part of each point (V,)."""
    edges = triangles[:, [[0, 1], [1, 2]]].reshape(-1, 2)
    links = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label: npt.NDArray[np.int32] = csgraph.connected_components(links, directed=False)[1]
    return label


def _edge_lengths(points: Floats, triangles: Ints) -> sparse.csr_matrix:
    edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    return sparse.coo_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(points), len(points))).tocsr()


def _sides(
    triangles: Ints, graph: sparse.csr_matrix, lines: tuple[Ints, Ints, Ints], width: float
) -> tuple[Surface, Surface]:
    """Return the surfaces above and below a slit: the triangles nearer to each margin and within ``width`` of it.

    ``lines`` are the vertices of the upper margin, the lower margin and the corners.
    """
    above, below, corner = (
        csgraph.dijkstra(graph, directed=False, indices=line, min_only=True, limit=2 * width) for line in lines
    )
    sides = []
    for own, other in ((above, below), (below, above)):
        mine = (own < other) & (own < width) & (corner > CORNER)
        sides.append(Surface(triangles[mine[triangles].all(axis=1)]))
    return sides[0], sides[1]


def _eyeball(
    points: Floats, triangles: Ints, materials: npt.NDArray[np.str_], label: npt.NDArray[np.int32], centre: Floats
) -> Surface:
    """Return the outermost surface of one eye: every part that has an iris or lies wholly around the eye's centre."""
    near = np.linalg.norm(points - centre, axis=1) < EYE_REACH
    far = np.unique(label[~near])
    own = near[triangles[:, 0]] & ~np.isin(label[triangles[:, 0]], far)
    own &= np.char.find(np.char.lower(materials), "lash") < 0
    return Surface(triangles[own])
