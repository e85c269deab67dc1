"""Coordinates, rotations, heat maps and warps. Axes: x to the right, y down, z away from the viewer, -1 to 1.

Places are computed in single precision wherever the networks compute in half: half a cell is too much of an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional

BIN_DEGREES = 3.0


def coordinate_grid(shape: Sequence[int], corners: bool, like: Tensor) -> Tensor:
    """Return the places of cells, (*shape, n) with x first, for a ``shape`` such as (depth, height, width).

    Args:
        shape: cells along each axis, x last.
        corners: -1 and 1 are the centres of the border cells; else their outer edges, as ``grid_sample`` takes them.
        like: tensor of the wanted device; the grid is float32.
    """
    axes = []
    for count in shape:
        steps = torch.arange(count, device=like.device, dtype=torch.float32)
        axes.append(2 * steps / max(count - 1, 1) - 1 if corners else (2 * steps + 1) / count - 1)
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)


def rotation_matrix(degrees: Tensor) -> Tensor:
    """Return rotations (B, 3, 3) of pitch, yaw, roll (B, 3) in degrees: about x, y, z, pitch applied last."""
    pitch, yaw, roll = (degrees * (math.pi / 180)).unbind(dim=1)
    zero, one = torch.zeros_like(pitch), torch.ones_like(pitch)

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, dim=1).reshape(-1, 3, 3)

    about_x = matrix(one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos())
    about_y = matrix(yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos())
    about_z = matrix(roll.cos(), -roll.sin(), zero, roll.sin(), roll.cos(), zero, zero, zero, one)
    with _exact(degrees):
        return about_x @ about_y @ about_z


def rotation_degrees(rotation: Tensor) -> Tensor:
    """Return pitch, yaw, roll (B, 3) in degrees of (B, 3, 3); undoes :func:`rotation_matrix` for yaw within ±90°."""
    yaw = torch.asin(rotation[:, 0, 2].clamp(-1, 1))
    pitch = torch.atan2(-rotation[:, 1, 2], rotation[:, 2, 2])
    roll = torch.atan2(-rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack([pitch, yaw, roll], dim=1) * (180 / math.pi)


def bins_to_degrees(logits: Tensor) -> Tensor:
    """Return the expected angle (...) in degrees of scores (..., bins): 3 a bin, -99 at the first of 66."""
    count = logits.shape[-1]
    number = torch.arange(count, device=logits.device, dtype=torch.float32)
    share = logits.float().softmax(dim=-1)
    return (share * number).sum(dim=-1) * BIN_DEGREES - BIN_DEGREES * count / 2


def degrees_to_bins(degrees: Tensor, count: int) -> Tensor:
    """Return the nearest bin (...) int64 of angles in degrees; undoes :func:`bins_to_degrees` to half a bin."""
    return ((degrees + BIN_DEGREES * count / 2) / BIN_DEGREES).round().long().clamp(0, count - 1)


def place_keypoints(canonical: Tensor, rotation: Tensor, translation: Tensor, expression: Tensor) -> Tensor:
    """Return canonical keypoints (B, K, 3) turned (B, 3, 3), moved (B, 3), and with ``expression`` (B, K, 3) added."""
    with _exact(canonical):
        return canonical @ rotation.transpose(1, 2) + translation[:, None] + expression


def turn_between(source: Tensor, driving: Tensor) -> Tensor:
    """Return the rotation (B, 3, 3) from heads that are turned as ``driving`` (B, 3, 3) to ``source`` (B, 3, 3)."""
    with _exact(source):
        return source @ driving.transpose(1, 2)


def expected_places(scores: Tensor, temperature: float, corners: bool) -> Tensor:
    """Return the mean place (B, K, 3) float32 of the shares that scores (B, K, D, H, W) give to cells."""
    scores = scores.float()
    share = (scores.flatten(2) / temperature).softmax(dim=2)
    grid = coordinate_grid(scores.shape[2:], corners, scores).reshape(-1, 3)
    with _exact(scores):
        return share @ grid


def mixed_flow(scores: Tensor, flows: Tensor) -> Tensor:
    """Return the flow (B, D, H, W, 3) float32 that scores (B, N, D, H, W) mix of flows (B, N, D, H, W, 3)."""
    shares = scores.float().softmax(dim=1)
    with _exact(flows):
        return torch.einsum("bkdhw,bkdhwx->bdhwx", shares, flows)


def _exact(tensor: Tensor) -> AbstractContextManager[object]:
    """Return the context in which products of this tensor are not rounded to half precision."""
    kind = tensor.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def heat_maps(keypoints: Tensor, shape: Sequence[int], corners: bool, variance: float = 0.01) -> Tensor:
    """Return Gaussians (B, K, *shape) about keypoints (B, K, 3), 1 at their middles.

    The Gaussian of an axis-parallel grid is a product of three, which is quicker than a distance at every cell.
    """
    parts = []
    for axis, count in zip((2, 1, 0), shape, strict=True):
        line = coordinate_grid((count,), corners, keypoints)[:, 0]
        parts.append(torch.exp(-0.5 * (line - keypoints[..., axis, None]) ** 2 / variance))
    return parts[0][..., :, None, None] * parts[1][..., None, :, None] * parts[2][..., None, None, :]


def sparse_flows(source: Tensor, driving: Tensor, turn: Tensor | None, shape: Sequence[int], corners: bool) -> Tensor:
    """Return for each keypoint and, first, the background, where each cell comes from: (B, K + 1, *shape, 3).

    Args:
        source: (B, K, 3) keypoints of the source picture.
        driving: (B, K, 3) keypoints of the wanted picture.
        turn: (B, 3, 3) rotation from the wanted head to the source's; None to shift only.
        shape: depth, height and width.
        corners: as in :func:`coordinate_grid`.
    """
    grid = coordinate_grid(shape, corners, source)
    offset = grid - driving[:, :, None, None, None]
    if turn is not None:
        with _exact(offset):
            offset = torch.einsum("bij,bkdhwj->bkdhwi", turn, offset)
    moved = offset + source[:, :, None, None, None]
    still = grid.expand(len(source), 1, *grid.shape)
    return torch.cat([still, moved], dim=1)


def warp(volume: Tensor, flow: Tensor) -> Tensor:
    """Return ``volume`` (B, C, D, H, W) read at ``flow`` (B, D, H, W, 3), which is never rounded."""
    read = functional.grid_sample(volume.float(), flow.float(), align_corners=False)
    return read.to(volume.dtype)
