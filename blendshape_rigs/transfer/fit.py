"""Lay the avatar's face over another head: ever softer warps from landmarks to the nearest places of its surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .surface import Surface, match
from .template import FACE_LANDMARKS, Template
from .warp import Points, Warp, fit_warp

ANCHOR: Final = 0.002
"""Metres: the stiffness at the animator's points, which so are met almost exactly."""
_STIFFNESS: Final = (1.0, 0.3, 0.1, 0.03, 0.02)  # metres; each round lets the face bend more
_BROAD: Final = 0.5  # metres: the stiffness of the warp that turns motions
_FAR: Final = 0.012  # metres: a landmark that finds nothing within this counts less
_TURN: Final = 0.012  # metres that a normal's difference of 1 counts as


@dataclass(frozen=True, eq=False)
class Fit:
    """The avatar laid over a head.

    ``warp`` takes the avatar's places to the head; ``broad`` is a stiffer one whose frames turn and stretch motions,
    so that a bent lip does not bend the jaw's path. ``misses`` (468,): metres from each landmark to the head.
    """

    warp: Warp
    broad: Warp
    laid: Surface
    misses: Points


def fit_face(template: Template, head: Surface, points: Points, anchor: float = ANCHOR) -> Fit:
    """Return the avatar laid over ``head``.

    Args:
        template: the avatar.
        head: the other head's skin, already at the avatar's size and place; every vertex needs a triangle.
        points: places (10, 3) on it, in the order of ``FACE_POINTS``.
        anchor: stiffness at those points, metres.
    """
    anchors = list(FACE_LANDMARKS)
    landmarks = template.skin.vertices[template.landmarks]
    rings, numbers = _around(template)
    warp = fit_warp(landmarks[anchors], points, anchor)
    for stiffness in _STIFFNESS:
        laid = Surface(warp.apply(rings.vertices), rings.triangles)
        begun = laid.vertices[numbers]
        found = match(begun, laid.normals[numbers], head, _TURN).points
        bend = stiffness * (1 + (np.linalg.norm(found - begun, axis=1) / _FAR) ** 4)
        found[anchors], bend[anchors] = points, anchor
        warp = fit_warp(landmarks, found, bend)
    laid = Surface(warp.apply(template.skin.vertices), template.skin.triangles)
    misses = np.linalg.norm(found - laid.vertices[template.landmarks], axis=1)
    return Fit(warp, fit_warp(landmarks, found, _BROAD), laid, misses)


def _around(template: Template) -> tuple[Surface, NDArray[np.intp]]:
    """Return the triangles around the landmarks, from which their normals come, and the landmarks' numbers there."""
    touching = template.skin.triangles[np.isin(template.skin.triangles, template.landmarks).any(axis=1)]
    chosen = np.zeros(len(template.skin.vertices), bool)
    chosen[touching] = True
    rings, used = template.skin.part_of(chosen)
    return rings, np.searchsorted(used, template.landmarks)
