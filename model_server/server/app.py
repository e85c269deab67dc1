"""The HTTP routes; ``protocol`` describes them."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from model_server import __version__
from model_server.errors import DreamTalkError
from model_server.pipeline.exchange import FaceCurves, npz_bytes, open_audio, sent_curves

from . import captures, portraits
from .guard import Guard
from .jobs import CurvesJob, Job, JobQueue, QueueFullError, SpeechJob
from .protocol import PROTOCOL_VERSION, JobView, ProtocolError, parse_options
from .settings import ServerSettings
from .uploads import JobForm, UploadSizeError, curves_bytes, read_form, save, shown_name, take_parts

_POLL_SECONDS = 0.1
_HEARTBEAT_SECONDS = 5.0  # an unchanged state is repeated, so that either side notices when the other is gone
_STATUS: dict[type[Exception], int] = {
    ProtocolError: 409,
    UploadSizeError: 413,
    QueueFullError: 429,
    portraits.UnknownPortraitError: 404,
}


def create_app(
    settings: ServerSettings, token: str, jobs: JobQueue, on_ready: Callable[[], None] | None = None
) -> FastAPI:
    """Return the application; it starts and closes ``jobs``, and calls ``on_ready`` when it is up."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="dreamtalk-server-") as folder:
            app.state.folder = Path(folder)
            jobs.start()
            if on_ready:
                on_ready()
            try:
                yield
            finally:
                await run_in_threadpool(jobs.close)

    app = FastAPI(title="DREAM-Talk", lifespan=lifespan, openapi_url=None)
    app.state.settings = settings
    app.state.jobs = jobs
    app.state.portraits = portraits.PortraitShelf()
    app.add_middleware(Guard, token=token, any_host=settings.any_host)
    app.add_exception_handler(DreamTalkError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_parameter)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)
    app.get("/v1/health")(health)
    app.post("/v1/jobs", status_code=202)(submit)
    app.get("/v1/jobs/{job_id}")(show)
    app.get("/v1/jobs/{job_id}/events")(events)
    app.get("/v1/jobs/{job_id}/hold")(hold)
    app.get("/v1/jobs/{job_id}/curves")(curves)
    app.get("/v1/jobs/{job_id}/file")(video)
    app.delete("/v1/jobs/{job_id}")(delete)
    app.include_router(portraits.router)
    app.include_router(captures.router)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, _STATUS.get(type(error), 422))


async def _refuse_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return JSONResponse({"detail": f"parameter '{first['loc'][-1]}': {first['msg']}"}, 422)


async def _nobody_listens(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


def _job(request: Request, job_id: str) -> Job:
    """Return the job of the path, or answer 404."""
    job: Job | None = request.app.state.jobs.find(job_id)
    if job is None:
        raise HTTPException(404, "there is no such job; it may have been forgotten")
    return job


KnownJob = Annotated[Job, Depends(_job)]


async def health(request: Request) -> dict[str, Any]:
    """Return what the server is and whether its model is ready."""
    jobs: JobQueue = request.app.state.jobs
    model = {
        "hash": jobs.model.model_hash if jobs.model else "",
        "loaded": jobs.model is not None,
        "message": jobs.load_error,
    }
    return {
        "status": "ok",
        "protocol": PROTOCOL_VERSION,
        "version": __version__,
        "model": model,
        "device": "cpu",
    }


async def submit(request: Request) -> JobView:
    """Accept a recording and put its job in the queue."""
    state = request.app.state
    body = request.stream()
    try:
        state.jobs.require_room()
        form = await read_form(request.headers, body, state.settings.upload_bytes)
    except DreamTalkError:
        # A client that is still sending would take a closed connection for the answer.
        async for _ in body:
            pass
        raise
    try:
        return await run_in_threadpool(_accept, take_parts(form), state.folder, state.settings, state.jobs)
    finally:
        await form.close()


def _accept(form: JobForm, folder: Path, settings: ServerSettings, jobs: JobQueue) -> JobView:
    """Check everything that can be checked now, so that bad input is told at once; then queue the job."""
    options = parse_options(form.options)
    style = sent_curves(curves_bytes(form.style), "style clip") if form.style else None
    take = sent_curves(curves_bytes(form.take), "earlier take") if form.take else None
    request = options.request(style, take)
    path = save(form.audio, folder, uuid.uuid4().hex)
    try:
        audio = open_audio(path, name=shown_name(form.audio), maximum_seconds=settings.audio_seconds)
        job = SpeechJob(audio, request)
        jobs.submit(job)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return job.view()


async def show(job: KnownJob) -> JobView:
    """Return the state of a job."""
    return job.view()


async def events(request: Request, job: KnownJob) -> StreamingResponse:
    """Stream the state of a job, a line a change, until it ends."""
    return StreamingResponse(_lines(request, job), media_type="application/x-ndjson")


async def _lines(request: Request, job: Job) -> AsyncIterator[str]:
    jobs: JobQueue = request.app.state.jobs
    last, silent = "", 0.0
    while True:
        over = job.ended or jobs.stopping
        line = job.view().model_dump_json() + "\n"
        if line != last or silent >= _HEARTBEAT_SECONDS:
            yield line
            last, silent = line, 0.0
        if over or await request.is_disconnected():
            return
        await asyncio.sleep(_POLL_SECONDS)
        silent += _POLL_SECONDS


async def hold(request: Request, job: KnownJob) -> StreamingResponse:
    """Stream a line now and then until a job ends; cancel the job when the client goes away before that."""
    return StreamingResponse(_heartbeats(request, job), media_type="text/plain")


async def _heartbeats(request: Request, job: Job) -> AsyncIterator[str]:
    jobs: JobQueue = request.app.state.jobs
    silent = _HEARTBEAT_SECONDS  # the first line says at once that the job is held
    try:
        while not (job.ended or jobs.stopping or await request.is_disconnected()):
            if silent >= _HEARTBEAT_SECONDS:
                yield "\n"
                silent = 0.0
            await asyncio.sleep(_POLL_SECONDS)
            silent += _POLL_SECONDS
    finally:
        # Whatever ended the stream, a job that nobody waits for any more makes room for others.
        if not job.ended:
            job.cancel()


def curves(job: KnownJob, first_frame: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Return the frames made so far, from ``first_frame`` on, as an NPZ file."""
    if not isinstance(job, CurvesJob):
        raise HTTPException(404, "this job makes no curves")
    made = job.curves_from(first_frame)
    if made is None:
        made = FaceCurves.zeros(0, job.fps, first_frame / job.fps)
    return Response(npz_bytes(made), media_type="application/octet-stream")


def video(job: KnownJob) -> Response:
    """Return the video of a portrait job as a stream."""
    return portraits.portrait_result(job)


async def delete(request: Request, job: KnownJob) -> JobView:
    """Cancel a job that has not ended, forget one that has; return its last state."""
    request.app.state.jobs.remove(job)
    return job.view()
