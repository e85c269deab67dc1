"""The networks that judge pictures in training: patches at several sizes, with the features that they look at."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .config import FaceVid2VidConfig
from .model import FaceVid2Vid

_LAYERS = 4
_WIDEST = 512


class PatchDiscriminator(nn.Module):
    """Says of each patch whether it is real (Isola et al. 2017), with spectral normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [3] + [min(_WIDEST, width * 2**number) for number in range(_LAYERS)]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(first, second, 4, stride=2 if number < _LAYERS - 1 else 1, padding=2))
            for number, (first, second) in enumerate(itertools.pairwise(widths))
        )
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 4, padding=2))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the features (B, C, h, w) of each layer, and last the scores (B, 1, h, w)."""
        features = []
        hidden = picture
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden)
            if number:
                hidden = functional.instance_norm(hidden)
            hidden = functional.leaky_relu(hidden, 0.2)
            features.append(hidden)
        return [*features, self.score(hidden)]


class Discriminator(nn.Module):
    """Several judges, each of half the size of the one before (Wang et al. 2018)."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            PatchDiscriminator(config.discriminator_width) for _ in range(config.discriminator_scales)
        )

    def forward(self, picture: Tensor) -> list[list[Tensor]]:
        """Return for each size the features of a judge's layers and, last, its scores (B, 1, h, w)."""
        seen = []
        for judge in self.judges:
            seen.append(judge(picture))
            picture = functional.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
        return seen


class Adversaries(nn.Module):
    """What is trained together: the networks that draw and the one that judges.

    Args:
        config: sizes of both.
    """

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        self.config = config
        self.faces = FaceVid2Vid(config)
        self.discriminator = Discriminator(config)

    def judge(self, picture: Tensor, learns: bool) -> list[list[Tensor]]:
        """Return what the discriminator sees; unless it ``learns``, gradients reach only the picture."""
        if learns:
            seen: list[list[Tensor]] = self.discriminator(picture)
            return seen
        fixed = {name: weights.detach() for name, weights in self.discriminator.named_parameters()}
        frozen: list[list[Tensor]] = torch.func.functional_call(self.discriminator, fixed, (picture,))
        return frozen
