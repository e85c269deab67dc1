"""Performances: what EmoDiff and lip refinement learn from, invented, recorded or captured alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.audio.phone_track import FEATURES
from model_server.errors import DreamTalkError
from model_server.models.emodiff import FACE_CHANNELS

HalfArray = npt.NDArray[np.float16]

_EMOTIONS = 8
_LARGEST_FILE = 4 << 30


@dataclass(frozen=True)
class Performance:
    """Speech and the face that goes with it, 50 frames a second.

    Attributes:
        audio: (T, 45) float16 phone-track features; with more columns, features of a pretrained encoder after them.
        emotion: (T, 8) float16 emotion weights.
        face: (T, 58) float16: 52 ARKit weights, head pitch, yaw and roll in radians, head x, y and z in metres.
        style: (S, 58) float16 another clip of the same actor in the same emotion, of any length.
        actor: who performs; performances of held-out actors are kept apart by it.
    """

    audio: HalfArray
    emotion: HalfArray
    face: HalfArray
    style: HalfArray
    actor: str

    def __post_init__(self) -> None:
        frames = len(self.face)
        if self.audio.ndim != 2 or len(self.audio) != frames or self.audio.shape[1] < FEATURES:
            raise ValueError(f"audio has shape {self.audio.shape}; expected ({frames}, {FEATURES} or more)")
        for name, columns in (("emotion", _EMOTIONS), ("face", FACE_CHANNELS)):
            if getattr(self, name).shape != (frames, columns):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; expected ({frames}, {columns})")
        if self.style.ndim != 2 or self.style.shape[1] != FACE_CHANNELS:
            raise ValueError(f"style has shape {self.style.shape}; expected (S, {FACE_CHANNELS})")

    def __len__(self) -> int:
        return len(self.face)


def save_performances(path: Path, performances: Sequence[Performance]) -> None:
    """Write performances as one NPZ file; a crash leaves no half file.

    Raises:
        ValueError: when there are none.
    """
    if not performances:
        raise ValueError("there are no performances to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        audio=np.concatenate([p.audio for p in performances]),
        emotion=np.concatenate([p.emotion for p in performances]),
        face=np.concatenate([p.face for p in performances]),
        style=np.concatenate([p.style for p in performances]),
        counts=np.array([len(p) for p in performances]),
        style_counts=np.array([len(p.style) for p in performances]),
        actors=np.array([p.actor for p in performances]),
    )
    partial.replace(path)


def load_performances(path: Path) -> list[Performance]:
    """Return the performances of :func:`save_performances`.

    Raises:
        DreamTalkError: for a file that is none or is larger than 4 GiB.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise DreamTalkError(f"'{path}' is larger than 4 GiB; split it")
    try:
        with np.load(path, allow_pickle=False) as data:
            edges, style_edges = np.cumsum(data["counts"])[:-1], np.cumsum(data["style_counts"])[:-1]
            parts = [np.split(data[name], edges) for name in ("audio", "emotion", "face")]
            styles, actors = np.split(data["style"], style_edges), data["actors"].tolist()
    except (KeyError, ValueError, EOFError) as error:
        raise DreamTalkError(f"'{path}' holds no performances: {error}") from error
    return [Performance(*row) for row in zip(*parts, styles, actors, strict=True)]
