"""Writes MP4: H.264 picture, AAC sound from any recording, provenance in the metadata, in constant memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from model_server.errors import AudioError, ExportError

from .arrays import Bytes, Floats

SOUND_RATE = 48_000
_SOUND_BITS = 160_000
_QUALITY = "18"  # x264's constant rate factor: visually close to the frames
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
    """An open MP4 file. Use as a context manager; leaving it without an error finishes the file.

    Args:
        path: file to write.
        size: width and height in pixels, both even.
        fps: frames per second.
        sound: a recording whose time zero is the video's time ``-sound_start``, or None.
        sound_start: seconds of the recording at the first frame; below zero the sound comes later.
        metadata: MP4 tags such as title, comment and description.

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
    ) -> None:
        self._rate = Fraction(fps).limit_denominator(100_000)
        self._blocks = sound_blocks(sound, sound_start) if sound else None
        first = next(self._blocks, None) if self._blocks else None
        self._file = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._file.metadata.update(metadata or {})
        self._video: Any = self._file.add_stream("libx264", rate=self._rate)
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"crf": _QUALITY, "preset": "veryfast"}
        context = self._video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        self._sound: Any = None
        if first is not None:
            self._sound = self._file.add_stream("aac", rate=SOUND_RATE, layout=_layout(first))
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
        """Append one frame (H, W, 3) uint8 RGB and the sound up to its end."""
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
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
