"""Loose parts of a head: eyes turn, what the jaw carries follows it, and lashes follow the skin beneath them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arkit import ARKIT_COUNT, ARKIT_INDEX
from .fit import Fit
from .lips import lip_sides
from .skin import relax
from .surface import Surface, nearest
from .template import Template
from .warp import Points

_SMALLEST_EYE: Final = 0.007  # metres
_LARGEST_EYE: Final = 0.04  # metres; a human's has a radius of 0.012
_ABOUT: Final = 0.01  # metres, besides its radius, that an eye may be off its expected place
_ROUNDNESS: Final = 0.12  # largest mean miss of a sphere, as a share of its radius
_ON_EYE: Final = 1.3  # radii: what lies on an eye reaches no further from its centre
_OFF_AXIS: Final = 0.35  # radii: the middle of an iris is no further off the straight line ahead
_AS_HIGH: Final = 0.7  # an iris's height is at least this share of its width
_IN_MOUTH: Final = 0.02  # metres from the avatar's teeth, gums or tongue
_BOTH_SIDES: Final = 0.012  # metres: a part that reaches this far above and below the bite belongs to both jaws
_MIDDLE: Final = 0.006  # metres from the middle plane: a tongue's mean lies within
_TONGUE_OUT: Final = ARKIT_INDEX["tongueOut"]
_NEAR: Final = 0.012  # metres from the skin: lashes and brows follow in full
_FAR: Final = 0.05  # metres from the skin: hair and clothes stay


@dataclass(frozen=True, eq=False)
class Eye:
    """A ball: its vertices' numbers, centre (3,) and radius in metres, and the mean miss as a share of the radius."""

    vertices: NDArray[np.intp]
    centre: Points
    radius: float
    miss: float


@dataclass(frozen=True, eq=False)
class CarriedParts:
    """Motions (V, 52, 3) float32 metres of every loose part, and how many of each kind there are."""

    deltas: NDArray[np.float32]
    eyes: int
    jaw_parts: int
    has_tongue: bool


def find_balls(whole: Surface, chosen: NDArray[np.bool_]) -> list[Eye]:
    """Return the loose parts among the ``chosen`` (V,) vertices that are balls of an eye's size."""
    found = []
    for number in np.unique(whole.parts[chosen]):
        vertices = np.flatnonzero((whole.parts == number) & chosen)
        if len(vertices) < 12:
            continue
        places = whole.vertices[vertices]
        solved = np.linalg.lstsq(np.column_stack([2 * places, np.ones(len(places))]), (places**2).sum(1), rcond=None)[0]
        centre = solved[:3]
        radius = float(np.sqrt(max(0.0, solved[3] + centre @ centre)))
        if not _SMALLEST_EYE < radius < _LARGEST_EYE:
            continue
        miss = float(np.abs(np.linalg.norm(places - centre, axis=1) - radius).mean()) / radius
        width, height, _ = np.ptp(places, axis=0) / radius
        if miss < _ROUNDNESS and min(width, height) > 1.4:
            found.append(Eye(vertices, centre, radius, miss))
    return found


def balls_at(balls: list[Eye], place: Points) -> list[Eye]:
    """Return those of ``balls`` whose centre lies about where an eye's centre is expected, ``place`` (3,)."""
    return [ball for ball in balls if np.linalg.norm(ball.centre - place) < _ABOUT + ball.radius]


def carry_parts(
    template: Template, fit: Fit, whole: Surface, head: NDArray[np.intp], skin_deltas: NDArray[np.float32]
) -> CarriedParts:
    """Return the motions of everything in ``whole`` that is not the skin.

    Args:
        template: the avatar.
        fit: the avatar laid over the skin.
        whole: all vertices of the character in the avatar's size and place.
        head: numbers (H,) of the skin's vertices.
        skin_deltas: their motions (H, 52, 3), metres.
    """
    deltas = np.zeros((len(whole.vertices), ARKIT_COUNT, 3), np.float32)
    loose = np.zeros(len(whole.vertices), bool)
    loose[whole.triangles] = True
    loose[head] = False
    deltas[head] = skin_deltas
    eyes = _turn_eyes(template, fit, whole, loose, deltas)
    jaw_parts, has_tongue = _carry_mouth(template, fit, whole, loose, deltas)
    _follow_skin(whole, loose, head, deltas)
    return CarriedParts(deltas, eyes, jaw_parts, has_tongue)


def _turn_eyes(
    template: Template, fit: Fit, whole: Surface, loose: NDArray[np.bool_], deltas: NDArray[np.float32]
) -> int:
    """Turn the eyes among the ``loose`` vertices, which are loose no longer; return on how many sides there are some.

    Shells about an eye, and irises, pupils and corneas on it, turn about the centre of the roundest ball.
    """
    expected = fit.broad.apply(template.eye_centres)
    balls = find_balls(whole, loose)
    turned = 0
    for side, place in enumerate(expected):
        own = balls_at(balls, place)
        if not own:
            continue
        eye = min(own, key=lambda ball: ball.miss)
        vertices = np.concatenate([*(ball.vertices for ball in own), *_discs(whole, loose, eye)])
        arms = (whole.vertices[vertices] - eye.centre).astype(np.float32)
        deltas[vertices] = np.einsum("sxk,vk->vsx", template.eyes[side], arms)
        loose[vertices] = False
        turned += 1
    return turned


