"""From a head without shapes and a few points on its face to ARKit's 52 shapes, with a report of their quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arkit import ARKIT_INDEX
from ..avatar import ProxyAvatar, load_proxy_avatar
from .fit import Fit, fit_face
from .parts import CarriedParts, carry_parts
from .skin import CarriedSkin, carry_skin
from .surface import Surface, match
from .template import FACE_POINTS, Template, template_of
from .warp import Points, fit_similarity

_MARGIN: Final = 0.05  # metres around the laid avatar within which a head is looked at
_LEAST_VERTICES: Final = 200
_LIP_TURN: Final = 0.004  # metres that a normal's difference of 1 counts as
_LIP_SIDE: Final = 0.02  # metres of distance that a step from no lip to a lip counts as
_MOVING: Final = 0.0005  # metres: a vertex that some shape moves by more belongs to the face
_LEAST_OPENING: Final = 5.0  # millimetres that lips part at least when a mouth opens


class TransferError(Exception):
    """A mesh or points that no face can be laid over; the message says what to do."""


@dataclass(frozen=True)
class TransferReport:
    """How well the avatar's face met the other head; lengths are those of a head of human size.

    ``landmark_distance_mm``: mean distance from the 468 landmarks to the head. ``matched``: share of the face's
    vertices that found their place on the avatar. ``lip_opening_mm``: how far the lips part at jawOpen = 1;
    ``lip_remainder_mm``: how far they are still apart at jawOpen = mouthClose = 1. ``eyes``: 0 to 2 that turn.
    ``jaw_parts``: loose parts that follow the jaw. ``warnings``: what will not look right.
    """

    landmark_distance_mm: float
    matched: float
    lip_opening_mm: float
    lip_remainder_mm: float
    eyes: int
    jaw_parts: int
    warnings: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Return the report in plain words."""
        return (
            "An approximation, carried over from the avatar",
            f"Landmarks miss the face by {self.landmark_distance_mm:.1f} mm on average",
            f"{self.matched:.0%} of the face's vertices found their place",
            f"Lips part {self.lip_opening_mm:.0f} mm at jawOpen, and close to {self.lip_remainder_mm:.1f} mm",
            f"{self.eyes} eyes turn, {self.jaw_parts} loose parts follow the jaw",
            *self.warnings,
        )


@dataclass(frozen=True, eq=False)
class Transfer:
    """``deltas`` (52, V, 3) float32 in the mesh's own units and axes, in ``ARKIT_NAMES`` order, and the report."""

    deltas: NDArray[np.float32]
    report: TransferReport


def transfer_shapes(
    vertices: NDArray[np.floating[Any]],
    triangles: NDArray[np.integer[Any]],
    points: Mapping[str, NDArray[np.floating[Any]]],
    avatar: ProxyAvatar | None = None,
) -> Transfer:
    """Return ARKit's 52 shapes for a head that has none, carried over from the avatar: an approximation.

    On ICT-FaceKit's head without its shapes (27,000 vertices, 3 s, points guessed) the motions agree with its own by
    a median cosine of 0.95 over the shapes, the lowest being 0.79, at 0.68 times their amplitude; the lips part by
    30 mm and come back to 0.4 mm at jawOpen = mouthClose. On the avatar itself, bent, thinned out, scaled and moved:
    0.9998, within 5 % of the amplitude.

    Args:
        vertices: (V, 3) of head, eyes, teeth and all; any size, place and direction, but not mirrored.
        triangles: (F, 3) vertex numbers, wound counter-clockwise seen from outside.
        points: where the face has the ``FACE_POINTS``, (3,) each, in the same space.
        avatar: whose shapes; the packaged one unless given.

    Raises:
        TransferError: points are missing, not numbers or nearly in a line; or the face has too few vertices.
    """
    template = template_of(avatar or load_proxy_avatar())
    places = _checked(points)
    similarity = fit_similarity(template.face_points, places)
    whole = Surface(similarity.undo(np.asarray(vertices, np.float64)), np.asarray(triangles, np.int32))
    own = similarity.undo(places)
    chosen = _face_part(whole, own) & _around(template, whole)
    head, numbers = whole.part_of(chosen)
    if len(numbers) < _LEAST_VERTICES:
        raise TransferError(
            f"Only {len(numbers)} vertices lie around the face points, and {_LEAST_VERTICES} are needed: "
            "check the points, or subdivide the mesh"
        )
    fit = fit_face(template, head, own)
    skin = carry_skin(template, fit, head)
    parts = carry_parts(template, fit, whole, numbers, skin.deltas)
    report = _report(template, fit, head, skin, parts)
    deltas = similarity.turn(parts.deltas.transpose(1, 0, 2)).astype(np.float32)
    return Transfer(deltas, report)


