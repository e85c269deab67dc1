"""Live sliders on the active take: its original keys are kept aside, and every change is made from them anew.

The originals are a copy of the take's Action that the take points to, so that undo, saving and loading keep both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.adjust import PARTS, Adjustment, adjusted, adjusted_targets, touched_targets
from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.mapping import BoneChannel
from .character import nothing_changes, shape_targets, value_path
from .head_target import HeadTarget, armature_of, head_channels, head_target
from .retarget import Sampler, channels_of_targets, read_targets
from .take import (
    NO_TAKE,
    Array,
    changes,
    fill_curve,
    read_head,
    scene_fps,
    take_of,
    widen,
)
from .take_keys import ActiveTake, Place, copy_keys, grid_of, values_at

EDITED = "Keys were edited by hand: they are kept, and the sliders start from them"
_BASE_MARK = "dream_talk_originals"
"""Custom property of an Action: it holds the original keys of a take."""
_HEAD = ("head_rotation", "head_translation")
_busy: list[bool] = []


@contextmanager
def sliders_at_rest() -> Iterator[None]:
    """Let sliders be set while inside without anything being adjusted."""
    _busy.append(True)
    try:
        yield
    finally:
        _busy.pop()


def adjustment_of(slider: Any) -> Adjustment:
    """Return what one part's sliders say."""
    return Adjustment(slider.strength, slider.offset, slider.smoothing, slider.shift, slider.mute)


def adjustments_of(action: Any) -> dict[str, Adjustment]:
    """Return what the sliders of the take ``action`` say, by part of the face."""
    return {part: adjustment_of(getattr(action.dream_talk_adjust, part)) for part in PARTS}


def is_adjusted(action: Any) -> bool:
    """Tell whether the original keys of ``action`` are kept aside."""
    return action.dream_talk_adjust.base is not None


def character_of(action: Any) -> Any | None:
    """Return the character on which the take ``action`` is active, the chosen one first; None where it is not."""
    chosen = bpy.context.scene.dream_talk.character
    for item in [chosen, *(other for other in bpy.data.objects if other != chosen)]:
        if item is not None and item.type == "MESH" and take_of(item) == action:
            return item
    return None


def problem_of(character: Any) -> str:
    """Return why the active take of ``character`` cannot be changed, as one sentence; empty when it can."""
    if take_of(character) is None:
        return NO_TAKE
    return _problem_with(ActiveTake(character))


def _problem_with(take: ActiveTake) -> str:
    if any(not part.is_editable for part in take.parts):
        return f"'{take.action.name}' is linked from another file: make it local first"
    return "" if take.curves else f"'{take.action.name}' has no keys"


def reachable_parts(take: ActiveTake) -> list[str]:
    """Return the parts of the face that ``take`` moves, in order."""
    parts = [part for part in PARTS if touched_targets(take.mapping, (part,))]
    target = head_target(take.character)
    if target is not None:
        parts += [part for part, path in _head_paths(target).items() if (target.owner, path, 0) in take.curves]
    return parts


def _head_paths(target: HeadTarget) -> dict[str, str]:
    return {"head_rotation": target.path(target.rotation_channel), "head_translation": target.path("location")}


def _keep_aside(take: ActiveTake) -> None:
    """Make the keys that ``take`` has now the originals that its sliders start from."""
    for part in take.parts:
        drop_base(part)
        base = part.copy()
        base.name = f".{part.name} before Adjust"  # names with a dot are hidden in Blender's lists
        base.use_fake_user = False  # it lives as long as the take that points to it
        base.asset_clear()
        for name in [name for name in base.keys() if name.startswith("dream_talk")]:  # noqa: SIM118
            del base[name]
        base.property_unset("dream_talk_adjust")
        base[_BASE_MARK] = True
        part.dream_talk_adjust.base = base


def drop_base(part: Any) -> None:
    """Let go of the originals that the Action ``part`` points to, and remove all that no take uses any more."""
    part.dream_talk_adjust.base = None
    for action in [action for action in bpy.data.actions if _BASE_MARK in action and action.users == 0]:
        bpy.data.actions.remove(action)


def base_curves(take: ActiveTake) -> dict[Place, Any]:
    """Return the original F-curves of ``take`` by their places."""
    return take.copied({part: part.dream_talk_adjust.base for part in take.parts})


def neutral(action: Any, but: str = "") -> None:
    """Set the sliders of all parts of the face but one of ``action`` to what changes nothing; locks stay."""
    with sliders_at_rest():
        for part in PARTS:
            if part != but:
                for name in Adjustment.__dataclass_fields__:
                    getattr(action.dream_talk_adjust, part).property_unset(name)


def is_edited(take: ActiveTake) -> bool:
    """Tell whether the keys of ``take`` are no longer those that its sliders made."""
    settings = take.action.dream_talk_adjust
    return settings.base is not None and settings.written != take.digest()


