"""What travels between server and client: the protocol's version, the options of a job and its state.

Version 1::

    GET    /v1/health                        open to all: {"status", "protocol", "version", "model", "device"}
    POST   /v1/jobs                          multipart: "audio" file, "options" JSON, perhaps "style" and "take" NPZ
    GET    /v1/jobs/{id}                     JobView
    GET    /v1/jobs/{id}/events              JobView as newline-delimited JSON until the job ends
    GET    /v1/jobs/{id}/hold                empty lines until the job ends; a client that leaves before cancels the job
    GET    /v1/jobs/{id}/curves?first_frame  NPZ of the frames made so far, from that frame on
    DELETE /v1/jobs/{id}                     cancels a job that has not ended, forgets one that has
    GET    /v1/jobs/{id}/file                the video of a portrait job that is done
    POST   /v1/portraits                     multipart: "photo" file, "options" JSON: PortraitView
    POST   /v1/portraits/{id}/frames?first   body: NPZ of a piece of curves; raw pixels of count frames from first on
    DELETE /v1/portraits/{id}                forgets a portrait; the last few that were used are held ready
    POST   /v1/portrait-jobs                 multipart: "curves" NPZ, "options" JSON, "photo" file or the id of a
                                             portrait, perhaps a "sound" file: JobView

    POST   /v1/captures                      multipart: "video" file of a face, "options" JSON: JobView; its curves
                                             are those of the face

All but health need the header ``Authorization: Bearer TOKEN``. An error answers 4xx or 5xx with
``{"detail": "one clear sentence"}``.

Options, all but the first optional::

    {"protocol": 1,
     "emotion": {"happy": 0.8},             or {"times": [0, 2.5], "weights": [[8 numbers], [8 numbers]]}
     "seed": 0, "fps": 30,
     "style_strength": 0.5,                  with a "style": 0 to 1, how far it shows
     "text": "Hello there", "language": "en",  what is said; the lips follow it
     "lips": "auto",                         or "encoder" or "recogniser" (English), where there is no text
     "phones": [["h", 0.1, 0.16], ...],      an edited track instead: IPA symbol, start and end in seconds
     "remake": [[2.5, 4.0]],                 with a "take": seconds to make again, all else stays
     "lock": ["brow", "jawOpen"],            with a "take": regions or channels that stay
     "keys": [["browInnerUp", 2.4]]}         with a "take": single values of it that stay

Options of a portrait, and beside them those of its video, all but the first optional::

    {"protocol": 1,
     "face": 0,                              counted from the left; the largest where it is left out
     "landmarks": {...},                     what a landmark file holds, where no face is found
     "maximum_side": 256}                    of a portrait that is held ready, in pixels
    {"portrait": "id",                       one that is held ready, in place of the "photo"
     "strengths": {"head": 1, "brows": 1, "eyes": 1, "mouth": 1, "blink": 1},  each 0 to 2
     "badge": false, "background": true, "format": "mp4"}  or "webm", which can do without the background

Options of a capture::

    {"protocol": 1,
     "method": "landmarks"}                  or "blendshapes", which needs MediaPipe's Face Landmarker on the server

Frames take ``count`` (1 to 16), ``background`` and the five strengths as parameters beside ``first``. Their pixels
are (count, height, width, 3) unsigned bytes of RGB, or 4 of RGBA with straight alpha without the background.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from model_server.errors import ConfigError
from model_server.pipeline.exchange import FaceCurves, phones_from_lists
from model_server.pipeline.kept import Kept
from model_server.pipeline.phone_source import MAXIMUM_TEXT, PhoneSource
from model_server.pipeline.request import AnimationRequest, EmotionTrack

PROTOCOL_VERSION = 1

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

Options = TypeVar("Options", bound=BaseModel)

_MAXIMUM_KEYS = 100_000
_MAXIMUM_PHONES = 200_000
_MAXIMUM_RANGES = 1000


class ProtocolError(ConfigError):
    """The client speaks another version of the protocol."""


class Strict(BaseModel):
    """A model that takes nothing unknown, nothing of another type and no number that is not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class EmotionKeys(Strict):
    """Emotion over time: ``times`` (K,) seconds, increasing; ``weights`` (K, 8) in 0..1."""

    times: list[float] = Field(min_length=1, max_length=_MAXIMUM_KEYS)
    weights: list[list[float]] = Field(min_length=1, max_length=_MAXIMUM_KEYS)


def _emotion_form(value: Any) -> str:
    return "keys" if isinstance(value, dict) and ("times" in value or "weights" in value) else "constant"


# JSON has no tuples: the lists that stand for them are taken as such.
_Range = Annotated[tuple[float, float], Field(strict=False)]
_Key = Annotated[tuple[str, float], Field(strict=False)]


