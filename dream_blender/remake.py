"""Making a part of a take again: a range of time, the mouth, or all that is not locked. The rest stays bit for bit.

The server keeps what it is told to keep and leads over to it. What a character's mapping cannot tell it exactly is put
back from the old keys here, and its edges are led over to in the character's own curves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.adjust import LIP_PARTS, PARTS
from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.formats.npz_format import npz_bytes
from ..blendshape_rigs.mapping import BoneChannel, Mapping
from .character import value_path
from .client import ServerClient, health_of
from .emotion_sampling import emotion_request
from .generate import Generation
from .head_target import HeadTarget, head_target
from .job import Job, Progress
from .preferences import server_address
from .retarget import read_targets
from .sound import Recording, SoundError
from .style import chosen_style, style_again
from .take import Array, TakeError, changes, fill_curve, read_head, scene_fps, snapped
from .take_keys import ActiveTake, grid_of, key_points, values_at
from .take_settings import TakeSettings, settings_of
from .takes_again import new_seeds

WHATS = ("RANGE", "MOUTH", "UNLOCKED")
IMPORTED = "This take was imported: there is no recording to make it again from"
NO_LOCK = "Lock a part that is to stay first; to make everything again, press Generate"
ALL_LOCKED = "Every part of the face is locked"
_HEAD_CHANNELS = ("headPitch", "headYaw", "headRoll", "headX", "headY", "headZ")
_COLUMNS = (*ARKIT_NAMES, *_HEAD_CHANNELS)
_EASE = 0.2  # seconds
_SAME = 0.01  # frames
Mask = npt.NDArray[np.bool_]
_PlaceName = tuple[str, str, int]


@dataclass(frozen=True)
class Span:
    """The first and the last frame that are made again."""

    first: float
    last: float


def kept_parts(action: Any, what: str) -> tuple[str, ...]:
    """Return the parts of the face that stay when ``what`` of the take ``action`` is made again."""
    locked = {part for part in PARTS if getattr(action.dream_talk_adjust, part).lock}
    if what == "MOUTH":
        locked |= {part for part in PARTS if part not in LIP_PARTS}
    return tuple(part for part in PARTS if part in locked)


def problem_of(take: ActiveTake, what: str) -> str:
    """Return why ``what`` of ``take`` cannot be made again, as one sentence; empty when it can."""
    settings = settings_of(take.action)
    if settings is None or not settings.audio:
        return IMPORTED
    kept = kept_parts(take.action, what)
    if what == "UNLOCKED" and not kept and not any(curve.lock for curve in take.curves.values()):
        return NO_LOCK
    return ALL_LOCKED if len(kept) == len(PARTS) else ""


def selected_span(take: ActiveTake) -> Span | None:
    """Return the range of the selected keys of ``take``; None where fewer than two frames have one."""
    frames: list[float] = []
    for curve in take.curves.values():
        chosen = np.empty(len(curve.keyframe_points), bool)
        curve.keyframe_points.foreach_get("select_control_point", chosen)
        frames += key_points(curve)[chosen, 0].tolist()
    return Span(min(frames), max(frames)) if frames and max(frames) > min(frames) else None


@dataclass(frozen=True, eq=False)
class OldTake:
    """A take as it was when a part of it was asked for again. Held without Blender's data, which undo replaces.

    Attributes:
        frames: (T,) scene frames of its own frames.
        curves: what the server is sent.
        values: (T,) values by data-block's name, animation path and index.
        again: (T,) which frames are made again.
        locked: places that stay everywhere.
        channels: names of the ARKit and head channels that stay everywhere.
        fps: frames per second of the take.
        parts: names of the parts of the face whose locks go on to the new take.
        own_locks: places whose F-curves are locked themselves; so they are in the new take.
    """

    frames: Array
    curves: FaceCurves
    values: dict[_PlaceName, Array]
    again: Mask
    locked: frozenset[_PlaceName]
    channels: tuple[str, ...]
    fps: float
    parts: tuple[str, ...]
    own_locks: frozenset[_PlaceName]

    @property
    def remake(self) -> list[list[float]]:
        """Seconds that are made again, as the server takes them; empty for all."""
        if self.again.all():
            return []
        chosen = self.curves.times[self.again]
        return [[float(chosen[0]), float(chosen[-1] + 1 / self.fps)]]

    def put_back(self, character: Any, action: Any) -> None:
        """Give the new take ``action`` of ``character`` what stays of this one."""
        for part in self.parts:
            getattr(action.dream_talk_adjust, part).lock = True
        for (data, path, index), curve in ActiveTake(character).curves.items():
            place = (data.name, path, index)
            old = self.values.get(place)
            if old is not None:
                self._put_back(curve, old, place in self.locked)
                curve.lock = place in self.own_locks

    def _put_back(self, curve: Any, old: Array, locked: bool) -> None:
        frames = key_points(curve)[:, 0]
        stepped = all(point.interpolation == "CONSTANT" for point in curve.keyframe_points)
        if stepped:
            frames = self.frames[(self.frames >= frames[0] - _SAME) & (self.frames <= frames[-1] + _SAME)]
        place = np.clip(np.searchsorted(self.frames, frames - _SAME), 0, len(self.frames) - 1)
        known = np.abs(self.frames[place] - frames) < 2 * _SAME
        kept = known if locked else known & ~self.again[place]
        new = values_at(curve, frames)
        values = np.where(kept, old[place], new)
        if stepped:
            shown = changes(values)
            fill_curve(curve, frames[shown], values[shown], "CONSTANT")
        else:
            fill_curve(curve, frames, values + _leading(values - new, kept, round(_EASE * self.fps)))


def _leading(step: Array, kept: Mask, reach: int) -> Array:
    """Return (T,) what the free frames take on of the (T,) ``step`` of the kept ones beside them.

    At each edge it fades out over ``reach`` frames, or over half the free frames where those are fewer.
    """
    result = np.zeros_like(step)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], kept, [True]]).astype(np.int8))).reshape(-1, 2)
    for first, stop in edges:
        both = first > 0 and stop < len(step)
        count = min(reach, stop - first, (stop - first + 1) // 2 if both else stop - first)
        fade = 0.5 + 0.5 * np.cos(np.pi * np.arange(count) / max(count, 1))
        if first > 0:
            result[first : first + count] += step[first - 1] * fade
        if stop < len(step):
            result[stop - count : stop] += step[stop] * fade[::-1]
    return result


def locked_places(take: ActiveTake, channels: set[str]) -> frozenset[_PlaceName]:
    """Return the places of ``take`` whose every source is among ``channels``, and F-curves that are locked."""
    paths = _paths_of(take.character, take.mapping, channels)
    return frozenset(
        (data.name, path, index)
        for (data, path, index), curve in take.curves.items()
        if curve.lock or path in paths.get(data.id_type, ())
    )


def _paths_of(character: Any, mapping: Mapping, channels: set[str]) -> dict[str, set[str]]:
    """Return the animation paths that only ``channels`` move, by the type of data-block."""
    kept = [{name for name, weight in entry.sources if weight} <= channels for entry in mapping.entries]
    shapes = {value_path(entry.target) for entry, stays in zip(mapping.entries, kept, strict=True) if stays}
    bones: dict[str, bool] = {}
    for column in mapping.of_kind("bone"):
        bone = HeadTarget(None, BoneChannel.parse(mapping.entries[column].target).bone)
        for channel in ("location", "rotation_euler", "rotation_quaternion"):
            path = bone.path(channel)
            bones[path] = bones.get(path, True) and kept[column]
    poses = {path for path, stays in bones.items() if stays}
    head = head_target(character)
    if head is not None and channels.issuperset(_HEAD_CHANNELS[:3]):
        poses.add(head.path(head.rotation_channel))
    if head is not None and channels.issuperset(_HEAD_CHANNELS[3:]):
        poses.add(head.path("location"))
    return {"KEY": shapes, "OBJECT": poses}


def _locked_channels(take: ActiveTake, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the channels of ``parts``, and those whose own F-curves are locked."""
    columns = {column for part in parts for column in PARTS[part]}
    single = {
        value_path(entry.target): entry.sources[0][0]
        for entry in take.mapping.entries
        if entry.kind == "channel" and len(entry.sources) == 1
    }
    named = {single[path] for (_, path, _), curve in take.curves.items() if curve.lock and path in single}
    return tuple(name for column, name in enumerate(_COLUMNS) if column in columns or name in named)


