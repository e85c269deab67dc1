"""A portrait's video or frames on their way from the server, watched by threads that never touch bpy."""

from __future__ import annotations

import queue
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..blendshape_rigs.curves import CurvesError, FaceCurves
from .client import NotKnown, ServerError
from .job import Failed, Progress
from .portrait_client import HeldPortrait, Look, Pixels, PortraitClient

_POLL_SECONDS = 0.15
_FRAMES_AT_ONCE = 4
_WAITING = 2  # answers that may lie unsaved
_NEIGHBOURS = 1.0  # seconds of the take that go along on either side of the frames asked for


@dataclass(frozen=True)
class Finished:
    """The work is done; ``path`` is the video, or None for frames."""

    path: Path | None = None


@dataclass(frozen=True)
class Frames:
    """Frames of a sequence: index in the take of the first, and (N, H, W, 3 or 4) uint8."""

    first: int
    pixels: Pixels


Message = Progress | Frames | Finished | Failed


@dataclass
class PortraitWork:
    """Work on a portrait. Start it once, then empty ``messages``; the last is a ``Finished`` or a ``Failed``.

    Attributes:
        client: the server.
        photo: the photograph.
        curves: what the portrait does.
        messages: what happened, oldest first.
    """

    client: PortraitClient
    photo: Path
    curves: FaceCurves
    messages: queue.Queue[Message] = field(default_factory=lambda: queue.Queue(_WAITING))
    _cancel: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin the work on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="DREAM-Talk portrait job", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to stop; the answer comes as a message."""
        self._cancel.set()

    def _work(self) -> Finished | Failed:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            end = self._work()
        except (ServerError, CurvesError, OSError) as error:
            end = Failed(str(error))
        self._say(Failed("Cancelled", cancelled=True) if self._cancel.is_set() else end, last=True)

    def _say(self, message: Message, last: bool = False) -> None:
        """Hand ``message`` over, waiting for room; once cancelled, only the ``last`` matters."""
        while last or not self._cancel.is_set():
            try:
                self.messages.put(message, timeout=_POLL_SECONDS)
            except queue.Full:
                if self._cancel.is_set():
                    self._drop()
                continue
            return

    def _drop(self) -> None:
        try:
            self.messages.get_nowait()
        except queue.Empty:
            return


@dataclass
class VideoWork(PortraitWork):
    """A video with sound, made by the server and fetched when it is whole.

    Attributes:
        sound: a recording whose second 0 is that of the curves, or None.
        options: of the request, without the protocol.
        target: the file to write.
    """

    sound: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
    target: Path = Path()

    def _work(self) -> Finished | Failed:
        self._say(Progress(0.0, "Sending the photograph"))
        job_id = self.client.submit_portrait(self.photo, self.curves, self.sound, self.options)
        try:
            with self.client.held_job(job_id):
                return self._follow(job_id)
        finally:
            self._forget(job_id)

    def _follow(self, job_id: str) -> Finished | Failed:
        while not self._cancel.wait(_POLL_SECONDS):
            status = self.client.job(job_id)
            if status.state == "done":
                return self._fetch(job_id)
            if status.state in ("failed", "cancelled"):
                return Failed(status.message or f"The server {status.state} the job")
            waiting = "Waiting for the server" if status.state == "queued" else "Rendering"
            self._say(Progress(status.fraction, status.message or waiting))
        return Failed("Cancelled", cancelled=True)

    def _fetch(self, job_id: str) -> Finished | Failed:
        """Write the video beside its place first, so that an older one stays until the new one is whole."""
        self._say(Progress(1.0, "Fetching the video"))
        self.target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{self.target.stem}-", dir=self.target.parent) as folder:
            part = Path(folder) / self.target.name
            if not self.client.fetch_video(job_id, part, self._cancel.is_set):
                return Failed("Cancelled", cancelled=True)
            part.replace(self.target)
        return Finished(self.target)

    def _forget(self, job_id: str) -> None:
        try:
            self.client.cancel(job_id)
        except ServerError:
            # The server is gone or has forgotten the job already: nothing is left to free.
            return


@dataclass
class SequenceWork(PortraitWork):
    """The frames of a sequence, fetched a few at a time and handed over as they come.

    Attributes:
        face: which face of the photograph, as the protocol has it.
        look: how the frames are made.
    """

    face: dict[str, Any] = field(default_factory=dict)
    look: Look = field(default_factory=lambda: Look({}, background=True))

    def _work(self) -> Finished | Failed:
        self._say(Progress(0.0, "Sending the photograph"))
        portrait = self.client.hold(self.photo, self.face, None)
        try:
            for first in range(0, len(self.curves), _FRAMES_AT_ONCE):
                if self._cancel.is_set():
                    return Failed("Cancelled", cancelled=True)
                portrait, pixels = self._fetch(portrait, first)
                self._say(Frames(first, pixels))
        finally:
            self._forget(portrait)
        return Finished()

    def _fetch(self, portrait: HeldPortrait, first: int) -> tuple[HeldPortrait, Pixels]:
        count = min(_FRAMES_AT_ONCE, len(self.curves) - first)
        around = round(_NEIGHBOURS * self.curves.fps)
        begin, end = max(0, first - around), min(len(self.curves), first + count + around)
        piece = self.curves.with_stacked(self.curves.stacked()[begin:end])
        try:
            return portrait, self.client.frames(portrait, piece, first - begin, count, self.look)
        except NotKnown:
            # The server holds a few portraits only: others have pushed this one out.
            portrait = self.client.hold(self.photo, self.face, None)
            return portrait, self.client.frames(portrait, piece, first - begin, count, self.look)

    def _forget(self, portrait: HeldPortrait) -> None:
        try:
            self.client.forget(portrait)
        except ServerError:
            # The server is gone or has forgotten it already: nothing is left to free.
            return
