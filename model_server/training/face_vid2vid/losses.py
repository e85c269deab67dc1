"""Face-vid2vid's losses, each a function of tensors; what is known of rendered heads is judged directly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model_server.models.face_vid2vid.geometry import BIN_DEGREES, degrees_to_bins

_NEAR = 0.1  # squared distance below which two keypoints push each other away (paper, appendix A.2)
_DEPTH = 0.33  # mean depth of the keypoints (ibid.)


def hinge_discriminator(real: list[list[Tensor]], drawn: list[list[Tensor]]) -> Tensor:
    """Return the discriminator's loss for what it saw of real and drawn pictures; 0 when sure and right."""
    losses = [functional.relu(1 - judge[-1]).mean() for judge in real]
    losses += [functional.relu(1 + judge[-1]).mean() for judge in drawn]
    return torch.stack(losses).sum() / len(real)


def hinge_generator(drawn: list[list[Tensor]]) -> Tensor:
    """Return the generator's loss: the less, the more real the discriminator finds its pictures."""
    return -torch.stack([judge[-1].mean() for judge in drawn]).mean()


def feature_matching(real: list[list[Tensor]], drawn: list[list[Tensor]]) -> Tensor:
    """Return how far apart the discriminator's features of drawn and real pictures are (Wang et al. 2018)."""
    losses = [
        functional.l1_loss(seen, wanted.detach())
        for fakes, truths in zip(drawn, real, strict=True)
        for seen, wanted in zip(fakes[:-1], truths[:-1], strict=True)
    ]
    return torch.stack(losses).mean()


def keypoint_prior(keypoints: Tensor) -> Tensor:
    """Return how much keypoints (B, K, 3) crowd, and how far their mean depth is from a third.

    Mean over pairs of what their squared distance lacks to 0.1, and the distance of the mean z from 0.33.
    """
    count = keypoints.shape[1]
    apart = (keypoints[:, :, None] - keypoints[:, None]).pow(2).sum(dim=3)
    others = ~torch.eye(count, dtype=torch.bool, device=keypoints.device)
    crowding = functional.relu(_NEAR - apart)[:, others].mean()
    return crowding + (keypoints[..., 2].mean(dim=1) - _DEPTH).abs().mean()


def head_pose(bins: Tensor, degrees: Tensor, truth: Tensor) -> Tensor:
    """Return the mean error of angles in bins, plus the cross entropy of the bins themselves (Ruiz et al. 2018).

    Args:
        bins: (B, 3, bins) scores.
        degrees: (B, 3) angles that follow from them.
        truth: (B, 3) true angles in degrees.
    """
    classes = degrees_to_bins(truth, bins.shape[2])
    entropy = functional.cross_entropy(bins.flatten(0, 1), classes.flatten())
    return functional.l1_loss(degrees, truth) / BIN_DEGREES + 0.1 * entropy


def deformation_prior(expression: Tensor) -> Tensor:
    """Return the mean size of the expression's movements (B, K, 3): what is no expression is left to the pose."""
    return expression.abs().mean()


def flow_error(flow: Tensor, driving: Tensor, source: Tensor, known: Tensor) -> Tensor:
    """Return the mean distance between where the flow says that points come from and where they do.

    Args:
        flow: (B, D, H, W, 3).
        driving, source: (B, P, 3) places of the same points of the surface in both pictures.
        known: (B, P) bool, points seen in both.
    """
    volume = flow.permute(0, 4, 1, 2, 3)
    read = functional.grid_sample(volume, driving[:, :, None, None], padding_mode="border", align_corners=False)
    error = (read[..., 0, 0].transpose(1, 2) - source).abs().mean(dim=2)
    return (error * known).sum() / known.sum().clamp(min=1)


@dataclass(frozen=True)
class Distortion:
    """A random affine map and thin-plate spline of the picture's plane (Siarohin et al. 2019).

    Attributes:
        matrix: (B, 2, 3).
        centres: (N, 2) control points.
        weights: (B, N) how far each bends the plane.
    """

    matrix: Tensor
    centres: Tensor
    weights: Tensor

    @classmethod
    def random(cls, batch: int, generator: torch.Generator, device: torch.device) -> Distortion:
        """Return ``batch`` slight distortions."""
        noise = 0.05 * torch.randn(batch, 2, 3, generator=generator)
        line = torch.linspace(-1, 1, 5)
        centres = torch.cartesian_prod(line, line)
        weights = 0.005 * torch.randn(batch, len(centres), generator=generator)
        return cls((noise + torch.eye(2, 3)).to(device), centres.to(device), weights.to(device))

    def __call__(self, points: Tensor) -> Tensor:
        """Return where points (B, N, 2) go."""
        moved = points @ self.matrix[:, :, :2].transpose(1, 2) + self.matrix[:, None, :, 2]
        distance = (points[:, :, None] - self.centres).abs().sum(dim=3)
        bend = distance.pow(2) * (distance + 1e-6).log()
        return moved + (bend * self.weights[:, None]).sum(dim=2, keepdim=True)

    def picture(self, picture: Tensor) -> Tensor:
        """Return pictures (B, C, H, W) distorted: what it shows at p, the original showed at self(p)."""
        height, width = picture.shape[2:]
        rows = (2 * torch.arange(height, device=picture.device, dtype=torch.float32) + 1) / height - 1
        columns = (2 * torch.arange(width, device=picture.device, dtype=torch.float32) + 1) / width - 1
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], dim=2).reshape(1, -1, 2)
        at = self(grid.expand(len(picture), -1, -1)).reshape(-1, height, width, 2)
        return functional.grid_sample(picture, at, padding_mode="reflection", align_corners=False)


def equivariance(keypoints: Tensor, of_distorted: Tensor, distortion: Distortion) -> Tensor:
    """Return how far keypoints fail to follow a distortion of the picture.

    Args:
        keypoints: (B, K, 3) of the picture.
        of_distorted: (B, K, 3) of the distorted picture.
        distortion: what was done to it.
    """
    return functional.l1_loss(distortion(of_distorted[..., :2]), keypoints[..., :2])
