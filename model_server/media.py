"""Decodes a track of an open media file, sound or pictures, passing over what is damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Literal

import av

logger = logging.getLogger(__name__)


def decoded_frames(container: Any, kind: Literal["audio", "video"], name: str) -> Iterator[Any]:
    """Yield the decoded frames of the best track of a ``kind``; what could not be decoded is logged as a warning.

    Args:
        container: an open PyAV container that has such a track.
        kind: of track.
        name: what the warning calls the file.
    """
    packets = container.demux(container.streams.best(kind))
    damaged = 0
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            # The container breaks off here: what was read stands.
            damaged += 1
            break
        if packet is None:
            break
        try:
            yield from packet.decode()
        except av.FFmpegError:
            damaged += 1
    if damaged:
        logger.warning("'%s' is damaged or cut off; %d part(s) of it could not be decoded", name, damaged)
