"""Train LipRefiner: ``python -m model_server.training.train_lips --minutes 15``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, LIP_CHANNELS, MIRROR_INDEX
from model_server.models.checkpoint import save_checkpoint
from model_server.models.lip_refiner import LipRefiner, LipRefinerConfig

from .loop import TrainConfig, train
from .mouth_teacher import lip_gap_weights
from .performance_corpus import PerformanceCorpus, build_corpus

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


def validation(corpus: PerformanceCorpus, context: int) -> Callable[[nn.Module], dict[str, float]]:
    """Return a function that measures the loss on ``corpus`` with always the same windows."""
    loss = LipLoss(corpus, context)

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        generator = torch.Generator().manual_seed(1)
        parts = [loss(model, 64, generator)[1] for _ in range(2)]
        return {f"validation_{name}": sum(part[name] for part in parts) / len(parts) for name in parts[0]}

    return measure


def main() -> None:
    """Build the corpus, train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--performances", type=int, default=2400, help="performances of 12 s to train on")
    parser.add_argument("--steps", type=int, default=TrainConfig.steps)
    parser.add_argument("--minutes", type=float, help="stop after this much time")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("runs/lips"))
    parser.add_argument("-o", "--out", type=Path, default=Path("model_server/weights/lip_refiner.safetensors"))
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = LipRefinerConfig()
    corpus = build_corpus(arguments.performances, 12, seed=3)
    held_out = build_corpus(96, 12, seed=2)
    model = LipRefiner(config)

    def save(averaged: nn.Module) -> None:
        save_checkpoint(averaged, config, arguments.out)

    settings = TrainConfig(steps=arguments.steps, batch=16, learning_rate=1e-3)
    loss = LipLoss(corpus, config.context)
    train(model, loss, validation(held_out, config.context), save, settings, arguments.folder, arguments.minutes)


if __name__ == "__main__":
    main()
