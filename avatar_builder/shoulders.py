"""Neck, collar and shoulders: the rings that continue the head down to the end of the bust."""

from __future__ import annotations

import numpy as np

from .base_face import smooth_step
from .topology import Floats

NECK_PIVOT = np.array([0.0, -0.105, -0.082])
# Heights in metres at which the neck begins and stops to turn with the head: front and back.
TURNING = ((-0.172, -0.096), (-0.139, -0.072))
# Rings from the base of the neck to the closed bottom, in millimetres: half width, depth of front and back,
# heights of front, sides and back, and the exponent that makes a ring squarer below 1.
RINGS = (
    (56.0, -53.0, -157.0, -168.0, -147.0, -132.0, 1.00),
    (61.0, -53.0, -161.0, -181.0, -157.0, -140.0, 1.00),
    (67.0, -47.0, -166.5, -176.0, -151.0, -133.0, 1.00),
    (72.0, -41.0, -171.0, -178.0, -153.5, -136.0, 1.00),
    (77.0, -38.0, -174.5, -189.0, -162.0, -146.0, 0.98),
    (79.5, -38.0, -175.5, -195.0, -166.5, -152.0, 0.96),
    (104.0, -29.0, -184.0, -209.0, -180.0, -170.0, 0.90),
    (133.0, -18.0, -189.0, -230.0, -195.0, -192.0, 0.84),
    (159.0, -8.0, -190.0, -254.0, -216.0, -218.0, 0.80),
    (175.0, 0.0, -189.0, -280.0, -248.0, -250.0, 0.78),
    (179.0, 5.0, -186.0, -306.0, -282.0, -282.0, 0.78),
    (172.0, 4.0, -179.0, -325.0, -305.0, -305.0, 0.80),
    (140.0, -16.0, -160.0, -331.0, -314.0, -314.0, 0.85),
    (70.0, -56.0, -124.0, -333.0, -321.0, -321.0, 0.90),
)
COLLAR = 1
"""The ring where skin ends and cloth begins, hidden inside the collar."""


def bust_rings(azimuth: Floats) -> Floats:
    """Return rings (R, N, 3) for the columns' azimuths (N,): 0 front, a quarter turn the sides."""
    rows = np.array(RINGS)
    half_width, front, back, low, side, high, power = (column[:, None] for column in (rows / 1000).T)
    power = power * 1000
    even = smooth_step(np.arange(len(rows), dtype=np.float64), 0, 6)[:, None]
    turn = azimuth[None, :] * (1 - even) + _evened(azimuth)[None, :] * even
    sine, cosine = np.sin(turn), np.cos(turn)
    across = np.sign(sine) * np.abs(sine) ** power
    along = np.sign(cosine) * np.abs(cosine) ** power
    middle = (front + back) / 2 - 0.006
    z = middle + np.where(cosine > 0, front - middle, middle - back) * along
    y = side + np.where(cosine > 0, low - side, high - side) * np.abs(cosine) ** 1.6
    return np.stack([-half_width * across, y, z], axis=2)


def _evened(azimuth: Floats) -> Floats:
    """Return evenly spread azimuths in the same order; the columns crowd under the face."""
    return np.pi - np.arange(len(azimuth)) / len(azimuth) * 2 * np.pi


def bottom(rings: Floats) -> Floats:
    """Return the middle point (3,) that closes the last ring."""
    return np.asarray(rings[-1].mean(axis=0) - np.array([0.0, 0.001, 0.0]))


def neck_muscles(points: Floats, along: Floats, azimuth: Floats) -> Floats:
    """Return the neck's rings (R, N, 3) with the muscles from behind the ears to the breastbone and the pit between.

    ``along`` (R,) is 0 under the jaw and 1 at the base of the neck.
    """
    middle = points.mean(axis=1, keepdims=True)
    outward = (points - middle) * np.array([1.0, 0.0, 1.0])
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    strand = 1.35 - 1.05 * along[:, None] ** 0.9
    off = np.abs(azimuth)[None, :] - strand
    height = 0.0026 * np.exp(-((off / 0.24) ** 2)) * smooth_step(along, 0.0, 0.5)[:, None]
    pit = -0.0040 * np.exp(-((azimuth / 0.22) ** 2))[None, :] * smooth_step(along, 0.6, 1.0)[:, None]
    side = -0.0020 * np.exp(-(((np.abs(azimuth) - 0.55) / 0.25) ** 2))[None, :] * (4 * along * (1 - along))[:, None]
    return np.asarray(points + outward * (height + pit + side)[..., None])


def head_weight(points: Floats) -> Floats:
    """Return how far points (V, 3) follow the head's rotation, 0 to 1 (V,): smooth over the neck."""
    (front_low, front_high), (back_low, back_high) = TURNING
    share = smooth_step(points[:, 2], -0.150, -0.040)
    low, high = back_low + (front_low - back_low) * share, back_high + (front_high - back_high) * share
    weight = smooth_step((points[:, 1] - low) / (high - low), 0.0, 1.0)
    # The chin reaches down before the neck, but is all head.
    chin = smooth_step(points[:, 2], -0.030, 0.004) * smooth_step(points[:, 1], -0.150, -0.120)
    return np.asarray(np.maximum(weight, chin))
