"""The full render: the scene is gone through frame by frame, then the server makes the video or the frames."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.curves import FaceCurves
from . import generate, portrait_preview, server_status
from .client import health_of
from .job import Failed, Progress
from .paths import absolute
from .portrait_client import PortraitClient
from .portrait_job import Finished, Frames, PortraitWork, SequenceWork, VideoWork
from .portrait_pictures import save_picture
from .portrait_points import points_problem
from .portrait_reading import FaceReader, ReadingError, Shown, problem_to_read, watching_matrix
from .portrait_settings import SEQUENCES, SUFFIXES
from .portrait_sound import portrait_sound
from .preferences import preferences, server_address
from .take import scene_fps

CONSENT_ASKED = "Confirm first that you may animate this person's likeness"
_TICK = 0.05  # seconds
_BUDGET = 0.1  # seconds of reading or writing before Blender draws again
_READING_SHARE = 0.3  # of the progress bar that going through the scene takes


class RenderError(Exception):
    """A portrait that cannot be rendered; the message says what to do."""


@dataclass
class Rendering:
    """A portrait in the making. Scene and character are held by name: undo and file loads replace the objects.

    Attributes:
        client: the server.
        scene: name of the scene.
        character: name of the character's object.
        photo: the photograph.
        frames: first and last frame.
        fps: true frame rate of the scene when the work began, Hz.
        format: key of ``SUFFIXES``.
        output: the video, or the folder and beginning of the names of a sequence.
        folder: where passing files lie.
        shown: what the character shows in the frames gone through so far.
        curves: all of it, once it has been gone through.
        work: what the server does, once it does.
        progress: how far it is.
        note: what to say besides when it is done.
    """

    client: PortraitClient
    scene: str
    character: str
    photo: Path
    frames: tuple[int, int]
    fps: float
    format: str
    output: Path
    folder: Path
    frame_before: tuple[int, float]
    shown: list[Shown] = field(default_factory=list)
    curves: FaceCurves | None = None
    work: PortraitWork | None = None
    progress: Progress = field(default_factory=lambda: Progress(0.0, "Reading the scene"))
    note: str = ""
    cancelled: bool = False

    @property
    def count(self) -> int:
        """How many frames there are."""
        return self.frames[1] - self.frames[0] + 1

    def data(self) -> tuple[Any, Any]:
        """Return the scene and the character.

        Raises:
            RenderError: when one of them is gone.
        """
        scene, character = bpy.data.scenes.get(self.scene), bpy.data.objects.get(self.character)
        if scene is None or character is None:
            raise RenderError(f"'{self.character}' is no longer here: its portrait was dropped")
        return scene, character

    def picture_path(self, folder: Path, index: int) -> Path:
        """Return the file in ``folder`` of the frame number ``index`` of a sequence."""
        return folder / f"{self.output.name}_{self.frames[0] + index:04d}{SUFFIXES[self.format]}"


active: Rendering | None = None
"""The portrait that is being rendered."""
last_message: tuple[str, bool] = ("", False)
"""What became of the last one, and whether that was an error."""


def problem(context: Any) -> str:
    """Return why no portrait can be shown, as one sentence; empty when one can."""
    settings = context.scene.dream_talk.portrait
    if not settings.photo:
        return "Choose a photograph"
    if not absolute(settings.photo).is_file():
        return f"There is no file {absolute(settings.photo)}"
    if not preferences(context).likeness_consent:
        return CONSENT_ASKED
    return problem_to_read(generate.chosen_character(context)) or points_problem(settings)


def render_problem(context: Any) -> str:
    """Return why Render Portrait cannot run now, as one sentence; empty when it can."""
    settings = context.scene.dream_talk.portrait
    if active is not None:
        return "A portrait is being rendered"
    reason = problem(context)
    if not reason and not settings.output.strip("/"):
        reason = "Say where to write the portrait"
    if not reason and settings.output.startswith("//") and not bpy.data.filepath:
        reason = "Save the .blend file first, or write the portrait to a whole path"
    return reason


def frame_range(scene: Any) -> tuple[int, int]:
    """Return the first and last frame that are rendered: the preview range where it is on."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def output_path(settings: Any) -> Path:
    """Return the video to write, or the folder and beginning of the names of a sequence."""
    path = absolute(settings.output)
    suffix = SUFFIXES[settings.format]
    stem = path.stem if path.suffix.lower() in SUFFIXES.values() else path.name
    return path.with_name(stem if settings.format in SEQUENCES else stem + suffix)


