"""Decodes any common recording to 16 kHz mono blocks, in constant memory.

Everything is read through PyAV (FFmpeg's libraries): WAV of any depth, FLAC, MP3, M4A, Ogg, Opus, and the
sound of video containers. A truncated or damaged file gives what can be decoded; missing stretches become
silence, so that what follows keeps its time. Time zero is the start of the container: sound that begins after
the picture is led in by silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from model_server.errors import AudioError
from model_server.media import decoded_frames

SAMPLE_RATE = 16_000
MINIMUM_SECONDS = 0.1
MAXIMUM_SECONDS = 4 * 3600.0

# FFmpeg also reads playlists, which may name any other file or address. Only plain containers are let in.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,voc,w64,wav,wv"
)
_KNOWN_FORMATS = "WAV, FLAC, MP3, M4A, Ogg, Opus, MP4, MKV or MOV"

# The full scale of FFmpeg's sample formats, without the "p" of their planar forms.
_FULL_SCALE = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31, "flt": 1.0, "dbl": 1.0}
_LOUDEST = 1000.0  # 60 dB above full scale: no recording, but numbers read as something they are not
_FIRST_GAP_SECONDS = 0.001
_GAP_SECONDS = 0.05  # timestamps of some containers jitter by milliseconds; a real gap is a lost packet or more
_CHUNK_SECONDS = 0.5  # resampling many small frames together is several times faster

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AudioStream:
    """A recording that can be decoded, any number of times, without being held in memory.

    Attributes:
        path: the file.
        name: what messages call it.
        duration: seconds as the file states them, or None; a truncated file may hold less.
        maximum_seconds: a longer recording raises ``AudioError``.
    """

    path: Path
    name: str
    duration: float | None
    maximum_seconds: float = MAXIMUM_SECONDS

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def blocks(self, seconds: float = 10.0) -> Iterator[FloatArray]:
        """Yield consecutive blocks (N,) float32 at 16 kHz mono, nominally in [-1, 1].

        All last ``seconds`` but the last one. Channels are averaged.

        Raises:
            AudioError: for samples that are not finite, naming the second, or a recording longer than
                ``maximum_seconds``.
        """
        length = max(1, round(seconds * SAMPLE_RATE))
        limit = int(self.maximum_seconds * SAMPLE_RATE)
        pending: list[FloatArray] = []
        held = done = 0
        with _open_container(self.path, self.name) as container:
            for piece in _resample(_mono_chunks(container, self.name)):
                pending.append(piece)
                held += len(piece)
                if done + held > limit:
                    raise AudioError(_too_long(self.name, self.maximum_seconds))
                if held < length:
                    continue
                joined = np.concatenate(pending)
                whole = held - held % length
                for first in range(0, whole, length):
                    yield joined[first : first + length]
                pending, held, done = [joined[whole:].copy()], held - whole, done + whole
        if held:
            yield np.concatenate(pending)


def open_audio(path: str | Path, *, name: str | None = None, maximum_seconds: float = MAXIMUM_SECONDS) -> AudioStream:
    """Return the recording in ``path``, checked to hold at least a tenth of a second of sound.

    Args:
        path: an audio file, or a video file with sound.
        name: what messages call it; the file's name where none is given.
        maximum_seconds: the longest recording to accept, seconds.

    Raises:
        AudioError: for a file that is missing, empty, no audio, too short or too long.
    """
    path = Path(path)
    name = name or path.name
    if not path.is_file():
        raise AudioError(f"'{name}' does not exist or is no file; check its path")
    if path.stat().st_size == 0:
        raise AudioError(f"'{name}' is an empty file; record or export it again")
    with _open_container(path, name) as container:
        duration = _stated_duration(container)
    if duration is not None and duration > maximum_seconds:
        raise AudioError(_too_long(name, maximum_seconds))
    recording = AudioStream(path, name, duration, maximum_seconds)
    blocks = recording.blocks(MINIMUM_SECONDS)
    first = next(blocks, None)
    if first is None:
        raise AudioError(f"'{name}' holds no sound that can be decoded; record or export it again")
    if len(first) < MINIMUM_SECONDS * SAMPLE_RATE:
        raise AudioError(
            f"'{name}' lasts {len(first) / SAMPLE_RATE:.2f} s; give a recording of at least {MINIMUM_SECONDS:g} s"
        )
    return recording


def _too_long(name: str, maximum_seconds: float) -> str:
    return (
        f"'{name}' is longer than the limit of {maximum_seconds / 3600:g} h; "
        "cut it into shorter files or raise the limit"
    )


def _open_container(path: Path, name: str) -> Any:
    """Return the open PyAV container of a file that has sound.

    Raises:
        AudioError: when it is no container of the allowed list, or has no sound.
    """
    try:
        # The "file:" prefix keeps FFmpeg from reading a name with a colon as an address.
        container = av.open(f"file:{path}", options={"format_whitelist": _CONTAINERS})
    except av.FFmpegError as error:
        raise AudioError(
            f"'{name}' is not audio that can be decoded ({error.strerror}); give {_KNOWN_FORMATS}"
        ) from error
    track = container.streams.best("audio")
    if track is None or track.codec_context is None:
        container.close()
        raise AudioError(f"'{name}' has no sound track that can be decoded; give {_KNOWN_FORMATS}")
    return container


def _stated_duration(container: Any) -> float | None:
    """Return the seconds of sound that the container claims to hold, or None."""
    track = container.streams.best("audio")
    if track.duration is not None:
        return float(track.duration * track.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    return None


def _mono(frame: Any, name: str) -> FloatArray:
    """Return the average of a frame's channels, (N,) float32 with full scale at 1.

    Raises:
        AudioError: for a sample format that FFmpeg's audio decoders do not use.
    """
    sample_format = frame.format.name.removesuffix("p")
    if sample_format not in _FULL_SCALE:
        raise AudioError(f"'{name}' has samples of the form {sample_format}; convert it to 16-bit WAV")
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    mono = samples.mean(axis=0, dtype=np.float64)
    if sample_format == "u8":
        mono -= 128.0
    return np.asarray(mono / _FULL_SCALE[sample_format], np.float32)


def _mono_chunks(container: Any, name: str) -> Iterator[tuple[FloatArray, int]]:
    """Yield consecutive (samples (N,) float32, rate in Hz), with silence where the timestamps leave gaps.

    Raises:
        AudioError: for a sample that is not finite or absurdly loud, naming its second.
    """
    start = (container.start_time or 0) / av.time_base
    position = 0.0
    tolerance = _FIRST_GAP_SECONDS
    for frame in decoded_frames(container, "audio", name):
        rate = frame.sample_rate
        gap = 0.0 if frame.time is None else frame.time - start - position
        while gap > tolerance:
            silence = min(gap, 1.0)
            yield np.zeros(round(silence * rate), np.float32), rate
            gap -= silence
            position += silence
            tolerance = 0.0
        tolerance = _GAP_SECONDS
        mono = _mono(frame, name)
        bad = ~(np.abs(mono) < _LOUDEST)
        if bad.any():
            second = position + int(np.argmax(bad)) / rate
            raise AudioError(
                f"'{name}' holds a sample that is not a sensible number at {second:.2f} s; "
                "export it again as 16-bit WAV"
            )
        position += len(mono) / rate
        yield mono, rate


def _resample(chunks: Iterable[tuple[FloatArray, int]]) -> Iterator[FloatArray]:
    """Yield the same sound at 16 kHz, (N,) float32 pieces; the delay of the filter is already taken out."""
    resampler: Any = None
    current_rate = 0
    pending: list[FloatArray] = []

    def convert(samples: FloatArray | None) -> Iterator[FloatArray]:
        frame = None
        if samples is not None:
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = current_rate
        for output in resampler.resample(frame):
            yield output.to_ndarray()[0]

    def flush() -> Iterator[FloatArray]:
        if pending:
            yield from convert(np.concatenate(pending))
            pending.clear()

    for samples, rate in chunks:
        if rate != current_rate:
            if resampler is not None:
                yield from flush()
                yield from convert(None)
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
            current_rate = rate
        pending.append(samples)
        if sum(map(len, pending)) >= _CHUNK_SECONDS * rate:
            yield from flush()
    if resampler is not None:
        yield from flush()
        yield from convert(None)
