"""What is inside the mouth."""

from __future__ import annotations

from .parts import Part
from .teeth import teeth
from .tongue import tongue


def mouth_interior() -> list[Part]:
    """Return both rows of teeth, both gums and the tongue."""
    return [*teeth(), tongue()]
