"""A take: one performance as one Action, with a KEY slot for the shapes and an OBJECT slot for the head."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.curves import FaceCurves, Provenance
from . import compat
from .head_target import REST_MARK as REST_MARK
from .head_target import HeadTarget, head_channels, head_pose_of, head_target, remember_rest

TAKE_MARK = "dream_talk_take"
"""Custom property of an Action: where the take came from, as JSON."""
NO_TAKE = "This character has no take yet: generate or import one first"
_SLIDER_LIMIT = 10.0  # Blender's own hard limit of a shape key's range


class TakeError(Exception):
    """A character that cannot be keyed or read; the message says what to do."""


def scene_fps(scene: Any) -> float:
    """Return the true frame rate of ``scene`` in Hz."""
    return float(scene.render.fps / scene.render.fps_base)


def plain_name(name: str) -> str:
    """Return a shape key's name in lower case, without separators, with a final L or R written out."""
    name = re.sub(r"(?i)[ _.-]l$", "left", name)
    name = re.sub(r"(?i)[ _.-]r$", "right", name)
    return re.sub(r"[^a-z0-9]", "", name.lower())


def arkit_keys(character: Any) -> dict[str, Any]:
    """Return the shape keys of ``character`` by ARKit name, in ARKit's order; empty when it has none."""
    if character is None or character.type != "MESH" or character.data.shape_keys is None:
        return {}
    found = {plain_name(key.name): key for key in character.data.shape_keys.key_blocks}
    return {name: found[name.lower()] for name in ARKIT_NAMES if name.lower() in found}


def value_path(key: Any) -> str:
    """Return the animation path of a shape key's value."""
    return f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'


def problem_with(character: Any) -> str:
    """Return why ``character`` cannot be keyed, as one sentence; empty when it can."""
    if character is None:
        return "Choose a character or add the avatar first"
    keys = arkit_keys(character)
    if not keys:
        return f"'{character.name}' has no shape keys with ARKit names such as jawOpen"
    if character.library is not None or character.data.library is not None:
        return f"'{character.name}' is linked from another file: make it local or a library override first"
    if not character.data.shape_keys.use_relative:
        return f"The shape keys of '{character.name}' are absolute: switch on Relative"
    animation = character.data.shape_keys.animation_data
    driven = {driver.data_path for driver in animation.drivers} if animation else set()
    stuck = [key.name for key in keys.values() if value_path(key) in driven]
    if stuck:
        return (
            f"Drivers hold {len(stuck)} shape keys of '{character.name}', such as {stuck[0]}: "
            "delete those drivers first"
        )
    return ""


def fill_curve(curve: Any, frames: npt.NDArray[np.float64], values: npt.NDArray[np.floating[Any]]) -> None:
    """Replace the keys of the F-curve ``curve`` by linear ones at ``frames`` (T,) with ``values`` (T,)."""
    points = curve.keyframe_points
    points.clear()
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).ravel())
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    points.foreach_set("interpolation", np.full(len(frames), linear, np.int32))
    curve.update()


