"""How each ring of the lips moves in each shape of the mouth.

Every rule takes ``u`` (11,) across the mouth from -1 (right corner) to 1 (left corner), the ring's ``level`` from 0
(border of the red) to 3 (line of contact) and whether it is the upper lip. It returns
displacements (11, 3) in metres at value 1.
"""

from __future__ import annotations

import numpy as np

from .topology import Floats

MM = 0.001


def move(u: Floats, x: Floats | float, y: Floats | float, z: Floats | float) -> Floats:
    """Return displacements (11, 3) in metres from millimetres."""
    result: Floats = np.stack([np.broadcast_to(value, u.shape) for value in (x, y, z)], axis=1) * MM
    return result


def bulge(u: Floats, power: float = 2.0) -> Floats:
    """Return 1 at the mouth's middle and 0 at its corners."""
    return 1 - np.abs(u) ** power


def smile(u: Floats, level: int, upper: bool) -> Floats:
    """The corners go out, up and back."""
    a = np.abs(u)
    return move(u, 9.0 * np.sign(u) * a**1.3, 8.0 * a**1.7 + 0.6 * (1 - a**1.7), -6.0 * a**1.6 - 1.6 * bulge(u))


def frown(u: Floats, level: int, upper: bool) -> Floats:
    """The corners go down."""
    a = np.abs(u)
    return move(u, 1.0 * np.sign(u) * a**2, -7.5 * a**2.0 - 0.4, -0.8 * a**2 + 0.6 * bulge(u))


def dimple(u: Floats, level: int, upper: bool) -> Floats:
    """The corners are pulled back into the cheeks."""
    a = np.abs(u)
    return move(u, 3.2 * np.sign(u) * a**2.2, 2.2 * a**2, -6.0 * a**2.2)


def stretch(u: Floats, level: int, upper: bool) -> Floats:
    """The corners go out and a little down."""
    a = np.abs(u)
    return move(u, 8.5 * np.sign(u) * a**1.4, -4.0 * a**1.6 - (0.0 if upper else 1.2 * bulge(u)), -5.5 * a**1.8 - 1.2)


def funnel(u: Floats, level: int, upper: bool) -> Floats:
    """The lips part and form an open ring."""
    a = np.abs(u)
    spread = ((4.4, 4.8, 4.8, 4.6) if upper else (-6.4, -6.8, -6.6, -6.2))[level] * bulge(u, 2.6)
    return move(u, -6.8 * np.sign(u) * a**1.2, spread, (5.8, 7.4, 7.6, 6.2)[level] + 1.2 * a**2)


def pucker(u: Floats, level: int, upper: bool) -> Floats:
    """The closed lips come together and forward."""
    a = np.abs(u)
    thick = ((1.6, 1.6, 0.9, 0.0) if upper else (-1.0, -1.3, -0.9, 0.0))[level] * bulge(u)
    return move(u, -9.6 * np.sign(u) * a**1.15, thick + 0.8 * a**2, (6.0, 8.2, 8.4, 6.8)[level] + 2.2 * a**2)


def left(u: Floats, level: int, upper: bool) -> Floats:
    """The whole mouth goes to the subject's left, the red more than its border, which hangs on nose and chin."""
    middle = ((7.6, 9.2, 10.4, 11.0) if upper else (9.4, 10.2, 10.8, 11.0))[level]
    # The corners' four rings go together.
    reach = middle + (11.0 - middle) * np.abs(u) ** 3
    return move(u, reach + 1.2 * u, 0.6 * u, -1.0 - 3.4 * np.maximum(u, 0) ** 2 + 2.6 * np.maximum(-u, 0) ** 2)


def shrug_lower(u: Floats, level: int, upper: bool) -> Floats:
    """The chin lifts the lower lip against the upper."""
    lift = (2.8, 3.0, 3.3, 3.6)[level] if upper else (6.0, 5.4, 4.6, 3.6)[level]
    return move(u, 0.0, lift * bulge(u) - 0.6 * np.abs(u) ** 2, (0.8 if upper else 2.4) * bulge(u))


