"""Reads checkpoints in the layout in which Face-vid2vid is commonly published.

One file with the tables ``generator``, ``kp_detector`` and ``he_estimator`` (a discriminator and optimisers beside them
are left out), or a safetensors file with the same dotted names. Sizes are read from the tensors' shapes; the picture's
size is not in the file. What such files mean by their numbers is in ``docs/face_vid2vid.md``.

Nearly all public weights were trained on VoxCeleb or similar data and may not be used commercially.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from model_server.errors import WeightsError

from .config import FaceVid2VidConfig
from .model import FaceVid2Vid
from .tensor_file import read_tensors

_log = logging.getLogger(__name__)

_TABLES = ("generator", "kp_detector", "he_estimator")

_RULES = (
    (r"generator\.first\.", "extractor.first."),
    (r"generator\.down_blocks\.(\d+)\.", r"extractor.down.\1."),
    (r"generator\.second\.", "extractor.second."),
    (r"generator\.resblocks_3d\.3dr(\d+)\.", r"extractor.blocks.\1."),
    (r"generator\.third\.", "generator.flatten."),
    (r"generator\.fourth\.", "generator.mix."),
    (r"generator\.decoder\.fc\.", "generator.enter."),
    (r"generator\.decoder\.G_middle_(\d+)\.", r"generator.middle.\1."),
    (r"generator\.decoder\.up_(\d+)\.", r"generator.up.\1."),
    (r"generator\.decoder\.conv_img\.", "generator.leave."),
    (r"generator\.dense_motion_network\.hourglass\.encoder\.down_blocks\.(\d+)\.", r"motion.hourglass.down.\1."),
    (r"generator\.dense_motion_network\.hourglass\.decoder\.up_blocks\.(\d+)\.", r"motion.hourglass.up.\1."),
    (r"generator\.dense_motion_network\.hourglass\.decoder\.(conv|norm)\.", r"motion.hourglass.\1."),
    (r"generator\.dense_motion_network\.(mask|compress|norm|occlusion)\.", r"motion.\1."),
    (r"kp_detector\.predictor\.down_blocks\.down(\d+)\.", r"detector.down.\1."),
    (r"kp_detector\.predictor\.conv\.", "detector.spread."),
    (r"kp_detector\.predictor\.up_blocks\.up(\d+)\.", r"detector.up.\1."),
    (r"kp_detector\.kp\.", "detector.score."),
    (r"he_estimator\.(conv1|norm1)\.", r"estimator.\1."),
    # The layout's head "fc_roll" gives the yaw and "fc_yaw" the roll.
    (r"he_estimator\.fc_roll\.", "estimator.yaw."),
    (r"he_estimator\.fc_yaw\.", "estimator.roll."),
    (r"he_estimator\.fc_pitch\.", "estimator.pitch."),
    (r"he_estimator\.fc_t\.", "estimator.translation."),
    (r"he_estimator\.fc_exp\.", "estimator.expression."),
)
"""Beginnings of public names, and what the networks here call the same; the first that fits counts."""

_INSIDE = {
    "conv_0.": "conv1.",
    "conv_1.": "conv2.",
    "conv_s.": "skip.",
    "norm_0.": "norm1.",
    "norm_1.": "norm2.",
    "norm_s.": "skip_norm.",
    "mlp_shared.0.": "shared.",
    "mlp_gamma.": "scale.",
    "mlp_beta.": "shift.",
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
}
"""Parts of names inside the generator's SPADE blocks; the last three are the old keys of spectral normalisation."""

_COMPUTED = ("kp_detector.down.weight",)
"""Tensors of the layout that are no weights: the blur before the keypoint detector."""


def load_public(path: Path, size: int = 256) -> FaceVid2Vid:
    """Return the networks of a public checkpoint, ready for use (evaluation mode, no gradients).

    Args:
        path: ``.safetensors``, or PyTorch's ``.pth``, ``.pt`` or ``.tar``; nothing but tensors is read.
        size: pixels of a side of the pictures that they were trained on.

    Raises:
        WeightsError: for a file that is missing or broken, or that has other parts or sizes.
    """
    tensors = {name.replace("module.", ""): value for name, value in read_tensors(path).items()}
    tensors = {name: value for name, value in tensors.items() if name.split(".")[0] in _TABLES}
    lacking = [table for table in _TABLES if not any(name.startswith(table + ".") for name in tensors)]
    if lacking:
        raise WeightsError(
            f"'{path.name}' lacks {', '.join(lacking)}; give one file with generator, kp_detector and he_estimator"
        )
    renamed = {own_name(name): value for name, value in tensors.items() if name not in _COMPUTED}
    try:
        model = FaceVid2Vid(_sizes(tensors, size))
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(f"'{path.name}' is no Face-vid2vid with a SPADE generator ({error})") from error
    _fill(model, renamed, path.name)
    _log.warning(
        "'%s' is a checkpoint of others: most public Face-vid2vid weights may not be used commercially; check its "
        "licence",
        path.name,
    )
    return model.eval().requires_grad_(False)


