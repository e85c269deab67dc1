"""What the layouts find: recordings to convert, and files that are refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

Emotion = tuple[str, float]
"""Name out of ``EMOTIONS`` and intensity in 0..1."""


@dataclass(frozen=True)
class Refused:
    """A file that was not taken: its path relative to the folder, and why, in one line."""

    path: str
    reason: str


@dataclass(frozen=True)
class Recording:
    """Speech and the face that goes with it, not read yet. Paths are relative to the folder that is added.

    Attributes:
        face: the file of the face: curves, or a video to capture.
        kind: how ``face`` is read.
        sound: the file of the voice.
        actor: who performs.
        emotion: what the layout says is acted; None where it says nothing.
        transcript: a TextGrid or text file of what is said.
        language: what is spoken, as espeak-ng calls it; None where the layout does not tell.
        spans: (start, end) seconds of the stretches that count; all of it where there are none.
    """

    face: str
    kind: Literal["livelink", "beat", "video"]
    sound: str
    actor: str
    emotion: Emotion | None = None
    transcript: str | None = None
    language: str | None = None
    spans: tuple[tuple[float, float], ...] = ()

    def files(self) -> tuple[str, ...]:
        """Return every file that the result depends on."""
        return tuple(dict.fromkeys(file for file in (self.face, self.sound, self.transcript) if file))


Found = list[Recording | Refused]


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Attributes:
        root: the folder.
        files: paths relative to it, with ``/``, sorted.
    """

    root: Path
    files: tuple[str, ...]

    def with_suffix(self, *suffixes: str) -> list[str]:
        """Return the files that end in one of ``suffixes`` (lower case), whatever their case."""
        return [file for file in self.files if file.lower().endswith(suffixes)]

    def beside(self, file: str, stem: str, suffixes: tuple[str, ...]) -> str | None:
        """Return the file in the folder of ``file`` that is called ``stem``, with the first suffix that there is."""
        folder, slash, _ = file.rpartition("/")
        places = (f"{folder}{slash}{stem}{suffix}".lower() for suffix in suffixes)
        return next((self._by_lower[place] for place in places if place in self._by_lower), None)

    @cached_property
    def _by_lower(self) -> dict[str, str]:
        return {file.lower(): file for file in self.files}


SOUND_SUFFIXES = (".wav", ".flac", ".m4a", ".mp3", ".ogg", ".aac")
VIDEO_SUFFIXES = (".mov", ".mp4", ".m4v", ".mkv", ".webm", ".avi")
TEXT_SUFFIXES = (".textgrid", ".txt")
