"""Portraits: photographs held ready for previews, and jobs that make videos of them."""

from __future__ import annotations

import secrets
import shutil
import threading
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.datastructures import FormData

from model_server.errors import ConfigError, DreamTalkError
from model_server.pipeline.exchange import FaceCurves, open_audio, sent_curves
from model_server.pipeline.portrait_frames import FaceChoice, PortraitFrames, PortraitStrengths, placed_face
from model_server.pipeline.portrait_video import PortraitOptions, make_portrait_video
from model_server.pipeline.request import Progress

from .jobs import Job
from .protocol import JobView, Strict, parse_model
from .settings import ServerSettings
from .uploads import UploadSizeError, called, curves_bytes, read_form, require_parts, save, shown_name

if TYPE_CHECKING:
    from model_server.pipeline.speech_to_curves import SpeechToCurves

_KEPT = 4  # portraits; each holds some ten times its picture in memory
_MAXIMUM_FRAMES = 16  # that one answer holds
_FRAME_CURVES = 2 * 2**20  # bytes; some seconds of curves
_MAXIMUM_FACE = 100


class FaceOptions(Strict):
    """Which face of a photograph is meant.

    Attributes:
        face: counts from the left, from 0; None is the largest.
        landmarks: where the points of the face are, as a landmark file has them; then no face is looked for.
    """

    face: int | None = Field(None, ge=0, le=_MAXIMUM_FACE)
    landmarks: dict[str, Any] | None = None

    def choice(self, photo: Path) -> FaceChoice:
        """Return the choice among the faces of the file ``photo``.

        Raises:
            PortraitError: for landmarks that do not fit the photograph.
        """
        return FaceChoice(self.face) if self.landmarks is None else placed_face(photo, self.landmarks)


class PortraitUpload(FaceOptions):
    """The options of a photograph that is held ready.

    Attributes:
        protocol: version that the client speaks.
        maximum_side: longest side of its frames in pixels; None keeps the photograph's size.
    """

    protocol: int
    maximum_side: int | None = None


class Strengths(Strict):
    """Factors 0 to 2 of what the portrait does; 1 is the take as it is."""

    head: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    mouth: float = 1.0
    blink: float = 1.0

    def portrait(self) -> PortraitStrengths:
        """Return them as the pipeline takes them.

        Raises:
            ConfigError: for one out of range.
        """
        return PortraitStrengths(**self.model_dump())


class FrameQuery(BaseModel, extra="forbid", allow_inf_nan=False):
    """What is asked for with a piece of curves.

    Attributes:
        first: index of the first frame.
        count: how many frames.
        background: False leaves out what lies behind the person; the pixels are then RGBA.
        head: strength, and so on.
    """

    first: int = Field(0, ge=0)
    count: int = Field(1, ge=1, le=_MAXIMUM_FRAMES)
    background: bool = True
    head: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    mouth: float = 1.0
    blink: float = 1.0

    def strengths(self) -> PortraitStrengths:
        """Return the strengths; raises ``ConfigError`` for one out of range."""
        return PortraitStrengths(self.head, self.brows, self.eyes, self.mouth, self.blink)


class PortraitJobOptions(FaceOptions):
    """The options of a portrait video.

    Attributes:
        protocol: version that the client speaks.
        strengths: how strongly the portrait follows the curves.
        badge: whether a mark in the picture says that it is synthetic.
        background: False leaves out what lies behind the person; only WebM can be transparent there.
        format: "mp4" or "webm".
        portrait: id of a portrait that is held ready, in place of a photograph.
    """

    protocol: int
    portrait: str | None = Field(None, max_length=64)
    strengths: Strengths = Field(default_factory=Strengths)
    badge: bool = False
    background: bool = True
    format: Literal["mp4", "webm"] = "mp4"

    def require_format(self) -> None:
        """Check that the format can hold what is asked for.

        Raises:
            ConfigError: for a transparent MP4.
        """
        if not self.background and self.format == "mp4":
            raise ConfigError("an MP4 cannot be transparent; ask for webm, or keep the background")


class PortraitView(BaseModel):
    """What a client sees of a photograph that is held ready.

    Attributes:
        width: of its frames, in pixels.
        faces: how many faces were found in it.
        notes: what a user should know, one sentence each.
    """

    id: str
    width: int
    height: int
    faces: int
    notes: list[str]


