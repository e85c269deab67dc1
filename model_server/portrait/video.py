"""Writes MP4 (H.264, AAC) and WebM (VP9 with or without alpha, Opus) with sound from any recording.

Memory is constant, provenance lies in the metadata.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import av
import numpy as np

from model_server.errors import AudioError, ExportError

from .arrays import Bytes, Floats

SOUND_RATE = 48_000
_SOUND_BITS = 160_000
# Constant rate factors that are visually close to the frames; VP9 has another scale than x264.
_H264 = {"crf": "18", "preset": "veryfast"}
_VP9 = {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "auto-alt-ref": "0"}
_WAITING_FRAMES = 4
_GAP_SECONDS = 0.05  # timestamps jitter by milliseconds; a real gap is a lost packet or more
_BT709, _LIMITED_RANGE = 1, 1
# FFmpeg also reads playlists, which may name any other file or address. Only plain containers are let in.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,voc,w64,wav,wv"
)


@contextmanager
def whole_file(out: Path) -> Iterator[Path]:
    """Give a path to write to that becomes ``out`` only when everything went well; else nothing is left behind.

    Raises:
        ExportError: when the folder cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.stem}-", suffix=out.suffix, dir=out.parent)
    except OSError as error:
        raise ExportError(f"'{out}' cannot be written: {error.strerror}; choose another folder") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp's mode is for its owner alone; a video is a file like any other.
        part.chmod(0o644)
        part.replace(out)
    except OSError as error:
        raise ExportError(f"'{out}' could not be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


class VideoWriter:
    """An open MP4 or WebM file. Use as a context manager; leaving it without an error finishes the file.

    Args:
        path: file to write; ``.webm`` is WebM, anything else MP4.
        size: width and height in pixels, both even.
        fps: frames per second.
        sound: a recording whose time zero is the video's time ``-sound_start``, or None.
        sound_start: seconds of the recording at the first frame; below zero the sound comes later.
        metadata: tags such as title, comment and description.
        alpha: frames are RGBA and their transparency is kept; WebM only.

    Raises:
        AudioError: when ``sound`` cannot be decoded.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: float,
        sound: Path | None = None,
        sound_start: float = 0.0,
        metadata: Mapping[str, str] | None = None,
        alpha: bool = False,
    ) -> None:
        webm = path.suffix.lower() == ".webm"
        self._rate = Fraction(fps).limit_denominator(100_000)
        self._blocks = sound_blocks(sound, sound_start) if sound else None
        first = next(self._blocks, None) if self._blocks else None
        muxer, movflags = ("webm", {}) if webm else ("mp4", {"movflags": "+faststart"})
        self._file = av.open(str(path), "w", format=muxer, options=movflags)
        self._file.metadata.update(metadata or {})
        self._video: Any = self._file.add_stream("libvpx-vp9" if webm else "libx264", rate=self._rate)
        self._video.width, self._video.height = size
        self._input, self._video.pix_fmt = ("rgba", "yuva420p") if alpha else ("rgb24", "yuv420p")
        self._video.options = _VP9 if webm else _H264
        context = self._video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        self._sound: Any = None
        if first is not None:
            codec = "libopus" if webm else "aac"
            self._sound = self._file.add_stream(codec, rate=SOUND_RATE, layout=_layout(first))
            self._sound.bit_rate = _SOUND_BITS
        self._waiting = first
        self._frames = self._samples = 0

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()

    def write(self, frame: Bytes) -> None:
        """Append one frame (H, W, 3) uint8 RGB, or RGBA for a video with alpha, and the sound up to its end."""
        picture = av.VideoFrame.from_ndarray(frame, format=self._input)
        picture = picture.reformat(format=self._video.pix_fmt, dst_colorspace="ITU709", dst_color_range="MPEG")
        picture.pts, picture.time_base = self._frames, 1 / self._rate
        self._file.mux(self._video.encode(picture))
        self._frames += 1
        self._write_sound(round(self._frames / self._rate * SOUND_RATE))

    def _write_sound(self, until: int) -> None:
        while self._waiting is not None and self._samples < until:
            take = min(self._waiting.shape[1], until - self._samples)
            part, rest = self._waiting[:, :take], self._waiting[:, take:]
            self._mux_sound(part)
            assert self._blocks is not None
            self._waiting = rest if rest.shape[1] else next(self._blocks, None)

    def _mux_sound(self, block: Floats) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=_layout(block))
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._samples, Fraction(1, SOUND_RATE)
        self._samples += block.shape[1]
        self._file.mux(self._sound.encode(frame))

    def _finish(self) -> None:
        self._file.mux(self._video.encode(None))
        if self._sound is not None:
            self._file.mux(self._sound.encode(None))


class FrameQueue:
    """Hands frames to a writer in a thread of its own, so that encoding runs beside rendering.

    A few frames wait at most. Use as a context manager; leaving it waits until all are written.

    Args:
        write: takes one frame; called from that thread alone, in order.
    """

    def __init__(self, write: Callable[[Bytes], None]) -> None:
        self._write = write
        self._frames: Queue[Bytes | None] = Queue(_WAITING_FRAMES)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="portrait frames", daemon=True)
        self._thread.start()

    def __enter__(self) -> FrameQueue:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._frames.put(None)
        self._thread.join()
        if kind is None:
            self._check()

    def put(self, frame: Bytes) -> None:
        """Append a frame; it must not be changed afterwards. Raises what writing an earlier one raised."""
        self._check()
        self._frames.put(frame)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (frame := self._frames.get()) is not None:
            if self._error is not None:
                continue  # the rest is taken from the queue so that nobody waits
            try:
                self._write(frame)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that renders
                self._error = error


def _layout(block: Floats) -> str:
    return "mono" if block.shape[0] == 1 else "stereo"


def sound_blocks(path: Path, start: float) -> Iterator[Floats]:
    """Yield (1 or 2, N) float32 blocks at 48 kHz of a recording from ``start`` seconds on; gaps are silence.

    A negative ``start`` is led in by silence. What is damaged in the recording is passed over.

    Raises:
        AudioError: for a file without sound that can be decoded.
    """
    try:
        container = av.open(f"file:{path}", options={"format_whitelist": _CONTAINERS})
    except (av.FFmpegError, OSError) as error:
        raise AudioError(f"'{path.name}' is not audio that can be decoded ({error.strerror})") from error
    with container:
        track = container.streams.best("audio")
        if track is None:
            raise AudioError(f"'{path.name}' has no sound track that can be decoded")
        channels = 1 if track.codec_context.channels == 1 else 2
        skip = round(start * SOUND_RATE)
        if skip < 0:
            yield np.zeros((channels, -skip), np.float32)
            skip = 0
        for block in _resampled(container, track, channels):
            if skip < block.shape[1]:
                yield block[:, skip:]
            skip = max(0, skip - block.shape[1])


def _resampled(container: Any, track: Any, channels: int) -> Iterator[Floats]:
    """Yield (channels, N) at 48 kHz from the container's start."""
    resampler = av.AudioResampler(format="fltp", layout="mono" if channels == 1 else "stereo", rate=SOUND_RATE)
    origin = (container.start_time or 0) / av.time_base
    position = 0.0
    for frame in _decoded(container, track):
        gap = 0.0 if frame.time is None else frame.time - origin - position
        if gap > _GAP_SECONDS:
            yield np.zeros((channels, round(gap * SOUND_RATE)), np.float32)
            position += gap
        position += frame.samples / frame.sample_rate
        frame.pts = None
        yield from _arrays(resampler.resample(frame))
    yield from _arrays(resampler.resample(None))


def _arrays(frames: list[Any]) -> Iterator[Floats]:
    for frame in frames:
        if frame.samples:
            yield np.clip(np.nan_to_num(frame.to_ndarray()), -1, 1)


def _decoded(container: Any, track: Any) -> Iterator[Any]:
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return  # the container breaks off here: what was read stands
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue  # one damaged packet; its time becomes silence
