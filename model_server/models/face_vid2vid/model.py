"""Face-vid2vid's networks: appearance, canonical keypoints, pose and expression, motion, generator."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import FaceVid2VidConfig
from .geometry import (
    bins_to_degrees,
    expected_places,
    heat_maps,
    mixed_flow,
    place_keypoints,
    rotation_matrix,
    sparse_flows,
    warp,
)
from .layers import (
    Bottleneck,
    Down2d,
    Hourglass3d,
    Residual3d,
    Same2d,
    SmoothShrink,
    SpadeResidual,
    Up3d,
    widths_down,
)

_TEMPERATURE = 0.1


@dataclass(frozen=True)
class Pose:
    """How a head is held and what its face does.

    Attributes:
        bins: (B, 3, bins) scores of pitch, yaw and roll.
        translation: (B, 3), in picture units.
        expression: (B, K, 3) movement of each keypoint, in picture units.
    """

    bins: Tensor
    translation: Tensor
    expression: Tensor

    @property
    def degrees(self) -> Tensor:
        """(B, 3) pitch, yaw, roll in degrees."""
        return bins_to_degrees(self.bins)

    def place(self, canonical: Tensor) -> Tensor:
        """Return (B, K, 3): the canonical keypoints (B, K, 3) of a person as this pose shows them."""
        return place_keypoints(canonical, rotation_matrix(self.degrees), self.translation, self.expression)


@dataclass(frozen=True)
class Drawn:
    """A generated picture and how it came about.

    Attributes:
        picture: (B, 3, S, S) in 0..1.
        flow: (B, D, h, w, 3), where each cell of the volume comes from.
        occlusion: (B, 1, h, w) in 0..1, how far the warped features are to be believed.
    """

    picture: Tensor
    flow: Tensor
    occlusion: Tensor


class AppearanceExtractor(nn.Module):
    """One picture to a volume of features."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        width = config.extractor_width
        self.depth = config.volume_depth
        self.first = Same2d(3, width, config.extractor_kernel)
        self.down = nn.ModuleList([Down2d(width, 2 * width), Down2d(2 * width, 4 * width)])
        self.second = nn.Conv2d(4 * width, config.volume_channels * config.volume_depth, 1)
        self.blocks = nn.ModuleList(Residual3d(config.volume_channels) for _ in range(config.volume_blocks))

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, C, D, S / 4, S / 4) of pictures (B, 3, S, S)."""
        hidden = self.first(picture)
        for block in self.down:
            hidden = block(hidden)
        flat = self.second(hidden)
        volume: Tensor = flat.reshape(len(flat), -1, self.depth, *flat.shape[2:])
        for block in self.blocks:
            volume = block(volume)
        return volume


class KeypointDetector(nn.Module):
    """One picture to the canonical keypoints of whom it shows: without the head's pose and the face's expression."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        width, limit, blocks = config.detector_width, config.detector_limit, config.detector_blocks
        self.depth, self.corners = config.volume_depth, config.corner_grid
        self.shrink = SmoothShrink(3, config.detector_shrink)
        steps = widths_down(3, width, limit, blocks)
        self.down = nn.ModuleList(Down2d(*pair) for pair in steps)
        deepest = steps[-1][1]
        self.spread = nn.Conv2d(deepest, deepest * self.depth, 1)
        targets = [min(limit, width * 2**number) for number in reversed(range(blocks))]
        self.up = nn.ModuleList(Up3d(*pair) for pair in zip([deepest, *targets], targets, strict=False))
        self.score = nn.Conv3d(targets[-1], config.keypoints, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, K, 3) float32 of pictures (B, 3, S, S)."""
        hidden = self.shrink(picture)
        for block in self.down:
            hidden = block(hidden)
        flat = self.spread(hidden)
        volume = flat.reshape(len(flat), -1, self.depth, *flat.shape[2:])
        for block in self.up:
            volume = block(volume)
        return expected_places(self.score(volume), _TEMPERATURE, self.corners)


class PoseEstimator(nn.Module):
    """One picture to head pose, translation and expression: a ResNet with bottlenecks."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        widths, counts = config.estimator_widths, config.estimator_blocks
        self.keypoints, self.bins = config.keypoints, config.bins
        self.conv1, self.norm1 = nn.Conv2d(3, widths[0], 7, 2, 3), nn.BatchNorm2d(widths[0])
        self.widen = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        # The first stage keeps its size, each of the others begins by halving it.
        self.halve = nn.ModuleList(Bottleneck(width, 2) for width in widths[2:])
        self.stages = nn.ModuleList(
            nn.ModuleList(Bottleneck(width) for _ in range(count))
            for width, count in zip(widths[1:], counts, strict=True)
        )
        self.pitch, self.yaw, self.roll = (nn.Linear(widths[-1], config.bins) for _ in range(3))
        self.translation = nn.Linear(widths[-1], 3)
        self.expression = nn.Linear(widths[-1], 3 * config.keypoints)
        # Heads begin where they are, with no expression: large first guesses throw the keypoints out of the picture.
        for layer in (self.translation, self.expression):
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)

    def forward(self, picture: Tensor) -> Pose:
        """Return the poses of pictures (B, 3, S, S)."""
        hidden = functional.relu(self.norm1(self.conv1(picture)))
        hidden = functional.max_pool2d(hidden, 3, 2, 1)
        for number, (widen, norm, stage) in enumerate(zip(self.widen, self.norms, self.stages, strict=True)):
            hidden = functional.relu(norm(widen(hidden)))
            if number:
                hidden = self.halve[number - 1](hidden)
            for block in stage:  # type: ignore[attr-defined]
                hidden = block(hidden)
        pooled = hidden.mean(dim=(2, 3))
        bins = torch.stack([self.pitch(pooled), self.yaw(pooled), self.roll(pooled)], dim=1)
        expression = self.expression(pooled).float().reshape(-1, self.keypoints, 3)
        return Pose(bins.float(), self.translation(pooled).float(), expression)


