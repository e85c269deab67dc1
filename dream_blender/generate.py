"""From the sidebar's settings to a keyed take: what runs on Blender's main thread around a ``Job``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import bpy

from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.feelings import name_of
from . import server_status
from .character import can_be_chosen, character_from, head_problem, notes_on, problem_with, turns_by_default
from .client import ServerClient, health_of
from .emotion_keys import keeping_emotion
from .emotion_sampling import emotion_problem, emotion_request
from .job import Done, Failed, Job, Progress
from .preferences import server_address
from .sound import Recording, SoundError, heard, place_sound, recording_of_file, recording_of_strip
from .style import chosen_style, style_problem
from .take import TakeError, frame_range, key_take, parts_of, scene_fps
from .take_settings import TakeSettings

_TICK = 0.1  # seconds


@dataclass
class Generation:
    """A take in the making. Scene and character are found again: undo and file loads replace the objects.

    Attributes:
        job: the work on the server.
        scene: name of the scene.
        character: name of the character's object.
        recording: what is spoken, and where it lies in time.
        take_name: name of the Action to be.
        fps: true frame rate of the scene when the work began, Hz.
        head: whether the object takes the head pose.
        add_sound: whether the recording is laid in the sequencer.
        set_range: whether the scene's frame range is set to the take.
        file: the .blend file that was open.
        progress: how far it is.
        settings: what the take is made with, as far as neither ``job`` nor ``curves`` tell.
        curves: the result, once there is one.
        note: what the server said of it; may be empty.
        end: the last message of ``job``, once there is one.
        finish: what is done with the character and its new Action once they are keyed, in the same undo step.
        identity: session numbers of scene and character, which renaming and undo leave as they are; None before
            the work has begun.
    """

    job: Job
    scene: str
    character: str
    recording: Recording
    take_name: str
    fps: float
    head: bool
    add_sound: bool
    set_range: bool
    file: str
    progress: Progress
    settings: TakeSettings = field(default_factory=TakeSettings)
    curves: FaceCurves | None = None
    note: str = ""
    end: Done | Failed | None = None
    finish: Callable[[Any, Any], None] | None = None
    identity: tuple[int, int] | None = None

    def identify(self) -> None:
        """Remember which scene and character the names now mean."""
        scene, character = bpy.data.scenes.get(self.scene), bpy.data.objects.get(self.character)
        self.identity = (_session_number(scene), _session_number(character))

    def data(self) -> tuple[Any, Any]:
        """Return the scene and the character, by whatever name they go now.

        Raises:
            TakeError: when one of them is gone.
        """
        if self.identity is None:
            scene, character = bpy.data.scenes.get(self.scene), bpy.data.objects.get(self.character)
        else:
            scene = _by_session_number(bpy.data.scenes, self.identity[0])
            character = _by_session_number(bpy.data.objects, self.identity[1])
        if scene is None or character is None or is_deleted(character):
            raise TakeError(f"'{self.character}' is no longer here: its new take was dropped")
        return scene, character


def is_deleted(character: Any) -> bool:
    """Tell whether no scene has ``character``: the settings of a scene keep a deleted object in the file.

    A linked object may be seen through an empty that shows its collection, and is in no scene by itself.
    """
    if character.library is not None:
        return False
    found = any(scene.objects.get(character.name) == character for scene in bpy.data.scenes)
    return not found and not character.users_scene  # the slow way tells objects of one name in two files apart


def _session_number(item: Any) -> int:
    return 0 if item is None else int(item.session_uid)


def _by_session_number(items: Any, number: int) -> Any | None:
    return next((item for item in items if item.session_uid == number), None)


active: dict[str, Generation] = {}
"""Takes in the making, by the name of their character."""
last_message: dict[str, tuple[str, bool]] = {}
"""What became of the last take, and whether that was an error, by the name of the character."""


def recording_of(scene: Any) -> Recording:
    """Return the recording that the settings of ``scene`` name.

    Raises:
        SoundError: when there is none.
    """
    settings = scene.dream_talk
    if settings.audio_source == "STRIP":
        return recording_of_strip(scene, settings.strip_name)
    return recording_of_file(settings.audio_path, scene.frame_start)


def chosen_character(context: Any) -> Any | None:
    """Return the character of the sidebar: the chosen one, else the active object if it could be one, else None."""
    chosen = context.scene.dream_talk.character
    if chosen is not None:
        return chosen
    active = character_from(context.view_layer.objects.active)
    return active if active is not None and can_be_chosen(active) else None


def adopt_character(context: Any) -> Any | None:
    """Write the character of :func:`chosen_character` into the sidebar's settings, and return it."""
    settings, character = context.scene.dream_talk, chosen_character(context)
    if settings.character is None and character is not None:
        settings.character = character
    return character


