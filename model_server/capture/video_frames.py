"""Decodes the pictures of any common video, upright, with their times, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from model_server.errors import CaptureError
from model_server.media import decoded_frames

Bytes = npt.NDArray[np.uint8]

LARGEST_SIDE = 1280
"""Larger pictures are made smaller: landmarks are found on 256 pixels of face anyway."""

# FFmpeg also reads playlists, which may name any other file or address. Only plain containers are let in.
_CONTAINERS = "asf,avi,flv,matroska,mov,mpeg,mpegts,mpegvideo,ogg"
_MOST_PIXELS = 8192 * 8192
_KNOWN_FORMATS = "MP4, MOV, MKV, WebM or AVI"


@dataclass(frozen=True)
class VideoFrame:
    """A picture (H, W, 3) uint8 RGB, upright, and its seconds since the start of the container."""

    time: float
    pixels: Bytes


@dataclass(frozen=True)
class Video:
    """An open video. ``duration`` is in seconds as the file states it, or None."""

    name: str
    duration: float | None
    _container: Any

    def frames(self) -> Iterator[VideoFrame]:
        """Yield the pictures in the order of time; what is damaged is passed over.

        Raises:
            CaptureError: for a picture of more than 8192 x 8192 pixels.
        """
        start = (self._container.start_time or 0) / av.time_base
        last = -np.inf
        for frame in decoded_frames(self._container, "video", self.name):
            if frame.width * frame.height > _MOST_PIXELS:
                raise CaptureError(f"'{self.name}' is {frame.width} x {frame.height} pixels; make it smaller")
            # Pictures without a time, or out of order, cannot be placed.
            if frame.time is None or frame.time <= last:
                continue
            last = frame.time
            yield VideoFrame(frame.time - start, _upright(frame))


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Give the video in ``path``.

    Raises:
        CaptureError: for a file that is missing or no video.
    """
    if not path.is_file():
        raise CaptureError(f"'{path.name}' does not exist or is no file; check its path")
    try:
        # The "file:" prefix keeps FFmpeg from reading a name with a colon as an address.
        container = av.open(f"file:{path}", options={"format_whitelist": _CONTAINERS})
    except av.FFmpegError as error:
        raise CaptureError(
            f"'{path.name}' is no video that can be decoded ({error.strerror}); give {_KNOWN_FORMATS}"
        ) from error
    with container:
        track = container.streams.best("video")
        if track is None or track.codec_context is None:
            raise CaptureError(f"'{path.name}' has no pictures that can be decoded; give {_KNOWN_FORMATS}")
        track.thread_type = "AUTO"
        duration = None if container.duration is None else float(container.duration / av.time_base)
        yield Video(path.name, duration, container)


def _upright(frame: Any) -> Bytes:
    """Return (H, W, 3) uint8 RGB, turned as the file says, of at most ``LARGEST_SIDE``."""
    shrink = min(1.0, LARGEST_SIDE / max(frame.width, frame.height))
    size = {"width": max(2, round(frame.width * shrink)), "height": max(2, round(frame.height * shrink))}
    pixels = frame.to_ndarray(format="rgb24", **size, interpolation="AREA")
    # Phones film sideways and say by how many degrees, counter-clockwise, the picture is to be turned.
    turns = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
    turn = turns.get(round(frame.rotation) % 360)
    return np.ascontiguousarray(pixels if turn is None else cv2.rotate(pixels, turn))