def prepare(context: Any) -> Rendering:
    """Return the portrait that the settings of the context's scene describe, not yet begun.

    Raises:
        RenderError: when it cannot be rendered.
        ReadingError: for a head that nothing looks at.
        ServerError: when no server can be used.
    """
    reason = render_problem(context)
    if reason:
        raise RenderError(reason)
    scene, character = context.scene, generate.adopt_character(context)
    assert character is not None  # render_problem saw to it
    settings = scene.dream_talk.portrait
    watching_matrix(scene, settings.head_view, portrait_preview.depsgraph_of(scene))
    address = server_address(context)
    health_of(address)
    return Rendering(
        client=PortraitClient(address),
        scene=scene.name,
        character=character.name,
        photo=absolute(settings.photo),
        frames=frame_range(scene),
        fps=scene_fps(scene),
        format=settings.format,
        output=output_path(settings),
        folder=Path(tempfile.mkdtemp(prefix="dreamtalk-portrait-")),
        frame_before=(scene.frame_current, scene.frame_subframe),
    )


def _read_some(rendering: Rendering, budget: float) -> None:
    """Go through frames of the scene for ``budget`` seconds, at least one.

    Raises:
        RenderError: when the scene or character is gone.
        ReadingError: when the character cannot be read.
    """
    scene, character = rendering.data()
    head_view = scene.dream_talk.portrait.head_view
    reader = FaceReader(character)
    until = time.monotonic() + budget
    while len(rendering.shown) < rendering.count:
        scene.frame_set(rendering.frames[0] + len(rendering.shown))
        depsgraph = portrait_preview.depsgraph_of(scene)
        rendering.shown.append(reader.read(depsgraph, watching_matrix(scene, head_view, depsgraph)))
        if time.monotonic() > until:
            break
    fraction = _READING_SHARE * len(rendering.shown) / rendering.count
    rendering.progress = Progress(fraction, "Reading the scene")
    if len(rendering.shown) == rendering.count:
        rendering.curves = reader.curves(rendering.shown, rendering.fps)
        _restore_frame(rendering)


def _restore_frame(rendering: Rendering) -> None:
    scene = bpy.data.scenes.get(rendering.scene)
    if scene is not None:
        scene.frame_set(rendering.frame_before[0], subframe=rendering.frame_before[1])


def _ask_server(rendering: Rendering) -> None:
    """Hand the curves that were read to the server."""
    scene, character = rendering.data()
    settings, curves = scene.dream_talk.portrait, rendering.curves
    assert curves is not None
    look = settings.look()
    if rendering.format in SEQUENCES:
        face = settings.face_options()
        rendering.work = SequenceWork(rendering.client, rendering.photo, curves, face=face, look=look)
    else:
        sound = portrait_sound(scene, character, *rendering.frames, rendering.folder)
        rendering.note = sound.note
        curves = curves.with_stacked(curves.stacked(), start=sound.start)
        options = {
            **settings.face_options(),
            "strengths": look.strengths,
            "badge": settings.badge,
            "background": look.background,
            "format": rendering.format.lower(),
        }
        rendering.work = VideoWork(
            rendering.client, rendering.photo, curves, sound=sound.path, options=options, target=rendering.output
        )
    rendering.work.start()


