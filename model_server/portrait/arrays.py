"""Array types of this package."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Reals = npt.NDArray[np.floating[Any]]
"""Any float width, for inputs."""
