"""Resampling of a performance while it is being made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT
from blendshape_rigs.curves import FaceCurves, Provenance
from blendshape_rigs.filters import SINC_LOBES, read_at

Array = npt.NDArray[np.float32]


def resample_stream(
    pieces: Iterable[Array], frame_rate: float, fps: float, provenance: Provenance
) -> Iterator[FaceCurves]:
    """Yield consecutive parts of ``pieces`` at ``fps``, the same frames as ``filters.resample`` of them all.

    Args:
        pieces: consecutive (n, 58) float32 channels at ``frame_rate``, the first frame at 0 s.
        frame_rate: frames per second of ``pieces``.
        fps: frames per second to make.
        provenance: what the parts carry.
    """
    ratio = frame_rate / fps
    margin = math.ceil(SINC_LOBES * max(ratio, 1.0)) + 2
    held = np.zeros((0, 0), np.float32)
    first_held = made = 0
    iterator = iter(pieces)
    while True:
        piece = next(iterator, None)
        if piece is not None:
            held = piece if not len(held) else np.concatenate([held, piece])
        end = first_held + len(held)
        # Frames before `reach` can be read: all their neighbours are here, or there will be no more of them.
        reach = end - (0 if piece is None else margin)
        count = math.ceil(reach / ratio - 1e-6)
        if count > made:
            position = np.arange(made, count) * ratio - first_held
            yield _part(read_at(held, position, ratio), made / fps, fps, provenance)
            made = count
            keep = max(first_held, math.floor(made * ratio) - margin)
            held, first_held = held[keep - first_held :], keep
        if piece is None:
            return


def _part(stacked: Array, start: float, fps: float, provenance: Provenance) -> FaceCurves:
    return FaceCurves(
        np.clip(stacked[:, :ARKIT_COUNT], 0, 1),
        stacked[:, ARKIT_COUNT : ARKIT_COUNT + 3],
        stacked[:, ARKIT_COUNT + 3 :],
        fps,
        start,
        provenance,
    )
