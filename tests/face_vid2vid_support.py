"""Tiny networks of Face-vid2vid, and a checkpoint of them in the public layout."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from model_server.models.face_vid2vid import FaceVid2Vid, FaceVid2VidConfig

TINY = FaceVid2VidConfig(
    size=32,
    keypoints=15,
    volume_channels=4,
    volume_depth=4,
    volume_blocks=1,
    extractor_kernel=3,
    extractor_width=4,
    detector_width=4,
    detector_limit=8,
    detector_blocks=1,
    detector_shrink=4,
    estimator_widths=(4, 8, 8, 8, 8),
    estimator_blocks=(1, 1, 1, 2),
    motion_compress=2,
    motion_width=4,
    motion_limit=8,
    motion_blocks=2,
    mask_kernel=3,
    decoder_width=16,
    decoder_last=8,
    decoder_blocks=1,
    spade_width=8,
    discriminator_width=4,
    discriminator_scales=2,
)

_NAMES = (
    ("extractor.first.", "generator.first."),
    ("extractor.down.", "generator.down_blocks."),
    ("extractor.second.", "generator.second."),
    ("extractor.blocks.", "generator.resblocks_3d.3dr"),
    ("generator.flatten.", "generator.third."),
    ("generator.mix.", "generator.fourth."),
    ("generator.enter.", "generator.decoder.fc."),
    ("generator.middle.", "generator.decoder.G_middle_"),
    ("generator.up.", "generator.decoder.up_"),
    ("generator.leave.", "generator.decoder.conv_img."),
    ("motion.hourglass.down.", "generator.dense_motion_network.hourglass.encoder.down_blocks."),
    ("motion.hourglass.up.", "generator.dense_motion_network.hourglass.decoder.up_blocks."),
    ("motion.hourglass.", "generator.dense_motion_network.hourglass.decoder."),
    ("motion.", "generator.dense_motion_network."),
    ("detector.down.", "kp_detector.predictor.down_blocks.down"),
    ("detector.up.", "kp_detector.predictor.up_blocks.up"),
    ("detector.spread.", "kp_detector.predictor.conv."),
    ("detector.score.", "kp_detector.kp."),
    ("estimator.yaw.", "he_estimator.fc_roll."),
    ("estimator.roll.", "he_estimator.fc_yaw."),
    ("estimator.pitch.", "he_estimator.fc_pitch."),
    ("estimator.translation.", "he_estimator.fc_t."),
    ("estimator.expression.", "he_estimator.fc_exp."),
    *((f"estimator.widen.{number}.", f"he_estimator.conv{number + 2}.") for number in range(4)),
    *((f"estimator.norms.{number}.", f"he_estimator.norm{number + 2}.") for number in range(4)),
    *((f"estimator.halve.{number}.", f"he_estimator.block{2 * number + 2}.") for number in range(3)),
    *((f"estimator.stages.{n}.", f"he_estimator.block{2 * n + 1}.b{2 * n + 1}_") for n in range(4)),
    ("estimator.", "he_estimator."),
)
_IN_SPADE = (
    ("conv1.", "conv_0."), ("conv2.", "conv_1."), ("skip_norm.", "norm_s."), ("skip.", "conv_s."),
    ("norm1.", "norm_0."), ("norm2.", "norm_1."), ("shared.", "mlp_shared.0."), ("scale.", "mlp_gamma."),
    ("shift.", "mlp_beta."), ("parametrizations.weight.original", "weight_orig"),
    ("parametrizations.weight.0._u", "weight_u"), ("parametrizations.weight.0._v", "weight_v"),
)  # fmt: skip


def public_tensors() -> tuple[dict[str, Tensor], FaceVid2Vid]:
    """Return the tensors of random tiny networks by their public names, and the networks."""
    torch.manual_seed(1)
    model = FaceVid2Vid(replace(TINY, turned_flow=False, corner_grid=True, discriminator_width=64)).eval()
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(std=0.1)
        elif "expression" in name or "translation" in name:
            value.normal_(std=0.05)
    tensors = {_public_name(name): value.clone() for name, value in model.state_dict().items()}
    tensors["kp_detector.down.weight"] = torch.zeros(3, 1, 13, 13)
    return tensors, model


def _public_name(name: str) -> str:
    for own, public in _NAMES:
        if name.startswith(own):
            rest = name.removeprefix(own)
            if own in ("generator.middle.", "generator.up."):
                for inside, outside in _IN_SPADE:
                    rest = rest.replace(inside, outside)
            return public + rest
    raise AssertionError(name)
