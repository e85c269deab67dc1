"""How alike two pictures look: features of VGG19 where the user has its weights, of fixed filters otherwise.

Torchvision's VGG19 weights (``vgg19-dcbb9e9d.pth``) are trained on ImageNet and are not part of this project, nor
fetched by it. Without them colours and oriented edges at four sizes are compared: enough to learn by, but blurrier.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_server.errors import WeightsError
from model_server.models.face_vid2vid.tensor_file import read_tensors

_VGG_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""Channels of VGG19's convolutions up to the fifth size; 0 is a halving."""
_JUDGED = (0, 2, 4, 8, 12)
"""The convolutions that are judged: the first of each size."""
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ORIENTATIONS = 4


class FilterFeatures(nn.Module):
    """The picture itself and its edges in four directions, by Gabor filters of 7 x 7."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(*2 * [torch.arange(-3, 4, dtype=torch.float32)], indexing="ij")
        kernels = []
        for number in range(_ORIENTATIONS):
            angle = math.pi * number / _ORIENTATIONS
            across = columns * math.cos(angle) + rows * math.sin(angle)
            kernel = torch.exp(-(rows**2 + columns**2) / (2 * 1.6**2)) * torch.sin(2 * math.pi * across / 5.0)
            kernels.append(kernel / kernel.abs().sum())
        self.register_buffer("kernels", torch.stack(kernels)[:, None], persistent=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the features of (B, 3, H, W): colours, and edges of its brightness (B, 4, H, W)."""
        grey = picture.mean(dim=1, keepdim=True)
        return [picture, 4 * functional.conv2d(functional.pad(grey, (3, 3, 3, 3), mode="reflect"), self.kernels)]


class VggFeatures(nn.Module):
    """What VGG19 (Simonyan and Zisserman 2015) sees at the first convolution of each of its five sizes.

    Args:
        path: torchvision's weights, as ``.pth`` or ``.safetensors``.

    Raises:
        WeightsError: for a file that is missing, broken or of another network.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in _VGG_WIDTHS:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
            inputs = width or inputs
        self.features = nn.Sequential(*layers)
        wanted = set(self.state_dict())
        tensors = {name: value for name, value in read_tensors(path).items() if name in wanted}
        try:
            self.load_state_dict(tensors)
        except RuntimeError as error:
            raise WeightsError(f"'{path}' holds no VGG19 of torchvision; give vgg19-dcbb9e9d.pth") from error
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("spread", torch.tensor(_SPREAD)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the features (B, C, h, w) of (B, 3, H, W) in 0..1."""
        hidden = (picture - self.mean) / self.spread
        seen: list[Tensor] = []
        number = 0
        for layer in self.features:
            hidden = layer(hidden)
            if isinstance(layer, nn.ReLU):
                if number in _JUDGED:
                    seen.append(hidden)
                number += 1
        return seen


def perceptual(features: nn.Module, drawn: Tensor, wanted: Tensor, sizes: int) -> Tensor:
    """Return the mean difference of the features of pictures (B, 3, H, W), at ``sizes`` sizes each half the last."""
    losses = []
    for number in range(sizes):
        if number:
            drawn, wanted = functional.avg_pool2d(drawn, 2), functional.avg_pool2d(wanted, 2)
        pairs = zip(features(drawn), features(wanted), strict=True)
        losses += [functional.l1_loss(seen, truth.detach()) for seen, truth in pairs]
    return torch.stack(losses).mean()
