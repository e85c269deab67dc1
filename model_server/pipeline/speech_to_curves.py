"""Speech to curves: the whole main job on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path

import numpy as np
import torch

from blendshape_rigs.curves import FaceCurves, FloatArray, Provenance, concatenate
from blendshape_rigs.filters import resample
from model_server.audio.decode import AudioStream
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.timed_phones import TimedPhones
from model_server.models.checkpoint import file_hash, load_checkpoint
from model_server.models.emodiff import EmoDiff
from model_server.models.lip_refiner import LipRefiner
from model_server.models.speech_encoder import SpeechEncoder

from .hearing import hear, hear_phones
from .kept import keep_exactly, keep_lips
from .performance import Expressed, Sampling, blend, express, refine
from .phone_source import PhoneSource
from .phones import PhoneSegment, decode_segments
from .request import AnimationRequest, Progress
from .resampling import resample_stream

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"
"""The shipped weights."""


@dataclass(frozen=True)
class SpeechToCurves:
    """The three networks with their weights. Holds no state of a job, so jobs can share one."""

    encoder: SpeechEncoder
    emodiff: EmoDiff
    lip_refiner: LipRefiner
    model_hash: str
    sampling: Sampling = field(default_factory=Sampling)

    @classmethod
    def load(cls, folder: Path = WEIGHTS_FOLDER) -> SpeechToCurves:
        """Load the weights from ``folder``.

        Raises:
            WeightsError: for a file that is missing, broken or made for another version.
        """
        files = [folder / f"{name}.safetensors" for name in ("speech_encoder", "emodiff", "lip_refiner")]
        return cls(
            load_checkpoint(files[0], SpeechEncoder),
            load_checkpoint(files[1], EmoDiff),
            load_checkpoint(files[2], LipRefiner),
            file_hash(*files),
        )

    def stream(
        self, audio: AudioStream, request: AnimationRequest, progress: Progress | None = None
    ) -> Iterator[FaceCurves]:
        """Yield consecutive parts of the performance as they are ready, at ``request.fps``.

        Memory does not grow with the length of the recording, and the parts joined are the same bits whatever their
        number. ``progress`` is called before every diffusion step.

        Raises:
            AudioError: for a recording that cannot be used, or that the text does not belong to.
            ConfigError: for a text that cannot be pronounced.
            Cancelled: when ``progress`` raised it.
        """
        # 1. Hear: what is said, when, how loud and how high.
        heard = self.heard_features(audio, request.source)

        # 2. EmoDiff: expression and head pose from audio, initial state and emotion style.
        expressed = self._expressed(heard, request, progress or _nothing)
        kept = None if request.kept is None else request.kept.at(FRAME_RATE)

        # 3. Lip refinement: jaw, mouth and tongue again, from audio and expression; all else bit for bit.
        refined = refine(expressed, self.lip_refiner)
        if kept is not None:
            refined = keep_lips(refined, kept)

        # 4. The caller's frame rate.
        provenance = Provenance("speech", self.model_hash, audio.sha256, request.emotion.describe(), request.seed)
        parts = resample_stream(refined, FRAME_RATE, request.fps, provenance)
        yield from parts if request.kept is None else keep_exactly(parts, request.kept.at(request.fps))

    def __call__(self, audio: AudioStream, request: AnimationRequest, progress: Progress | None = None) -> FaceCurves:
        """Return the whole performance; see :meth:`stream`."""
        return concatenate(list(self.stream(audio, request, progress)))

    def heard_features(self, audio: AudioStream, source: PhoneSource | None = None) -> Iterator[FloatArray]:
        """Yield (n, 45) float32 phone-track features of consecutive pieces of a recording."""
        return (track.features() for track in hear(audio, self.encoder, source or PhoneSource()))

    def heard_phones(self, audio: AudioStream) -> list[PhoneSegment]:
        """Return the timed phones of a whole recording, as the encoder hears them."""
        return decode_segments(np.concatenate([track.posteriors for track in hear(audio, self.encoder, PhoneSource())]))

    def timed_phones(self, audio: AudioStream, source: PhoneSource) -> TimedPhones:
        """Return the timed phones of a whole recording as a track that can be edited; see :func:`hear_phones`."""
        return hear_phones(audio, self.encoder, source)

    def _expressed(
        self, heard: Iterator[FloatArray], request: AnimationRequest, before_step: Progress
    ) -> Iterator[Expressed]:
        """Yield expression and head pose; of a style clip at part of its strength, between those without and with it.

        A request's style is borrowed in full or not at all by a sampling, so part of it takes two.
        """
        kept = None if request.kept is None else request.kept.at(FRAME_RATE)

        def sampled(features: Iterator[FloatArray], style: torch.Tensor | None) -> Iterator[Expressed]:
            return express(
                features, self.emodiff, request.emotion, style, request.seed, self.sampling, before_step, kept
            )

        if request.style is None or request.style_strength == 0:
            return sampled(heard, None)
        style = self._embed_style(request.style)
        if request.style_strength == 1:
            return sampled(heard, style)
        first, second = tee(heard)
        return blend(sampled(first, None), sampled(second, style), request.style_strength)

    def _embed_style(self, clip: FaceCurves) -> torch.Tensor:
        with torch.no_grad():
            return self.emodiff.embed_clip(torch.from_numpy(resample(clip, FRAME_RATE).stacked())[None])


def _nothing(seconds: float) -> None:
    """Report to nobody."""