class DenseMotion(nn.Module):
    """Two sets of keypoints to one flow of the whole volume, and to where the warped volume is to be believed."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        self.corners = config.corner_grid
        flows = config.keypoints + 1
        self.compress = nn.Conv3d(config.volume_channels, config.motion_compress, 1)
        self.norm = nn.BatchNorm3d(config.motion_compress)
        self.hourglass = Hourglass3d(
            flows * (config.motion_compress + 1), config.motion_width, config.motion_limit, config.motion_blocks
        )
        self.mask = nn.Conv3d(self.hourglass.outputs, flows, config.mask_kernel, padding=config.mask_kernel // 2)
        self.occlusion = nn.Conv2d(self.hourglass.outputs * config.volume_depth, 1, 7, padding=3)

    def forward(self, volume: Tensor, source: Tensor, driving: Tensor, turn: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the flow (B, D, H, W, 3) and the occlusion (B, 1, H, W) in 0..1.

        Args:
            volume: (B, C, D, H, W) features of the source picture.
            source, driving: (B, K, 3) keypoints.
            turn: (B, 3, 3) rotation from the driving head to the source's, or None.
        """
        shape = volume.shape[2:]
        flows = sparse_flows(source, driving, turn, shape, self.corners)
        features = functional.relu(self.norm(self.compress(volume)))
        batch, count = flows.shape[:2]
        repeated = features[:, None].expand(batch, count, *features.shape[1:]).flatten(0, 1)
        warped = warp(repeated, flows.flatten(0, 1)).reshape(batch, count, -1, *shape)
        change = heat_maps(driving, shape, self.corners) - heat_maps(source, shape, self.corners)
        change = functional.pad(change, (0, 0, 0, 0, 0, 0, 1, 0))
        hidden = self.hourglass(torch.cat([change[:, :, None].to(warped.dtype), warped], dim=2).flatten(1, 2))
        occlusion = torch.sigmoid(self.occlusion(hidden.flatten(1, 2)).float())
        return mixed_flow(self.mask(hidden), flows), occlusion


class Generator(nn.Module):
    """A warped volume to a picture: SPADE blocks steered by the volume, twice doubled in size."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        width, hidden = config.decoder_width, config.spade_width
        self.flatten = Same2d(config.volume_channels * config.volume_depth, width, 3, leak=0.01)
        self.mix = nn.Conv2d(width, width, 1)
        self.enter = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.middle = nn.ModuleList(
            SpadeResidual(2 * width, 2 * width, width, hidden) for _ in range(config.decoder_blocks)
        )
        self.up = nn.ModuleList(
            [SpadeResidual(2 * width, width, width, hidden), SpadeResidual(width, config.decoder_last, width, hidden)]
        )
        self.leave = nn.Conv2d(config.decoder_last, 3, 3, padding=1)

    def forward(self, warped: Tensor, occlusion: Tensor) -> Tensor:
        """Return (B, 3, 4 H, 4 W) in 0..1 of (B, C, D, H, W) and (B, 1, H, W)."""
        steer = self.mix(self.flatten(warped.flatten(1, 2))) * occlusion.to(warped.dtype)
        hidden = self.enter(steer)
        for block in self.middle:
            hidden = block(hidden, steer)
        for block in self.up:
            hidden = block(functional.interpolate(hidden, scale_factor=2), steer)
        return torch.sigmoid(self.leave(functional.leaky_relu(hidden, 0.2)).float())


class FaceVid2Vid(nn.Module):
    """All networks that are needed to animate a picture."""

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        self.config = config
        self.extractor = AppearanceExtractor(config)
        self.detector = KeypointDetector(config)
        self.estimator = PoseEstimator(config)
        self.motion = DenseMotion(config)
        self.generator = Generator(config)

    def draw(self, volume: Tensor, source: Tensor, driving: Tensor, turn: Tensor) -> Drawn:
        """Return the picture in which a source has the driving keypoints.

        Args:
            volume: (B, C, D, S / 4, S / 4) from :class:`AppearanceExtractor`.
            source, driving: (B, K, 3) placed keypoints.
            turn: (B, 3, 3) rotation from the driving head to the source's: source @ driving transposed.
        """
        flow, occlusion = self.motion(volume, source, driving, turn if self.config.turned_flow else None)
        return Drawn(self.generator(warp(volume, flow), occlusion), flow, occlusion)
