"""One piece of work on the server, watched by a thread that never touches bpy."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..blendshape_rigs.curves import CurvesError, FaceCurves, concatenate
from .client import NotKnown, ServerClient, ServerError, ServerUnreachable

_POLL_SECONDS = 0.15


@dataclass(frozen=True)
class Progress:
    """How far a job is: ``fraction`` in [0, 1] and a few words."""

    fraction: float
    text: str


@dataclass(frozen=True)
class Done:
    """A finished job, its curves, and what the server says of them; ``note`` may be empty."""

    curves: FaceCurves
    note: str = ""


@dataclass(frozen=True)
class Failed:
    """A job that ended without curves, and why; ``cancelled`` when the user asked for it."""

    message: str
    cancelled: bool = False


Message = Progress | Done | Failed


@dataclass
class Job:
    """A recording on its way through the server. Start it once, then empty ``messages`` now and then.

    The last message is always a ``Done`` or a ``Failed``.

    Attributes:
        client: the server.
        audio: the recording.
        options: the options of the request, without the protocol.
        parts: NPZ curves that go along: a ``"style"`` clip, an earlier ``"take"``.
        messages: what happened, oldest first.
        sending, doing: what is said while the recording is sent, and while the server works.
    """

    sending: ClassVar[str] = "Sending the recording"
    doing: ClassVar[str] = "Making the performance"

    client: ServerClient
    audio: Path
    options: dict[str, Any]
    parts: dict[str, bytes] = field(default_factory=dict)
    messages: queue.SimpleQueue[Message] = field(default_factory=queue.SimpleQueue)
    _cancel: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin the work on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="DREAM-Talk job", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to stop; the answer comes as a message."""
        self._cancel.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread to end, at most ``timeout`` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self.messages.put(self._work())
        except (ServerError, CurvesError, OSError) as error:
            self.messages.put(Failed(str(error)))

    def _work(self) -> Done | Failed:
        self.messages.put(Progress(0.0, self.sending))
        job_id = self._submit()
        try:
            with self.client.held_job(job_id):
                return self._follow(job_id)
        except ServerUnreachable as error:
            raise ServerError(
                f"The server stopped before the take was made: start it, then try again ({error})"
            ) from error
        except NotKnown as error:
            raise ServerError("The server was restarted and has lost this work: try again") from error
        finally:
            self._forget(job_id)

    def _submit(self) -> str:
        """Send everything and return the job's id."""
        return self.client.submit(self.audio, self.options, self.parts)

    def _follow(self, job_id: str) -> Done | Failed:
        """Fetch curves as they are made, until the job ends."""
        parts: list[FaceCurves] = []
        fetched = 0
        while not self._cancel.is_set():
            status = self.client.job(job_id)
            if status.frames > fetched:
                parts.append(self.client.curves(job_id, fetched))
                fetched += len(parts[-1])
            if status.state == "done" and fetched >= status.frames:
                return Done(concatenate(parts), status.message)
            if status.state in ("failed", "cancelled"):
                return Failed(status.message or f"The server {status.state} the job")
            waiting = "Waiting for the server" if status.state == "queued" else self.doing
            self.messages.put(Progress(status.fraction, status.message or waiting))
            self._cancel.wait(_POLL_SECONDS)
        return Failed("Cancelled", cancelled=True)

    def _forget(self, job_id: str) -> None:
        try:
            self.client.cancel(job_id)
        except ServerError:
            # The server is gone or has forgotten the job already: nothing is left to free.
            return