def old_take(take: ActiveTake, settings: TakeSettings, fps: float, span: Span | None, what: str) -> OldTake:
    """Return ``take`` as it is now, and what of it is made again.

    Args:
        take: the active take.
        settings: that it was made with.
        fps: true frame rate of the scene, Hz.
        span: the range that is made again; None for all.
        what: one of :data:`WHATS`.

    Raises:
        TakeError: for a range that holds no frame of the take, or keys that lie at another frame rate.
    """
    if abs(grid_of(list(take.curves.values()), fps)[1] - settings.fps) > 0.01 * settings.fps:
        raise TakeError(f"This take was keyed at {settings.fps:g} frames per second: set the scene's rate back to that")
    spacing = fps / settings.fps  # scene frames to one of the take
    first, last = take.action.frame_range
    numbers = np.arange(
        max(0, np.ceil((first - settings.origin_frame) / spacing - _SAME)),
        np.floor((last - settings.origin_frame) / spacing + _SAME) + 1,
    )
    if not len(numbers):
        raise TakeError("This take has no keys where it was made: its keys have been moved away")
    frames = snapped(settings.origin_frame + numbers * spacing)
    values = {place: values_at(curve, frames) for place, curve in take.curves.items()}
    again = np.ones(len(frames), bool)
    if span is not None:
        again = (frames >= span.first - _SAME) & (frames <= span.last + _SAME)
        if not again.any():
            raise TakeError("The range holds no frame of the take: choose one inside of it")
    parts = kept_parts(take.action, what)
    channels = _locked_channels(take, parts)
    return OldTake(
        frames,
        _sent(take, values, len(frames), settings.fps, float(numbers[0]) / settings.fps),
        {(data.name, path, index): found for (data, path, index), found in values.items()},
        again,
        locked_places(take, set(channels)),
        channels,
        settings.fps,
        kept_parts(take.action, ""),
        frozenset((data.name, path, index) for (data, path, index), curve in take.curves.items() if curve.lock),
    )


