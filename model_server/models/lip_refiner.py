"""LipRefiner: re-predicts jaw, mouth and tongue from audio and emotional expression (DREAM-Talk's second stage).

It hears the phone track and sees EmoDiff's expression without its articulation: of jaw, mouth and tongue only the
channels in which emotion shows, blurred over time. All channels but the 28 of the lips pass through bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_NAMES, LIP_CHANNELS

_EMOTIONAL = ("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch", "mouthShrug", "mouthLeft", "mouthRight")
_EMOTIONAL_JAW = ("jawForward", "jawLeft", "jawRight")

# What articulation moves is hidden: in training it would tell, even blurred, where the lips of the truth closed.
SEEN_CHANNELS = tuple(
    index
    for index, name in enumerate(ARKIT_NAMES)
    if index not in LIP_CHANNELS or name.startswith((*_EMOTIONAL, *_EMOTIONAL_JAW))
)
"""Channels of the expression that lip refinement sees."""


@dataclass(frozen=True)
class LipRefinerConfig:
    """Sizes of LipRefiner.

    Attributes:
        audio_features: width of the phone-track features.
        emotions: number of emotion weights.
        width: channels of the convolutions.
        dilations: dilation of each residual layer (kernel 3).
        blur: frames over which the mouth of the expression is averaged; odd.
    """

    audio_features: int = 45
    emotions: int = 8
    width: int = 128
    dilations: tuple[int, ...] = (1, 2, 4, 8, 4, 1)
    blur: int = 25

    @property
    def context(self) -> int:
        """Frames of context that an output frame needs on either side."""
        return sum(self.dilations) + self.blur // 2 + 1


class _ResidualLayer(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.spread = nn.Conv1d(width, 2 * width, 3, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        value, gate = self.spread(hidden).chunk(2, dim=1)
        trimmed = hidden[:, :, self.dilation : hidden.shape[2] - self.dilation]
        result: Tensor = trimmed + self.mix(torch.tanh(value) * torch.sigmoid(gate))
        return result


class LipRefiner(nn.Module):
    """Convolutions over time with a bounded context, so that streamed and whole recordings agree exactly."""

    lips: Tensor
    seen: Tensor

    def __init__(self, config: LipRefinerConfig) -> None:
        super().__init__()
        self.config = config
        inputs = config.audio_features + config.emotions + ARKIT_COUNT
        self.enter = nn.Conv1d(inputs, config.width, 3)
        self.layers = nn.ModuleList(_ResidualLayer(config.width, dilation) for dilation in config.dilations)
        self.leave = nn.Sequential(
            nn.SiLU(),
            nn.Conv1d(config.width, config.width, 1),
            nn.SiLU(),
            nn.Conv1d(config.width, len(LIP_CHANNELS), 1),
        )
        self.register_buffer("lips", torch.tensor(LIP_CHANNELS), persistent=False)
        seen = torch.zeros(ARKIT_COUNT, 1)
        seen[list(SEEN_CHANNELS)] = 1
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, audio: Tensor, emotion: Tensor, expression: Tensor) -> Tensor:
        """Return the refined expression of the frames that have their whole context.

        Args:
            audio: (B, T, audio_features) float32 phone-track features.
            emotion: (B, T, 8) float32 emotion weights.
            expression: (B, T, 52) float32 ARKit weights from EmoDiff.

        Returns:
            (B, T - 2 * config.context, 52) float32; lips in [0, 1], other channels equal to ``expression``'s.
        """
        context, half = self.config.context, self.config.blur // 2
        smooth = nn.functional.avg_pool1d(expression.transpose(1, 2) * self.seen, self.config.blur, stride=1)
        inner = slice(half, audio.shape[1] - half)
        heard = torch.cat([audio[:, inner], emotion[:, inner]], dim=2).transpose(1, 2)
        hidden = self.enter(torch.cat([heard, smooth], dim=1))
        for layer in self.layers:
            hidden = layer(hidden)
        # Articulation is added to the blurred mouth, so that its emotion stays where the network has nothing to say.
        reach = context - half
        steady = smooth[:, self.lips, reach : smooth.shape[2] - reach]
        lips = (steady + self.leave(hidden)).transpose(1, 2)
        if not self.training:
            lips = lips.clamp(0, 1)
        refined = expression[:, context : expression.shape[1] - context].clone()
        refined[:, :, self.lips] = lips
        return refined
