"""The style encoder: a clip of facial animation to an embedding of its manner."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StyleEncoder(nn.Module):
    """Convolutions over time, then the mean and the spread over the clip: any length, no order, little content.

    Args:
        channels: channels of the clip.
        hidden: width of the convolutions.
        size: length of the embedding.
    """

    def __init__(self, channels: int, hidden: int, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, hidden, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv1d(hidden, hidden, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv1d(hidden, hidden, 3, padding=1),
            nn.SiLU(),
        )
        self.project = nn.Linear(2 * hidden, size)

    def forward(self, clip: Tensor) -> Tensor:
        """Return (B, size) embeddings of (B, T, channels) normalised clips, T at least 8."""
        hidden = self.layers(clip.transpose(1, 2))
        statistics = torch.cat([hidden.mean(dim=2), hidden.std(dim=2, correction=0)], dim=1)
        embedding: Tensor = self.project(statistics)
        return embedding
