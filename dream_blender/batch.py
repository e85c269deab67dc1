"""The batch: takes for many sound strips and characters, made one after the other.

The rows of a list are kept in its scene. What became of each is kept here by the row's number, so that undo of a take
does not undo what is known of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from . import generate, server_status
from .character import can_be_chosen, character_from, problem_with, turns_by_default
from .client import ServerError
from .generate import Generation
from .head_target import armature_of
from .job import Failed
from .sound import SoundError, recording_of_strip
from .take import TAKE_ID_MARK, TakeError
from .take_settings import TakeSettings
from .takes_nla import push_down

_TICK = 0.2  # seconds
WAITING, RUNNING, DONE, FAILED, CANCELLED = "WAITING", "RUNNING", "DONE", "FAILED", "CANCELLED"


@dataclass
class Entry:
    """What became of a row.

    Attributes:
        state: ``"WAITING"``, ``"RUNNING"``, ``"DONE"``, ``"FAILED"`` or ``"CANCELLED"``.
        message: what was keyed, or why it failed.
        generation: the take in the making while it runs.
        take_id: of its take, once it is keyed.
    """

    state: str
    message: str = ""
    generation: Generation | None = None
    take_id: str = ""

    @property
    def is_busy(self) -> bool:
        """Whether it waits for its turn or runs."""
        return self.state in (WAITING, RUNNING)


entries: dict[int, Entry] = {}
"""What became of rows that were started, by the row's number, in the order in which they are made."""
_file: list[str] = [""]
"""The .blend file that was open when the batch was last started."""


def _names_of(scene: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names by which strips may call the characters of ``scene``: of the mesh and of its armature."""
    for item in scene.objects:
        if not can_be_chosen(item):
            continue
        yield item.name, item
        armature = armature_of(item)
        if armature is not None and character_from(armature) == item:
            yield armature.name, item


def _begins(text: str, name: str) -> bool:
    """Tell whether ``text`` begins with ``name`` as a word of its own: "Ann 01" and "Ann01", but not "Anna"."""
    return text.casefold().startswith(name.casefold()) and not text[len(name) : len(name) + 1].isalpha()


def assigned(scene: Any, strip: Any, otherwise: Any | None) -> Any | None:
    """Return who speaks ``strip``: whose name its own begins with or its channel bears, else ``otherwise``."""
    names = sorted(_names_of(scene), key=lambda named: -len(named[0]))
    by_name = next((item for name, item in names if _begins(strip.name, name)), None)
    if by_name is not None:
        return by_name
    channel = scene.sequence_editor.channels[strip.channel].name
    return next((item for name, item in names if channel.casefold() == name.casefold()), otherwise)


def fill_rows(context: Any, strips: Iterable[Any]) -> None:
    """Make the list of the context's scene anew, one row for each of ``strips``."""
    scene = context.scene
    rows, chosen = scene.dream_talk_batch.rows, generate.chosen_character(context)
    for row in rows:
        entries.pop(row.number, None)
    rows.clear()
    for strip in strips:
        row = rows.add()
        row.number, row.strip = random.randrange(1, 2**31 - 1), strip.name
        row.character = assigned(scene, strip, chosen)
    scene.dream_talk_batch.row = 0


def entry_of(row: Any) -> Entry | None:
    """Return what became of ``row``; None where nothing did, or its take was undone or deleted since."""
    entry = entries.get(row.number)
    if entry is None or entry.state != DONE:
        return entry
    return entry if any(action.get(TAKE_ID_MARK) == entry.take_id for action in bpy.data.actions) else None


def is_busy(scene: Any) -> bool:
    """Tell whether a row of ``scene`` waits or runs."""
    return any(row.number in entries and entries[row.number].is_busy for row in scene.dream_talk_batch.rows)


def open_rows(scene: Any) -> list[Any]:
    """Return the rows of ``scene`` that have no take and are not being made."""
    found = [(row, entry_of(row)) for row in scene.dream_talk_batch.rows]
    return [row for row, entry in found if entry is None or entry.state in (FAILED, CANCELLED)]


def disabled_reason(scene: Any) -> str:
    """Return why the batch of ``scene`` cannot start now, as one sentence; empty when it can."""
    waiting = open_rows(scene)
    if is_busy(scene):
        return "The batch is running"
    if not len(scene.dream_talk_batch.rows):
        return "Fill the list first"
    if not waiting:
        return "A take was made for every row: fill the list again to make others"
    if scene.dream_talk.lips == "TEXT":
        return "A typed text belongs to one recording: let the lips follow the sound or English"
    nobody = next((row.strip for row in waiting if row.character is None), "")
    return f"Choose who speaks '{nobody}'" if nobody else ""


def _find(number: int) -> tuple[Any, Any] | None:
    """Return the scene and row of ``number``, or None when it is gone."""
    for scene in bpy.data.scenes:
        for row in scene.dream_talk_batch.rows:
            if row.number == number:
                return scene, row
    return None


def _prepare(scene: Any, row: Any) -> Generation:
    """Return the take of ``row``, not yet begun.

    Raises:
        TakeError: for a character that cannot be keyed.
        SoundError: for a strip that cannot be used.
        ServerError: when no server can be used.
    """
    character = row.character
    if character is not None and generate.is_deleted(character):
        raise TakeError(f"'{character.name}' was deleted: choose another character")
    problem = problem_with(character)
    if problem:
        raise TakeError(problem)
    recording = recording_of_strip(scene, row.strip)
    settings = scene.dream_talk
    head = settings.head_motion if character == settings.character else turns_by_default(character)
    with bpy.context.temp_override(scene=scene):
        generation = generate.prepare_take(bpy.context, character, recording, head, TakeSettings(strip=row.strip))
    generation.take_name = row.strip + generation.take_name.removeprefix(recording.path.stem)
    generation.set_range = False
    # Takes of one character play one after the other where they lie only as strips of the NLA.
    several = sum(other.character == character for other in scene.dream_talk_batch.rows) > 1
    number = row.number

    def finish(character: Any, action: Any) -> None:
        if several:
            push_down(character, action)
        if number in entries:
            entries[number].take_id, entries[number].message = action[TAKE_ID_MARK], f"Keyed '{action.name}'"

    generation.finish = finish
    return generation


def start(scene: Any, rows: Iterable[Any]) -> None:
    """Put ``rows`` in the queue; without a window, make their takes at once."""
    _file[0] = bpy.data.filepath
    for row in rows:
        entries.pop(row.number, None)
        entries[row.number] = Entry(WAITING)
    if bpy.app.background:
        while any(entry.is_busy for entry in entries.values()):
            _run_blocking()
    elif not bpy.app.timers.is_registered(poll):
        bpy.app.timers.register(poll, first_interval=0.0, persistent=True)


def cancel(number: int) -> None:
    """Stop the row of ``number``, or take it out of the queue."""
    entry = entries.get(number)
    if entry is None or not entry.is_busy:
        return
    if entry.generation is not None:
        generate.cancel(entry.generation.character)
    else:
        entries[number] = Entry(CANCELLED, "Cancelled")


def cancel_all() -> None:
    """Stop every row of every scene."""
    for number in list(entries):
        cancel(number)


def stop() -> None:
    """Forget everything; what runs is stopped by :mod:`generate`."""
    entries.clear()
    if bpy.app.timers.is_registered(poll):
        bpy.app.timers.unregister(poll)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator] # bpy has no types
