"""Train EmoDiff: ``python -m model_server.training.train_emodiff --minutes 30``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, LIP_CHANNELS, MIRROR_INDEX
from model_server.models.checkpoint import save_checkpoint
from model_server.models.emodiff import FACE_CHANNELS, EmoDiff, EmoDiffCondition, EmoDiffConfig

from .loop import TrainConfig, train
from .performance_corpus import PerformanceCorpus, build_corpus

INITIAL_FRAMES = 20
"""Frames of the previous window that a window continues from (0.4 s at 50 frames a second)."""

_MIRROR = (*MIRROR_INDEX, *range(ARKIT_COUNT, FACE_CHANNELS))
# Yaw, roll and sideways translation change sign in the mirror.
_MIRROR_SIGN = np.ones(FACE_CHANNELS, np.float32)
_MIRROR_SIGN[[ARKIT_COUNT + 1, ARKIT_COUNT + 2, ARKIT_COUNT + 3]] = -1

# Lip refinement makes the mouth again: EmoDiff's own has to be right on the whole, not in every frame.
_CHANNEL_WEIGHT = torch.ones(FACE_CHANNELS)
_CHANNEL_WEIGHT[list(LIP_CHANNELS)] = 0.25


def set_channel_statistics(model: EmoDiff, corpus: PerformanceCorpus) -> None:
    """Store the mean and spread of every channel in the model; rare channels keep a floor of 0.03."""
    face = torch.from_numpy(corpus.face.astype(np.float32)).flatten(0, 1)
    floor = torch.tensor([0.03] * ARKIT_COUNT + [0.01] * 3 + [0.001] * 3)
    model.channel_mean.copy_(face.mean(0))
    model.channel_scale.copy_(torch.maximum(face.std(0), floor))


def random_known_mask(batch: int, window: int, generator: torch.Generator) -> Tensor:
    """Return (B, W, 58) of zeros and ones: what is given in training.

    Mostly the initial state; sometimes nothing (the first window); sometimes a set of channels or both ends of a
    range, so that locked channels and regenerated ranges can be honoured.
    """
    mask = torch.zeros(batch, window, FACE_CHANNELS)
    kind = torch.rand(batch, generator=generator)
    mask[kind < 0.75, :INITIAL_FRAMES] = 1
    mask[(kind > 0.65) & (kind < 0.75), -INITIAL_FRAMES:] = 1
    channels = torch.rand(batch, 1, FACE_CHANNELS, generator=generator) < torch.rand(batch, 1, 1, generator=generator)
    locked = (kind > 0.90).view(-1, 1, 1) & channels
    return torch.maximum(mask, locked.float())


class EmoDiffLoss:
    """The paper's L_simple on a random batch of windows, with a term on velocity."""

    def __init__(self, corpus: PerformanceCorpus, window: int) -> None:
        self.corpus = corpus
        self.window = window

    def draw(self, model: EmoDiff, batch: int, generator: torch.Generator) -> tuple[Tensor, EmoDiffCondition]:
        """Return (B, W, 58) clean normalised windows and their condition."""
        count, frames = self.corpus.face.shape[:2]
        rows = torch.randint(count, (batch,), generator=generator).numpy()
        starts = torch.randint(frames - self.window + 1, (batch,), generator=generator).numpy()
        where = starts[:, None] + np.arange(self.window)
        face = self.corpus.face[rows[:, None], where].astype(np.float32)
        style = self.corpus.style[rows].astype(np.float32)
        flip = (torch.rand(batch, generator=generator) < 0.5).numpy()
        face[flip] = face[flip][..., _MIRROR] * _MIRROR_SIGN
        style[flip] = style[flip][..., _MIRROR] * _MIRROR_SIGN
        x0 = model.normalise(torch.from_numpy(face))
        mask = random_known_mask(batch, self.window, generator)
        condition = EmoDiffCondition(
            torch.from_numpy(self.corpus.audio[rows[:, None], where].astype(np.float32)),
            torch.from_numpy(self.corpus.emotion[rows[:, None], where].astype(np.float32)),
            model.embed_clip(torch.from_numpy(style)),
            x0,
            mask,
        )
        return x0, condition

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(model, EmoDiff)
        x0, condition = self.draw(model, batch, generator)
        epsilon = torch.randn(x0.shape, generator=generator)
        t = torch.randint(model.schedule.steps, (batch,), generator=generator)
        x_t = model.schedule.add_noise(x0, epsilon, t)
        # 30 % full, 15 % style without emotion weights, 45 % no style, 10 % neither.
        kind = torch.rand(batch, generator=generator)
        drop_audio = torch.rand(batch, generator=generator) < 0.05
        prediction = model(x_t, t, condition, drop_audio, (kind > 0.30) & (kind < 0.45) | (kind > 0.90), kind > 0.45)
        weight = (1 - condition.known_mask) * _CHANNEL_WEIGHT
        simple = ((prediction - model.schedule.target(x0, epsilon, t)) ** 2 * weight).sum() / weight.sum()
        # What is known is put back in sampling: a step from it to what is made must cost.
        guess = torch.where(condition.known_mask > 0, x0, model.schedule.to_x0(prediction, x_t, t))
        # Where noise hides the signal its velocity says nothing: weigh by the signal.
        trust = model.schedule.signal[t].view(-1, 1, 1) ** 2
        moved = (guess.diff(dim=1) - x0.diff(dim=1)) ** 2
        velocity = (trust * moved * weight[:, 1:]).sum() / weight[:, 1:].sum()
        return simple + 5 * velocity, {
            "simple": float(simple.detach()),
            "velocity": float(velocity.detach()),
        }


def validation(corpus: PerformanceCorpus, window: int) -> Callable[[nn.Module], dict[str, float]]:
    """Return a function that measures the loss on ``corpus`` with always the same noise."""
    loss = EmoDiffLoss(corpus, window)

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        generator = torch.Generator().manual_seed(1)
        parts = [loss(model, 64, generator)[1] for _ in range(4)]
        return {f"validation_{name}": sum(part[name] for part in parts) / len(parts) for name in parts[0]}

    return measure


def main() -> None:
    """Build the corpus, train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--performances", type=int, default=2400, help="performances of 12 s to train on")
    parser.add_argument("--steps", type=int, default=TrainConfig.steps)
    parser.add_argument("--minutes", type=float, help="stop after this much time")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("runs/emodiff"))
    parser.add_argument("-o", "--out", type=Path, default=Path("model_server/weights/emodiff.safetensors"))
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = EmoDiffConfig()
    corpus = build_corpus(arguments.performances, 12, seed=1)
    held_out = build_corpus(96, 12, seed=2)
    model = EmoDiff(config)
    set_channel_statistics(model, corpus)

    def save(averaged: nn.Module) -> None:
        save_checkpoint(averaged, config, arguments.out)

    settings = TrainConfig(steps=arguments.steps)
    loss = EmoDiffLoss(corpus, config.window)
    train(model, loss, validation(held_out, config.window), save, settings, arguments.folder, arguments.minutes)


if __name__ == "__main__":
    main()
