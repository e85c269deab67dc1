"""Fills what a person hides of the background: patterns go on, textures are mirrored, what lies deep is smooth."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from .arrays import Bytes, Floats
from .layers import fill_from_known

Flags = npt.NDArray[np.bool_]

_MIRRORED = 0.6  # face widths inside the edge up to which the background's texture is mirrored
_ROUND = 0.08  # face widths: the outline's detail that the mirror does not follow
_PATTERN_FACE = 56.0  # pixels of face width at which patterns are looked for
_PATTERN_REACH = 1.8  # face widths: the longest shift
_PATTERN_RING = 0.3  # face widths around what is hidden in which a shift must fit what is seen
_LEAST_SHIFT = 0.15
_FITS, _FAILS = 0.08, 0.2  # of the background's own variance there, by which a shifted one may differ
_SMOOTH = 0.045  # face widths over which neighbouring reflections are evened out


def fill_background(pixels: Bytes, hidden: Flags, face_width: float) -> Floats:
    """Return (H, W, 3) float32, 0..255: ``pixels`` with what is hidden painted in.

    A head that turns uncovers narrow strips. A background that repeats itself sideways or upwards (a wall, stripes,
    a curtain) goes on: it is copied from where it fits (after He and Sun 2012). Any other is mirrored at the strip's
    edge: that joins without a step, is as sharp as the rest and never comes from far away.

    Args:
        pixels: (H, W, 3) photograph.
        hidden: (H, W), where the background is not seen.
        face_width: pixels.
    """
    height, width = hidden.shape
    soft = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), _ROUND * face_width)
    outline = hidden | (soft > 0.4)
    depth, (edge_y, edge_x) = distance_transform_edt(outline, return_indices=True)
    y, x = np.mgrid[:height, :width]
    sigma = _SMOOTH * face_width
    # Where the nearest edge jumps from one side to the other, the reflections of both are blended.
    from_y, from_x = (
        cv2.GaussianBlur(at.astype(np.float32), (0, 0), sigma)
        for at in (_reflected(2 * edge_y - y, height), _reflected(2 * edge_x - x, width))
    )
    mirrored = cv2.remap(pixels.astype(np.float32), from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    seen = cv2.remap((~outline).astype(np.float32), from_x, from_y, cv2.INTER_LINEAR) > 0.99
    taken = outline & seen & (depth < _MIRRORED * face_width)
    known = np.where(hidden, taken, True).astype(np.float32)
    colours = np.where((hidden & taken)[:, :, None], mirrored, pixels).astype(np.float32)
    shifted, trust = _continued_pattern(pixels, hidden, face_width)
    # Where a pattern fits it replaces the mirror, and helps it out where the mirror shows nothing.
    known = np.where(hidden, np.maximum(known, trust), known).astype(np.float32)
    mix = np.where(hidden, np.where(taken, trust, trust > 0), 0)[:, :, None]
    return fill_from_known((colours * (1 - mix) + shifted * mix).astype(np.float32), known)


def _continued_pattern(pixels: Bytes, hidden: Flags, face_width: float) -> tuple[Floats, Floats]:
    """Return (H, W, 3) the background shifted onto itself, and (H, W) in [0, 1] how well that fits."""
    height, width = hidden.shape
    shrink = min(1.0, _PATTERN_FACE / face_width)
    size = (max(2, round(width * shrink)), max(2, round(height * shrink)))
    image = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    seen = cv2.resize(hidden.astype(np.float32), size, interpolation=cv2.INTER_AREA) < 0.02
    unit = face_width * shrink
    ring = seen & (distance_transform_edt(seen) < _PATTERN_RING * unit)
    least, best = np.full(seen.shape, np.inf, np.float32), np.zeros((*seen.shape, 2), np.float32)
    reach = round(_PATTERN_REACH * unit)
    for step in range(round(_LEAST_SHIFT * unit), reach + 1):
        for move in ((step, 0), (-step, 0), (0, step), (0, -step)):
            cost = _shift_cost(image, seen, ring, move, 0.6 * _PATTERN_RING * unit)
            better = cost < least
            least[better], best[better] = cost[better], move
    # A plain wall fits itself anywhere and is better mirrored: a pattern must fit far better than chance.
    misfit = least / np.maximum(_variance(image, ring, 0.6 * _PATTERN_RING * unit), 1.0)
    best = _refined_shifts(pixels, hidden, best, misfit < _FAILS, (width / size[0], height / size[1]))
    move = cv2.resize(best, (width, height), interpolation=cv2.INTER_NEAREST)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    from_x, from_y = x + move[..., 0], y + move[..., 1]
    shifted = cv2.remap(pixels.astype(np.float32), from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    clear = cv2.remap((~hidden).astype(np.float32), from_x, from_y, cv2.INTER_LINEAR)
    fit = np.clip((_FAILS - misfit) / (_FAILS - _FITS), 0, 1).astype(np.float32)
    # Neighbours of what does not fit may be shifted elsewhere: they fade out before it.
    soft = cv2.GaussianBlur(cv2.erode(fit, np.ones((3, 3), np.uint8)), (0, 0), 0.8)
    trust = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    own = cv2.resize(fit, (width, height), interpolation=cv2.INTER_NEAREST)
    return shifted, np.asarray(np.minimum(trust, own) * (clear > 0.99), np.float32)


def _shift_cost(image: Floats, seen: Flags, ring: Flags, move: tuple[int, int], sigma: float) -> Floats:
    """Return (H, W) mean squared difference, nearby, between the seen background and what lies ``move`` away."""
    shift = np.array([[1, 0, -move[0]], [0, 1, -move[1]]], np.float32)
    size = image.shape[1::-1]
    there = cv2.warpAffine(image, shift, size, flags=cv2.INTER_NEAREST)
    there_seen = cv2.warpAffine(seen.astype(np.uint8), shift, size, flags=cv2.INTER_NEAREST) > 0
    valid = (ring & there_seen).astype(np.float32)
    difference = np.minimum(((image - there) ** 2).mean(axis=2), 2500.0) * valid
    total = cv2.GaussianBlur(difference, (0, 0), sigma)
    weight = cv2.GaussianBlur(valid, (0, 0), sigma)
    # Of two shifts that fit, the shorter: backgrounds change from place to place.
    cost = total / np.maximum(weight, 1e-6) + 0.05 * max(abs(move[0]), abs(move[1]))
    return np.asarray(np.where(there_seen & (weight > 0.02), cost, np.inf), np.float32)


def _variance(image: Floats, ring: Flags, sigma: float) -> Floats:
    """Return (H, W) how much the colours of the ring vary nearby, in squared grey levels."""
    weight = np.maximum(cv2.GaussianBlur(ring.astype(np.float32), (0, 0), sigma), 1e-6)[:, :, None]
    here = ring[:, :, None]
    mean = cv2.GaussianBlur(image * here, (0, 0), sigma) / weight
    square = cv2.GaussianBlur(image**2 * here, (0, 0), sigma) / weight
    return np.asarray(np.maximum(square - mean**2, 0).mean(axis=2), np.float32)


def _refined_shifts(pixels: Bytes, hidden: Flags, best: Floats, used: Flags, zoom: tuple[float, float]) -> Floats:
    """Return (h, w, 2) shifts in full pixels: each of the coarse ones that are ``used``, to the pixel."""
    refined = best * np.array(zoom, np.float32)
    moves, counts = np.unique(best[used], axis=0, return_counts=True)
    y, x = np.nonzero(~hidden)
    pick = np.random.default_rng(0).integers(0, len(y), 6000)
    y, x = y[pick], x[pick]
    for move in moves[np.argsort(-counts)[:12]]:
        axis = 0 if move[0] else 1
        around = np.arange(-np.ceil(zoom[axis]), np.ceil(zoom[axis]) + 1)
        costs = []
        for extra in around:
            shift = np.round(move * zoom).astype(int)
            shift[axis] += int(extra)
            to_x, to_y = x + shift[0], y + shift[1]
            inside = (to_x >= 0) & (to_y >= 0) & (to_x < hidden.shape[1]) & (to_y < hidden.shape[0])
            inside[inside] = ~hidden[to_y[inside], to_x[inside]]
            if not inside.any():
                costs.append(np.inf)
                continue
            there = pixels[to_y[inside], to_x[inside]].astype(np.float32)
            costs.append(float(np.minimum(np.abs(there - pixels[y[inside], x[inside]]), 40).mean()))
        exact = np.round(move * zoom)
        exact[axis] += around[int(np.argmin(costs))]
        refined[(best == move).all(axis=2)] = exact
    return refined


def _reflected(index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Return indices mirrored into 0..size - 1."""
    index = np.abs(index)
    return np.asarray(np.clip(np.where(index > size - 1, 2 * (size - 1) - index, index), 0, size - 1))
