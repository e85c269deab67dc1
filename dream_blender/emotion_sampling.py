"""What a character feels over a recording, as the server is told: evaluated sliders, markers or the one choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.arkit import EMOTIONS
from ..blendshape_rigs.feelings import Array, eased, felt, request_of, weights_row
from .emotion import INTENSITY, emotion_curves, follows_choice, weights_of
from .emotion_keys import emotion_frames
from .emotion_markers import read_marks
from .sound import Recording, SoundError, duration_of
from .take import TakeError, scene_fps

_RATE = 10.0  # samples a second
_WATCHERS = ("frame_change_pre", "frame_change_post", "depsgraph_update_pre", "depsgraph_update_post")
_MOST_SAMPLES = 50_000  # of the 100 000 that the server takes


def emotion_problem(scene: Any, character: Any) -> str:
    """Return why no take can be made with the markers of ``scene``, as one sentence; empty when it can."""
    if character is None or not character.dream_talk_emotion.from_markers:
        return ""
    marks, problems = read_marks(scene)
    if problems:
        return problems[0]
    return "" if marks else "No marker names an emotion: add one such as happy 0.8, or switch From Markers off"


def emotion_request(scene: Any, character: Any, recording: Recording) -> dict[str, Any]:
    """Return the emotion of ``character`` over ``recording`` as a request to the server states it.

    Raises:
        TakeError: for markers that cannot be read.
    """
    if follows_choice(character):
        chosen: dict[str, Any] = scene.dream_talk.emotion_weights()
        return chosen
    problem = emotion_problem(scene, character)
    if problem:
        raise TakeError(problem)
    fps = scene_fps(scene)
    frames = _frames_of(scene, character, recording, fps)
    weights, intensity = sampled_sliders(scene, character, frames)
    times = (frames - recording.origin_frame) / fps
    if character.dream_talk_emotion.from_markers:
        marks, _ = read_marks(scene)
        begins = np.array([(mark.frame - recording.origin_frame) / fps for mark in marks])
        rows = np.stack([weights_row(mark.weights) for mark in marks])
        weights = eased(begins, rows, times)
    return request_of(times, felt(weights, intensity))


def _frames_of(scene: Any, character: Any, recording: Recording, fps: float) -> Array:
    """Return the frames, whole or not, at which the emotion is sampled: ten a second while the recording is heard."""
    last = recording.last_frame
    if last is None:
        try:
            last = recording.origin_frame + duration_of(recording.path) * fps
        except SoundError:
            # Only the server can read how long it is: until nothing is known to change any more, then.
            marks = [mark.frame for mark in read_marks(scene)[0]]
            last = max([scene.frame_end, *emotion_frames(character), *marks]) + fps
    duration = max(0.0, (last - recording.first_frame) / fps)
    step = max(1 / _RATE, duration / _MOST_SAMPLES)
    frames: Array = recording.first_frame + np.arange(0, duration + step, step) * fps
    return frames


def sampled_sliders(scene: Any, character: Any, frames: Array) -> tuple[Array, Array]:
    """Return the (T, 8) weights and (T,) intensity of ``character`` at ``frames``, as Blender would evaluate them.

    F-curves, drivers and the NLA count. The present frame stays: only a stand-in of the character is evaluated, in a
    scene of its own, which is also much faster than the whole scene.

    Args:
        scene: that the character is animated for.
        character: the mesh object of the face.
        frames: (T,) whole or not.
    """
    rows = np.zeros((len(frames), len(EMOTIONS) + 1))
    with _unwatched(), _stand_in(scene, character) as (stage, double):
        layer = stage.view_layers[0]
        for row, frame in zip(rows, frames.tolist(), strict=True):
            whole = int(np.floor(frame))
            stage.frame_set(whole, subframe=frame - whole)
            group = double.evaluated_get(layer.depsgraph).dream_talk_emotion
            row[:] = [*weights_of(group), getattr(group, INTENSITY)]
    return rows[:, :-1], rows[:, -1]


@contextmanager
def _unwatched() -> Iterator[None]:
    """Keep the handlers of frame changes and updates away from a scene that is not the user's."""
    lists = [getattr(bpy.app.handlers, name) for name in _WATCHERS]
    kept = [list(handlers) for handlers in lists]
    for handlers in lists:
        handlers.clear()
    try:
        yield
    finally:
        for handlers, before in zip(lists, kept, strict=True):
            handlers.extend(before)


@contextmanager
def _stand_in(scene: Any, character: Any) -> Iterator[tuple[Any, Any]]:
    """Hold a scene with nothing but a copy of ``character`` that has its emotion and animation, but no shape."""
    stage, mesh = bpy.data.scenes.new("DREAM-Talk Emotion"), bpy.data.meshes.new("DREAM-Talk Emotion")
    double = character.copy()
    try:
        double.parent = None
        double.modifiers.clear()
        double.constraints.clear()
        double.data = mesh
        _drop_other_drivers(double)
        for curve in double.animation_data.drivers if double.animation_data else ():
            _follow_stage(curve.driver, scene, stage)
        stage.render.fps, stage.render.fps_base = scene.render.fps, scene.render.fps_base
        stage.collection.objects.link(double)
        yield stage, double
    finally:
        bpy.data.objects.remove(double)
        bpy.data.meshes.remove(mesh)
        bpy.data.scenes.remove(stage)


def _drop_other_drivers(double: Any) -> None:
    """Remove the drivers of ``double`` that hold no slider: they may need what it no longer has."""
    if double.animation_data is None:
        return
    drivers = double.animation_data.drivers
    wanted = {curve.data_path for curve in emotion_curves(list(drivers))}
    for curve in [curve for curve in drivers if curve.data_path not in wanted]:
        drivers.remove(curve)


def _follow_stage(driver: Any, scene: Any, stage: Any) -> None:
    """Let ``driver`` read the frame of ``stage`` where it reads that of ``scene``."""
    for variable in driver.variables:
        for target in variable.targets:
            if variable.type == "SINGLE_PROP" and target.id == scene and target.data_path.startswith("frame_"):
                target.id = stage
