"""One recording to stretches of performance: what is heard, the emotion and the face, 50 frames a second."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, EMOTIONS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.filters import interpolate, read_at
from blendshape_rigs.formats import read_livelink
from model_server.audio.decode import open_audio
from model_server.audio.listener import PhoneListener
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack, join_tracks
from model_server.capture import CapturedFace, capture_face
from model_server.errors import DreamTalkError
from model_server.models.checkpoint import file_hash, load_checkpoint
from model_server.models.speech_encoder import SpeechEncoder

from . import beat, livelink
from .recording import Emotion, Recording
from .transcripts import MOST_ALIGNED_SECONDS, transcribed_phones

SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
"""Longer stretches are cut: a style clip is another one."""

_ENCODER = Path(__file__).parents[2] / "weights" / "speech_encoder.safetensors"
_LONGEST_BRIDGE = 0.5  # seconds without a face that curves may bridge
_SPLIT_SECONDS = 8.0  # a recording this long gives at least two stretches
_LARGEST_LENGTH_DIFFERENCE = 1.0

HalfArray = npt.NDArray[np.float16]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """Consecutive frames of a recording: (T, 45) phone-track features and (T, 58) channels of the face."""

    audio: HalfArray
    face: HalfArray


@dataclass(frozen=True)
class Converted:
    """What became of a recording, and notes on what a user should know."""

    stretches: tuple[Stretch, ...]
    notes: tuple[str, ...]


class Converter:
    """Hears and reads recordings below a folder.

    Args:
        root: the folder.
        language: what is spoken where the layout does not tell.
        face_landmarker: the model for videos; see ``model_server.capture``.
    """

    def __init__(self, root: Path, language: str, face_landmarker: Path | None) -> None:
        self.root, self._language, self._face_landmarker = root, language, face_landmarker

    @cached_property
    def _encoder(self) -> SpeechEncoder:
        return load_checkpoint(_ENCODER, SpeechEncoder)

    @cached_property
    def encoder_hash(self) -> str:
        """Hex SHA-256 of the speech encoder's weights."""
        return file_hash(_ENCODER)

    def convert(self, recording: Recording) -> Converted:
        """Return the stretches of a recording in which voice and face are there.

        Raises:
            DreamTalkError, CurvesError, OSError: for files that cannot be read, heard or captured, or do not overlap.
        """
        notes: list[str] = []
        track = self._hear(recording, notes)
        face = self._face(recording, len(track), notes)
        times = np.arange(len(track)) / FRAME_RATE
        runs = _runs(_covered(face, times, recording.spans))
        if not runs:
            raise DreamTalkError("voice and face do not overlap by a second; check that they are of the same take")
        channels = _channels_at(face.curves, times)
        audio = track.features().astype(np.float16)
        stretches = tuple(
            Stretch(audio[part], channels[part].astype(np.float16)) for run in runs for part in _parts(run)
        )
        return Converted(stretches, tuple(notes))

    def _hear(self, recording: Recording, notes: list[str]) -> PhoneTrack:
        """Return what is heard; phones by the transcript where there is one that fits."""
        sound = open_audio(self.root / recording.sound, name=recording.sound)
        track = join_tracks(list(PhoneListener(self._encoder).listen(sound.blocks())))
        if recording.transcript is None:
            return track
        if len(track) > MOST_ALIGNED_SECONDS * FRAME_RATE:
            notes.append(f"{recording.transcript} is not used: the recording is longer than 15 minutes")
            return track
        samples = np.concatenate(list(sound.blocks()))
        path = self.root / recording.transcript
        try:
            phones, how = transcribed_phones(path, samples, track.posteriors, recording.language or self._language)
        except DreamTalkError as error:
            phones, how = None, str(error)
        if phones is None:
            notes.append(f"{recording.transcript} is not used: {how}")
            return track
        return PhoneTrack(phones.posteriors(len(track)), track.voicing, track.pitch, track.loudness)

    def _face(self, recording: Recording, frames: int, notes: list[str]) -> CapturedFace:
        """Return the face in the time of the sound."""
        path = self.root / recording.face
        if recording.kind == "video":
            return capture_face(path, self._face_landmarker, method="blendshapes")
        if recording.kind == "beat":
            curves = beat.read_faces(path)
        else:
            curves = read_livelink(path)
            after = livelink.seconds_after_sound(path, self.root / recording.sound)
            apart = abs(curves.duration - frames / FRAME_RATE)
            if after is None and apart > _LARGEST_LENGTH_DIFFERENCE:
                notes.append(f"sound and curves differ by {apart:.1f} s in length; they are taken to begin together")
            curves = curves.with_stacked(curves.stacked(), start=curves.start + (after or 0.0))
        return CapturedFace(curves, np.ones(len(curves), bool))


def emotion_weights(emotion: Emotion) -> HalfArray:
    """Return (8,) float16 weights; neutral is the absence of the others."""
    weights = np.zeros(len(EMOTIONS), np.float16)
    if emotion[0] != "neutral":
        weights[EMOTIONS.index(emotion[0])] = emotion[1]
    return weights


def _channels_at(curves: FaceCurves, times: npt.NDArray[np.float64]) -> FloatArray:
    """Return (T, 58) channels at (T,) seconds, low-passed where there are more frames than are wanted."""
    position = (times - curves.start) * curves.fps
    ratio = curves.fps / FRAME_RATE
    stacked = curves.stacked()
    if ratio > 1:
        channels = read_at(stacked, np.clip(position, 0, len(stacked) - 1), ratio)
    else:
        channels = interpolate(np.arange(len(stacked), dtype=np.float64), stacked, position)
    channels[:, :ARKIT_COUNT] = channels[:, :ARKIT_COUNT].clip(0, 1)
    return channels


def _covered(
    face: CapturedFace, times: npt.NDArray[np.float64], spans: tuple[tuple[float, float], ...]
) -> npt.NDArray[np.bool_]:
    """Return (T,) whether the face is there at each of ``times`` and the time lies in one of ``spans``."""
    curves = face.curves
    seen = face.seen.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]])))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        inner = start > 0 and end < len(seen)
        if inner and (end - start) / curves.fps <= _LONGEST_BRIDGE:
            seen[start:end] = True
    nearest = np.round((times - curves.start) * curves.fps).astype(np.int64)
    inside = (nearest >= 0) & (nearest < len(seen))
    covered = inside & seen[np.clip(nearest, 0, len(seen) - 1)]
    if spans:
        covered &= np.any([(times >= start) & (times < end) for start, end in spans], axis=0)
    return np.asarray(covered)


def _runs(covered: npt.NDArray[np.bool_]) -> list[slice]:
    """Return the runs of true frames that are long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], covered, [False]])))
    return [
        slice(int(start), int(end))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= SHORTEST_SECONDS * FRAME_RATE
    ]


def _parts(run: slice) -> list[slice]:
    """Return a run cut into even parts of at most ``LONGEST_SECONDS``."""
    frames = run.stop - run.start
    count = max(-(-frames // round(LONGEST_SECONDS * FRAME_RATE)), 2 if frames >= _SPLIT_SECONDS * FRAME_RATE else 1)
    edges = np.linspace(run.start, run.stop, count + 1).round().astype(int)
    return [slice(int(start), int(end)) for start, end in pairwise(edges)]