def on_slider(slider: Any, _context: Any) -> None:
    """Adjust the take that ``slider``, the settings of one part of the face, belongs to."""
    if _busy:
        return
    action, part = slider.id_data, slider.path_from_id().rpartition(".")[2]
    with nothing_changes():  # but keys
        character = character_of(action)
        if character is None:
            action.dream_talk_adjust.waiting = True  # until the take is active and a slider is moved
            return
        take = ActiveTake(character)
        if _problem_with(take):
            return
        settings = action.dream_talk_adjust
        if settings.base is None:
            _keep_aside(take)
        elif is_edited(take):
            neutral(action, but=part)
            _keep_aside(take)
            settings.note = EDITED
        write(take, set(PARTS) if settings.waiting else {part})
        settings.waiting = False


def write(take: ActiveTake, parts: set[str]) -> None:
    """Write the keys of those F-curves of ``take`` that ``parts`` of the face move, from its originals."""
    writer = _Writer(take)
    writer.write_face(tuple(part for part in parts if part not in _HEAD))
    writer.write_head(tuple(part for part in parts if part in _HEAD))
    take.action.dream_talk_adjust.written = take.digest()


def restore(take: ActiveTake) -> None:
    """Give ``take`` its original keys back."""
    for place, base in base_curves(take).items():
        if place in take.curves:
            copy_keys(base, take.curves[place])


class _Writer:
    """The original and the present F-curves of one take, and what its sliders say."""

    def __init__(self, take: ActiveTake) -> None:
        self.character, self.mapping, self.curves = take.character, take.mapping, take.curves
        self.adjustments, self.base = adjustments_of(take.action), base_curves(take)
        self.frames, self.fps = grid_of(list(self.base.values()), scene_fps(bpy.context.scene))

    def sampler(self) -> Sampler:
        """Return how the original F-curves are read."""

        def sample(data: Any, path: str, index: int) -> Array | None:
            curve = self.base.get((data, path, index))
            return None if curve is None else values_at(curve, self.frames)

        return sample

    def put(self, place: Place, values: Array | None, interpolation: str = "LINEAR") -> None:
        """Key (T,) ``values`` on the F-curve at ``place``; without any it gets its original keys back."""
        curve = self.curves.get(place)
        if curve is None or place not in self.base:
            return
        if values is None:
            copy_keys(self.base[place], curve)
        else:
            kept = changes(values) if interpolation == "CONSTANT" else slice(None)
            fill_curve(curve, self.frames[kept], values[kept], interpolation)

    def write_face(self, parts: tuple[str, ...]) -> None:
        """Key every shape and face bone that ``parts`` move."""
        columns = set(touched_targets(self.mapping, parts))
        if not columns:
            return
        active = tuple(part for part, one in self.adjustments.items() if not one.is_neutral)
        changed = columns.intersection(touched_targets(self.mapping, active))
        targets = read_targets(self.character, self.mapping, self.sampler(), len(self.frames))
        made = adjusted_targets(self.mapping, targets, self.fps, self.adjustments)
        for target in shape_targets(self.character, self.mapping):
            if target.column in columns:
                values = made[:, target.column] if target.column in changed else None
                kind = "CONSTANT" if self.mapping.entries[target.column].kind == "step" else "LINEAR"
                self.put((target.key.id_data, value_path(target.key.name), 0), values, kind)
                if values is not None:
                    widen(target.key, values)
        self._write_bones(columns, changed, made)

    def _write_bones(self, columns: set[int], changed: set[int], made: Array) -> None:
        bones = {
            column: BoneChannel.parse(self.mapping.entries[column].target).bone for column in columns & self._bones
        }
        turned = {bones[column] for column in changed if column in bones}
        if not bones:
            return
        channels = channels_of_targets(self.character, self.mapping, made)
        owner = armature_of(self.character)
        for path, values in channels.items():
            bone = path.split('"')[1]
            if bone in bones.values():
                for axis in range(values.shape[1]):
                    self.put((owner, path, axis), values[:, axis] if bone in turned else None)

    @property
    def _bones(self) -> set[int]:
        return set(self.mapping.of_kind("bone"))

    def write_head(self, parts: tuple[str, ...]) -> None:
        """Key the head's rotation and translation, those of ``parts``."""
        target = head_target(self.character)
        if target is None or not parts:
            return
        rotation, translation = read_head(self.character, self.sampler(), len(self.frames))
        still = FaceCurves.zeros(len(self.frames), self.fps)
        head = np.concatenate([still.values, rotation, translation], axis=1).astype(np.float32)
        turned = {part: self.adjustments[part] for part in _HEAD}
        made = adjusted(still.with_stacked(head), turned)
        channels = head_channels(
            target, made.head_rotation.astype(np.float64), made.head_translation.astype(np.float64)
        )
        paths = _head_paths(target)
        for part in parts:
            values = channels.get(paths[part])
            for axis in range(0 if values is None else values.shape[1]):
                assert values is not None
                wanted = None if self.adjustments[part].is_neutral else values[:, axis]
                self.put((target.owner, paths[part], axis), wanted)
