"""A first guess of where a head's face is, from its shape alone: its profile is laid over the avatar's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..avatar import ProxyAvatar, load_proxy_avatar
from .fit import Fit, fit_face
from .parts import balls_at, find_balls
from .surface import Surface, match
from .template import FACE_LANDMARKS, FACE_POINTS, Template, template_of
from .warp import Points, Similarity, fit_similarity

_HEIGHTS: Final = np.linspace(0.06, -0.135, 96)  # metres from the eyes: forehead to throat, where profiles tell most
_SCALES: Final = np.geomspace(0.04, 0.75, 70)  # height of that piece as a share of the whole mesh's
_BINS: Final = 1200
_TILT: Final = 0.3  # a head may lean forward or back by this slope at little cost
_UNLIKE: Final = 0.011  # metres: a profile that misses by more is no face's
_CANDIDATES: Final = 5  # loose parts, the largest ones, that may be the skin
_LEAST_AREA: Final = 0.02  # of the largest part's, for another one to be the skin
_TURN: Final = 0.012  # metres that a normal's difference of 1 counts as
_MARGIN: Final = 0.04  # metres around the avatar within which the fit looks
_LOOSE: Final = 1e3  # metres: a stiffness at which points do not count
_HELD: Final = 0.02  # metres: a stiffness at which they draw the face along


class NoFaceError(Exception):
    """No face was found; the message says what to do."""


def guess_face_points(
    vertices: NDArray[np.floating[Any]],
    triangles: NDArray[np.integer[Any]],
    avatar: ProxyAvatar | None = None,
) -> dict[str, Points]:
    """Return where the face of a head, or of a whole figure, has the ``FACE_POINTS``: (3,) each.

    The figure stands upright along +Y and is about symmetric from left to right; it may look along +Z, -Z, +X or -X.

    Args:
        vertices: (V, 3) of head, eyes, teeth and all, at any size and place.
        triangles: (F, 3) vertex numbers, wound counter-clockwise seen from outside.
        avatar: whose profile to look for; the packaged one's unless given.

    Raises:
        NoFaceError: no profile like a face's was found.
    """
    template = template_of(avatar or load_proxy_avatar())
    whole = Surface(np.asarray(vertices, np.float64), np.asarray(triangles, np.int32))
    if not len(whole.triangles):
        raise NoFaceError("The mesh has no faces")
    areas = np.bincount(whole.parts, whole.areas)
    largest = np.argsort(-areas, kind="stable")[:_CANDIDATES]
    ours = _profile(template.skin, 0.0)(_HEIGHTS)
    tries = [
        (*_find(skin, turn, ours), int(part))
        for part in largest[areas[largest] > _LEAST_AREA * areas.max()]
        for skin in [whole.part_of(whole.parts == part)[0]]
        if np.ptp(skin.vertices[:, 1]) > 0
        for turn in range(4)
    ]
    likely = [found for found in tries if found[0] < _UNLIKE]
    if not likely:
        raise NoFaceError("No face was found in this mesh: drag the face points to their places")
    _, place, part = min(likely, key=lambda found: found[0])
    return _refined(template, whole, part, place)


def _find(skin: Surface, quarter_turns: int, ours: Points) -> tuple[float, Similarity]:
    """Return by how many metres the best piece of profile misses the avatar's, and the avatar's place then."""
    angle = quarter_turns * np.pi / 2
    rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = Surface(skin.vertices @ rotation, skin.triangles)  # its face looks along +Z when the turn is right
    middle = float(turned.vertices[:, 0].min() + turned.vertices[:, 0].max()) / 2
    bottom, top = turned.vertices[:, 1].min(), turned.vertices[:, 1].max()
    profile = _profile(turned, middle)
    known = np.column_stack([np.ones(len(ours)), _HEIGHTS])
    best = (np.inf, Similarity(1.0, rotation, np.zeros(3)))
    for share in _SCALES:
        scale = share * (top - bottom) / float(np.ptp(_HEIGHTS))
        origins = np.linspace(bottom - scale * _HEIGHTS.min(), top - scale * _HEIGHTS.max(), 240)
        difference = profile(origins[:, None] + scale * _HEIGHTS) / scale - ours
        lines = difference @ np.linalg.pinv(known).T
        lean = np.clip(lines[:, 1], -_TILT, _TILT)
        level = (difference - lean[:, None] * _HEIGHTS).mean(axis=1)
        misses = np.abs(difference - level[:, None] - lean[:, None] * _HEIGHTS).mean(axis=1)
        if misses.min() < best[0]:
            row = int(np.argmin(misses))
            origin = np.array([middle, origins[row], level[row] * scale])
            best = (float(misses[row]), Similarity(float(scale), rotation, rotation @ origin))
    return best


def _profile(surface: Surface, middle: float) -> Callable[[Points], Points]:
    """Return the function from heights to how far forward ``surface`` reaches in the plane x = ``middle``."""
    # Symmetric meshes have edges in their middle plane, which it does not cut: cut beside it.
    middle = middle + 1.37e-4 * float(np.ptp(surface.vertices[:, 1]))
    corners = surface.vertices[surface.triangles]
    sides = corners[:, :, 0] - middle
    crossing = corners[(sides.min(axis=1) <= 0) & (sides.max(axis=1) >= 0)]
    cuts = []
    for first, second in ((0, 1), (1, 2), (2, 0)):
        begin, end = crossing[:, first], crossing[:, second]
        span = end[:, 0] - begin[:, 0]
        along = np.where(span == 0, -1, (middle - begin[:, 0]) / np.where(span == 0, 1, span))
        cut = begin + along[:, None] * (end - begin)
        cuts.append(np.where(((along >= 0) & (along <= 1))[:, None], cut, np.nan))
    begins, ends = (np.where(np.isnan(cut), cuts[1], cut) for cut in (cuts[0], cuts[2]))
    whole = np.isfinite(begins + ends).all(axis=1)
    return _envelope(begins[whole], ends[whole])


def _envelope(begins: Points, ends: Points) -> Callable[[Points], Points]:
    """Return the function from heights to the largest z of the segments ``begins`` to ``ends`` (N, 3) there."""
    upward = (begins[:, 1] < ends[:, 1])[:, None]
    low, high = np.where(upward, begins, ends), np.where(upward, ends, begins)
    upright = high[:, 1] > low[:, 1]
    low, high = low[upright], high[upright]
    if not len(low):  # no profile in the middle: nothing like a face
        return np.zeros_like
    bottom = float(low[:, 1].min())
    step = (float(high[:, 1].max()) - bottom) / _BINS
    first = np.ceil((low[:, 1] - bottom) / step).astype(int)
    counts = np.floor((high[:, 1] - bottom) / step).astype(int) - first + 1
    segment = np.repeat(np.arange(len(low)), counts)
    bins = first[segment] + np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    along = (bottom + bins * step - low[segment, 1]) / (high[segment, 1] - low[segment, 1])
    reach = np.full(_BINS + 2, -np.inf)
    np.maximum.at(reach, bins, low[segment, 2] + along * (high[segment, 2] - low[segment, 2]))
    seen = np.flatnonzero(np.isfinite(reach))
    return lambda heights: np.interp(heights, bottom + seen * step, reach[seen])


def _refined(template: Template, whole: Surface, part: int, place: Similarity) -> dict[str, Points]:
    """Return the face points after the avatar, put at ``place``, has been fitted to the skin, a loose ``part``."""
    rest, marks = template.skin.vertices, template.landmarks
    low, high = rest.min(axis=0) - _MARGIN, rest.max(axis=0) + _MARGIN
    points, stiffness = template.face_points, _LOOSE
    for _ in range(3):
        near = Surface(place.undo(whole.vertices), whole.triangles)
        inside = ((near.vertices > low) & (near.vertices < high)).all(axis=1)
        head, _ = near.part_of(inside & (whole.parts == part))
        fit = fit_face(template, head, points, stiffness)
        onto = match(fit.laid.vertices[marks], fit.laid.normals[marks], head, _TURN).points
        found = place.apply(onto)
        moved = fit_similarity(rest[marks], found)
        points = moved.undo(place.apply(_at_eyes(template, fit, near, inside & (whole.parts != part))))
        place, stiffness = moved, _HELD
    return {name: found[number] for name, number in FACE_POINTS.items()}


def _at_eyes(template: Template, fit: Fit, near: Surface, loose: NDArray[np.bool_]) -> Points:
    """Return the face points (10, 3) of ``fit``, those of the eyes moved to where the ``loose`` eyeballs are."""
    points: Points = fit.laid.vertices[template.landmarks[list(FACE_LANDMARKS)]]
    balls = find_balls(near, loose)
    for side, expected in zip(("left", "right"), fit.broad.apply(template.eye_centres), strict=True):
        own = balls_at(balls, expected)
        if own:
            off = min(own, key=lambda ball: ball.miss).centre - expected
            rows = [row for row, name in enumerate(FACE_POINTS) if name.startswith("eye") and name.endswith(side)]
            points[rows] += off * [1, 1, 0]
    return points
