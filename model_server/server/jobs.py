"""The queue of jobs: one worker thread does one job after the other; results are kept a while."""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from model_server.errors import Cancelled, DreamTalkError
from model_server.pipeline.exchange import AudioStream, FaceCurves, concatenate
from model_server.pipeline.request import AnimationRequest, Progress

from .protocol import JobState, JobView
from .settings import ServerSettings

if TYPE_CHECKING:
    from model_server.pipeline.speech_to_curves import SpeechToCurves

logger = logging.getLogger(__name__)
_SWEEP_SECONDS = 10.0


class QueueFullError(DreamTalkError):
    """More jobs wait than the server holds."""


class Job(ABC):
    """One piece of work: asked for, being done, or ended. Safe to use from several threads.

    Args:
        duration: seconds of the work, or None where that is not known.
        uploads: files that belong to the job and are deleted when it ends.
        results: files that belong to the job and are deleted when it is forgotten, or ends without success.
    """

    def __init__(self, duration: float | None, uploads: tuple[Path, ...] = (), results: tuple[Path, ...] = ()) -> None:
        self.id = secrets.token_hex(8)
        self.duration = duration
        self.uploads = uploads
        self.results = results
        self.cancel_asked = False
        self.last_asked = time.monotonic()
        self._state: JobState = "queued"
        self._message = ""
        self._seconds_done = 0.0
        self._lock = threading.Lock()

    @abstractmethod
    def work(self, model: Callable[[], SpeechToCurves], progress: Progress) -> None:
        """Do the work.

        Args:
            model: returns the loaded pipeline; raises ``DreamTalkError`` where it could not be loaded.
            progress: called with the seconds done; raises ``Cancelled`` to stop.
        """

    @property
    def frames(self) -> int:
        """Frames of curves that can be fetched."""
        return 0

    @property
    def done(self) -> bool:
        """Whether the job has ended with success."""
        return self._state == "done"

    @property
    def ended(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self._state not in ("queued", "running")

    def view(self) -> JobView:
        """Return what a client sees."""
        self.last_asked = time.monotonic()
        with self._lock:
            return JobView(
                id=self.id,
                state=self._state,
                seconds_done=round(self._seconds_done, 3),
                duration=self.duration,
                frames=self.frames,
                message=self._message,
            )

    def begin(self) -> None:
        """Mark the job as running.

        Raises:
            Cancelled: when it was cancelled while it waited.
        """
        with self._lock:
            if self.cancel_asked:
                raise Cancelled("cancelled by the client")
            self._state = "running"

    def say(self, message: str) -> None:
        """Tell the client something about the work, in one sentence; it stays until the job ends otherwise."""
        with self._lock:
            self._message = message

    def advance(self, seconds: float) -> None:
        """Note how many seconds are finished."""
        with self._lock:
            self._seconds_done = max(self._seconds_done, seconds)

    def end(self, state: JobState, message: str = "") -> None:
        """Note how the job ended and delete what it no longer needs; the first ending stands."""
        with self._lock:
            if not self.ended:
                self._state = state
                self._message = message or self._message
        _delete(self.uploads)
        if not self.done:
            _delete(self.results)

    def forget(self) -> None:
        """Delete everything that belongs to the job."""
        _delete(self.uploads + self.results)

    def cancel(self) -> None:
        """Ask the job to stop: at once while it waits, within one diffusion step while it runs."""
        with self._lock:
            self.cancel_asked = True
            waiting = self._state == "queued"
        if waiting:
            self.end("cancelled", "cancelled by the client")


def _delete(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


class CurvesJob(Job):
    """A piece of work that makes curves, part by part.

    Attributes:
        fps: frames a second of what it makes, as far as that is known before.
    """

    def __init__(self, duration: float | None, upload: Path, fps: float) -> None:
        super().__init__(duration, uploads=(upload,))
        self.fps = fps
        self._parts: list[FaceCurves] = []

    def add(self, part: FaceCurves) -> None:
        """Keep one more part of the curves."""
        with self._lock:
            self._parts.append(part)

    @property
    def frames(self) -> int:
        """Frames of curves that can be fetched."""
        return sum(map(len, self._parts))

    def curves_from(self, first_frame: int) -> FaceCurves | None:
        """Return the frames made so far from ``first_frame`` on, or None when there are none yet."""
        self.last_asked = time.monotonic()
        with self._lock:
            parts = list(self._parts)
        wanted = []
        for part in parts:
            skipped = min(first_frame, len(part))
            first_frame -= skipped
            if skipped < len(part):
                start = part.start + skipped / part.fps
                wanted.append(part.with_stacked(part.stacked()[skipped:], start=start))
        return concatenate(wanted) if wanted else None


class SpeechJob(CurvesJob):
    """One performance of a recording.

    Args:
        audio: the recording; its file belongs to the job.
        request: what to make of it.
    """

    def __init__(self, audio: AudioStream, request: AnimationRequest) -> None:
        super().__init__(audio.duration, audio.path, request.fps)
        self._audio, self._request = audio, request

    def work(self, model: Callable[[], SpeechToCurves], progress: Progress) -> None:
        """Make the performance part by part."""
        for part in model().stream(self._audio, self._request, progress):
            self.add(part)
        progress(self.duration or 0.0)


class JobQueue:
    """Runs jobs in one worker thread, which loads the model first so that the server itself is up at once.

    Attributes:
        model: the loaded pipeline, or None while it loads or when it failed to.
        load_error: why the model could not be loaded; empty otherwise.
        stopping: set to end the running job and every event stream; nothing more is done then.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.model: SpeechToCurves | None = None
        self.load_error = ""
        self.stopping = False
        self._settings = settings
        self._jobs: dict[str, Job] = {}
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker = threading.Thread(target=self._work, name="dreamtalk-worker", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._worker.start()

    def close(self) -> None:
        """Cancel everything and wait for the worker to stop."""
        self.stopping = True
        self._waiting.put(None)
        self._worker.join(timeout=30)
        with self._lock:
            jobs = list(self._jobs.values())
            self._jobs.clear()
        for job in jobs:
            job.end("cancelled", "the server stopped")
            job.forget()

    def require_room(self) -> None:
        """Check that one more job may wait.

        Raises:
            QueueFullError: when it may not.
        """
        with self._lock:
            self._require_room()

    def submit(self, job: Job) -> None:
        """Put ``job`` at the end of the queue.

        Raises:
            QueueFullError: when too many jobs wait.
        """
        with self._lock:
            self._require_room()
            self._jobs[job.id] = job
        self._waiting.put(job)

    def find(self, job_id: str) -> Job | None:
        """Return a job by its id, or None for one that is unknown or forgotten."""
        with self._lock:
            return self._jobs.get(job_id)

    def remove(self, job: Job) -> None:
        """Cancel a job that has not ended, forget one that has."""
        if not job.ended:
            job.cancel()
            return
        with self._lock:
            self._jobs.pop(job.id, None)
        job.forget()

    def _require_room(self) -> None:
        unfinished = sum(not job.ended for job in self._jobs.values())
        if unfinished > self._settings.waiting_jobs:
            raise QueueFullError(f"{unfinished} jobs are waiting already; try again when some have ended")

    def _work(self) -> None:
        self._load()
        for job in self._next_jobs():
            self._perform(job)
            self._forget_old()

    def _load(self) -> None:
        """Load the model, or note why that failed: the server stays up to say so."""
        try:
            from model_server.pipeline.speech_to_curves import SpeechToCurves

            self.model = SpeechToCurves.load()
        except DreamTalkError as error:
            self.load_error = str(error)
        except Exception:
            logger.exception("loading the model")
            self.load_error = "the model could not be loaded; the server's log tells why"

    def _next_jobs(self) -> Iterator[Job]:
        """Yield jobs as they come, until the queue closes."""
        while not self.stopping:
            try:
                job = self._waiting.get(timeout=_SWEEP_SECONDS)
            except queue.Empty:
                self._forget_old()
                continue
            if job is None:
                return
            yield job

    def _perform(self, job: Job) -> None:
        """Do one job and note how it ended."""

        def progress(seconds: float) -> None:
            if job.cancel_asked or self.stopping:
                raise Cancelled("the server stopped" if self.stopping else "cancelled by the client")
            job.advance(seconds)

        try:
            job.begin()
            job.work(self._loaded_model, progress)
        except Cancelled as error:
            job.end("cancelled", str(error))
        except DreamTalkError as error:
            job.end("failed", str(error))
        except Exception:
            logger.exception("job %s", job.id)
            job.end("failed", "the server met an error of its own; its log tells more")
        else:
            job.end("done")

    def _loaded_model(self) -> SpeechToCurves:
        if self.model is None:
            raise DreamTalkError(self.load_error)
        return self.model

    def _forget_old(self) -> None:
        """Forget ended jobs that are too many or that nobody asked for in a while."""
        oldest_kept = time.monotonic() - self._settings.keep_seconds
        with self._lock:
            ended = sorted((job for job in self._jobs.values() if job.ended), key=lambda job: job.last_asked)
            surplus = len(ended) - self._settings.kept_jobs
            for index, job in enumerate(ended):
                if index < surplus or job.last_asked < oldest_kept:
                    del self._jobs[job.id]
                    job.forget()