def _discs(whole: Surface, loose: NDArray[np.bool_], eye: Eye) -> list[NDArray[np.intp]]:
    """Return the vertices of irises, pupils and corneas on ``eye``: loose parts straight ahead, as wide as high."""
    arms = whole.vertices - eye.centre
    outside = np.linalg.norm(arms, axis=1) > _ON_EYE * eye.radius
    candidates = np.unique(whole.parts[loose & ~outside])
    found = []
    for number in np.setdiff1d(candidates, whole.parts[loose & outside]):
        vertices = np.flatnonzero((whole.parts == number) & loose)
        low, high = arms[vertices].min(axis=0), arms[vertices].max(axis=0)
        width, height, _ = high - low
        ahead = np.abs((low + high)[:2] / 2).max() < _OFF_AXIS * eye.radius and low[2] > 0
        if ahead and min(width, height) > _AS_HIGH * max(width, height):
            found.append(vertices)
    return found


def _carry_mouth(
    template: Template, fit: Fit, whole: Surface, loose: NDArray[np.bool_], deltas: NDArray[np.float32]
) -> tuple[int, bool]:
    """Move teeth, gums and tongue; return how many parts the jaw carries and whether one of them is a tongue.

    A part on one side of the bite moves rigidly; one that spans both, such as gums in one piece, is split there.
    """
    laid = fit.broad.apply(template.mouth)
    mouth: list[tuple[NDArray[np.intp], Points, bool]] = []
    for number in np.unique(whole.parts[loose]):
        vertices = np.flatnonzero((whole.parts == number) & loose)
        near = nearest(whole.vertices[vertices], laid)
        if np.median(np.linalg.norm(laid[near] - whole.vertices[vertices], axis=1)) < _IN_MOUTH:
            places = _unwarp(fit, whole.vertices[vertices])
            is_tongue = template.is_tongue[near].mean() > 0.5 and abs(places[:, 0].mean()) < _MIDDLE
            mouth.append((vertices, places, bool(is_tongue)))
    bite = _bite(template, [places for _, places, is_tongue in mouth if not is_tongue])
    carried_parts = 0
    for vertices, places, is_tongue in mouth:
        if _spans(places, bite) and not is_tongue:
            part, _ = whole.part_of(np.isin(np.arange(len(loose)), vertices))
            share = _lower_share(part, places[:, 1], bite)
        else:
            share = np.full(len(places), is_tongue or places[:, 1].mean() < bite, np.float32)
        affine = np.column_stack([np.ones(len(places)), places])
        deltas[vertices] = share[:, None, None] * np.einsum("vk,skx->vsx", affine, template.jaw)
        if is_tongue:
            deltas[vertices, _TONGUE_OUT] = _tongue_out(template, places)
        loose[vertices] = False
        carried_parts += bool(share.max() > 0.5)
    return carried_parts, any(is_tongue for _, _, is_tongue in mouth)


def _spans(places: Points, bite: float) -> bool:
    return bool(min(places[:, 1].max() - bite, bite - places[:, 1].min()) > _BOTH_SIDES)


def _lower_share(part: Surface, heights: Points, bite: float) -> NDArray[np.float32]:
    """Return how much of the jaw's motion each vertex of a part takes that belongs to both jaws.

    The way along the mesh decides, so that a tongue that lies at the palate goes with the floor of the mouth.
    """
    upper = np.flatnonzero(heights > bite + 0.6 * (heights.max() - bite))
    lower = np.flatnonzero(heights < bite - 0.3 * (bite - heights.min()))
    share = ((1 - lip_sides(part, upper, lower)) / 2).astype(np.float32)
    return relax(part, share, np.full(len(share), 0.1))


def _bite(template: Template, parts: list[Points]) -> float:
    """Return the height that divides upper from lower parts of the mouth: midway between the two groups' means."""
    bite = template.bite
    heights = np.array([places[:, 1].mean() for places in parts if not _spans(places, bite)])
    for _ in range(5):
        upper, lower = heights[heights > bite], heights[heights <= bite]
        if len(upper) and len(lower):
            bite = float(upper.mean() + lower.mean()) / 2
    return bite


def _tongue_out(template: Template, places: Points) -> NDArray[np.float32]:
    """Return the motion (N, 3) of another tongue at ``places`` (N, 3): its box is laid over the avatar's tongue's."""
    low, size = places.min(axis=0), np.maximum(np.ptp(places, axis=0), 1e-9)
    scale = np.ptp(template.tongue, axis=0) / size
    near = nearest(template.tongue.min(axis=0) + (places - low) * scale, template.tongue)
    moved: NDArray[np.float32] = template.tongue_deltas[_TONGUE_OUT, near]
    return moved


def _unwarp(fit: Fit, places: Points) -> Points:
    """Return the avatar's places that the broad warp takes to ``places`` (N, 3), by Newton's method."""
    found = places.copy()
    for _ in range(4):
        missing = places - fit.broad.apply(found)
        found += np.linalg.solve(fit.broad.frames(found), missing[..., None])[..., 0]
    return found


def _follow_skin(whole: Surface, loose: NDArray[np.bool_], head: NDArray[np.intp], deltas: NDArray[np.float32]) -> None:
    """Let what is still ``loose`` follow the nearest skin, less the further away it is."""
    part, used = whole.part_of(loose)
    if not len(used):
        return
    skin = whole.vertices[head]
    near = nearest(part.vertices, skin)
    distance = np.linalg.norm(skin[near] - part.vertices, axis=1)
    fade = np.clip((_FAR - distance) / (_FAR - _NEAR), 0, 1).astype(np.float32)
    deltas[used] = relax(part, fade[:, None, None] * deltas[head[near]], np.full(len(used), 0.1))
