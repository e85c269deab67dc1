"""A thread that fetches preview frames one at a time; it never touches bpy. Of what waits, the newest wins."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..blendshape_rigs.curves import CurvesError, FaceCurves
from .client import NotKnown, ServerError
from .portrait_client import HeldPortrait, Look, Pixels, PortraitClient


@dataclass(frozen=True)
class Photograph:
    """A photograph as it is to be held ready: its file, which face, and the longest side of the frames."""

    path: Path
    face: dict[str, Any]
    side: int


@dataclass(frozen=True)
class Wanted:
    """One frame that is wanted: ``curves`` of one frame, and how it is made."""

    curves: FaceCurves
    look: Look


class PreviewWorker:
    """Holds one photograph ready on the server and fetches frames of it.

    Args:
        client: the server.
        photograph: what is held ready.

    Attributes:
        error: why no more frames come; empty while they do.
        portrait: what the server says of the photograph, once it has it.
        made: how many frames have come.
    """

    def __init__(self, client: PortraitClient, photograph: Photograph) -> None:
        self.error = ""
        self.portrait: HeldPortrait | None = None
        self.made = 0
        self._client, self._photograph = client, photograph
        self._change = threading.Condition()
        self._wanted: Wanted | None = None
        self._frame: Pixels | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="DREAM-Talk portrait", daemon=True)
        self._thread.start()

    def want(self, wanted: Wanted) -> None:
        """Ask for a frame in place of the one that waits."""
        with self._change:
            self._wanted = wanted
            self._change.notify()

    def take(self) -> Pixels | None:
        """Return the newest frame (H, W, 3 or 4) uint8 that has not been taken yet, or None."""
        with self._change:
            frame, self._frame = self._frame, None
            return frame

    def stop(self) -> None:
        """End the thread when its present request is answered; nobody waits for it."""
        with self._change:
            self._stopping = True
            self._change.notify()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._hold()
            while (wanted := self._next()) is not None:
                self._make(wanted)
        except (ServerError, CurvesError, OSError) as error:
            self.error = str(error)
        self._forget()

    def _hold(self) -> None:
        self.portrait = self._client.hold(self._photograph.path, self._photograph.face, self._photograph.side)

    def _next(self) -> Wanted | None:
        """Return the newest wish, waiting for one; None when the thread is to end."""
        with self._change:
            self._change.wait_for(lambda: self._wanted is not None or self._stopping)
            wanted, self._wanted = self._wanted, None
            return None if self._stopping else wanted

    def _make(self, wanted: Wanted) -> None:
        assert self.portrait is not None
        try:
            frames = self._client.frames(self.portrait, wanted.curves, 0, 1, wanted.look)
        except NotKnown:
            # The server holds a few portraits only: others have pushed this one out.
            self._hold()
            frames = self._client.frames(self.portrait, wanted.curves, 0, 1, wanted.look)
        with self._change:
            self._frame = frames[0]
            self.made += 1

    def _forget(self) -> None:
        if self.portrait is None:
            return
        try:
            self._client.forget(self.portrait)
        except ServerError:
            # The server is gone or has forgotten it already: nothing is left to free.
            return
