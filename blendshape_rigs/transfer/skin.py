"""Carry the shapes of the avatar's skin over to the skin of another head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .fit import Fit
from .lips import has_slit, lip_sides
from .surface import Surface, match
from .template import FACE_POINTS, LOWER_SEEDS, UPPER_SEEDS, Template
from .warp import Points

_TURN: Final = 0.006  # metres of distance that a normal's difference of 1 counts as
_SIDE: Final = 0.01  # metres of distance that a step from no lip to a lip counts as
_NEAR: Final = 0.012  # metres to the laid avatar: a vertex within moves in full
_FAR: Final = 0.035  # metres: a vertex beyond does not move
_SURE: Final = 0.004  # metres: a match from further away gives way to its neighbours
_ROUNDS: Final = 8
_PULL: Final = 0.2  # how much neighbours count against a vertex's own good match


@dataclass(frozen=True, eq=False)
class CarriedSkin:
    """Motions of a head's skin: ``deltas`` (V, 52, 3) float32 metres, ``matched`` (V,) bool, lip ``sides`` (V,).

    ``mouth_opens``: whether there is a slit between the lips.
    """

    deltas: NDArray[np.float32]
    matched: NDArray[np.bool_]
    sides: Points
    mouth_opens: bool


def carry_skin(template: Template, fit: Fit, head: Surface) -> CarriedSkin:
    """Return the avatar's shapes on ``head``, a skin in the avatar's size and place; all vertices need triangles."""
    upper, lower = (_on_head(template, fit, head, seeds) for seeds in (UPPER_SEEDS, LOWER_SEEDS))
    sides = lip_sides(head, upper, lower)
    tags = (_SIDE * sides[:, None], _SIDE * template.sides[:, None])
    matches = match(head.vertices, head.normals, fit.laid, _TURN, tags)
    distance = np.linalg.norm(matches.points - head.vertices, axis=1)
    fade = np.clip((_FAR - distance) / (_FAR - _NEAR), 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    agreement = (matches.take(fit.laid.normals) * head.normals).sum(axis=1)
    sure = np.clip(agreement, 0.02, 1) / (1 + (distance / _SURE) ** 2)
    frames = fit.broad.frames(matches.take(template.skin.vertices))
    moved = matches.take(template.deltas.transpose(1, 0, 2))
    own = np.matmul(moved, (fade[:, None, None] * frames.transpose(0, 2, 1)).astype(np.float32))
    middles = _on_head(template, fit, head, (FACE_POINTS["upper lip"], FACE_POINTS["lower lip"]))
    return CarriedSkin(
        deltas=relax(head, own, sure),
        matched=(distance < _NEAR) & (agreement > 0.5),
        sides=sides,
        mouth_opens=has_slit(head, *middles.tolist()),
    )


def _on_head(template: Template, fit: Fit, head: Surface, numbers: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the vertices of ``head`` where the landmarks ``numbers`` lie."""
    marks = template.landmarks[list(numbers)]
    found = match(fit.laid.vertices[marks], fit.laid.normals[marks], head, _TURN)
    largest = np.argmax(found.weights, axis=1)
    closest: NDArray[np.intp] = found.triangles[np.arange(len(marks)), largest].astype(np.intp)
    return closest


def relax(surface: Surface, values: NDArray[np.float32], sure: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return ``values`` (V, ...) drawn towards their neighbours' where ``sure`` (V,), 0 to 1, is small.

    Neighbours are told by edges, so lips that only touch do not mix.
    """
    starts, neighbours = surface.neighbours
    flat = values.reshape(len(values), -1)
    share = (_PULL / (_PULL + sure)).astype(np.float32)[:, None]
    counts = np.maximum(np.diff(starts), 1).astype(np.float32)[:, None]
    settled = flat
    for _ in range(_ROUNDS):
        mean = np.add.reduceat(settled[neighbours], starts[:-1], axis=0) / counts
        settled = (1 - share) * flat + share * mean
    return settled.reshape(values.shape)