def _checked(points: Mapping[str, NDArray[np.floating[Any]]]) -> Points:
    missing = [name for name in FACE_POINTS if name not in points]
    if missing:
        raise TransferError(f"These face points are missing: {', '.join(missing)}")
    places = np.stack([np.asarray(points[name], np.float64) for name in FACE_POINTS])
    if not np.isfinite(places).all():
        raise TransferError("A face point is not a number")
    sizes = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if sizes[1] < 0.05 * sizes[0] or sizes[0] == 0:
        raise TransferError("The face points lie in one line: place each on the face")
    return places


def _face_part(whole: Surface, points: Points) -> NDArray[np.bool_]:
    """Return which vertices (V,) belong to the loose part that lies at most of the points."""
    used = np.unique(whole.triangles)
    if not len(used):
        raise TransferError("The mesh has no faces")
    numbers = whole.parts[used[[int(np.argmin(((whole.vertices[used] - point) ** 2).sum(1))) for point in points]]]
    chosen: NDArray[np.bool_] = whole.parts == np.bincount(numbers).argmax()
    return chosen


def _around(template: Template, whole: Surface) -> NDArray[np.bool_]:
    rest = template.skin.vertices
    low, high = rest.min(axis=0) - _MARGIN, rest.max(axis=0) + _MARGIN
    inside: NDArray[np.bool_] = ((whole.vertices > low) & (whole.vertices < high)).all(axis=1)
    return inside


def _lips_apart(template: Template, fit: Fit, head: Surface, skin: CarriedSkin) -> Points:
    """Return by how many millimetres (L, 52) each shape parts the lips, from corner to corner."""
    theirs = _LIP_SIDE * skin.sides[:, None]
    moved = []
    for lip in template.lips:
        tags = (_LIP_SIDE * template.sides[lip, None], theirs)
        moved.append(match(fit.laid.vertices[lip], fit.laid.normals[lip], head, _LIP_TURN, tags).take(skin.deltas))
    upper, lower = moved
    apart: Points = 1000 * (upper - lower)[:, :, 1].astype(np.float64)
    return apart


def _report(template: Template, fit: Fit, head: Surface, skin: CarriedSkin, parts: CarriedParts) -> TransferReport:
    apart = _lips_apart(template, fit, head, skin)
    opening = float(apart[:, ARKIT_INDEX["jawOpen"]].max()) if skin.mouth_opens else 0.0
    left_over = apart[:, ARKIT_INDEX["jawOpen"]] + apart[:, ARKIT_INDEX["mouthClose"]]
    face = np.linalg.norm(skin.deltas, axis=2).max(axis=1) > _MOVING
    warnings = []
    if opening < _LEAST_OPENING:
        warnings.append("The mouth does not open: the mesh has no slit between the lips, or the points miss it")
    if parts.eyes < 2:
        warnings.append("No eyes of their own were found: looking moves the lids alone")
    if not parts.has_tongue:
        warnings.append("No tongue of its own was found: tongueOut moves the lips alone")
    return TransferReport(
        landmark_distance_mm=1000 * float(fit.misses.mean()),
        matched=float(skin.matched[face].mean()) if face.any() else 0.0,
        lip_opening_mm=opening,
        lip_remainder_mm=float(np.abs(left_over).max()),
        eyes=parts.eyes,
        jaw_parts=parts.jaw_parts,
        warnings=tuple(warnings),
    )
