"""EmoDiff's training: what it sees, what is known to it, and its loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, LIP_CHANNELS, MIRROR_INDEX
from model_server.models.emodiff import FACE_CHANNELS, EmoDiff, EmoDiffCondition

from .compute import PROCESSOR, Compute
from .configs import EmoDiffTraining
from .performance_corpus import PerformanceCorpus, load_corpora
from .performance_training import Prepared, Progress, validation

INITIAL_FRAMES = 20
"""Frames of the previous window that a window continues from (0.4 s at 50 frames a second)."""

STYLE_FRAMES = (100, 401)
"""Lengths of style clips, from and below, at 50 frames a second: any clip of some seconds has to do."""

_MIRROR = (*MIRROR_INDEX, *range(ARKIT_COUNT, FACE_CHANNELS))
# Yaw, roll and sideways translation change sign in the mirror.
_MIRROR_SIGN = np.ones(FACE_CHANNELS, np.float32)
_MIRROR_SIGN[[ARKIT_COUNT + 1, ARKIT_COUNT + 2, ARKIT_COUNT + 3]] = -1

# Lip refinement makes the mouth again: EmoDiff's own has to be right on the whole, not in every frame.
_CHANNEL_WEIGHT = torch.ones(FACE_CHANNELS)
_CHANNEL_WEIGHT[list(LIP_CHANNELS)] = 0.25


def set_channel_statistics(model: EmoDiff, corpus: PerformanceCorpus) -> None:
    """Store the mean and spread of every channel in the model; rare channels keep a floor of 0.03."""
    mean, spread = corpus.statistics()
    floor = torch.tensor([0.03] * ARKIT_COUNT + [0.01] * 3 + [0.001] * 3)
    model.channel_mean.copy_(torch.from_numpy(mean))
    model.channel_scale.copy_(torch.maximum(torch.from_numpy(spread), floor))


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
    """The paper's L_simple on a random batch of windows, with a term on velocity.

    Args:
        corpus: what is drawn from.
        window: frames of a window.
        compute: where the model is, and its precision.
    """

    def __init__(self, corpus: PerformanceCorpus, window: int, compute: Compute = PROCESSOR) -> None:
        self.corpus = corpus
        self.window = window
        self.compute = compute

    def draw(self, model: EmoDiff, batch: int, generator: torch.Generator) -> tuple[Tensor, EmoDiffCondition, Tensor]:
        """Return (B, W, 58) clean normalised windows, their condition, and (B, W) 1 where there is a performance."""
        put = self.compute.put
        drawn = self.corpus.windows(batch, self.window, generator)
        style_frames = int(torch.randint(*STYLE_FRAMES, (1,), generator=generator))
        face, style = drawn.face, self.corpus.styles(drawn.rows, style_frames, generator)
        flip = (torch.rand(batch, generator=generator) < 0.5).numpy()
        face[flip] = face[flip][..., _MIRROR] * _MIRROR_SIGN
        style[flip] = style[flip][..., _MIRROR] * _MIRROR_SIGN
        x0 = model.normalise(put(face))
        condition = EmoDiffCondition(
            put(drawn.audio),
            put(drawn.emotion),
            model.embed_clip(put(style)),
            x0,
            put(random_known_mask(batch, self.window, generator)),
        )
        return x0, condition, put(drawn.valid)

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and its parts."""
        assert isinstance(model, EmoDiff)
        put = self.compute.put
        with self.compute.autocast():
            x0, condition, valid = self.draw(model, batch, generator)
            epsilon = put(torch.randn(x0.shape, generator=generator))
            # The noisier, the oftener: what happens, and when, is settled there, and sampling has most steps there.
            share = torch.rand(batch, generator=generator).sqrt()
            t = put((model.schedule.steps * share).long().clamp(max=model.schedule.steps - 1))
            x_t = model.schedule.add_noise(x0, epsilon, t)
            # 30 % full, 15 % style without emotion weights, 45 % no style, 10 % neither.
            kind = put(torch.rand(batch, generator=generator))
            drop_audio = put(torch.rand(batch, generator=generator) < 0.05)
            drop_emotion = (kind > 0.30) & (kind < 0.45) | (kind > 0.90)
            prediction = model(x_t, t, condition, drop_audio, drop_emotion, kind > 0.45).float()
        weight = (1 - condition.known_mask) * put(_CHANNEL_WEIGHT) * valid.unsqueeze(2)
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


def prepare(config: EmoDiffTraining, start: EmoDiff | None, compute: Compute, progress: Progress = None) -> Prepared:
    """Return what the loop needs to train EmoDiff, with the channel statistics of ``start`` or of the data."""
    training, held_out = load_corpora(config.data, config.model.audio_features, progress)
    if start is None:
        model = EmoDiff(config.model)
        set_channel_statistics(model, training)
    else:
        # The weights of ``start`` mean something in its own units only.
        model = start
    losses = [EmoDiffLoss(corpus, config.model.window, compute) for corpus in (training, held_out)]
    return Prepared(model, losses[0], validation(losses[1]), training.facts())