def character_problem(context: Any) -> str:
    """Return why the character of the sidebar cannot take a performance, as one sentence; empty when it can."""
    settings, character = context.scene.dream_talk, chosen_character(context)
    if character is not None and is_deleted(character):
        return f"'{character.name}' was deleted: choose another character"
    reason = problem_with(character)
    if reason or character is None:
        return reason
    # Head Motion is set when the character is chosen; until then it is what it would be set to.
    wanted = settings.head_motion if settings.character is not None else turns_by_default(character)
    return head_problem(character) if wanted else ""


def disabled_reason(context: Any) -> str:
    """Return why Generate cannot run now, as one sentence; empty when it can."""
    settings, character = context.scene.dream_talk, chosen_character(context)
    reason = character_problem(context)
    if not reason and character is not None and character.name in active:
        reason = "A take for this character is being made"
    if not reason and settings.audio_source == "STRIP" and not settings.strip_name:
        reason = "Choose a sound strip"
    if not reason and settings.audio_source == "FILE" and not settings.audio_path:
        reason = "Choose an audio file"
    if not reason and settings.lips == "TEXT" and not settings.text.strip():
        reason = "Type what is said, or let the lips follow the sound"
    return reason or emotion_problem(context.scene, character) or style_problem(settings.style)


def chosen_settings(settings: Any) -> TakeSettings:
    """Return what the sidebar's ``settings`` say of the recording of a take, as they give it."""
    strip = settings.strip_name if settings.audio_source == "STRIP" else ""
    return TakeSettings(audio="" if strip else settings.audio_path, strip=strip)


def prepare(context: Any) -> Generation:
    """Return the take that the settings of the context's scene describe, not yet begun.

    Raises:
        TakeError: for a character that cannot be keyed.
        SoundError: for a recording that cannot be used.
        ServerError: when no server can be used.
    """
    scene = context.scene
    reason = disabled_reason(context)
    if reason:
        raise TakeError(reason)
    settings, character = scene.dream_talk, adopt_character(context)
    assert character is not None  # disabled_reason saw to it
    return prepare_take(context, character, recording_of(scene), settings.head_motion, chosen_settings(settings))


def prepare_take(context: Any, character: Any, recording: Recording, head: bool, made: TakeSettings) -> Generation:
    """Return a take, not yet begun, with the performance that the sidebar of the context's scene asks for.

    Args:
        context: Blender's context.
        character: the mesh that talks.
        recording: what is spoken.
        head: whether head pose is keyed.
        made: which file or strip ``recording`` is of.

    Raises:
        TakeError: for markers that name no emotion, or a style clip that cannot be read.
        ServerError: when no server can be used.
    """
    scene, settings = context.scene, context.scene.dream_talk
    address = server_address(context)
    health_of(address)
    fps = scene_fps(scene)
    emotion, style = emotion_request(scene, character, recording), chosen_style(scene, character)
    options = {"emotion": emotion, "seed": settings.seed, "fps": fps, **settings.lips_options()}
    if style is not None:
        options |= style.options
        made = replace(made, style=style.name, style_source=style.source, style_strength=style.strength)
    return Generation(
        job=Job(ServerClient(address), recording.path, options, style.parts if style is not None else {}),
        scene=scene.name,
        character=character.name,
        recording=recording,
        take_name=f"{recording.path.stem} {name_of(emotion)} {settings.seed}",
        fps=fps,
        head=head,
        add_sound=settings.add_sound and not made.strip,
        set_range=settings.set_range,
        file=bpy.data.filepath,
        progress=Progress(0.0, "Starting"),
        settings=made,
    )


def made_with(generation: Generation, curves: FaceCurves) -> TakeSettings:
    """Return what the take of the finished ``generation`` is made with; ``curves`` are those that are keyed."""
    options, recording = generation.job.options, generation.recording
    return replace(
        generation.settings,
        audio=generation.settings.audio or str(recording.path),
        emotion=options.get("emotion", {}),
        lips="text" if options.get("text") else options.get("lips", ""),
        text=options.get("text", ""),
        language=options.get("language", ""),
        seed=options.get("seed", 0),
        fps=curves.fps,
        model=curves.provenance.model_hash,
        audio_hash=curves.provenance.audio_hash,
        character=generation.character,
        origin_frame=recording.origin_frame,
        heard=(recording.first_frame, recording.last_frame),
        head=generation.head,
    )


