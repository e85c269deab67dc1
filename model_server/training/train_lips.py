"""Train LipRefiner: ``python -m model_server.training.train_lips --minutes 15``."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, LIP_CHANNELS, MIRROR_INDEX
from model_server.models.lip_refiner import LipRefiner, LipRefinerConfig

from .loop import TrainConfig
from .mouth_teacher import lip_gap_weights
from .performance_corpus import PerformanceCorpus
from .performance_training import train_on_performances

_LIPS = list(LIP_CHANNELS)


class LipLoss:
    """Distance on coefficients, on their velocity, and on the lip gap, which counts most where lips nearly touch."""

    def __init__(self, corpus: PerformanceCorpus, context: int, window: int = 200) -> None:
        self.corpus = corpus
        self.context = context
        self.frames = window + 2 * context
        self.gap = torch.from_numpy(lip_gap_weights())
        spread = torch.from_numpy(corpus.face[..., _LIPS].astype(np.float32)).flatten(0, 1).std(0)
        self.scale = torch.clamp(spread, min=0.03)

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(self.corpus.face), (batch,), generator=generator).numpy()
        last = self.corpus.face.shape[1] - self.frames
        starts = torch.randint(last + 1, (batch,), generator=generator).numpy()
        where = (rows[:, None], starts[:, None] + np.arange(self.frames))
        face = self.corpus.face[where][..., :ARKIT_COUNT].astype(np.float32)
        flip = (torch.rand(batch, generator=generator) < 0.5).numpy()
        face[flip] = face[flip][..., list(MIRROR_INDEX)]
        truth = torch.from_numpy(face)
        audio = torch.from_numpy(self.corpus.audio[where].astype(np.float32))
        emotion = torch.from_numpy(self.corpus.emotion[where].astype(np.float32))
        refined = model(audio, emotion, _as_generated(truth, generator))[..., _LIPS]
        inner = truth[:, self.context : truth.shape[1] - self.context]
        wanted = inner[..., _LIPS]
        coefficients = smooth_l1(refined / self.scale, wanted / self.scale)
        velocity = smooth_l1(refined.diff(dim=1) / self.scale, wanted.diff(dim=1) / self.scale)
        gap_weights = self.gap[_LIPS] * 1000
        gap, wanted_gap = refined @ gap_weights, wanted @ gap_weights
        # Weight exp(-d / 2 mm): an error of a millimetre shows on touching lips, not on an open mouth.
        closeness = torch.exp(-wanted_gap.clamp(min=0) / 2)
        lip_gap = (closeness * (gap - wanted_gap).abs()).mean()
        total = coefficients + 2 * velocity + 0.3 * lip_gap
        figures = {"coefficients": coefficients, "velocity": velocity, "gap_mm": lip_gap}
        return total, {name: float(figure.detach()) for name, figure in figures.items()}


def smooth_l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute error, squared below a tenth of a standard deviation."""
    return nn.functional.smooth_l1_loss(prediction, truth, beta=0.1)


def _as_generated(truth: Tensor, generator: torch.Generator) -> Tensor:
    """Return (B, T, 52) expressions as imperfect as EmoDiff's: mouth gains off, slow errors added."""
    batch, frames, channels = truth.shape
    gain = 1 + 0.25 * torch.randn(batch, 1, channels, generator=generator)
    knots = torch.randn(batch, channels, frames // 20 + 2, generator=generator)
    slow = nn.functional.interpolate(knots, size=frames, mode="linear", align_corners=True).transpose(1, 2)
    return (truth * gain + 0.04 * slow).clamp(0, 1)


if __name__ == "__main__":
    train_on_performances(
        __doc__,
        "lip_refiner",
        lambda corpus: LipRefiner(LipRefinerConfig()),
        lambda corpus: LipLoss(corpus, LipRefinerConfig().context),
        TrainConfig(batch=16, steps=4000, learning_rate=1e-3),
    )