def shrug_upper(u: Floats, level: int, upper: bool) -> Floats:
    """The upper lip goes up and forward."""
    if not upper:
        return move(u, 0.0, 1.6 * bulge(u), 0.4 * bulge(u))
    return move(u, 0.0, (3.2, 3.2, 2.8, 2.2)[level] * bulge(u), (1.6, 2.4, 2.4, 1.6)[level] * bulge(u))


def press(u: Floats, level: int, upper: bool) -> Floats:
    """The lips are pressed together at the sides."""
    side = np.exp(-(((np.abs(u) - 0.55) / 0.5) ** 2))
    rise = (-0.8, -0.2, 0.5, 1.0)[level] if upper else (2.6, 2.4, 1.8, 1.0)[level]
    return move(u, 0.0, rise * side, (-0.4 if upper else 0.9) * side)


def lower_down(u: Floats, level: int, upper: bool) -> Floats:
    """The lower lip bares the lower teeth."""
    if upper:
        return move(u, 0.0, 0.0, 0.0)
    side = bulge(u, 3.5)
    return move(u, 1.6 * u * bulge(u, 4.0), -(5.2, 6.2, 6.8, 7.2)[level] * side, (0.8, 1.2, 0.8, -0.8)[level] * side)


def upper_up(u: Floats, level: int, upper: bool) -> Floats:
    """The upper lip bares the upper teeth."""
    if not upper:
        return move(u, 0.0, 0.0, 0.0)
    side = bulge(u, 3.5)
    return move(u, 0.8 * u * bulge(u, 4.0), (4.8, 5.6, 6.0, 6.2)[level] * side, (-0.4, 0.6, 0.4, -0.6)[level] * side)


def sneer_lips(u: Floats, level: int, upper: bool) -> Floats:
    """The upper lip follows the wings of the nose."""
    return move(u, 0.0, (2.6, 2.0, 1.2, 0.6)[level] * bulge(u, 4) if upper else 0.0, 0.0)


def puff_lips(u: Floats, level: int, upper: bool) -> Floats:
    """The closed lips stand off the teeth."""
    return move(u, 0.0, 0.0, 1.4 * bulge(u) + 0.8)


def roll_lower(u: Floats, level: int, upper: bool) -> Floats:
    """The lower lip rolls in over the teeth."""
    return _rest_on(u) if upper else _roll_in(u, level, 1.0)


def roll_upper(u: Floats, level: int, upper: bool) -> Floats:
    """The upper lip rolls in over the teeth."""
    return _roll_in(u, level, -0.7) if upper else _rest_on(u)


def _roll_in(u: Floats, level: int, inward: float) -> Floats:
    middle = bulge(u, 2.6)
    return move(u, 0.0, (4.6, 4.4, 2.2, 0.0)[level] * inward * middle, -(3.6, 6.2, 6.4, 5.4)[level] * middle)


def _rest_on(u: Floats) -> Floats:
    """The other lip gives way a little."""
    return move(u, 0.0, 0.0, -0.8 * bulge(u, 2.6))


def smile_and_pucker(u: Floats, level: int, upper: bool) -> Floats:
    """Corrective: pursed lips hold the corners, which else rise to a V."""
    a = np.abs(u)
    return move(u, -1.5 * np.sign(u) * a**1.3, -4.4 * a**1.7, 1.8 * a**1.6)


def smile_and_open(u: Floats, level: int, upper: bool) -> Floats:
    """Corrective: the open smile draws its corners further out and back along the teeth."""
    a = np.abs(u)
    return move(u, 1.4 * np.sign(u) * a**2.5, 0.0, -1.6 * a**3)


def funnel_and_open(u: Floats, level: int, upper: bool) -> Floats:
    """Corrective: a funnel on the open jaw is round, not a slit."""
    a = np.abs(u)
    return move(u, 3.6 * np.sign(u) * a**1.3 * (1.2 - 0.2 * a), 0.0, (0.0 if upper else 1.6) * bulge(u))


def close_and_open(u: Floats, level: int, upper: bool) -> Floats:
    """Corrective: lips that stay closed over the open jaw are stretched, but keep their volume."""
    full = (0.4, 1.4, 1.2, 0.4)[level] * bulge(u)
    return move(u, 0.0, 0.0, full)