def own_name(name: str) -> str:
    """Return what the networks here call the tensor ``name`` of a public checkpoint; an unknown name stays."""
    for pattern, replacement in _RULES:
        match = re.match(pattern, name)
        if match:
            rest = name[match.end() :]
            if replacement.startswith(("generator.middle", "generator.up")):
                for old, new in _INSIDE.items():
                    rest = rest.replace(old, new)
            return match.expand(replacement) + rest
    return _estimator_name(name)


def _estimator_name(name: str) -> str:
    """Return the name of a tensor of the estimator's stages: convolutions 2 to 5, blocks 1 to 7."""
    match = re.match(r"he_estimator\.(conv|norm)(\d)\.", name)
    if match:
        return f"estimator.{'widen' if match[1] == 'conv' else 'norms'}.{int(match[2]) - 2}.{name[match.end() :]}"
    match = re.match(r"he_estimator\.block(\d)\.(?:b\d_(\d+)\.)?", name)
    if match is None:
        return name
    block = int(match[1])
    place = f"stages.{block // 2}.{match[2]}" if block % 2 else f"halve.{block // 2 - 1}"
    return f"estimator.{place}.{name[match.end() :]}"


def _sizes(tensors: Mapping[str, Tensor], size: int) -> FaceVid2VidConfig:
    """Return the sizes of the networks whose tensors these are.

    Raises:
        KeyError: for a tensor that is not there.
    """

    def outputs(name: str) -> int:
        return int(tensors[f"{name}.weight"].shape[0])

    def count(pattern: str) -> int:
        return len({match[0] for name in tensors if (match := re.match(pattern, name))})

    motion, detector = "generator.dense_motion_network", "kp_detector.predictor.down_blocks.down"
    encoder = f"{motion}.hourglass.encoder.down_blocks."
    motion_blocks = count(re.escape(encoder) + r"\d+\.")
    detector_blocks = count(re.escape(detector) + r"\d+\.")
    channels = outputs("generator.resblocks_3d.3dr0.conv1")
    return FaceVid2VidConfig(
        size=size,
        keypoints=outputs("he_estimator.fc_exp") // 3,
        volume_channels=channels,
        volume_depth=outputs("generator.second") // channels,
        volume_blocks=count(r"generator\.resblocks_3d\.3dr\d+\."),
        extractor_kernel=int(tensors["generator.first.conv.weight"].shape[-1]),
        extractor_width=outputs("generator.first.conv"),
        detector_width=outputs(f"{detector}0.conv") // 2,
        detector_limit=max(outputs(f"{detector}{number}.conv") for number in range(detector_blocks)),
        detector_blocks=detector_blocks,
        estimator_widths=tuple(outputs(f"he_estimator.conv{number}") for number in range(1, 6)),
        estimator_blocks=tuple(count(rf"he_estimator\.block{number}\.b{number}_\d+\.") for number in (1, 3, 5, 7)),
        bins=outputs("he_estimator.fc_yaw"),
        motion_compress=outputs(f"{motion}.compress"),
        motion_width=outputs(f"{encoder}0.conv") // 2,
        motion_limit=max(outputs(f"{encoder}{number}.conv") for number in range(motion_blocks)),
        motion_blocks=motion_blocks,
        mask_kernel=int(tensors[f"{motion}.mask.weight"].shape[-1]),
        decoder_width=outputs("generator.fourth"),
        decoder_last=int(tensors["generator.decoder.conv_img.weight"].shape[1]),
        decoder_blocks=count(r"generator\.decoder\.G_middle_\d+\."),
        spade_width=outputs("generator.decoder.up_0.norm_0.mlp_shared.0"),
        turned_flow=False,
        corner_grid=True,
    )


def _fill(model: FaceVid2Vid, tensors: dict[str, Tensor], name: str) -> None:
    """Put the tensors into the networks, or say in one line which do not fit."""
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in tensors and not key.endswith("num_batches_tracked")]
    unknown = [key for key in tensors if key not in wanted]
    shaped = [key for key in tensors if key in wanted and tensors[key].shape != wanted[key].shape]
    problems = []
    for what, keys in (("missing", missing), ("unknown", unknown), ("of another size", shaped)):
        if keys:
            problems.append(f"{len(keys)} {what} (such as {keys[0]})")
    if problems:
        raise WeightsError(f"'{name}' does not fit Face-vid2vid: tensors {'; '.join(problems)}")
    model.load_state_dict(tensors, strict=False)
