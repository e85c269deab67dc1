"""PhoneListener: hears a recording block by block and tells its phones, voicing, pitch and loudness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .features import LogMelStream, RunningMean
from .phone_track import FRAME_RATE, PhoneTrack
from .prosody import FRAME_SAMPLES, ProsodyStream

FloatArray = npt.NDArray[np.float32]

HOP_FRAMES = 25
"""Phone frames that are heard together (0.5 s)."""

_HOP_SAMPLES = HOP_FRAMES * FRAME_SAMPLES
_MEL_DELAY = LogMelStream.DELAY // 2


class Hearing(Protocol):
    """What the listener needs of a speech encoder."""

    delay: int
    """Frames by which its answers come late."""

    def mel_prior(self) -> FloatArray:
        """Return (64,) the mean log-mel spectrum of speech it was trained on."""

    def start(self) -> list[Any]:
        """Return the state before the first frame."""

    def hear(self, mel: FloatArray, state: list[Any]) -> tuple[FloatArray, FloatArray, list[Any]]:
        """Return posteriors (n, 42), voicing (n,) and the next state for (2 n, 64) normalised log-mel frames."""


class PhoneListener:
    """Hears any number of recordings, one :meth:`listen` each; nothing is kept between them.

    Work is done in hops of 0.5 s whatever the blocks' lengths, so the answer does not depend on how a recording is
    cut into blocks, to the last bit. Frames come out at most 0.2 s plus one hop after they were spoken.
    """

    def __init__(self, encoder: Hearing) -> None:
        self._encoder = encoder

    def listen(self, blocks: Iterable[FloatArray]) -> Iterator[PhoneTrack]:
        """Yield consecutive parts of the phone track of a recording.

        Args:
            blocks: (N,) float32 pieces at 16 kHz. A recording of N samples gives ceil(N / 320) frames.
        """
        late = self._encoder.delay + _MEL_DELAY
        mel_stream, mean = LogMelStream(), RunningMean(self._encoder.mel_prior())
        prosody = ProsodyStream(late)
        state = self._encoder.start()
        total: int | None = None
        position = -late
        for hop, total in _hops(blocks, late):
            mel = mean.push(mel_stream.push(hop))
            posteriors, voicing, state = self._encoder.hear(mel, state)
            pitch, loudness = prosody.push(hop, voicing)
            first = max(0, -position)
            stop = HOP_FRAMES if total is None else min(HOP_FRAMES, total - position)
            if stop > first:
                part = slice(first, stop)
                yield PhoneTrack(
                    posteriors[part],
                    voicing[part],
                    pitch[part],
                    loudness[part],
                    (position + first) / FRAME_RATE,
                )
            position += HOP_FRAMES


def _hops(blocks: Iterable[FloatArray], late: int) -> Iterator[tuple[FloatArray, int | None]]:
    """Yield blocks of exactly one hop and, once known, the number of frames in the recording.

    After the end come hops of silence until the last frame has come out of a chain that is ``late`` frames late.
    """
    pending = np.zeros(0, np.float32)
    samples = 0
    for block in blocks:
        samples += len(block)
        pending = np.concatenate([pending, block.astype(np.float32, copy=False)])
        whole = len(pending) - len(pending) % _HOP_SAMPLES
        for first in range(0, whole, _HOP_SAMPLES):
            yield pending[first : first + _HOP_SAMPLES], None
        pending = pending[whole:]
    total = -(-samples // FRAME_SAMPLES)
    left = total + late - (samples - len(pending)) // FRAME_SAMPLES
    rest = np.zeros(max(0, -(-left // HOP_FRAMES)) * _HOP_SAMPLES, np.float32)
    rest[: len(pending)] = pending
    for first in range(0, len(rest), _HOP_SAMPLES):
        yield rest[first : first + _HOP_SAMPLES], total
