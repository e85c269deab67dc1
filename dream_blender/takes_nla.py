"""Takes on the NLA: a take pushed down as a strip, and one take shown alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import compat
from .head_target import REST_MARK
from .take import TakeError, parts_of
from .takes import (
    TRACK_NAME,
    Part,
    active_take,
    clear,
    foreign_curves,
    matched,
    moved_data,
    split,
    strips_of,
    take_range,
)

SOLO_MARK = "dream_talk_solo"
"""Custom property of a character: the NLA tracks that are muted while one take is shown alone, as JSON."""


def own_keys_problem(take: Any) -> str:
    """Return why ``take`` cannot be taken away as a whole, as one sentence; empty when it can."""
    foreign = foreign_curves(take)
    if not foreign:
        return ""
    return f"'{take.name}' also holds {len(foreign)} channels of yours, such as {foreign[0]}: move them elsewhere first"


def _new_strip(data: Any, take: Any, part: Part) -> Any:
    """Return a strip of ``part`` on the first DREAM-Talk track of ``data`` with room for it."""
    first, last = take_range(take)
    animation = data.animation_data or data.animation_data_create()
    for track in (track for track in animation.nla_tracks if track.name.startswith(TRACK_NAME)):
        # Strips overlap where one begins before the other ends.
        if all(strip.frame_end <= first or strip.frame_start >= last for strip in track.strips):
            break
    else:
        track = animation.nla_tracks.new()
        track.name = TRACK_NAME
    strip = track.strips.new(take.name, int(np.floor(first)), part.action)
    compat.set_strip_slot(strip, part.slot)
    strip.use_sync_length = False
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.frame_start, strip.frame_end = first, last
    return strip


def push_down(character: Any, take: Any) -> list[Any]:
    """Push ``take`` down to NLA tracks called DREAM-Talk, one strip for each data-block, and return the strips.

    It is no longer the active take then. Other tracks and an animator's own Actions stay as they are. After its end
    the face stays as the take leaves it, until the next strip; bones go back to what the tracks below say.

    Raises:
        TakeError: for a take that is pushed down already, or that holds an animator's own keys.
    """
    actions, data = parts_of(take), moved_data(character)
    if any(strips_of(item, actions) for item in data):
        raise TakeError(f"'{take.name}' is on the NLA already")
    problem = own_keys_problem(take)
    if problem:
        raise TakeError(problem)
    if active_take(character) == take:
        clear(character)
    strips = []
    for item, part in matched(split(take), data).items():
        strip = _new_strip(item, take, part)
        # Without a bone it is the object itself that would jump home.
        turns_object = "" in json.loads(part.action.get(REST_MARK, "{}"))
        strip.extrapolation = "HOLD_FORWARD" if part.id_type == "KEY" or turns_object else "NOTHING"
        strips.append(strip)
    return strips


def is_solo(character: Any) -> bool:
    """Tell whether one take of ``character`` is shown alone."""
    return SOLO_MARK in character


def set_solo(character: Any, alone: bool) -> None:
    """Show only the active take of ``character``, or let its NLA tracks play again.

    Alone, the NLA tracks of the shape keys and those called DREAM-Talk are muted; tracks of the body play on.
    """
    if alone == is_solo(character):
        return
    data = moved_data(character)
    if alone:
        muted = []
        for item in data:
            for track in item.animation_data.nla_tracks if item.animation_data is not None else ():
                if not track.mute and (item.id_type == "KEY" or track.name.startswith(TRACK_NAME)):
                    track.mute = True
                    muted.append([item.id_type, item.name, track.name])
        character[SOLO_MARK] = json.dumps(muted)
        return
    for id_type, name, track_name in json.loads(character[SOLO_MARK]):
        for item in data:
            if (item.id_type, item.name) == (id_type, name) and track_name in item.animation_data.nla_tracks:
                item.animation_data.nla_tracks[track_name].mute = False
    del character[SOLO_MARK]
