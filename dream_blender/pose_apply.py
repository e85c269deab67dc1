"""Put a viseme or an emotion on any character, through its mapping."""

from __future__ import annotations

from typing import Any

import numpy as np
from mathutils import Euler, Quaternion

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.mapping import BoneChannel, Mapping
from ..blendshape_rigs.poses import FacePose
from .character import mapped_bones, mapping_of, shape_targets
from .head_target import HeadTarget, armature_of, remember_rest, remembered_rest
from .retarget import bone_channels

_RATE = 30.0  # Hz; a single frame has no other need of one


def _about(mapping: Mapping, pose: FacePose) -> list[bool]:
    """Return for each entry of ``mapping`` whether ``pose`` moves it: mouth shapes are whole mouths, as poses have."""
    names = {ARKIT_NAMES[index] for index in pose.channels}
    return [
        entry.kind in ("pose", "step") or any(name in names for name, weight in entry.sources if weight)
        for entry in mapping.entries
    ]


def _apply_shapes(character: Any, mapping: Mapping, pose: FacePose, amount: float) -> list[tuple[Any, str]]:
    """Blend the shape keys towards ``pose``; return what was moved as (owner, property)."""
    posed, about = mapping.apply(pose.values[None], _RATE)[0], _about(mapping, pose)
    moved = []
    for target in shape_targets(character, mapping):
        if not about[target.column]:
            continue
        wanted = float(posed[target.column])
        if mapping.entries[target.column].kind == "step":  # a drawn mouth shows or does not
            target.key.value = wanted if amount >= 0.5 else target.key.value
        else:
            target.key.value += amount * (wanted - target.key.value)
        moved.append((target.key, "value"))
    return moved


def _blend(target: HeadTarget, channel: str, wanted: list[float], amount: float) -> None:
    """Blend one channel of a bone towards ``wanted``."""
    now = getattr(target.posed, channel)
    if channel == "rotation_quaternion":
        setattr(target.posed, channel, now.slerp(Quaternion(wanted), amount))
    elif channel == "rotation_euler":
        turned = now.to_quaternion().slerp(Euler(wanted, now.order).to_quaternion(), amount)
        target.posed.rotation_euler = turned.to_euler(now.order, now)
    else:
        setattr(target.posed, channel, now.lerp(wanted, amount))


def _apply_bones(character: Any, mapping: Mapping, pose: FacePose, amount: float) -> list[tuple[Any, str]]:
    """Blend the face bones towards ``pose``; return what was moved as (owner, property)."""
    armature, about = armature_of(character), _about(mapping, pose)
    chosen = {
        BoneChannel.parse(mapping.entries[column].target).bone for column in mapping.of_kind("bone") if about[column]
    }
    bones = [HeadTarget(armature, bone) for bone in mapped_bones(character, mapping)]
    for target in bones:
        if remembered_rest(target) is None:
            remember_rest(target, {})  # before it moves: poses would add up
    still = np.zeros((1, 3), np.float32)
    face = FaceCurves(pose.values[None].astype(np.float32), still, still, _RATE)
    channels = bone_channels(character, mapping, face)
    moved = []
    for target in (target for target in bones if target.bone in chosen):
        for channel in ("location", target.rotation_channel):
            if target.path(channel) in channels:
                _blend(target, channel, channels[target.path(channel)][0].tolist(), amount)
                moved.append((target.posed, channel))
    return moved


def apply_pose(character: Any, pose: FacePose, amount: float, keys: bool, frame: float) -> int:
    """Blend the face of ``character`` towards ``pose`` and return how many channels that moved.

    What the pose is not about stays as it is, and so do shape keys that drivers hold.

    Args:
        character: a mesh that can be keyed.
        pose: from :func:`~..blendshape_rigs.poses.face_poses`.
        amount: 0, nothing happens, to 1, the face is the pose.
        keys: whether keys are inserted into the active Action.
        frame: where to.
    """
    mapping = mapping_of(character)
    moved = _apply_shapes(character, mapping, pose, amount) + _apply_bones(character, mapping, pose, amount)
    if keys:
        for owner, channel in moved:
            owner.keyframe_insert(channel, frame=frame)
    return len(moved)