def _sent(take: ActiveTake, values: dict[Any, Array], count: int, fps: float, start: float) -> FaceCurves:
    def sample(data: Any, path: str, index: int) -> Array | None:
        return values.get((data, path, index))

    rotation, translation = read_head(take.character, sample, count)
    targets = read_targets(take.character, take.mapping, sample, count)
    return FaceCurves(
        take.mapping.restore(targets), rotation.astype(np.float32), translation.astype(np.float32), fps, start
    )


def _options(old: OldTake, settings: TakeSettings) -> dict[str, Any]:
    """Return what the server is told of a take with ``settings`` that keeps what ``old`` says."""
    options: dict[str, Any] = {"emotion": settings.emotion, "seed": settings.seed, "fps": settings.fps}
    options["lock"] = list(old.channels)
    if old.remake:
        options["remake"] = old.remake
    if settings.text:
        return options | {"text": settings.text, "language": settings.language or "en"}
    return options | ({"lips": settings.lips} if settings.lips else {})


def _recording(settings: TakeSettings) -> Recording:
    path = Path(bpy.path.abspath(settings.audio))
    if not path.is_file():
        raise SoundError(f"The recording of this take is gone: there is no file {path}")
    first, last = settings.heard or (settings.origin_frame, None)
    return Recording(path, settings.origin_frame, first, last)


def prepare(context: Any, character: Any, what: str, span: Span | None, feeling: str) -> Generation:
    """Return the take that keeps all but ``what`` of the active one of ``character``, not yet begun.

    Its seed is the next one that no take of the character has.

    Args:
        context: Blender's.
        character: the mesh object of the face.
        what: one of :data:`WHATS`.
        span: frames that are made again; None for all.
        feeling: whether emotion and style are those of the old take, ``"TAKE"``, or of the sidebar, ``"SIDEBAR"``.

    Raises:
        TakeError: for a take that cannot be made again, or an emotion or style that cannot be used.
        SoundError: when its recording is gone.
        ServerError: when no server can be used.
    """
    take, scene = ActiveTake(character), context.scene
    reason = problem_of(take, what)
    before = settings_of(take.action)
    if reason or before is None:
        raise TakeError(reason)
    recording = _recording(before)
    fps = scene_fps(scene)
    old = old_take(take, before, fps, span, what)
    address = server_address(context)
    health_of(address)
    settings = replace(before, seed=new_seeds(character, before.seed, 1)[0])
    if feeling == "SIDEBAR":
        settings = replace(settings, emotion=emotion_request(scene, character, recording), style="", style_source="")
        style = chosen_style(scene, character)
    else:
        style = style_again(scene, character, before.style_source, before.style, before.style_strength)
    options, parts = _options(old, settings), {"take": npz_bytes(old.curves)}
    if style is not None:
        options |= style.options
        parts |= style.parts
        settings = replace(settings, style=style.name, style_source=style.source, style_strength=style.strength)
    return Generation(
        job=Job(ServerClient(address), recording.path, options, parts),
        scene=scene.name,
        character=character.name,
        recording=recording,
        take_name=f"{take.action.name.removesuffix(' again')} again",
        fps=fps,
        head=before.head,
        add_sound=False,
        set_range=False,
        file=bpy.data.filepath,
        progress=Progress(0.0, "Starting"),
        settings=settings,
        finish=old.put_back,
    )