def on_file_loaded(_path: str) -> None:
    """Forget rows that belong to another file; a file that was only reverted keeps them."""
    if not bpy.data.filepath or bpy.data.filepath != _file[0]:
        entries.clear()


def _next() -> tuple[int, Generation] | None:
    """Return the next take with its row's number; rows that cannot begin have failed. None when none can begin now."""
    for number, entry in list(entries.items()):
        if entry.state != WAITING:
            continue
        found = _find(number)
        if found is None:
            entries.pop(number)  # undone, or removed
            continue
        scene, row = found
        if row.character is not None and row.character.name in generate.active:
            continue
        try:
            return number, _prepare(scene, row)
        except (TakeError, SoundError, ServerError) as error:
            entries[number] = Entry(FAILED, server_status.explained(error))
    return None


def _run_blocking() -> None:
    """Make one take, or find out that it cannot be made."""
    following = _next()
    if following is None:
        return
    number, generation = following
    try:
        generate.run_blocking(generation)
    except TakeError as error:
        entries[number] = Entry(FAILED, str(error))
    else:
        entries[number].state = DONE


def _outcome(entry: Entry, generation: Generation) -> Entry | None:
    """Return what became of the ``generation`` of a running ``entry``; None while it is in the making."""
    if any(generation is other for other in generate.active.values()):
        return None
    if entry.take_id:
        return Entry(DONE, entry.message, take_id=entry.take_id)
    if isinstance(generation.end, Failed):
        return Entry(CANCELLED if generation.end.cancelled else FAILED, generation.end.message)
    said, _ = generate.last_message.get(generation.character, (f"'{generation.character}' could not be keyed", True))
    return Entry(FAILED, said)


def poll() -> float | None:
    """Go on with the queue; Blender's timer calls it."""
    running = False
    for number, entry in list(entries.items()):
        if entry.generation is None:
            continue
        ended = _outcome(entry, entry.generation)
        if ended is None:
            running = True
        else:
            entries[number] = ended
    following = None if running else _next()
    if following is not None:
        number, generation = following
        entries[number] = Entry(RUNNING, generation=generation)
        generate.start(generation)
    server_status.redraw_sidebars()
    return _TICK if any(entry.is_busy for entry in entries.values()) else None
