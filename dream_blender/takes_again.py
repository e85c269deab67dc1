"""More Like This: new takes with the settings of an old one and other seeds, made one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy

from ..blendshape_rigs.feelings import name_of
from . import generate
from .character import head_problem
from .client import ServerClient, health_of
from .job import Job, Progress
from .preferences import server_address
from .sound import Recording, recording_of_file
from .style import style_again
from .take import TakeError, scene_fps
from .take_settings import TakeSettings, settings_of
from .takes import takes_of

_TICK = 0.3  # seconds
_queues: list[list[generate.Generation]] = []
"""Takes to be made, a list for each character; the first of a list is being made."""


def problem_with_again(take: Any) -> str:
    """Return why no more takes like ``take`` can be made, as one sentence; empty when they can."""
    settings = settings_of(take)
    if settings is None or not settings.lips or not settings.audio:
        return f"'{take.name}' was not generated from a recording here: its settings are not known"
    return ""


def new_seeds(character: Any, seed: int, count: int) -> list[int]:
    """Return the next ``count`` seeds after ``seed`` that no take of ``character`` was made with."""
    used = {settings.seed for take in takes_of(character) if (settings := settings_of(take)) is not None}
    seeds: list[int] = []
    while len(seeds) < count:
        seed += 1
        if seed not in used:
            seeds.append(seed)
    return seeds


def _options(settings: TakeSettings, seed: int, fps: float) -> dict[str, Any]:
    said = {"text": settings.text, "language": settings.language} if settings.text else {"lips": settings.lips}
    return {"emotion": settings.emotion, "seed": seed, "fps": fps, **said}


def prepare(context: Any, character: Any, take: Any, seed: int) -> generate.Generation:
    """Return a take like ``take`` with another ``seed``, not yet begun.

    Raises:
        TakeError: for a take whose settings are not known, or whose style clip is gone.
        SoundError: for a recording that is gone.
        ServerError: when no server can be used.
    """
    problem = problem_with_again(take)
    if problem:
        raise TakeError(problem)
    settings = settings_of(take)
    assert settings is not None  # problem_with_again saw to it
    scene = context.scene
    path = recording_of_file(settings.audio, 0).path
    first, last = settings.heard or (settings.origin_frame, None)
    address = server_address(context)
    health_of(address)
    fps = scene_fps(scene)
    options = _options(settings, seed, fps)
    style = style_again(scene, character, settings.style_source, settings.style, settings.style_strength)
    if style is not None:
        options |= style.options
    return generate.Generation(
        job=Job(ServerClient(address), path, options, style.parts if style is not None else {}),
        scene=scene.name,
        character=character.name,
        recording=Recording(path, settings.origin_frame, first, last),
        take_name=f"{path.stem} {name_of(settings.emotion)} {seed}",
        fps=fps,
        head=settings.head and not head_problem(character),
        add_sound=False,
        set_range=False,
        file=bpy.data.filepath,
        progress=Progress(0.0, "Starting"),
        settings=replace(settings, merged=""),
    )


def prepare_many(context: Any, character: Any, take: Any, count: int) -> list[generate.Generation]:
    """Return ``count`` takes like ``take`` with new seeds, not yet begun; raises as :func:`prepare` does."""
    settings = settings_of(take)
    seeds = new_seeds(character, 0 if settings is None else settings.seed, count)
    return [prepare(context, character, take, seed) for seed in seeds]


def left_for(character: str) -> int:
    """Return how many takes of the object named ``character`` are still to be made, that in the making included."""
    return sum(len(queue) for queue in _queues if queue[0].character == character)


def start(generations: list[generate.Generation]) -> None:
    """Make takes of one character one after the other; Blender stays free meanwhile."""
    _queues.append(list(generations))
    generate.start(generations[0])
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK, persistent=True)


def stop() -> None:
    """Forget all takes that are still to be made."""
    _queues.clear()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _go_on(queue: list[generate.Generation]) -> None:
    """Begin the next take of ``queue`` when its first one is done; empty it when that has failed or was cancelled."""
    now = queue[0]
    if generate.active.get(now.character) is now:
        return
    said = generate.last_message.get(now.character)
    failed = now.curves is None or (said is not None and said[1])
    queue.pop(0)
    if failed or now.file != bpy.data.filepath:
        queue.clear()
    elif queue:
        queue[0].scene, queue[0].character = now.scene, now.character  # they may bear new names
        generate.start(queue[0])


def _tick() -> float | None:
    for queue in list(_queues):
        _go_on(queue)
        if not queue:
            _queues.remove(queue)
    return _TICK if _queues else None
