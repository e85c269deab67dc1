"""EmoDiff and LipRefiner over recordings of any length, in constant memory.

Both work on windows with a bounded context and carry only the last frames along, so that a recording heard piece by
piece and one heard whole give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack
from model_server.audio.phones import PHONES
from model_server.models.emodiff import FACE_CHANNELS, NO_GUIDANCE, EmoDiff, EmoDiffCondition, Guidance
from model_server.models.lip_refiner import LipRefiner

from .kept import Kept, Mask, go_on_from
from .request import EmotionTrack

Array = npt.NDArray[np.float32]

INITIAL_FRAMES = 20
"""Frames of the previous window that the next one continues from."""
LOOK_AHEAD_FRAMES = 20
"""Last frames of a window that are made again with more of the future heard."""

_LIDS = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]


@dataclass(frozen=True)
class Expressed:
    """Consecutive frames at ``FRAME_RATE``: what was heard (n, 45), the emotion (n, 8) and the face (n, 58)."""

    audio: Array
    emotion: Array
    face: Array


@dataclass(frozen=True)
class Sampling:
    """How EmoDiff is sampled.

    Attributes:
        steps: diffusion steps.
        guidance: scales of classifier-free guidance.
    """

    steps: int = 8
    guidance: Guidance = NO_GUIDANCE


class FrameQueue:
    """Frames taken from an iterator of (n, channels) pieces as they are needed."""

    def __init__(self, pieces: Iterable[Array]) -> None:
        self._pieces = iter(pieces)
        self._frames: Array | None = None
        self.ended = False

    def fill(self, count: int) -> Array:
        """Return up to ``count`` frames from the front without removing them; fewer only at the end."""
        while not self.ended and (self._frames is None or len(self._frames) < count):
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
            else:
                self._frames = piece if self._frames is None else np.concatenate([self._frames, piece])
        return np.zeros((0, 0), np.float32) if self._frames is None else self._frames[:count]

    def drop(self, count: int) -> None:
        """Remove ``count`` frames from the front."""
        if self._frames is not None:
            self._frames = self._frames[count:]


def express(
    heard: Iterable[Array],
    model: EmoDiff,
    emotion: EmotionTrack,
    style: torch.Tensor | None,
    seed: int,
    sampling: Sampling,
    before_step: Callable[[float], None],
    kept: Kept | None = None,
) -> Iterator[Expressed]:
    """Yield expression and head pose for the phone-track features ``heard``, window by window.

    Args:
        heard: pieces of (n, 45) float32 features at ``FRAME_RATE``.
        model: EmoDiff with its weights.
        emotion: emotion weights over time.
        style: (1, style_size) embedding of a style clip, or None.
        seed: seed of the noise; window ``w`` draws from (seed, w), whatever came before.
        sampling: sampler settings.
        before_step: called with the seconds finished before every diffusion step; may raise to stop.
        kept: what stays of an earlier performance, with curves at ``FRAME_RATE``.
    """
    window = model.config.window
    queue = FrameQueue(heard)
    previous: Array | None = None
    position = index = 0
    while True:
        audio = queue.fill(window)
        real = len(audio)
        skip = 0 if previous is None else INITIAL_FRAMES
        if real <= skip:
            return
        audio = np.concatenate([audio, silent_features(window - real)])
        weights = emotion.sample((position + np.arange(window)) / FRAME_RATE)
        seconds = (position + skip) / FRAME_RATE
        noise = _noise(seed, index, window)
        # A style clip without an emotion beside it brings its own.
        told = None if style is not None and emotion.is_neutral else weights
        known, mask = _known(window, previous, None if kept is None else kept.window(position, window))
        condition = _condition(audio, told, style, model.normalise(torch.from_numpy(known)), mask)
        drawn = model.sample(condition, noise, sampling.steps, sampling.guidance, lambda s=seconds: before_step(s))  # type: ignore[misc]
        face = complete_blinks(model.denormalise(drawn)[0].numpy())
        face = go_on_from(face, known, mask)
        face[:, :ARKIT_COUNT] = face[:, :ARKIT_COUNT].clip(0, 1)
        last = queue.ended and real <= window - LOOK_AHEAD_FRAMES
        stop = real if last else min(real, window - LOOK_AHEAD_FRAMES)
        yield Expressed(audio[skip:stop], weights[skip:stop], face[skip:stop])
        if last:
            return
        previous = face[stop - INITIAL_FRAMES : stop]
        queue.drop(stop - INITIAL_FRAMES)
        position += stop - INITIAL_FRAMES
        index += 1


def blend(plain: Iterable[Expressed], styled: Iterable[Expressed], strength: float) -> Iterator[Expressed]:
    """Yield what lies between two performances of one recording, piece by piece.

    Whole performances are mixed: half way between two style embeddings lies hardly any style.

    Args:
        plain: the performance at strength 0.
        styled: that at strength 1, in pieces of the same lengths.
        strength: 0 to 1.
    """
    for without, within in zip(plain, styled, strict=True):
        face = without.face + np.float32(strength) * (within.face - without.face)
        yield Expressed(without.audio, without.emotion, complete_blinks(face))


def _known(window: int, previous: Array | None, kept: tuple[Array, Mask] | None) -> tuple[Array, Mask]:
    """Return (W, 58) values and where they are given: what stays, and the last frames of the window before."""
    if kept is None:
        known, mask = np.zeros((window, FACE_CHANNELS), np.float32), np.zeros((window, FACE_CHANNELS), bool)
    else:
        known, mask = kept[0].copy(), kept[1].copy()
    if previous is not None:
        known[: len(previous)], mask[: len(previous)] = previous, True
    return known, mask


def complete_blinks(face: Array) -> Array:
    """Return (n, 58) channels whose lids, once they are closing, close: below 0.2 as given, 0.77 and above shut.

    In few sampling steps the depth of an event that can come at any time falls short of what was taught, and a lid
    that stops half way looks drowsy.
    """
    finished = face.copy()
    lids = face[:, _LIDS]
    finished[:, _LIDS] = np.where(lids < 0.2, lids, np.minimum(1.4 * lids - 0.08, 1))
    return finished


def silent_features(count: int) -> Array:
    """Return (count, 45) phone-track features of silence."""
    track = PhoneTrack(
        np.eye(len(PHONES), dtype=np.float32)[np.full(count, PHONES.index("sil"))],
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
        np.full(count, -1, np.float32),
    )
    return track.features()


def _noise(seed: int, index: int, window: int) -> torch.Tensor:
    """Return (1, window, 58) standard normal noise of window ``index``."""
    generator = np.random.Generator(np.random.Philox(key=[seed, index]))
    return torch.from_numpy(generator.standard_normal((1, window, FACE_CHANNELS), np.float32))


def _condition(
    audio: Array, weights: Array | None, style: torch.Tensor | None, known: torch.Tensor, mask: Mask
) -> EmoDiffCondition:
    told = None if weights is None else torch.from_numpy(weights)[None]
    return EmoDiffCondition(
        torch.from_numpy(audio)[None], told, style, known[None], torch.from_numpy(mask.astype(np.float32))[None]
    )


def refine(expressed: Iterable[Expressed], model: LipRefiner) -> Iterator[Array]:
    """Yield (n, 58) faces whose jaw, mouth and tongue are the refiner's; the other channels are bit for bit as given.

    The first and last frames are repeated where the refiner needs context beyond the recording.
    """
    context = model.config.context
    audio = emotion = face = np.zeros((0, 0), np.float32)
    for piece, is_last in _with_last(expressed):
        parts = [piece.audio, piece.emotion, piece.face]
        if not len(audio):
            parts = [np.concatenate([np.repeat(part[:1], context, axis=0), part]) for part in parts]
            audio, emotion, face = parts
        else:
            audio, emotion, face = (np.concatenate(pair) for pair in zip((audio, emotion, face), parts, strict=True))
        if is_last:
            audio, emotion, face = (
                np.concatenate([part, np.repeat(part[-1:], context, axis=0)]) for part in (audio, emotion, face)
            )
        if len(audio) <= 2 * context:
            continue
        with torch.no_grad():
            expression = np.ascontiguousarray(face[:, :ARKIT_COUNT])
            tensors = (torch.from_numpy(part)[None] for part in (audio, emotion, expression))
            values = model(*tensors)[0].numpy()
        yield np.concatenate([values, face[context : len(face) - context, ARKIT_COUNT:]], axis=1)
        audio, emotion, face = audio[-2 * context :], emotion[-2 * context :], face[-2 * context :]


def _with_last(pieces: Iterable[Expressed]) -> Iterator[tuple[Expressed, bool]]:
    """Yield each piece with whether it is the last one."""
    iterator = iter(pieces)
    current = next(iterator, None)
    while current is not None:
        following = next(iterator, None)
        yield current, following is None
        current = following
