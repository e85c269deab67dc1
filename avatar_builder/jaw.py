"""How the parts inside the mouth follow the jaw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .rig import open_jaw
from .topology import Floats

JAW_SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "jawOpen": open_jaw,
    "jawForward": lambda points: np.tile([0.0, -0.0005, 0.0085], (len(points), 1)),
    "jawLeft": lambda points: np.tile([0.0085, 0.0, -0.0005], (len(points), 1)),
    "jawRight": lambda points: np.tile([-0.0085, 0.0, -0.0005], (len(points), 1)),
}


def with_jaw(points: Floats, weight: Floats | float = 1.0) -> dict[str, Floats]:
    """Return the fields of points (V, 3) that are carried by the jaw with a weight (V,)."""
    share = np.broadcast_to(weight, len(points))[:, None]
    return {name: share * move(points) for name, move in JAW_SHAPES.items()}