class JobOptions(Strict):
    """The options of one job; an unknown one is an error.

    Attributes:
        protocol: version that the client speaks.
        emotion: intensities 0..1 by emotion name, or keys over time.
        seed: the same seed gives the same performance.
        fps: frames per second of the answer, 1 to 240.
        style_strength: how far the style clip shows, 0 to 1.
        text: what is said in the recording, empty where that is not known.
        language: of the text, as espeak-ng names it.
        lips: what hears the phones where there is no text: "auto", "encoder" or "recogniser".
        phones: an edited track of [symbol, start, end] that the lips follow instead, or None.
        remake: ranges of seconds of an earlier take that are made again.
        lock: regions or channels of it that stay.
        keys: (channel, seconds) of single values of it that stay.
    """

    protocol: int
    emotion: Annotated[
        Annotated[dict[str, float], Tag("constant")] | Annotated[EmotionKeys, Tag("keys")],
        Discriminator(_emotion_form),
    ] = Field(default_factory=dict)
    seed: int = 0
    fps: float = 30.0
    style_strength: float = 1.0
    text: str = Field("", max_length=MAXIMUM_TEXT)
    language: str = Field("en", max_length=40)
    lips: str = "auto"
    phones: list[list[Any]] | None = Field(None, max_length=_MAXIMUM_PHONES)
    remake: list[_Range] = Field(default_factory=list, max_length=_MAXIMUM_RANGES)
    lock: list[str] = Field(default_factory=list, max_length=_MAXIMUM_RANGES)
    keys: list[_Key] = Field(default_factory=list, max_length=_MAXIMUM_KEYS)

    def emotion_track(self) -> EmotionTrack:
        """Return the emotion over time.

        Raises:
            ConfigError: for unknown emotions, or weights or times that do not fit.
        """
        if not isinstance(self.emotion, EmotionKeys):
            return EmotionTrack.constant(self.emotion)
        if len({len(row) for row in self.emotion.weights}) > 1:
            raise ConfigError("emotion: every row of weights needs the same number of columns")
        return EmotionTrack(np.array(self.emotion.times), np.array(self.emotion.weights, np.float32))

    def request(self, style: FaceCurves | None = None, take: FaceCurves | None = None) -> AnimationRequest:
        """Return what the pipeline is asked for, with a ``style`` clip and an earlier ``take`` to keep parts of.

        Raises:
            ConfigError: for a value out of range, the strength of no style, or an earlier take of which nothing is
                kept, or the reverse.
        """
        phones = None if self.phones is None else phones_from_lists(self.phones)
        source = PhoneSource(self.text, self.language, self.lips, phones)
        kept, strength = self._kept(take), self.style_strength
        if style is None and strength != 1:
            raise ConfigError("'style_strength' needs the 'style' clip whose strength it is")
        return AnimationRequest(self.emotion_track(), self.seed, self.fps, style, kept, source, strength)

    def _kept(self, take: FaceCurves | None) -> Kept | None:
        some = bool(self.remake or self.lock or self.keys)
        if some != (take is not None):
            raise ConfigError("'remake', 'lock' and 'keys' need the earlier 'take', and a 'take' needs one of them")
        return None if take is None else Kept(take, tuple(self.remake), tuple(self.lock), tuple(self.keys))


def parse_options(text: str) -> JobOptions:
    """Return the options of a performance in the JSON ``text``; raises as :func:`parse_model` does."""
    return parse_model(JobOptions, text)


def parse_model(model: type[Options], text: str) -> Options:
    """Return the options in the JSON ``text`` as ``model`` describes them.

    Raises:
        ProtocolError: when the client speaks another version.
        ConfigError: for text that is no JSON object, or an option that is unknown or of the wrong kind.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"options are not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError('options must be a JSON object like {"protocol": 1, "emotion": {"happy": 0.8}}')
    # Looked at first: another version may know other options.
    version = values.get("protocol")
    if isinstance(version, int) and version != PROTOCOL_VERSION:
        raise ProtocolError(
            f"the client speaks protocol {version} and this server protocol {PROTOCOL_VERSION}; "
            "update the older of the two"
        )
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option, *inner = (str(part) for part in first["loc"])
        # The two forms of an emotion are told apart by names that the client does not know.
        place = ".".join([option, *(part for part in inner if part not in ("constant", "keys"))])
        raise ConfigError(f"option '{place}': {first['msg']}") from error


class JobView(BaseModel):
    """What a client sees of a job.

    Attributes:
        seconds_done: seconds of audio or video finished.
        duration: seconds of the recording as its file states them, or of the video; None where it is not known.
        frames: frames of curves that can be fetched.
        message: one sentence about a failure or what is going on; may be empty.
    """

    id: str
    state: JobState
    seconds_done: float
    duration: float | None
    frames: int
    message: str
