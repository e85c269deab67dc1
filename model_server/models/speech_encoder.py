"""SpeechEncoder: from normalised log-mel spectra to phones and voicing, as a stream.

Residual dilated convolutions over time, all computed causally: a block that looks ahead delays its shortcut instead.
So the state between two calls is the last few frames of every layer, and nothing is computed twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Sizes of the encoder.

    Attributes:
        mel_bands: input columns, at 100 frames a second.
        phones: output columns, at 50 frames a second.
        channels: width of every block.
        centred: dilations of the blocks that look ahead as far as back.
        causal: dilations of the blocks after them, which look back only.
        dropout: share of values dropped in training.
    """

    mel_bands: int = 64
    phones: int = 42
    channels: int = 224
    centred: tuple[int, ...] = (1, 2, 1, 2, 2)
    causal: tuple[int, ...] = (4, 8, 16, 1, 2, 4, 8)
    dropout: float = 0.1


class _Block(nn.Module):
    """A dilated convolution of three taps and a pointwise one, with a shortcut."""

    def __init__(self, channels: int, dilation: int, ahead: int, dropout: float) -> None:
        super().__init__()
        self.history = 2 * dilation
        self.shortcut = self.history - ahead
        self.mix_time = nn.Conv1d(channels, channels, 3, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)
        self.mix_channels = nn.Conv1d(channels, channels, 1, bias=False)
        self.out_norm = nn.BatchNorm1d(channels)
        # A block starts as its shortcut alone, so that many of them learn as easily as few.
        nn.init.zeros_(self.out_norm.weight)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output and the next state for (B, C, T) and the (B, C, history) frames before it."""
        frames = x.shape[2]
        joined = torch.cat([state, x], dim=2)
        y = self.dropout(torch.relu(self.norm(self.mix_time(joined))))
        y = self.out_norm(self.mix_channels(y))
        y = torch.relu(y + joined[:, :, self.shortcut : self.shortcut + frames])
        return y, joined[:, :, joined.shape[2] - self.history :]


class SpeechEncoder(nn.Module):
    """Phone posteriors and voicing from log-mel spectra normalised by ``RunningMean``.

    Answers come ``delay`` frames (of 20 ms) late: output ``i`` speaks of phone frame ``i - delay``.
    """

    mel_mean: Tensor

    def __init__(self, config: SpeechEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.delay = 1 + sum(config.centred)
        width = config.channels
        # Six mel frames around each phone frame: two before it, its own two, two after it.
        self.stem = nn.Conv1d(config.mel_bands, width, 6, stride=2, bias=False)
        self.stem_norm = nn.BatchNorm1d(width)
        ahead = [(dilation, dilation) for dilation in config.centred] + [(dilation, 0) for dilation in config.causal]
        self.blocks = nn.ModuleList(_Block(width, dilation, reach, config.dropout) for dilation, reach in ahead)
        self.head = nn.Conv1d(width, config.phones + 1, 1)
        self.register_buffer("mel_mean", torch.zeros(config.mel_bands))

    def initial_state(self, batch: int) -> list[Tensor]:
        """Return the state before the first frame: zeros."""
        shapes = [(batch, self.config.mel_bands, 4)]
        shapes += [(batch, self.config.channels, 2 * d) for d in (*self.config.centred, *self.config.causal)]
        return [torch.zeros(shape) for shape in shapes]

    def forward(self, mel: Tensor, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return phone logits (B, T, 42), voicing logits (B, T) and the next state.

        Args:
            mel: (B, 2 T, 64) normalised log-mel frames.
            state: as :meth:`initial_state` or the previous call gave it; not changed.
        """
        joined = torch.cat([state[0], mel.transpose(1, 2)], dim=2)
        after = [joined[:, :, -4:]]
        x = torch.relu(self.stem_norm(self.stem(joined)))
        for block, before in zip(self.blocks, state[1:], strict=True):
            x, kept = block(x, before)
            after.append(kept)
        y = self.head(x).transpose(1, 2)
        return y[..., : self.config.phones], y[..., self.config.phones], after

    def mel_prior(self) -> FloatArray:
        """Return (64,) the mean log-mel spectrum of speech in the training set."""
        prior: FloatArray = self.mel_mean.numpy()
        return prior

    def start(self) -> list[Tensor]:
        """Return the state of one stream before its first frame."""
        return self.initial_state(1)

    @torch.inference_mode()
    def hear(self, mel: FloatArray, state: list[Tensor]) -> tuple[FloatArray, FloatArray, list[Tensor]]:
        """Return posteriors (T, 42), voicing (T,) in 0..1 and the next state for (2 T, 64) normalised frames."""
        phones, voicing, after = self(torch.from_numpy(mel)[None], state)
        return phones[0].softmax(dim=1).numpy(), voicing[0].sigmoid().numpy(), after
