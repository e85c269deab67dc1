"""Face-vid2vid's training: what it sees, its loss, and the pictures that show how far it is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_server.models.face_vid2vid import Drawn, FaceVid2Vid, Pose
from model_server.models.face_vid2vid.discriminator import Adversaries
from model_server.models.face_vid2vid.geometry import rotation_degrees, turn_between
from model_server.portrait.arrays import Bytes
from model_server.training.compute import PROCESSOR, Compute
from model_server.training.configs import FaceVid2VidTraining, LossWeights
from model_server.training.loop import Validate
from model_server.training.performance_training import Prepared, Progress

from . import losses
from .clips import ClipFiles, Faces, Pairs, Truth, find_faces
from .perceptual import FilterFeatures, VggFeatures, perceptual

_log = logging.getLogger(__name__)
_VALIDATION_BATCHES, _VALIDATION_BATCH = 6, 4
_GRID_ROWS = 5


class FaceLoss:
    """All losses of the paper, and direct ones where keypoints, pose and flow are known.

    Args:
        faces: what is drawn from.
        weights: of the losses.
        features: what perceptual loss compares by.
        compute: where the networks are, and their precision.
    """

    def __init__(self, faces: Faces, weights: LossWeights, features: nn.Module, compute: Compute = PROCESSOR) -> None:
        self.faces, self.weights, self.compute = faces, weights, compute
        self.features = features.to(compute.device)

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of both adversaries, whose gradients do not meet, and its parts."""
        assert isinstance(model, Adversaries)
        weights = self.weights
        pairs = self.faces.pairs(batch, weights.rendered_share, generator, self.compute)
        teach = bool(torch.rand((), generator=generator) < weights.true_keypoints) and model.training
        with self.compute.autocast():
            canonical, poses, drawn = reenact(model.faces, pairs, pairs.truth if teach else None)
        placed = poses.place(torch.cat([canonical, canonical]))
        parts = {
            "perceptual": perceptual(self.features, drawn.picture, pairs.pictures[1], weights.sizes),
            "pose": losses.head_pose(poses.bins, poses.degrees, rotation_degrees(pairs.rotation.flatten(0, 1))),
            "expression": losses.deformation_prior(poses.expression),
            "equivariance": self._equivariance(model.faces, pairs, placed[batch:], generator),
        }
        if pairs.truth is None:
            parts["keypoint_prior"] = losses.keypoint_prior(placed[batch:])
        else:
            parts |= _known(pairs.truth, canonical, poses, placed, drawn)
        if weights.more_poses and self.faces.rendered and model.training:
            for name, part in self._more_poses(model.faces, self.faces.rendered, generator).items():
                parts[name] = (parts[name] + part) / 2 if name in parts else part
        if weights.adversarial and model.training:
            parts |= self._adversarial(model, drawn.picture, pairs.pictures[1])
        total = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
        figures = {name: float(part.detach()) for name, part in parts.items()}
        # What an unmoved photograph would cost: drawing begins to be worth it below.
        figures["pixels"] = float(functional.l1_loss(drawn.picture.detach(), pairs.pictures[1]))
        figures["pixels_unmoved"] = float(functional.l1_loss(pairs.pictures[0], pairs.pictures[1]))
        return total, figures

    def _equivariance(self, faces: FaceVid2Vid, pairs: Pairs, placed: Tensor, generator: torch.Generator) -> Tensor:
        distortion = losses.Distortion.random(len(placed), generator, placed.device)
        distorted = distortion.picture(pairs.pictures[1])
        with self.compute.autocast():
            canonical, pose = faces.detector(distorted), faces.estimator(distorted)
        return losses.equivariance(placed, pose.place(canonical), distortion)

    def _more_poses(self, faces: FaceVid2Vid, clips: ClipFiles, generator: torch.Generator) -> dict[str, Tensor]:
        """Return losses of the pose estimator on further heads, whose canonical keypoints are known."""
        pairs = clips.pairs(self.weights.more_poses, generator, self.compute)
        truth = pairs.truth
        assert truth is not None
        with self.compute.autocast():
            poses = faces.estimator(pairs.pictures.flatten(0, 1))
        placed = poses.place(torch.cat([truth.canonical, truth.canonical]))
        return {
            "pose": losses.head_pose(poses.bins, poses.degrees, rotation_degrees(pairs.rotation.flatten(0, 1))),
            "keypoints": functional.l1_loss(placed, truth.keypoints.flatten(0, 1)),
            "translation": functional.l1_loss(poses.translation, truth.translation.flatten(0, 1)),
        }

    def _adversarial(self, model: Adversaries, drawn: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        with self.compute.autocast():
            real = model.judge(wanted, learns=True)
            seen = model.judge(drawn.detach(), learns=True)
            judged = model.judge(drawn, learns=False)
        return {
            "adversarial": losses.hinge_generator(judged),
            "matching": losses.feature_matching(real, judged),
            "discriminator": losses.hinge_discriminator(real, seen),
        }


def reenact(faces: FaceVid2Vid, pairs: Pairs, truth: Truth | None) -> tuple[Tensor, Pose, Drawn]:
    """Draw the driving pictures from the source pictures.

    Args:
        faces: the networks.
        pairs: what is given.
        truth: place the keypoints as they truly are instead of as they are found.

    Returns:
        Canonical keypoints of the sources (B, K, 3), poses of the sources and then of the driving pictures (2 B), and
        what was drawn.
    """
    source, driving = pairs.pictures
    canonical, poses = faces.detector(source), faces.estimator(torch.cat([source, driving]))
    if truth is None:
        first, second = poses.place(torch.cat([canonical, canonical])).chunk(2)
    else:
        first, second = truth.keypoints
    turn = turn_between(*pairs.rotation)
    return canonical, poses, faces.draw(faces.extractor(source), first, second, turn)


def _known(truth: Truth, canonical: Tensor, poses: Pose, placed: Tensor, drawn: Drawn) -> dict[str, Tensor]:
    """Return the losses on what is known of rendered heads."""
    return {
        "keypoints": functional.l1_loss(placed, truth.keypoints.flatten(0, 1)),
        "canonical": functional.l1_loss(canonical, truth.canonical),
        "translation": functional.l1_loss(poses.translation, truth.translation.flatten(0, 1)),
        "flow": losses.flow_error(drawn.flow, truth.points[1], truth.points[0], truth.seen),
    }


def validation(loss: FaceLoss) -> Validate:
    """Return a function that measures a loss on always the same pairs, and how much better than the source it is."""

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        generator = torch.Generator().manual_seed(1)
        rows: list[dict[str, float]] = []
        for _ in range(_VALIDATION_BATCHES):
            value, figures = loss(model, _VALIDATION_BATCH, generator)
            rows.append({"loss": float(value), **figures})
        names = dict.fromkeys(name for row in rows for name in row)
        return {f"validation_{name}": float(np.mean([row[name] for row in rows if name in row])) for name in names}

    return measure


def sample_grid(model: nn.Module, faces: Faces, compute: Compute = PROCESSOR) -> Bytes:
    """Return a picture (H, W, 3) uint8 RGB: rows of source, wanted picture and what was drawn, of people held out."""
    assert isinstance(model, Adversaries)
    pairs = faces.pairs(_GRID_ROWS, 1.0, torch.Generator().manual_seed(2), compute)
    with torch.no_grad(), compute.autocast():
        _, _, drawn = reenact(model.faces, pairs, None)
    rows = torch.cat([*pairs.pictures, drawn.picture.float()], dim=3).permute(0, 2, 3, 1).flatten(0, 1)
    return np.asarray((255 * rows.clamp(0, 1)).round().byte().cpu().numpy(), np.uint8)


def perceptual_features(vgg: str) -> nn.Module:
    """Return what perceptual loss compares by: VGG19 with the weights in the file ``vgg``, or fixed filters."""
    return VggFeatures(Path(vgg)) if vgg else FilterFeatures()


def prepare(
    config: FaceVid2VidTraining, start: nn.Module | None, compute: Compute, progress: Progress = None
) -> Prepared:
    """Return what the loop needs to train Face-vid2vid; ``start`` may be whole or without its discriminator."""
    training, held_out = find_faces(config.data.folders, config.model.size)
    features = perceptual_features(config.data.vgg)
    if not config.data.vgg:
        _log.warning(
            "data.vgg names no weights of VGG19: pictures are compared by colours and edges, which makes blurrier faces"
        )
    model = start if isinstance(start, Adversaries) else Adversaries(config.model)
    if isinstance(start, FaceVid2Vid):
        model.faces.load_state_dict(start.state_dict())
    loss = FaceLoss(training, config.weights, features, compute)
    facts: Mapping[str, object] = {
        "clips": len(training),
        "held_out": len(held_out),
        "perceptual": "VGG19" if config.data.vgg else "filters",
    }
    return Prepared(
        model,
        loss,
        validation(FaceLoss(held_out, config.weights, features, compute)),
        facts,
        "validation_perceptual",
        lambda averaged: sample_grid(averaged, held_out, compute),
    )
