"""Speech to curves: the whole main job on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from blendshape_rigs.curves import FaceCurves, FloatArray, Provenance, concatenate
from blendshape_rigs.filters import resample
from model_server.audio.decode import AudioStream
from model_server.audio.listener import PhoneListener
from model_server.audio.phone_track import FRAME_RATE
from model_server.models.checkpoint import file_hash, load_checkpoint
from model_server.models.emodiff import EmoDiff
from model_server.models.lip_refiner import LipRefiner
from model_server.models.speech_encoder import SpeechEncoder

from .performance import Sampling, express, refine
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
            AudioError: for a recording that cannot be used.
            Cancelled: when ``progress`` raised it.
        """
        # 1. Hear: what is said, when, how loud and how high.
        heard = self.heard_features(audio)

        # 2. EmoDiff: expression and head pose from audio, initial state and emotion style.
        style = None if request.style is None else self._embed_style(request.style)
        before_step = progress or _nothing
        expressed = express(heard, self.emodiff, request.emotion, style, request.seed, self.sampling, before_step)

        # 3. Lip refinement: jaw, mouth and tongue again, from audio and expression; all else bit for bit.
        refined = refine(expressed, self.lip_refiner)

        # 4. The caller's frame rate.
        provenance = Provenance("speech", self.model_hash, audio.sha256, request.emotion.describe(), request.seed)
        yield from resample_stream(refined, FRAME_RATE, request.fps, provenance)

    def __call__(self, audio: AudioStream, request: AnimationRequest, progress: Progress | None = None) -> FaceCurves:
        """Return the whole performance; see :meth:`stream`."""
        return concatenate(list(self.stream(audio, request, progress)))

    def heard_features(self, audio: AudioStream) -> Iterator[FloatArray]:
        """Yield (n, 45) float32 phone-track features of consecutive pieces of a recording."""
        return (track.features() for track in PhoneListener(self.encoder).listen(audio.blocks()))

    def heard_phones(self, audio: AudioStream) -> list[PhoneSegment]:
        """Return the timed phones of a whole recording, as the encoder hears them."""
        tracks = [track.posteriors for track in PhoneListener(self.encoder).listen(audio.blocks())]
        return decode_segments(np.concatenate(tracks))

    def _embed_style(self, clip: FaceCurves) -> torch.Tensor:
        with torch.no_grad():
            return self.emodiff.embed_clip(torch.from_numpy(resample(clip, FRAME_RATE).stacked())[None])


def _nothing(seconds: float) -> None:
    """Report to nobody."""
