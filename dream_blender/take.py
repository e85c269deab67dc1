"""A take: one performance as one Action, with a KEY slot for the shapes of each mesh and an OBJECT slot for bones."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any
from uuid import uuid4

import bpy
import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.curves import FaceCurves, Provenance
from ..blendshape_rigs.mapping import Mapping
from . import compat
from .character import (
    MAPPING_MARK,
    TAKE_MARK,
    head_problem,
    mapped_bones,
    mapping_of,
    meshes_of,
    problem_with,
    shape_targets,
    value_path,
)
from .head_target import HeadTarget, armature_of, head_channels, head_pose_of, head_target, remember_rest
from .retarget import Sampler, bone_channels, read_targets, sampled, unreadable_channels

NO_TAKE = "This character has no take yet: generate or import one first"
TAKE_ID_MARK = "dream_talk_take_id"
"""Custom property of an Action: the same unique text on all Actions of one take."""
PART_MARK = "dream_talk_part"
"""Custom property of an Action before 4.4: its number within its take, and the data-block it moves, as JSON."""
_SLIDER_LIMIT = 10.0  # Blender's own hard limit of a shape key's range
Array = npt.NDArray[np.float64]


class TakeError(Exception):
    """A character that cannot be keyed or read; the message says what to do."""


def scene_fps(scene: Any) -> float:
    """Return the true frame rate of ``scene`` in Hz."""
    return float(scene.render.fps / scene.render.fps_base)


def arkit_keys(character: Any) -> dict[str, Any]:
    """Return the shape keys of ``character`` that exactly one ARKit channel drives at weight 1, by its name.

    These are the ones whose curves are the channel's own. Empty for an object that cannot be keyed.
    """
    if character is None or problem_with(character):
        return {}
    mapping = mapping_of(character)
    plain = {
        column: entry.sources[0][0]
        for column, entry in enumerate(mapping.entries)
        if entry.kind == "channel" and len(entry.sources) == 1 and entry.sources[0][1] == 1
    }
    found = {
        plain[target.column]: target.key
        for target in reversed(shape_targets(character, mapping))  # the chosen mesh goes first
        if target.column in plain
    }
    return {name: found[name] for name in ARKIT_NAMES if name in found}


def fill_curve(curve: Any, frames: Array, values: npt.NDArray[np.floating[Any]], interpolation: str = "LINEAR") -> None:
    """Replace the keys of the F-curve ``curve`` by those at ``frames`` (T,) with ``values`` (T,)."""
    points = curve.keyframe_points
    points.clear()
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).ravel())
    kind = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items[interpolation].value
    points.foreach_set("interpolation", np.full(len(frames), kind, np.int32))
    curve.update()


def snapped(frames: Array) -> Array:
    """Put frames within a hundredth of a whole one on it: ``fps_base`` is only a 32-bit float."""
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < 0.01, whole, frames)


def changes(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.intp]:
    """Return the frames of (T,) ``values`` that a stepped curve needs: the first, the last, and every change."""
    changed = np.flatnonzero(np.diff(values)) + 1
    kept: npt.NDArray[np.intp] = np.unique(np.concatenate([[0], changed, [len(values) - 1]]))
    return kept


class _Actions:
    """The Actions of one take: one in all, or before 4.4 one for each data-block that moves."""

    def __init__(self, name: str, curves: FaceCurves, mapping: Mapping) -> None:
        self.name, self.curves, self.mapping = name, curves, mapping
        self.take_id = uuid4().hex
        self.first = self._new(name)
        self._parts = 0

    def _new(self, name: str) -> Any:
        action = bpy.data.actions.new(name)
        action.use_fake_user = True  # earlier takes stay in the file
        origin = {**asdict(self.curves.provenance), "fps": self.curves.fps, "start": self.curves.start}
        action[TAKE_MARK] = json.dumps(origin)
        action[MAPPING_MARK] = self.mapping.to_json()
        action[TAKE_ID_MARK] = self.take_id
        return action

    def next(self, data: Any, what: str) -> Any:
        """Return the Action for one more data-block ``data``, ``what`` in words."""
        if compat.HAS_SLOTS:
            return self.first
        action = self._new(f"{self.name} ({what})") if self._parts else self.first
        action[PART_MARK] = json.dumps([self._parts, data.name])
        self._parts += 1
        return action


def part_of(action: Any) -> tuple[int, str]:
    """Return the number of ``action`` within its take, and the name of the data-block it moves, if it says so."""
    number, name = json.loads(action.get(PART_MARK, '[0, ""]'))
    return number, name


def parts_of(action: Any) -> list[Any]:
    """Return the Actions of the take that ``action`` belongs to, that of the face first; from 4.4 on it is alone."""
    take_id = action.get(TAKE_ID_MARK)
    if not take_id or PART_MARK not in action:
        return [action]
    return sorted((other for other in bpy.data.actions if other.get(TAKE_ID_MARK) == take_id), key=part_of)


def widen(key: Any, values: npt.NDArray[np.floating[Any]]) -> None:
    """Let the shape key ``key`` take all ``values``: those outside of its slider would be cut."""
    key.slider_min = max(min(key.slider_min, float(values.min())), -_SLIDER_LIMIT)
    key.slider_max = min(max(key.slider_max, float(values.max())), _SLIDER_LIMIT)


def _key_shapes(actions: _Actions, character: Any, frames: Array) -> None:
    """Key every mapped shape key of every mesh, zeros too: those left out would leak from take to take."""
    mapping, curves = actions.mapping, actions.curves
    driven = mapping.apply(curves.values, curves.fps)
    fcurves: dict[Any, Any] = {}
    for target in shape_targets(character, mapping):
        key, values = target.key, driven[:, target.column]
        if target.mesh not in fcurves:
            fcurves[target.mesh] = compat.animate(key.id_data, actions.next(key.id_data, target.mesh.name))
        key.mute = False  # a muted key is dropped by exporters
        widen(key, values)
        stepped = mapping.entries[target.column].kind == "step"
        kept = changes(values) if stepped else slice(None)
        curve = fcurves[target.mesh].new(value_path(key.name))
        fill_curve(curve, frames[kept], values[kept], "CONSTANT" if stepped else "LINEAR")
    for follower in shape_targets(character, mapping, driven=True):
        widen(follower.key, driven[:, follower.column])  # as teeth that follow the head's jaw by a driver


def _key_pose(actions: _Actions, character: Any, frames: Array, head: HeadTarget | None) -> None:
    """Key the face bones and head pose; all are of one object."""
    armature = armature_of(character)
    bones = [HeadTarget(armature, bone) for bone in mapped_bones(character, actions.mapping)]
    posed = bones if head is None else [*bones, head]
    if not posed:
        return
    action = actions.next(posed[0].owner, "head")
    for target in posed:
        remember_rest(target, action)
    curves = actions.curves
    channels = bone_channels(character, actions.mapping, curves)
    if head is not None:
        rotation, translation = curves.head_rotation.astype(np.float64), curves.head_translation.astype(np.float64)
        channels |= head_channels(head, rotation, translation)
    fcurves = compat.animate(posed[0].owner, action)
    for path, values in channels.items():
        for axis in range(values.shape[1]):
            fill_curve(fcurves.new(path, index=axis), frames, values[:, axis])


def key_take(character: Any, curves: FaceCurves, name: str, origin_frame: float, fps: float, head: bool = True) -> Any:
    """Key ``curves`` on ``character`` as a new Action and return it; earlier takes stay in the file.

    All meshes of the character are keyed by its mapping, and the bones that the mapping drives. Shape keys that
    drivers hold are left as they are: :func:`~.character.notes_on` names them.

    Args:
        character: the mesh object of the face.
        curves: the performance.
        name: name of the Action.
        origin_frame: frame of second 0 of the performance.
        fps: true frame rate of the scene, Hz.
        head: whether the head bone, or the object, also takes the head pose.

    Raises:
        TakeError: for a character that cannot be keyed, or curves without frames.
    """
    problem = problem_with(character) or (head_problem(character) if head else "")
    if problem:
        raise TakeError(problem)
    if not len(curves):
        raise TakeError("These curves have no frames")
    frames = snapped(origin_frame + curves.times * fps)
    actions = _Actions(name, curves, mapping_of(character))
    _key_shapes(actions, character, frames)
    _key_pose(actions, character, frames, head_target(character) if head else None)
    return actions.first


def _action_of(data: Any) -> Any | None:
    return data.animation_data.action if data is not None and data.animation_data else None


def take_of(character: Any) -> Any | None:
    """Return the Action that now animates the face of ``character``, or None.

    That is the one of its shape keys or, where bones move the face, a take on its armature.
    """
    if character is None or character.type != "MESH":
        return None
    meshes = [character] if problem_with(character) else meshes_of(character)
    for mesh in meshes:
        action = _action_of(mesh.data.shape_keys)
        if action is not None:
            return action
    action = _action_of(armature_of(character))
    return action if action is not None and TAKE_MARK in action else None


def provenance_of(action: Any) -> Provenance:
    """Return where the take ``action`` came from, as far as it says so."""
    if TAKE_MARK not in action:
        return Provenance(source="action")
    stored: dict[str, Any] = json.loads(action[TAKE_MARK])
    return Provenance(**{name: stored[name] for name in Provenance.__dataclass_fields__ if name in stored})


@lru_cache(maxsize=16)
def _stored_mapping(text: str) -> Mapping:
    return Mapping.from_json(text)


def taken_mapping(character: Any) -> Mapping:
    """Return the mapping that the present take of ``character`` was keyed by; that of now for foreign Actions."""
    action = take_of(character)
    stored = action.get(MAPPING_MARK) if action is not None else None
    return _stored_mapping(stored) if stored else mapping_of(character)


def unread_channels(character: Any) -> tuple[str, ...]:
    """Return the ARKit channels that :func:`read_take` can only estimate, or not read at all."""
    return unreadable_channels(taken_mapping(character))


def _sampler(frames: Array) -> Sampler:
    """Return how the F-curves of data-blocks are read at ``frames``."""
    found: dict[Any, dict[tuple[str, int], Any]] = {}

    def sample(data: Any, path: str, index: int) -> Array | None:
        if data not in found:
            found[data] = {(curve.data_path, curve.array_index): curve for curve in compat.assigned_curves(data)}
        curve = found[data].get((path, index))
        return None if curve is None else np.array([curve.evaluate(frame) for frame in frames])

    return sample


def read_head(character: Any, sample: Sampler, frames: int) -> tuple[Array, Array]:
    """Return head rotation (T, 3) rad and translation (T, 3) m; still where nothing is keyed."""
    target = head_target(character)
    if target is None:
        return np.zeros((frames, 3)), np.zeros((frames, 3))
    width = len(getattr(target.posed, target.rotation_channel))
    location = sampled(sample, target.owner, target.path("location"), 3)
    rotation = sampled(sample, target.owner, target.path(target.rotation_channel), width)
    return head_pose_of(target, location, rotation, frames)


def read_take(character: Any, first_frame: float, last_frame: float, fps: float, origin_frame: float) -> FaceCurves:
    """Return the animation of ``character`` sampled at every frame from ``first_frame`` to ``last_frame``.

    The mapping that the take was keyed by is undone. Shape keys without F-curves give their present value; a head
    without keys is still. :func:`unread_channels` names the channels that the character cannot hold exactly.

    Args:
        character: the mesh object of the face.
        first_frame: first frame to sample.
        last_frame: last frame to sample.
        fps: true frame rate of the scene, Hz.
        origin_frame: frame that becomes second 0.

    Raises:
        TakeError: for a character without an Action on its face, or one that could not be keyed.
    """
    action = take_of(character)
    if action is None:
        raise TakeError(NO_TAKE)
    mapping = taken_mapping(character)
    frames = np.arange(first_frame, last_frame + 0.5)
    sample = _sampler(frames)
    rotation, translation = read_head(character, sample, len(frames))
    return FaceCurves(
        mapping.restore(read_targets(character, mapping, sample, len(frames))),
        rotation.astype(np.float32),
        translation.astype(np.float32),
        fps,
        (first_frame - origin_frame) / fps,
        provenance_of(action),
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