class UnknownPortraitError(DreamTalkError):
    """A portrait that is not, or no longer, held ready."""


@dataclass(frozen=True)
class HeldPortrait:
    """A photograph that is held ready: its frames, its file, what messages call it and which face is meant."""

    frames: PortraitFrames
    path: Path
    name: str
    choice: FaceChoice

    def copy(self, folder: Path) -> Path:
        """Copy the photograph's file into ``folder`` under a name of our own and return its path.

        Raises:
            UnknownPortraitError: when it has been forgotten meanwhile.
        """
        copied = folder / f"{uuid.uuid4().hex}{self.path.suffix}"
        try:
            shutil.copyfile(self.path, copied)
        except FileNotFoundError:
            raise UnknownPortraitError("the portrait has just been forgotten: send the photograph") from None
        return copied


class PortraitShelf:
    """The photographs that are held ready: the last few that were asked for. Safe to use from several threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, HeldPortrait] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, portrait: HeldPortrait) -> str:
        """Hold ``portrait``, forget the one that was asked for longest ago if there are too many, return its id."""
        portrait_id = secrets.token_hex(8)
        with self._lock:
            self._held[portrait_id] = portrait
            while len(self._held) > _KEPT:
                self._held.popitem(last=False)[1].path.unlink(missing_ok=True)
        return portrait_id

    def require(self, portrait_id: str) -> HeldPortrait:
        """Return a portrait by its id.

        Raises:
            UnknownPortraitError: for one that is unknown or forgotten.
        """
        with self._lock:
            if portrait_id not in self._held:
                raise UnknownPortraitError(
                    "there is no such portrait; it may have been forgotten: send the photograph again"
                )
            self._held.move_to_end(portrait_id)
            return self._held[portrait_id]

    def remove(self, portrait_id: str) -> None:
        """Forget a portrait."""
        with self._lock:
            portrait = self._held.pop(portrait_id, None)
        if portrait is not None:
            portrait.path.unlink(missing_ok=True)


class PortraitJob(Job):
    """One portrait video.

    Args:
        photo: the photograph; its file belongs to the job.
        name: what messages call the photograph.
        curves: what the portrait does.
        sound: a recording whose second 0 is that of ``curves``, or None; its file belongs to the job.
        result: the video to be.
        options: choices.
    """

    def __init__(
        self, photo: Path, name: str, curves: FaceCurves, sound: Path | None, result: Path, options: PortraitOptions
    ) -> None:
        super().__init__(curves.duration, (photo, sound) if sound else (photo,), (result,))
        self._photo, self._name, self._curves, self._sound, self._options = photo, name, curves, sound, options

    def work(self, model: Callable[[], SpeechToCurves], progress: Progress) -> None:
        """Make the video; no model is needed."""
        with called(self._photo, self._name):
            make_portrait_video(
                self._photo, self._curves, self._sound, self.results[0], progress, options=self._options
            )


router = APIRouter()


def _shelf(request: Request) -> PortraitShelf:
    shelf: PortraitShelf = request.app.state.portraits
    return shelf


def _portrait(request: Request, portrait_id: str) -> PortraitFrames:
    return _shelf(request).require(portrait_id).frames


KnownPortrait = Annotated[PortraitFrames, Depends(_portrait)]


async def _form(request: Request, parts: str) -> FormData:
    """Return the multipart body; ``parts`` says in words what it should hold."""
    body = request.stream()
    try:
        return await read_form(request.headers, body, request.app.state.settings.upload_bytes, parts)
    except DreamTalkError:
        # A client that is still sending would take a closed connection for the answer.
        async for _ in body:
            pass
        raise


@router.post("/v1/portraits", status_code=201)
async def add_portrait(request: Request) -> PortraitView:
    """Accept a photograph, find its face and hold it ready for frames."""
    form = await _form(request, "a 'photo' file and 'options'")
    try:
        return await run_in_threadpool(_hold, form, request.app.state.folder, _shelf(request))
    finally:
        await form.close()


def _hold(form: FormData, folder: Path, shelf: PortraitShelf) -> PortraitView:
    text, files = require_parts(form, ("photo",))
    options = parse_model(PortraitUpload, text)
    path = save(files["photo"], folder, uuid.uuid4().hex)
    try:
        with called(path, shown_name(files["photo"])):
            choice = options.choice(path)
            frames = PortraitFrames(path, choice, options.maximum_side)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    width, height = frames.size
    notes = [note.replace(path.name, shown_name(files["photo"])) for note in frames.notes]
    portrait_id = shelf.add(HeldPortrait(frames, path, shown_name(files["photo"]), choice))
    return PortraitView(id=portrait_id, width=width, height=height, faces=frames.faces, notes=notes)


@router.delete("/v1/portraits/{portrait_id}", status_code=204)
async def remove_portrait(request: Request, portrait_id: str, portrait: KnownPortrait) -> None:
    """Forget a portrait."""
    _shelf(request).remove(portrait_id)


@router.post("/v1/portraits/{portrait_id}/frames")
async def portrait_frames(request: Request, portrait: KnownPortrait, query: Annotated[FrameQuery, Query()]) -> Response:
    """Return frames of a portrait as raw bytes (count, height, width, 3 or 4)."""
    data = await _bounded_body(request.stream())
    curves = sent_curves(data, "curves")
    frames = await run_in_threadpool(
        portrait.frames, curves, query.first, query.count, query.strengths(), query.background
    )
    return Response(frames.tobytes(), media_type="application/octet-stream")


async def _bounded_body(body: AsyncGenerator[bytes, None]) -> bytes:
    data = bytearray()
    async for chunk in body:
        data += chunk
        if len(data) > _FRAME_CURVES:
            raise UploadSizeError(f"the curves are larger than {_FRAME_CURVES // 2**20} MiB; send fewer frames")
    return bytes(data)


@router.post("/v1/portrait-jobs", status_code=202)
async def submit_portrait(request: Request) -> JobView:
    """Accept a photograph, curves and perhaps a recording, and put their video in the queue."""
    state = request.app.state
    state.jobs.require_room()
    form = await _form(request, "a 'photo' file, a 'curves' file, perhaps a 'sound' file, and 'options'")
    try:
        job = await run_in_threadpool(_accept, form, state.folder, state.settings, _shelf(request))
    finally:
        await form.close()
    try:
        state.jobs.submit(job)
    except BaseException:
        job.end("cancelled")
        raise
    return job.view()


def _accept(form: FormData, folder: Path, settings: ServerSettings, shelf: PortraitShelf) -> PortraitJob:
    """Check everything that can be checked now, so that bad input is told at once; return the job."""
    text, files = require_parts(form, ("curves",), ("photo", "sound"))
    options = parse_model(PortraitJobOptions, text)
    if (options.portrait is None) != ("photo" in files):
        raise ConfigError("send either a 'photo' file or the id of a 'portrait' that is held ready")
    held = None if options.portrait is None else shelf.require(options.portrait)
    options.require_format()
    strengths = options.strengths.portrait()
    curves = sent_curves(curves_bytes(files["curves"]), "curves")
    if not len(curves):
        raise ConfigError("the curves have no frames")
    if curves.duration > settings.audio_seconds:
        raise ConfigError(f"the curves last {curves.duration:.0f} s; give at most {settings.audio_seconds:.0f} s")
    saved: list[Path] = []
    try:
        saved.append(save(files["photo"], folder, uuid.uuid4().hex) if held is None else held.copy(folder))
        sound = None
        if "sound" in files:
            sound = save(files["sound"], folder, uuid.uuid4().hex)
            saved.append(sound)
            open_audio(sound, name=shown_name(files["sound"]), maximum_seconds=settings.audio_seconds)
        name = held.name if held else shown_name(files["photo"])
        with called(saved[0], name):
            choice = held.choice if held else options.choice(saved[0])
        chosen = PortraitOptions(strengths=strengths, choice=choice, badge=options.badge, background=options.background)
        return PortraitJob(saved[0], name, curves, sound, folder / f"{uuid.uuid4().hex}.{options.format}", chosen)
    except BaseException:
        for path in saved:
            path.unlink(missing_ok=True)
        raise


def portrait_result(job: Job) -> FileResponse:
    """Return the video that a job has made, as a stream."""
    if not isinstance(job, PortraitJob):
        raise HTTPException(404, "this job makes no video")
    if not job.done:
        raise HTTPException(409, "the video is not finished")
    return FileResponse(job.results[0])
