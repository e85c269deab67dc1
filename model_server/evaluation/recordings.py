"""What an evaluation is made of: recordings with what is known about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model_server.metrics.closures import TimedPhone

Array = npt.NDArray[np.float32]

RATE = 16_000
"""Samples per second of every recording here."""
FPS = 50.0
"""Frames per second of every curve here; frame ``i`` is at ``i / FPS`` seconds."""


@dataclass(frozen=True)
class Recording:
    """A recording held in memory, with its truth.

    Attributes:
        name: file or utterance.
        samples: (N,) float32 at 16 kHz.
        text: what is said, in words; empty where it is not known.
        language: as espeak-ng names it; ``"mul"`` where it is not known.
        phones: what is said, silences included; empty where it is not known.
        taught: (T, 52) what the mouth teacher makes of the true phones; empty where they are not known.
        opening: (T,) captured opening of the mouth in its own unit; empty where no face was captured.
        rounding: (T,) captured rounding of the lips in its own unit; empty where no face was captured.
    """

    name: str
    samples: Array
    text: str = ""
    language: str = "mul"
    phones: tuple[TimedPhone, ...] = ()
    taught: Array = field(default_factory=lambda: np.zeros((0, 52), np.float32))
    opening: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    rounding: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.samples) / RATE


@dataclass(frozen=True)
class RecordingSet:
    """Recordings that are measured together: ``name`` heads their table, ``note`` tells what their truth is."""

    name: str
    note: str
    recordings: tuple[Recording, ...]

    @property
    def seconds(self) -> float:
        """Length of all recordings."""
        return sum(recording.seconds for recording in self.recordings)


class HeldAudio:
    """A recording in memory in the form in which the pipeline takes a file: blocks of 16 kHz samples and a hash."""

    sha256 = ""

    def __init__(self, samples: npt.NDArray[Any]) -> None:
        self._samples = np.asarray(samples, np.float32)

    def blocks(self, seconds: float = 10.0) -> Iterator[Array]:
        """Yield consecutive blocks (n,) float32 of ``seconds``."""
        length = max(1, round(seconds * RATE))
        for start in range(0, len(self._samples), length):
            yield self._samples[start : start + length]
