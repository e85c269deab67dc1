"""How strongly a portrait follows its take: head, brows, eyes, mouth and blinks, each for itself."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES, REGIONS
from blendshape_rigs.curves import FaceCurves
from model_server.errors import ConfigError

from .arrays import Floats

MAXIMUM_STRENGTH = 2.0
_BLINKS = [ARKIT_INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")]
_EYES = [ARKIT_INDEX[name] for name in ARKIT_NAMES if name.startswith("eye") and "Blink" not in name]
_BROWS = list(REGIONS["brow"])


@dataclass(frozen=True)
class PortraitStrengths:
    """Factors from 0 (still) to 2 (twice the take); 1 is the take as it is. They do not touch each other.

    Attributes:
        head: of the head's turn and movement.
        brows: of the five brow channels.
        eyes: of gaze, wide eyes and squint.
        mouth: of jaw, lips, cheeks, nose and tongue.
        blink: of the blinks.

    Raises:
        ConfigError: on construction, for a factor outside 0..2.
    """

    head: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    mouth: float = 1.0
    blink: float = 1.0

    def __post_init__(self) -> None:
        for field, value in zip(fields(self), astuple(self), strict=True):
            if not 0 <= value <= MAXIMUM_STRENGTH:
                raise ConfigError(f"the strength of {field.name} is {value:g}; give 0 to {MAXIMUM_STRENGTH:g}")

    def factors(self) -> Floats:
        """Return (52,) float32, the factor of each ARKit channel."""
        factors = np.full(ARKIT_COUNT, self.mouth, np.float32)
        factors[_BROWS], factors[_EYES], factors[_BLINKS] = self.brows, self.eyes, self.blink
        return factors

    def apply(self, curves: FaceCurves) -> FaceCurves:
        """Return ``curves`` at these strengths. No channel passes 1, the full shape."""
        return replace(
            curves,
            # A value above 1 in the take stays what it is: only what the factor adds is held back.
            values=np.minimum(curves.values * self.factors(), np.maximum(curves.values, 1)),
            head_rotation=self.head * curves.head_rotation,
            head_translation=self.head * curves.head_translation,
        )
