"""Train EmoDiff: ``python -m model_server.training.train_emodiff --minutes 30``."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, LIP_CHANNELS, MIRROR_INDEX
from model_server.models.emodiff import FACE_CHANNELS, EmoDiff, EmoDiffCondition, EmoDiffConfig

from .loop import TrainConfig
from .performance_corpus import PerformanceCorpus
from .performance_training import train_on_performances

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


def build(corpus: PerformanceCorpus) -> EmoDiff:
    """Return an untrained EmoDiff that knows the channel statistics of ``corpus``."""
    model = EmoDiff(EmoDiffConfig())
    set_channel_statistics(model, corpus)
    return model


if __name__ == "__main__":
    train_on_performances(
        __doc__, "emodiff", build, lambda corpus: EmoDiffLoss(corpus, EmoDiffConfig().window), TrainConfig()
    )
