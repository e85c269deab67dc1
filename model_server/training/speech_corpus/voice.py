"""What a voice of the corpus is: a licence, a length and a source of utterances with timed phones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from .needs import Need
from .utterance import FloatArray, Utterance, to_16k

HOUR = 3600.0

Source = Callable[[float, int, Path], Iterator[Utterance]]
"""``source(seconds, seed, corpus folder)`` yields utterances until they last about ``seconds`` together."""

_SHORTEST, _LONGEST = 0.3, 30.0


@dataclass(frozen=True)
class Voice:
    """A voice of the corpus.

    Attributes:
        name: file name of its shard.
        licence: of the voice or the recordings, and where it is stated.
        seconds: how much of it a full corpus holds at most; recordings may be fewer.
        source: makes the utterances.
        exact: whether the engine itself told the times.
        held_out: whether it is kept for validation.
        echoes: whether it sounds in rooms, whose tails would be taken for late labels; its labels are not moved.
        human: whether people speak, so that training can weight it.
        language: ISO 639 code of what it speaks; ``"mul"`` for several.
        needs: what must be installed for it, so that it is skipped with a clear word where it is not.
    """

    name: str
    licence: str
    seconds: float
    source: Source
    exact: bool = True
    held_out: bool = False
    human: bool = False
    echoes: bool = False
    language: str = "en"
    needs: tuple[Need, ...] = ()


def limited(utterances: Iterator[Utterance | None], seconds: float) -> Iterator[Utterance]:
    """Yield the utterances of a sensible length until they last ``seconds`` together."""
    total = 0.0
    for utterance in utterances:
        if utterance is None or not _SHORTEST < utterance.seconds < _LONGEST:
            continue
        yield utterance
        total += utterance.seconds
        if total >= seconds:
            return


def read_sound(path: Path) -> FloatArray:
    """Return (N,) mono float32 at 16 kHz of a sound file; G.722, which has no header, is known by its suffix."""
    if path.suffix != ".g722":
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return to_16k(samples.mean(axis=1), rate)
    with av.open(str(path), format="g722") as container:
        return to_16k(np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]), 16_000)