def _snapped(frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Put frames within a hundredth of a whole one on it: ``fps_base`` is only a 32-bit float."""
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < 0.01, whole, frames)


def has_foreign_motion(character: Any) -> bool:
    """Tell whether ``character`` itself is moved by animation that is no take of ours."""
    animation = character.animation_data
    if animation is None or animation.action is None:
        return False
    return TAKE_MARK not in animation.action and bool(compat.assigned_curves(character))


def _key_shapes(action: Any, character: Any, curves: FaceCurves, frames: npt.NDArray[np.float64]) -> None:
    channels = compat.animate(character.data.shape_keys, action)
    for name, key in arkit_keys(character).items():
        values = curves.channel(name)
        key.mute = False  # a muted key is dropped by exporters
        key.slider_min = max(min(key.slider_min, float(values.min())), -_SLIDER_LIMIT)
        key.slider_max = min(max(key.slider_max, float(values.max())), _SLIDER_LIMIT)
        fill_curve(channels.new(value_path(key)), frames, values)


def _key_head(action: Any, target: HeadTarget, curves: FaceCurves, frames: npt.NDArray[np.float64]) -> None:
    remember_rest(target)
    fcurves = compat.animate(target.owner, action)
    rotation, translation = curves.head_rotation.astype(np.float64), curves.head_translation.astype(np.float64)
    for path, values in head_channels(target, rotation, translation).items():
        for axis in range(values.shape[1]):
            fill_curve(fcurves.new(path, index=axis), frames, values[:, axis])


def _new_action(name: str, curves: FaceCurves) -> Any:
    action = bpy.data.actions.new(name)
    action.use_fake_user = True  # earlier takes stay in the file
    action[TAKE_MARK] = json.dumps({**asdict(curves.provenance), "fps": curves.fps, "start": curves.start})
    return action


def key_take(character: Any, curves: FaceCurves, name: str, origin_frame: float, fps: float, head: bool = True) -> Any:
    """Key ``curves`` on ``character`` as a new Action and return it; earlier takes stay in the file.

    Args:
        character: mesh object with ARKit-named shape keys. Every one of them is keyed, zeros too.
        curves: the performance.
        name: name of the Action.
        origin_frame: frame of second 0 of the performance.
        fps: true frame rate of the scene, Hz.
        head: whether the object also takes the head pose.

    Raises:
        TakeError: for a character that cannot be keyed, or curves without frames.
    """
    problem = problem_with(character)
    if problem:
        raise TakeError(problem)
    if not len(curves):
        raise TakeError("These curves have no frames")
    target = head_target(character) if head else None
    if target is not None and has_foreign_motion(target.owner):
        raise TakeError(
            f"'{character.name}' already has object animation: switch Head Motion off, "
            "or give the head an object of its own"
        )
    frames = _snapped(origin_frame + curves.times * fps)
    action = _new_action(name, curves)
    _key_shapes(action, character, curves, frames)
    if target is not None:
        head_action = action if compat.HAS_SLOTS else _new_action(f"{name} (head)", curves)
        _key_head(head_action, target, curves, frames)
    return action


def take_of(character: Any) -> Any | None:
    """Return the Action that now animates the shape keys of ``character``, or None."""
    if character is None or character.type != "MESH" or character.data.shape_keys is None:
        return None
    animation = character.data.shape_keys.animation_data
    return animation.action if animation else None


def _provenance(action: Any) -> Provenance:
    if TAKE_MARK not in action:
        return Provenance(source="action")
    stored: dict[str, Any] = json.loads(action[TAKE_MARK])
    return Provenance(**{name: stored[name] for name in Provenance.__dataclass_fields__ if name in stored})


def _sample(curves: list[Any], path: str, index: int, frames: npt.NDArray[np.float64]) -> Any | None:
    curve = next((c for c in curves if c.data_path == path and c.array_index == index), None)
    return None if curve is None else np.array([curve.evaluate(frame) for frame in frames])


def _read_head(character: Any, frames: npt.NDArray[np.float64]) -> tuple[Any, Any]:
    """Return head rotation (T, 3) rad and translation (T, 3) m at ``frames``; still where nothing is keyed."""
    target = head_target(character)
    if target is None:
        return np.zeros((len(frames), 3)), np.zeros((len(frames), 3))
    object_curves = compat.assigned_curves(target.owner)
    channels: list[npt.NDArray[np.float64] | None] = []
    for channel in ("location", target.rotation_channel):
        width = len(getattr(target.posed, channel))
        sampled = [_sample(object_curves, target.path(channel), axis, frames) for axis in range(width)]
        keyed = [values for values in sampled if values is not None]
        channels.append(np.stack(keyed, axis=1) if len(keyed) == width else None)
    return head_pose_of(target, channels[0], channels[1], len(frames))


def read_take(character: Any, first_frame: float, last_frame: float, fps: float, origin_frame: float) -> FaceCurves:
    """Return the animation of ``character`` sampled at every frame from ``first_frame`` to ``last_frame``.

    Shape keys without F-curves give their present value; a character without object keys gives a still head.

    Args:
        character: mesh object with ARKit-named shape keys.
        first_frame: first frame to sample.
        last_frame: last frame to sample.
        fps: true frame rate of the scene, Hz.
        origin_frame: frame that becomes second 0.

    Raises:
        TakeError: for a character without an Action on its shape keys.
    """
    action = take_of(character)
    if action is None:
        raise TakeError(NO_TAKE)
    frames = np.arange(first_frame, last_frame + 0.5)
    values = np.zeros((len(frames), len(ARKIT_NAMES)), np.float32)
    shape_curves = compat.assigned_curves(character.data.shape_keys)
    for name, key in arkit_keys(character).items():
        sampled = _sample(shape_curves, value_path(key), 0, frames)
        values[:, ARKIT_NAMES.index(name)] = key.value if sampled is None else sampled
    rotation, translation = _read_head(character, frames)
    return FaceCurves(
        values,
        rotation.astype(np.float32),
        translation.astype(np.float32),
        fps,
        (first_frame - origin_frame) / fps,
        _provenance(action),
    )


def frame_range(character: Any) -> tuple[int, int]:
    """Return the first and last whole frame that hold the take of ``character``.

    Raises:
        TakeError: for a character without a take.
    """
    action = take_of(character)
    if action is None:
        raise TakeError(NO_TAKE)
    first, last = action.frame_range
    return int(np.floor(first + 1e-3)), int(np.ceil(last - 1e-3))
