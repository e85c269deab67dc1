"""A range of one take into another, as a new take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..blendshape_rigs.blend import merge_range
from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.mapping import Mapping
from .character import MAPPING_MARK, mapping_of
from .emotion_keys import keeping_emotion
from .retarget import Sampler, read_targets
from .take import Array, key_take, parts_of, provenance_of, read_head, scene_fps
from .take_settings import TakeSettings, settings_of
from .takes import Part, has_body_motion, matched, moved_data, pose_owner, split, take_range


def _sampler(chosen: dict[Any, Part], frames: Array) -> Sampler:
    """Return how the parts of a take are read at ``frames``, whether they play or not."""
    curves = {
        (data, curve.data_path, curve.array_index): curve for data, part in chosen.items() for curve in part.curves
    }

    def sample(data: Any, path: str, index: int) -> Array | None:
        curve = curves.get((data, path, index))
        return None if curve is None else np.array([curve.evaluate(frame) for frame in frames])

    return sample


def whole_range(take: Any) -> tuple[int, int]:
    """Return the first and last whole frame that hold ``take``."""
    first, last = take_range(take)
    return int(np.floor(first + 1e-3)), int(np.ceil(last - 1e-3))


def curves_of(character: Any, take: Any, fps: float) -> FaceCurves:
    """Return ``take`` of ``character``, active or not, sampled at every whole frame; frame 0 is second 0.

    Args:
        character: the mesh object of the face.
        take: its first Action.
        fps: true frame rate of the scene, Hz.
    """
    first, last = whole_range(take)
    frames = np.arange(first, last + 0.5)
    sample = _sampler(matched(split(take), moved_data(character)), frames)
    stored = take.get(MAPPING_MARK)
    mapping = Mapping.from_json(stored) if stored else mapping_of(character)
    rotation, translation = read_head(character, sample, len(frames))
    return FaceCurves(
        mapping.restore(read_targets(character, mapping, sample, len(frames))),
        rotation.astype(np.float32),
        translation.astype(np.float32),
        fps,
        first / fps,
        provenance_of(take),
    )


def merge(scene: Any, character: Any, take: Any, other: Any, frames: tuple[int, int], fade: int) -> Any:
    """Key ``take`` with a range of ``other`` as a new take called "A + B", and return its first Action.

    Where an animator's own Action moves the armature, or object, the new take has no head.

    Args:
        scene: whose frame rate counts.
        character: the mesh object of the face.
        take: what stays outside of the range.
        other: what is taken over, at the same frames of the scene.
        frames: first and last frame of the range.
        fade: frames of the crossfade at each end, inside of the range.

    Raises:
        CurvesError: for a range that one of the takes does not cover.
        TakeError: for a character that cannot be keyed.
    """
    fps = scene_fps(scene)
    base = curves_of(character, take, fps)
    first = whole_range(take)[0]
    merged = merge_range(base, curves_of(character, other, fps), frames[0] - first, frames[1] - first, fade)
    keyed = {part.id_type for part in split(take)}
    head = pose_owner(character).id_type in keyed and not has_body_motion(character)
    with keeping_emotion(character):
        made = key_take(character, merged, f"{take.name} + {other.name}", 0.0, fps, head=head)
    known = settings_of(take) or TakeSettings(character=character.name)
    said = f"frames {frames[0]} to {frames[1]} of '{other.name}' in '{take.name}'"
    for part in parts_of(made):
        replace(known, merged=said, head=head).store(part)
    return made
