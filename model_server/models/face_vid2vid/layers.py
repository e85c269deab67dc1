"""The blocks of Face-vid2vid's networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class Same2d(nn.Module):
    """Convolution, normalisation, and a rectifier that leaks ``leak`` of what is below 0."""

    def __init__(self, inputs: int, outputs: int, kernel: int, leak: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)
        self.leak = leak

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        return functional.leaky_relu(self.norm(self.conv(picture)), self.leak)


class Down2d(nn.Module):
    """Convolution, then half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, outputs, H / 2, W / 2)."""
        return functional.avg_pool2d(functional.relu(self.norm(self.conv(picture))), 2)


class Down3d(nn.Module):
    """Convolution, then half the width and height; the depth stays."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)

    def forward(self, volume: Tensor) -> Tensor:
        """Return (B, outputs, D, H / 2, W / 2)."""
        return functional.avg_pool3d(functional.relu(self.norm(self.conv(volume))), (1, 2, 2))


class Up3d(nn.Module):
    """Twice the width and height, then a convolution; the depth stays."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)

    def forward(self, volume: Tensor) -> Tensor:
        """Return (B, outputs, D, 2 H, 2 W)."""
        wide = functional.interpolate(volume, scale_factor=(1, 2, 2))
        return functional.relu(self.norm(self.conv(wide)))


class Residual3d(nn.Module):
    """Two convolutions, each after its normalisation, added to what comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm3d(channels), nn.BatchNorm3d(channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, volume: Tensor) -> Tensor:
        """Return (B, channels, D, H, W)."""
        change = self.conv1(functional.relu(self.norm1(volume)))
        changed: Tensor = volume + self.conv2(functional.relu(self.norm2(change)))
        return changed


class Bottleneck(nn.Module):
    """ResNet's bottleneck (He et al. 2016); ``stride`` 2 halves the size."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = max(channels // 4, 1)
        self.conv1, self.norm1 = nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.norm2 = nn.Conv2d(inner, inner, 3, stride, 1), nn.BatchNorm2d(inner)
        self.conv3, self.norm3 = nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels)
        self.skip = nn.Conv2d(channels, channels, 1, stride) if stride > 1 else None
        self.norm4 = nn.BatchNorm2d(channels) if stride > 1 else None

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, channels, H / stride, W / stride)."""
        inner = functional.relu(self.norm1(self.conv1(picture)))
        inner = functional.relu(self.norm2(self.conv2(inner)))
        if self.skip is not None and self.norm4 is not None:
            picture = self.norm4(self.skip(picture))
        return functional.relu(self.norm3(self.conv3(inner)) + picture)


class Hourglass3d(nn.Module):
    """Halves width and height several times and doubles them again, each step with what was there on the way down.

    Args:
        inputs: channels that come in.
        width, limit, blocks: channels before the first halving, the most channels, number of halvings.
    """

    def __init__(self, inputs: int, width: int, limit: int, blocks: int) -> None:
        super().__init__()
        widths = [inputs] + [min(limit, width * 2**number) for number in range(1, blocks + 1)]
        self.down = nn.ModuleList(Down3d(*pair) for pair in itertools.pairwise(widths))
        targets = [min(limit, width * 2**number) for number in range(blocks)]
        self.up = nn.ModuleList(
            Up3d(widths[number + 1] * (1 if number == blocks - 1 else 2), targets[number])
            for number in reversed(range(blocks))
        )
        self.outputs = targets[0] + inputs
        self.conv = nn.Conv3d(self.outputs, self.outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(self.outputs)

    def forward(self, volume: Tensor) -> Tensor:
        """Return (B, outputs, D, H, W)."""
        passed = [volume]
        for block in self.down:
            passed.append(block(passed[-1]))
        hidden = passed.pop()
        for block in self.up:
            hidden = torch.cat([block(hidden), passed.pop()], dim=1)
        return functional.relu(self.norm(self.conv(hidden)))


class Spade(nn.Module):
    """Normalises each channel over the picture and gives it a scale and shift that ``steer`` decides, place by place.

    Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization".
    """

    def __init__(self, channels: int, steering: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(steering, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, picture: Tensor, steer: Tensor) -> Tensor:
        """Return (B, channels, H, W); ``steer`` (B, steering, h, w) is brought to that size."""
        steer = functional.interpolate(steer, size=picture.shape[2:])
        hidden = functional.relu(self.shared(steer))
        normal = functional.instance_norm(picture)
        steered: Tensor = normal * (1 + self.scale(hidden)) + self.shift(hidden)
        return steered


class SpadeResidual(nn.Module):
    """Two spectrally normalised convolutions, each after a SPADE; a third where the number of channels changes."""

    def __init__(self, inputs: int, outputs: int, steering: int, hidden: int) -> None:
        super().__init__()
        inner = min(inputs, outputs)
        self.norm1, self.norm2 = Spade(inputs, steering, hidden), Spade(inner, steering, hidden)
        self.conv1 = spectral_norm(nn.Conv2d(inputs, inner, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(inner, outputs, 3, padding=1))
        self.skip_norm = Spade(inputs, steering, hidden) if inputs != outputs else None
        self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False)) if inputs != outputs else None

    def forward(self, picture: Tensor, steer: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        change = self.conv1(functional.leaky_relu(self.norm1(picture, steer), 0.2))
        change = self.conv2(functional.leaky_relu(self.norm2(change, steer), 0.2))
        if self.skip is not None and self.skip_norm is not None:
            picture = self.skip(self.skip_norm(picture, steer))
        changed: Tensor = picture + change
        return changed


class SmoothShrink(nn.Module):
    """Blurs a picture and keeps every ``factor``-th row and column."""

    kernel: Tensor

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        spread = (factor - 1) / 2
        half = round(4 * spread)
        line = torch.arange(-half, half + 1, dtype=torch.float32)
        weights = torch.exp(-(line**2) / (2 * spread**2)) if factor > 1 else torch.ones(1)
        square = weights[:, None] * weights[None]
        kernel = (square / square.sum()).expand(channels, 1, -1, -1).contiguous()
        self.register_buffer("kernel", kernel, persistent=False)
        self.factor, self.border = factor, half

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, channels, H / factor, W / factor)."""
        if self.factor == 1:
            return picture
        blurred = functional.conv2d(picture, self.kernel, padding=self.border, groups=picture.shape[1])
        kept: Tensor = blurred[:, :, :: self.factor, :: self.factor]
        return kept


def widths_down(inputs: int, width: int, limit: int, blocks: int) -> Sequence[tuple[int, int]]:
    """Return the channels (in, out) of blocks that each halve the size and double the channels, up to a limit."""
    widths = [inputs] + [min(limit, width * 2**number) for number in range(1, blocks + 1)]
    return list(itertools.pairwise(widths))
