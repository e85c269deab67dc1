"""Captures: jobs that read the face in an uploaded video as curves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from model_server.errors import DreamTalkError
from model_server.pipeline.face_capture import Method, capture_face, video_seconds
from model_server.pipeline.request import Progress

from .jobs import CurvesJob
from .protocol import JobView, Strict, parse_model
from .uploads import called, read_form, require_parts, save, shown_name

if TYPE_CHECKING:
    from model_server.pipeline.speech_to_curves import SpeechToCurves

_USUAL_RATE = 30.0


class CaptureOptions(Strict):
    """The options of a capture.

    Attributes:
        protocol: version that the client speaks.
        method: "landmarks" or "blendshapes".
    """

    protocol: int
    method: Method = "landmarks"


class CaptureJob(CurvesJob):
    """The face in one video.

    Args:
        video: the file, which belongs to the job.
        name: what messages call it.
        duration: seconds, or None where the file does not say.
        method: how the face is read.
    """

    def __init__(self, video: Path, name: str, duration: float | None, method: Method) -> None:
        super().__init__(duration, video, _USUAL_RATE)
        self._video, self._name, self._method = video, name, method

    def work(self, model: Callable[[], SpeechToCurves], progress: Progress) -> None:
        """Read the face; no model of speech is needed."""
        with called(self._video, self._name):
            captured = capture_face(self._video, None, progress, self._method)
        missing = int((~captured.seen).sum())
        if missing:
            self.say(f"no face was found in {missing} of {len(captured.seen)} frames; they are bridged")
        self.add(captured.curves)
        progress(self.duration or captured.curves.duration)


router = APIRouter()


@router.post("/v1/captures", status_code=202)
async def submit_capture(request: Request) -> JobView:
    """Accept a video and put its capture in the queue."""
    state, body = request.app.state, request.stream()
    try:
        state.jobs.require_room()
        form = await read_form(request.headers, body, state.settings.upload_bytes, "a 'video' file and 'options'")
    except DreamTalkError:
        # A client that is still sending would take a closed connection for the answer.
        async for _ in body:
            pass
        raise
    try:
        job = await run_in_threadpool(_accept, form, state.folder)
    finally:
        await form.close()
    try:
        state.jobs.submit(job)
    except BaseException:
        job.end("cancelled")
        raise
    return job.view()


def _accept(form: FormData, folder: Path) -> CaptureJob:
    """Check everything that can be checked now, so that bad input is told at once; return the job."""
    text, files = require_parts(form, ("video",))
    options = parse_model(CaptureOptions, text)
    path, name = save(files["video"], folder, uuid.uuid4().hex), shown_name(files["video"])
    try:
        with called(path, name):
            return CaptureJob(path, name, video_seconds(path), options.method)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