def key_generation(generation: Generation) -> Any:
    """Key the finished ``generation`` on its character, lay its sound, and return the new Action.

    Raises:
        TakeError: when the character or scene is gone, or can no longer be keyed.
    """
    scene, character = generation.data()
    assert generation.curves is not None
    try:
        curves = heard(generation.curves, generation.recording, generation.fps)
    except SoundError as error:
        raise TakeError(str(error)) from error
    origin = generation.recording.origin_frame
    # The scene's frame rate may have changed since: seconds stay what they were.
    with keeping_emotion(character):
        action = key_take(character, curves, generation.take_name, origin, scene_fps(scene), head=generation.head)
    for part in parts_of(action):
        made_with(generation, curves).store(part)
    if generation.finish is not None:
        generation.finish(character, action)
    if generation.add_sound:
        place_sound(scene, generation.recording)
    if generation.set_range:
        scene.frame_start, scene.frame_end = frame_range(character)
    return action


def keyed_message(character: Any, action: Any, note: str = "") -> str:
    """Return what has been keyed on ``character``, what was left out, and the ``note`` of the server, in words."""
    said = [f"{note[0].upper()}{note[1:]}"] if note else []
    return ". ".join([f"Keyed '{action.name}'", *said, *notes_on(character)])


def _empty_messages(generation: Generation) -> Done | Failed | None:
    """Take what the job has said; return its last message when it has ended."""
    while not generation.job.messages.empty():
        message = generation.job.messages.get()
        if not isinstance(message, Progress):
            return message
        generation.progress = message
    return None


def run_blocking(generation: Generation) -> Any:
    """Do all the work and return the Action; for Blender without a window.

    Raises:
        TakeError: when it fails or cannot be keyed.
    """
    generation.job.start()
    while (end := _empty_messages(generation)) is None:
        time.sleep(_TICK)
    if isinstance(end, Failed):
        raise TakeError(end.message)
    generation.curves, generation.note = end.curves, end.note
    return key_generation(generation)


def start(generation: Generation) -> None:
    """Begin the work; the take is keyed when it is done, and Blender stays free meanwhile."""
    generation.identify()
    active[generation.character] = generation
    last_message.pop(generation.character, None)
    generation.job.start()
    if not bpy.app.timers.is_registered(_poll):
        bpy.app.timers.register(_poll, first_interval=_TICK, persistent=True)


def cancel(character: str) -> None:
    """Stop making the take of the object named ``character``."""
    if character in active:
        generation = active[character]
        generation.job.cancel()
        if generation.end is not None:  # it waits for a render to end
            generation.end = Failed("Cancelled", cancelled=True)


def cancel_all() -> None:
    """Stop making every take, and forget them."""
    for generation in active.values():
        generation.job.cancel()
    active.clear()
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator] # bpy has no types
def on_file_loaded(_path: str) -> None:
    """Stop takes that belong to another file; one that was only reverted keeps them."""
    last_message.clear()  # other characters may bear the same names
    for name, generation in list(active.items()):
        if generation.file != bpy.data.filepath or not generation.file:
            generation.job.cancel()
            active.pop(name)
        else:
            generation.identify()


def _follow_names() -> None:
    """Hold the takes in the making by the names that their scenes and characters bear now."""
    for generation in active.values():
        try:
            scene, character = generation.data()
        except TakeError:
            continue  # undo may bring them back until the take is there
        generation.scene, generation.character = scene.name, character.name
    renamed = {generation.character: generation for generation in active.values()}
    active.clear()
    active.update(renamed)


def _finish(generation: Generation, end: Done | Failed) -> None:
    name = generation.character
    if isinstance(end, Failed):
        last_message[name] = (end.message, not end.cancelled)
        active.pop(name)
        return
    generation.curves, generation.note = end.curves, end.note
    window = bpy.context.window_manager.windows[0]
    try:
        with bpy.context.temp_override(window=window):
            # Undo is asked for in so many words: an operator called from Python makes no undo step by itself.
            bpy.ops.dream_talk.key_finished_take("EXEC_DEFAULT", True, character=name)
    finally:
        active.pop(name)


def _poll() -> float | None:
    _follow_names()
    rendering = bpy.app.is_job_running("RENDER")
    for generation in list(active.values()):
        generation.end = generation.end or _empty_messages(generation)
        if generation.end is not None and rendering:
            # Keys would change the frames that are still to be rendered.
            generation.progress = Progress(1.0, "Waiting for the render to end")
        elif generation.end is not None:
            _finish(generation, generation.end)
    server_status.redraw_sidebars()
    return _TICK if active else None
