"""Tell the upper lip from the lower where they touch: by the way along the mesh."""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .surface import Surface
from .warp import Points

_FADE: Final = 0.004  # metres of difference in distance within which a side goes from upper to lower
_REACH: Final = 0.06  # metres from the lips beyond which no vertex has a side

_DETOUR: Final = 1.9  # times the straight line: over joined lips the way is shorter


def lip_sides(surface: Surface, upper: NDArray[np.intp], lower: NDArray[np.intp]) -> Points:
    """Return the side (V,) of each vertex: 1 belongs to the upper lip, -1 to the lower, 0 to neither.

    Distances run along the mesh's edges, so lips that touch are far apart: around the corner of the mouth.

    Args:
        surface: a head in metres, about as large as a human's.
        upper: vertices on the upper lip.
        lower: vertices on the lower lip.
    """
    sides: Points = np.clip((_distances(surface, lower) - _distances(surface, upper)) / _FADE, -1, 1)
    return sides


def has_slit(surface: Surface, upper: int, lower: int) -> bool:
    """Tell whether the way along the mesh from the vertex ``upper`` to ``lower`` leads around the mouth's corner."""
    way = _distances(surface, np.array([upper]))[lower]
    across = np.linalg.norm(surface.vertices[upper] - surface.vertices[lower])
    return bool(way > _DETOUR * across)


def _distances(surface: Surface, sources: NDArray[np.intp]) -> Points:
    """Return distances (V,) along edges to the nearest of ``sources``, at most the reach.

    Source: E. W. Dijkstra, "A note on two problems in connexion with graphs" (1959).
    """
    starts, neighbours = surface.neighbours
    ends = np.repeat(surface.vertices, np.diff(starts), axis=0)
    lengths = np.linalg.norm(surface.vertices[neighbours] - ends, axis=1).tolist()
    first, others = starts.tolist(), neighbours.tolist()
    found = [_REACH] * len(surface.vertices)
    queue = [(0.0, source) for source in set(sources.tolist())]
    for _, source in queue:
        found[source] = 0.0
    while queue:
        distance, vertex = heapq.heappop(queue)
        if distance > found[vertex]:
            continue
        for slot in range(first[vertex], first[vertex + 1]):
            further = distance + lengths[slot]
            if further < found[others[slot]]:
                found[others[slot]] = further
                heapq.heappush(queue, (further, others[slot]))
    return np.array(found)