def _follow(rendering: Rendering, budget: float) -> Finished | Failed | None:
    """Take what the work has said, for ``budget`` seconds; return its last message when it has ended."""
    assert rendering.work is not None
    until = time.monotonic() + budget
    while not rendering.work.messages.empty() and time.monotonic() < until:
        message = rendering.work.messages.get()
        if isinstance(message, Finished | Failed):
            return message
        if isinstance(message, Frames):
            _save(rendering, message)
        else:
            fraction = _READING_SHARE + (1 - _READING_SHARE) * message.fraction
            rendering.progress = Progress(fraction, message.text)
    return None


def _save(rendering: Rendering, frames: Frames) -> None:
    for index, frame in enumerate(frames.pixels, frames.first):
        save_picture(frame, rendering.picture_path(rendering.folder, index))
    done = (frames.first + len(frames.pixels)) / rendering.count
    rendering.progress = Progress(_READING_SHARE + (1 - _READING_SHARE) * done, "Rendering")


def _put_in_place(rendering: Rendering) -> str:
    """Move the pictures of a sequence, all of them there, to where they belong; return what has been made."""
    if rendering.format not in SEQUENCES:
        return str(rendering.output)
    folder = rendering.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(rendering.count):
        shutil.move(rendering.picture_path(rendering.folder, index), rendering.picture_path(folder, index))
    first, last = (rendering.picture_path(folder, index) for index in (0, rendering.count - 1))
    return f"{first} to {last.name}"


def step(rendering: Rendering, budget: float) -> Finished | Failed | None:
    """Go on for about ``budget`` seconds; return the end when there is one. Never raises."""
    try:
        if rendering.work is None and rendering.cancelled:
            return Failed("Cancelled", cancelled=True)
        if rendering.curves is None:
            _read_some(rendering, budget)
        elif rendering.work is None:
            _ask_server(rendering)
        else:
            return _follow(rendering, budget)
    except (RenderError, ReadingError, OSError) as error:
        return Failed(str(error))
    return None


def _finish(rendering: Rendering, end: Finished | Failed) -> None:
    """Note how the work ended and leave nothing behind."""
    global active, last_message
    try:
        if isinstance(end, Failed):
            last_message = (end.message, not end.cancelled)
        else:
            made = _put_in_place(rendering)
            last_message = (". ".join(part for part in (f"Wrote {made}", rendering.note) if part), False)
    except OSError as error:
        last_message = (str(error), True)
    _drop(rendering)
    active = None


def _drop(rendering: Rendering) -> None:
    if rendering.work is not None:
        rendering.work.cancel()
    if rendering.curves is None:
        _restore_frame(rendering)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(rendering.folder)
    portrait_preview.pause(False)


def run_blocking(rendering: Rendering) -> str:
    """Do all the work and return what has been made; for Blender without a window.

    Raises:
        RenderError: when it fails.
    """
    global active
    active = rendering
    portrait_preview.pause(True)
    while (end := step(rendering, _BUDGET)) is None:
        if rendering.work is not None:
            time.sleep(_TICK)
    _finish(rendering, end)
    text, failed = last_message
    if failed:
        raise RenderError(text)
    return text


def start(rendering: Rendering) -> None:
    """Begin the work, a little at a time; Blender stays free meanwhile."""
    global active, last_message
    active, last_message = rendering, ("", False)
    portrait_preview.pause(True)
    if not bpy.app.timers.is_registered(_poll):
        bpy.app.timers.register(_poll, first_interval=_TICK, persistent=True)


def cancel() -> None:
    """Ask the work to stop."""
    if active is not None:
        active.cancelled = True
        if active.work is not None:
            active.work.cancel()


def cancel_all() -> None:
    """Stop the work and forget it."""
    global active
    if active is not None:
        _drop(active)
        active = None
    if bpy.app.timers.is_registered(_poll):
        bpy.app.timers.unregister(_poll)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator] # bpy has no types
def before_file_loads(_path: str) -> None:
    """Stop the work on the file that goes."""
    cancel_all()


def _poll() -> float | None:
    if active is None:
        return None
    end = step(active, _BUDGET)
    if end is not None:
        _finish(active, end)
    server_status.redraw_sidebars()
    return _TICK if active is not None else None
