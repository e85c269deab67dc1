"""PhoneTrack: what is heard in a recording, over time. The interface between hearing and the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .phones import PHONES

FRAME_RATE = 50
"""Frames of a phone track per second."""

FEATURES = len(PHONES) + 3
"""Columns of :meth:`PhoneTrack.features`."""

QUIETEST_DECIBELS = -40.0
LOUDEST_DECIBELS = 20.0

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PhoneTrack:
    """Phones, voicing, pitch and loudness at ``FRAME_RATE``.

    Frame ``i`` covers the 20 ms from ``start + i / FRAME_RATE`` on; its middle is
    ``start + (i + 0.5) / FRAME_RATE`` seconds. Labels, features and times all keep to this.

    Attributes:
        posteriors: (T, 42) float32, probability of each phone of ``PHONES``; rows sum to 1.
        voicing: (T,) float32 in 0..1, probability that the vocal folds swing.
        pitch: (T,) float32 semitones above the running median of the recording's voice, 0 where unvoiced.
        loudness: (T,) float32, decibels above the recording's running speech level divided by 40: 0 is the usual
            loudness of this voice's vowels, -1 is 40 dB below or quieter, 0.5 is 20 dB above or louder.
        start: seconds of the beginning of the first frame.
    """

    posteriors: FloatArray
    voicing: FloatArray
    pitch: FloatArray
    loudness: FloatArray
    start: float = 0.0

    def __post_init__(self) -> None:
        frames = len(self.posteriors)
        if self.posteriors.shape != (frames, len(PHONES)):
            raise ValueError(f"posteriors have shape {self.posteriors.shape}; expected ({frames}, {len(PHONES)})")
        for name in ("voicing", "pitch", "loudness"):
            if getattr(self, name).shape != (frames,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; expected ({frames},)")

    def __len__(self) -> int:
        return len(self.posteriors)

    def times(self) -> npt.NDArray[np.float64]:
        """Return (T,) seconds of the middle of every frame."""
        return self.start + (np.arange(len(self)) + 0.5) / FRAME_RATE

    def features(self) -> FloatArray:
        """Return (T, 45) float32: posteriors, voicing, pitch in octaves clipped to ±1, loudness."""
        octaves = np.clip(self.pitch / 12, -1, 1)
        columns = np.stack([self.voicing, octaves, self.loudness], axis=1)
        return np.asarray(np.concatenate([self.posteriors, columns], axis=1), np.float32)


def scale_loudness(decibels: FloatArray | npt.NDArray[np.float64]) -> FloatArray:
    """Return decibels above the speech level as a phone track states loudness: clipped to -40..20, over 40."""
    clipped = np.clip(np.asarray(decibels, np.float32), QUIETEST_DECIBELS, LOUDEST_DECIBELS)
    return np.asarray(clipped / np.float32(-QUIETEST_DECIBELS), np.float32)


def join_tracks(tracks: Sequence[PhoneTrack]) -> PhoneTrack:
    """Return consecutive tracks as one; no tracks give an empty one."""
    if not tracks:
        empty = np.zeros(0, np.float32)
        return PhoneTrack(np.zeros((0, len(PHONES)), np.float32), empty, empty, empty)
    return PhoneTrack(
        np.concatenate([track.posteriors for track in tracks]),
        np.concatenate([track.voicing for track in tracks]),
        np.concatenate([track.pitch for track in tracks]),
        np.concatenate([track.loudness for track in tracks]),
        tracks[0].start,
    )
