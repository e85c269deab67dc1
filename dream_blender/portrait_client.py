"""The HTTP client's part for portraits. Safe on any thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.formats import npz_bytes
from .client import PROTOCOL_VERSION, ServerClient, ServerError
from .multipart import FormBody

Pixels = npt.NDArray[np.uint8]
_FRAMES_LIMIT = 256 * 2**20  # bytes; sixteen large frames are half of it


@dataclass(frozen=True)
class HeldPortrait:
    """A photograph that the server holds ready: its id, the size of its frames in pixels, and what it says of it."""

    id: str
    width: int
    height: int
    faces: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """How frames are made: the five strengths by name, and whether the background is left in."""

    strengths: dict[str, float]
    background: bool


class PortraitClient(ServerClient):
    """One server, asked for portraits."""

    def hold(self, photo: Path, face: dict[str, Any], maximum_side: int | None) -> HeldPortrait:
        """Send a photograph that single frames will be asked of.

        Args:
            photo: the photograph.
            face: which of its faces, or the landmarks; as the protocol has it.
            maximum_side: longest side of the frames in pixels; None keeps the photograph's size.

        Raises:
            ServerError: when the server refuses it.
            OSError: when the file cannot be read.
        """
        options = {"protocol": PROTOCOL_VERSION, "maximum_side": maximum_side, **face}
        answer = self.post_form("/v1/portraits", FormBody({"options": json.dumps(options)}, {"photo": photo}))
        try:
            notes = tuple(str(note) for note in answer["notes"])
            sizes = int(answer["width"]), int(answer["height"]), int(answer["faces"])
            return HeldPortrait(str(answer["id"]), *sizes, notes)
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"The server's answer about the portrait lacks something: {error}") from error

    def forget(self, portrait: HeldPortrait) -> None:
        """Tell the server that a portrait is not needed any more.

        Raises:
            ServerError: when it has been forgotten already, or for no answer.
        """
        self._request("DELETE", f"/v1/portraits/{portrait.id}")

    def frames(self, portrait: HeldPortrait, curves: FaceCurves, first: int, count: int, look: Look) -> Pixels:
        """Return (count, H, W, 3) uint8 RGB, or (count, H, W, 4) RGBA without the background.

        Args:
            portrait: from :meth:`hold`.
            curves: a piece of the take, with a second before and after the frames.
            first: index in ``curves`` of the first frame.
            count: how many, at most 16.
            look: how they are made.

        Raises:
            NotKnown: when the server has forgotten the portrait.
            ServerError: when it refuses, or answers something else.
        """
        asked = {"first": first, "count": count, "background": str(look.background).lower(), **look.strengths}
        path = f"/v1/portraits/{portrait.id}/frames?{urlencode(asked)}"
        headers = {"Content-Type": "application/octet-stream"}
        data = self._request("POST", path, body=npz_bytes(curves), headers=headers, limit=_FRAMES_LIMIT)
        shape = (count, portrait.height, portrait.width, 3 if look.background else 4)
        if len(data) != np.prod(shape):
            raise ServerError(f"The server sent {len(data)} bytes of pixels, not {np.prod(shape)}")
        return np.frombuffer(data, np.uint8).reshape(shape)

    def submit_portrait(self, photo: Path, curves: FaceCurves, sound: Path | None, options: dict[str, Any]) -> str:
        """Ask for a video and return its job's id.

        Args:
            photo: the photograph.
            curves: what the portrait does.
            sound: a recording whose second 0 is that of ``curves``, or None.
            options: of the request, without the protocol.

        Raises:
            ServerError: when the server refuses it.
            OSError: when a file cannot be read.
        """
        files = {"photo": photo} if sound is None else {"photo": photo, "sound": sound}
        stated = json.dumps({"protocol": PROTOCOL_VERSION, **options})
        form = FormBody({"options": stated}, files, {"curves": npz_bytes(curves)})
        return str(self.post_form("/v1/portrait-jobs", form)["id"])

    def fetch_video(self, job_id: str, target: Path, stop: Callable[[], bool]) -> bool:
        """Write the finished video of a job to ``target``; return False when ``stop`` became true before.

        Raises:
            ServerError: when there is none, or no answer.
            OSError: when ``target`` cannot be written.
        """
        return self.download(f"/v1/jobs/{job_id}/file", target, stop)
