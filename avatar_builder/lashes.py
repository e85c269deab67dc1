"""Lashes: single tapering hairs on the lids' margins that turn with the lids."""

from __future__ import annotations

import numpy as np

from .cage import EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT
from .parts import Part, grid_triangles, plain_part
from .skin import Skin
from .topology import LOWER_LID_RINGS, Floats, Ints

UPPER_COUNT = 40
LOWER_COUNT = 18
# The margin rolls a little more than the lid turns about the eye.
LID_TURN = 1.35
UPPER_WIDTH = 0.00038
LOWER_WIDTH = 0.00018


def lashes(skin: Skin) -> list[Part]:
    """Return the upper line, the upper and the lower lashes of the right and the left eye."""
    parts = []
    for number, (centre, outward) in enumerate(((EYE_CENTRE_RIGHT, -1.0), (EYE_CENTRE_LEFT, 1.0))):
        upper = skin.upper_lids[number]
        parts += [_line(skin, upper, outward), _upper(skin, upper, centre, outward)]
        parts.append(_lower(skin, centre, outward))
    return parts


def _sampled(values: Floats, at: Floats) -> Floats:
    """Return rows of ``values`` (M, 3) at shares ``at`` (N,) of the way from the first to the last."""
    position = at * (len(values) - 1)
    low = np.minimum(position.astype(np.int64), len(values) - 2)
    mix = (position - low)[:, None]
    return np.asarray(values[low] * (1 - mix) + values[low + 1] * mix)


def _line(skin: Skin, margin: Ints, outward: float) -> Part:
    """Return the dark line at the roots of the upper lashes."""
    along = np.linspace(0, 1, len(margin))
    height = 0.00055 * np.sin(np.pi * along**0.8) ** 0.5
    root = skin.part.points[margin]
    rows = [root + np.array([0.0, -0.0002, -0.0001]), root + np.stack([0 * height, 0.8 * height, 0.6 * height], axis=1)]
    triangles = grid_triangles(2, len(margin), False)[:, :: int(-outward)]
    fields = {name: np.tile(values[margin], (2, 1)) for name, values in skin.part.fields.items()}
    return plain_part(np.concatenate(rows), triangles, "lash", fields)


def _upper(skin: Skin, margin: Ints, centre: Floats, outward: float) -> Part:
    """Return the upper lashes: longest and most swept towards the outer corner, bunched in twos and threes."""
    number = np.arange(UPPER_COUNT)
    along = np.linspace(0.02, 0.93, UPPER_COUNT) + 0.006 * np.sin(number * 2.4)
    length = 0.0066 * (0.45 + 0.55 * np.sin(np.pi * np.clip(along, 0, 1) ** 0.62)) * (1 - 0.35 * along)
    length *= 1 + 0.14 * np.sin(number * 4.1)
    sweep = outward * (0.75 - 1.05 * along + 0.10 * np.sin(number * 2.4 + 1.0))
    lean = np.stack([sweep, 0.10 + 0 * along, 1.0 + 0 * along], axis=1)
    lean /= np.linalg.norm(lean, axis=1, keepdims=True)
    bend = np.stack([0.25 * sweep, 0.62 + 0 * along, -0.10 + 0 * along], axis=1)
    middle = length[:, None] * 0.5 * lean
    tip = length[:, None] * (0.85 * lean + bend)
    return _hairs(skin, margin, along, (middle, tip), UPPER_WIDTH, centre, outward)


def _lower(skin: Skin, centre: Floats, outward: float) -> Part:
    """Return the short, sparse lower lashes."""
    margin = np.array(LOWER_LID_RINGS[0])
    if outward > 0:
        margin = np.array([_mirror_of(skin, index) for index in margin])
    number = np.arange(LOWER_COUNT)
    along = np.linspace(0.08, 0.80, LOWER_COUNT) + 0.010 * np.sin(number * 2.7)
    length = 0.0026 * (0.6 + 0.4 * np.sin(np.pi * along)) * (1 + 0.18 * np.sin(number * 3.7))
    sweep = outward * (0.60 - 0.95 * along)
    lean = np.stack([sweep, -0.55 + 0 * along, 0.75 + 0 * along], axis=1)
    tip = length[:, None] * lean
    return _hairs(
        skin, margin, along, (0.55 * tip + np.array([0.0, 0.0001, 0.0002]), tip), LOWER_WIDTH, centre, outward
    )


def _mirror_of(skin: Skin, index: int) -> int:
    """Return the landmark that mirrors a landmark of the right lid."""
    offset = skin.part.points[:468] * np.array([-1.0, 1.0, 1.0]) - skin.part.points[index]
    return int(np.argmin((offset**2).sum(axis=1)))


def _hairs(
    skin: Skin, margin: Ints, along: Floats, reach: tuple[Floats, Floats], width: float, centre: Floats, outward: float
) -> Part:
    """Return hairs of five points each: two at the root, two in the middle, one at the tip.

    ``reach`` is where middle and tip lie from the root (N, 3). As the lid turns about the eye, so do its hairs.
    """
    roots = _sampled(skin.part.points[margin], along)
    edge = np.array([width / 2, 0.0, 0.0])
    offsets = np.stack([-edge + 0 * reach[0], edge + 0 * reach[0], reach[0] - 0.8 * edge, reach[0] + 0.8 * edge,
                        reach[1]], axis=1)  # fmt: skip
    fields = {}
    for name, values in skin.part.fields.items():
        move = _sampled(values[margin], along)
        turned = _turned_with(roots - centre, move, offsets)
        fields[name] = (move[:, None] + turned - offsets).reshape(-1, 3)
    first = np.arange(len(along))[:, None] * 5
    triangles = np.concatenate([first + corners for corners in ([0, 1, 3], [0, 3, 2], [2, 3, 4])])
    return plain_part((roots[:, None] + offsets).reshape(-1, 3), triangles, "lash", fields)


def _turned_with(arm: Floats, move: Floats, offsets: Floats) -> Floats:
    """Return offsets (N, K, 3) turned about the x axis with ``arm`` (N, 3) when it is moved by ``move`` (N, 3)."""
    after = arm + move
    angle = LID_TURN * (np.arctan2(after[:, 1], after[:, 2]) - np.arctan2(arm[:, 1], arm[:, 2]))
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = offsets[..., 0], offsets[..., 1], offsets[..., 2]
    return np.stack([x, y * cosine + z * sine, z * cosine - y * sine], axis=-1)
