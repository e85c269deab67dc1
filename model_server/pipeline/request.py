"""What a caller asks of the speech-to-curves pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import EMOTIONS
from blendshape_rigs.curves import FaceCurves
from model_server.errors import ConfigError

from .kept import Kept
from .phone_source import PhoneSource

Progress = Callable[[float], None]
"""Called with the seconds of audio finished so far. Raises ``Cancelled`` to stop the work."""


@dataclass(frozen=True)
class EmotionTrack:
    """Emotion weights over time, linear between keys and constant outside them.

    Attributes:
        times: (K,) float64 seconds, increasing.
        weights: (K, 8) float32 in [0, 1], one column an emotion in the order of ``EMOTIONS``; each weight is the
            intensity of its emotion. Neutral's column is ignored: neutral is the absence of the others.
    """

    times: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float64)
        weights = np.asarray(self.weights, np.float32)
        if times.ndim != 1 or weights.shape != (len(times), len(EMOTIONS)) or not len(times):
            raise ConfigError(f"emotion track: {times.shape} times and {weights.shape} weights do not fit")
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise ConfigError("emotion track: times must be finite and increasing")
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() > 1:
            raise ConfigError("emotion track: weights must lie in 0..1")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def constant(cls, weights: Mapping[str, float]) -> EmotionTrack:
        """Return a track that holds ``weights`` (emotion name to intensity in [0, 1]) for ever.

        Raises:
            ConfigError: for an unknown emotion or an intensity outside [0, 1].
        """
        row = np.zeros((1, len(EMOTIONS)), np.float32)
        for name, intensity in weights.items():
            if name not in EMOTIONS:
                raise ConfigError(f"unknown emotion '{name}'; choose from {', '.join(EMOTIONS)}")
            row[0, EMOTIONS.index(name)] = intensity
        return cls(np.zeros(1), row)

    @classmethod
    def parse(cls, text: str) -> EmotionTrack:
        """Return a constant track from ``"happy"``, ``"happy:0.8"`` or a blend ``"happy:0.5,surprised:0.3"``.

        Raises:
            ConfigError: for text of another form.
        """
        weights: dict[str, float] = {}
        for part in text.split(","):
            name, _, number = part.strip().partition(":")
            try:
                weights[name] = float(number) if number else 1.0
            except ValueError:
                raise ConfigError(f"emotion '{part.strip()}': write it like happy:0.8") from None
        return cls.constant(weights)

    @property
    def is_neutral(self) -> bool:
        """Whether no emotion but neutral is asked for, at any time."""
        return not self.weights[:, 1:].any()

    def sample(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return (T, 8) float32 weights at ``times`` (T,) seconds."""
        columns = [np.interp(times, self.times, column) for column in self.weights.T]
        return np.stack(columns, axis=1).astype(np.float32)

    def describe(self) -> str:
        """Return the emotion in words, like ``"happy 0.80"``; a keyed track names its strongest emotions."""
        peak = self.weights.max(axis=0)
        named = [f"{name} {peak[i]:.2f}" for i, name in enumerate(EMOTIONS) if i and peak[i] > 0]
        return ", ".join(named) or "neutral"


@dataclass(frozen=True)
class AnimationRequest:
    """One performance to make.

    Attributes:
        emotion: emotion weights over time.
        seed: any non-negative integer; the same seed on the same machine gives the same bits.
        fps: frame rate of the answer, 1 to 240.
        style: optional style clip: its manner of moving is borrowed, not its content. At least half a second. Where
            no emotion is asked for, the clip's own is borrowed too.
        kept: what stays of an earlier performance of the same recording.
        source: what the lips follow: the sound, a text, or an edited track of phones.
        style_strength: 0 to 1, how far the style clip shows; at 0 as without one.
    """

    emotion: EmotionTrack = field(default_factory=lambda: EmotionTrack.constant({}))
    seed: int = 0
    fps: float = 30.0
    style: FaceCurves | None = None
    kept: Kept | None = None
    source: PhoneSource = field(default_factory=PhoneSource)
    style_strength: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 240:
            raise ConfigError(f"fps is {self.fps:g}; choose a frame rate from 1 to 240")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed is {self.seed}; choose a whole number from 0 to 2^63 - 1")
        if self.style is not None and self.style.duration < 0.5:
            raise ConfigError(f"the style clip lasts {self.style.duration:.2f} s; give at least 0.5 s")
        if not 0 <= self.style_strength <= 1:
            raise ConfigError(f"the strength of the style is {self.style_strength:g}; choose a number from 0 to 1")
