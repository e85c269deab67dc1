"""FaceCurves: the one form in which facial animation travels through this project."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arkit import ARKIT_COUNT, ARKIT_INDEX

FloatArray = npt.NDArray[np.float32]


class CurvesError(ValueError):
    """Face curves that break their contract: wrong shape, not finite, or an impossible frame rate."""


@dataclass(frozen=True)
class Provenance:
    """Where curves came from, in plain words and hashes; empty strings where a field does not apply.

    ``source`` is one of ``"speech"``, ``"live_link"``, ``"capture"``, ``"action"`` or ``"file"``.
    ``emotion`` is human readable (``"happy 0.80"``); hashes are hex SHA-256.
    """

    source: str = "file"
    model_hash: str = ""
    audio_hash: str = ""
    emotion: str = ""
    seed: int = 0


@dataclass(frozen=True)
class FaceCurves:
    """Facial animation sampled at a constant rate.

    Frame ``i`` is at ``start + i / fps`` seconds.

    Attributes:
        values: (T, 52) float32, ARKit-52 weights in the order of ``ARKIT_NAMES``; 0 is rest, 1 is the full
            shape.
        head_rotation: (T, 3) float32 radians: pitch (positive looks down), yaw (positive turns to the
            subject's left), roll (positive tilts the head to the subject's left shoulder). Applied yaw, then
            pitch, then roll.
        head_translation: (T, 3) float32 metres: to the subject's left, up, forward.
        fps: frames per second, finite and above zero.
        start: seconds of the first frame.
        provenance: where the curves came from.

    Raises:
        CurvesError: on construction, for wrong shapes, values that are not finite, or a bad ``fps``.
    """

    values: FloatArray
    head_rotation: FloatArray
    head_translation: FloatArray
    fps: float
    start: float = 0.0
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        frames = len(self.values)
        for name, width in (("values", ARKIT_COUNT), ("head_rotation", 3), ("head_translation", 3)):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            if array.shape != (frames, width):
                raise CurvesError(f"{name} has shape {array.shape}; expected ({frames}, {width})")
            if not np.isfinite(array).all():
                bad = int(np.argwhere(~np.isfinite(array))[0, 0])
                raise CurvesError(f"{name} is not finite at frame {bad}")
            object.__setattr__(self, name, array)
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise CurvesError(f"fps is {self.fps}; expected a finite number above zero")
        if not np.isfinite(self.start):
            raise CurvesError(f"start is {self.start}; expected finite seconds")

    @classmethod
    def zeros(cls, frames: int, fps: float, start: float = 0.0) -> FaceCurves:
        """Return ``frames`` frames of the rest pose."""
        return cls(
            np.zeros((frames, ARKIT_COUNT), np.float32),
            np.zeros((frames, 3), np.float32),
            np.zeros((frames, 3), np.float32),
            fps,
            start,
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def duration(self) -> float:
        """Seconds from the first to one frame past the last."""
        return len(self) / self.fps

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """(T,) float64 seconds of each frame."""
        return self.start + np.arange(len(self)) / self.fps

    def channel(self, name: str) -> FloatArray:
        """Return the (T,) curve of the ARKit channel ``name``; ``KeyError`` for an unknown name."""
        return self.values[:, ARKIT_INDEX[name]]

    def stacked(self) -> FloatArray:
        """Return (T, 58) float32: 52 weights, head rotation, head translation."""
        return np.concatenate([self.values, self.head_rotation, self.head_translation], axis=1)

    def with_stacked(self, array: npt.NDArray[np.floating[Any]], **changes: object) -> FaceCurves:
        """Return a copy whose channels are the (T, 58) ``array`` of :meth:`stacked`, with fields changed."""
        channels = {
            "values": array[:, :ARKIT_COUNT],
            "head_rotation": array[:, ARKIT_COUNT : ARKIT_COUNT + 3],
            "head_translation": array[:, ARKIT_COUNT + 3 :],
        }
        return replace(self, **channels, **changes)  # type: ignore[arg-type]


def concatenate(parts: list[FaceCurves]) -> FaceCurves:
    """Join consecutive parts of one performance; they must share ``fps``. Keeps the first part's start.

    Raises:
        CurvesError: for no parts, or parts of different frame rates.
    """
    if not parts:
        raise CurvesError("there are no curves to join")
    if len({part.fps for part in parts}) > 1:
        raise CurvesError("curves of different frame rates cannot be joined; resample them first")
    return parts[0].with_stacked(np.concatenate([part.stacked() for part in parts]))
