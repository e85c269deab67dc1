"""Keys of what a character feels: set, taken away, and kept when another Action is given to its object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.arkit import EMOTIONS
from ..blendshape_rigs.feelings import Array, turns_of
from . import compat
from .emotion import driven_sliders, emotion_curves, keyed_curves, path_of
from .emotion_markers import Mark
from .take_keys import copy_keys

_GROUP = "Emotion"


def _own_action(character: Any) -> None:
    """Give ``character`` a copy of its Action where that is linked from another file: keys would not hold there."""
    animation = character.animation_data
    if animation is None or animation.action is None or animation.action.library is None:
        return
    action, slot = compat.playing(character)
    copied = action.copy()
    compat.play_again(character, (copied, None if slot is None else copied.slots[slot.identifier]))


def key_weights(character: Any, frame: float) -> int:
    """Key the present weights of ``character`` at ``frame`` and return how many; driven ones cannot be keyed."""
    _own_action(character)
    held = driven_sliders(character)
    free = [path_of(name) for name in EMOTIONS if path_of(name) not in held]
    for path in free:
        character.keyframe_insert(path, frame=frame, group=_GROUP)
    return len(free)


def clear_keys(character: Any) -> int:
    """Remove the emotion keys of ``character`` from its active Action and return how many sliders had some."""
    _own_action(character)
    collection = compat.curve_collection(character)
    found = keyed_curves(character)
    for curve in found:
        assert collection is not None  # it has the curves
        collection.remove(curve)
    return len(found)


def key_marks(character: Any, marks: list[Mark], fps: float) -> None:
    """Replace the emotion keys of ``character`` by what ``marks`` say: two keys a change, eased as marks are.

    Args:
        character: the mesh object of the face.
        marks: in order of time, at least one.
        fps: true frame rate of the scene, Hz.
    """
    clear_keys(character)
    begin, end = turns_of(_seconds(marks, fps))
    group, before = character.dream_talk_emotion, dict.fromkeys(EMOTIONS, 0.0)
    for first, last, mark in zip(begin * fps, end * fps, marks, strict=True):
        for frame, weights in ((round(first), before), (round(last), mark.weights)):
            for name in EMOTIONS:
                setattr(group, name, weights.get(name, 0.0))
            key_weights(character, frame)
        before = mark.weights
    for curve in keyed_curves(character):
        _ease(curve)


def _seconds(marks: list[Mark], fps: float) -> Array:
    return np.array([mark.frame / fps for mark in marks])


def _ease(curve: Any) -> None:
    """Let the value rest at every key of ``curve`` and change smoothly between them."""
    points = list(curve.keyframe_points)
    for point in points:
        point.interpolation = "BEZIER"
        point.handle_left_type = point.handle_right_type = "FREE"
    for point, following in pairwise(points):
        third = (following.co[0] - point.co[0]) / 3
        point.handle_right = (point.co[0] + third, point.co[1])
        following.handle_left = (following.co[0] - third, following.co[1])
    curve.update()


@contextmanager
def keeping_emotion(character: Any) -> Iterator[None]:
    """Let the emotion keys of ``character`` go along when its object is given another Action, as by a take."""
    before = keyed_curves(character)
    action = character.animation_data.action if before else None
    yield
    if not before or character.animation_data.action == action:
        return
    clear_keys(character)
    collection = compat.curve_collection(character)
    if collection is None:
        collection = compat.animate(character, bpy.data.actions.new(f"{character.name} Emotion"))
    for curve in before:
        copy_keys(curve, collection.new(curve.data_path))


def emotion_frames(character: Any) -> list[float]:
    """Return the frames of the emotion keys in the active Action of ``character``."""
    curves = emotion_curves(compat.assigned_curves(character))
    return [point.co[0] for curve in curves for point in curve.keyframe_points]
