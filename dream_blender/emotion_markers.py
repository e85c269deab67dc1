"""Markers on the timeline that name feelings, such as ``happy 0.8``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..blendshape_rigs.feelings import FeelingError, likely_meant, names_feeling, parse_feeling


@dataclass(frozen=True)
class Mark:
    """A feeling that begins at a marker.

    Attributes:
        frame: of the marker.
        weights: 0..1 by emotion name.
    """

    frame: int
    weights: dict[str, float]


def read_marks(scene: Any) -> tuple[list[Mark], list[str]]:
    """Return the feelings that the markers of ``scene`` name, in order of time, and why others could not be read.

    Markers whose first word is no emotion are something else and are left out. Of two on one frame, the later in the
    list of markers counts.
    """
    found: dict[int, Mark] = {}
    problems: list[str] = []
    for marker in scene.timeline_markers:
        if not names_feeling(marker.name):
            continue
        try:
            found[marker.frame] = Mark(marker.frame, parse_feeling(marker.name))
        except FeelingError as error:
            problems.append(f"Marker at frame {marker.frame}: {error}")
    return [found[frame] for frame in sorted(found)], problems


def misspelt(scene: Any) -> list[str]:
    """Return what markers of ``scene`` nearly are feelings, as sentences."""
    near = [(marker.name, likely_meant(marker.name)) for marker in scene.timeline_markers]
    return [f"Marker '{name}' is not used: did you mean {meant}?" for name, meant in near if meant]
