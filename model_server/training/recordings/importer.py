"""Adds a folder of recordings to the performances that the models learn from.

Each recording is converted once and kept in ``converted/`` below the output folder, so that a run that was stopped
goes on where it was and new recordings are added to old ones. Then every actor's performances are written as one
file, each with a clip of the same actor in the same emotion as its style. A ``.json`` beside them says what was
added, and what was refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from blendshape_rigs.arkit import EMOTIONS
from blendshape_rigs.curves import CurvesError
from model_server.audio.phone_track import FRAME_RATE
from model_server.capture.face_landmarker import find_model, model_hash
from model_server.errors import Cancelled, ConfigError, DreamTalkError, WeightsError

from ..performances import Performance, save_performances
from . import beat, livelink, videos
from .conversion import Converted, Converter, Stretch, emotion_weights
from .folder import list_folder
from .labels import parse_emotion
from .recording import VIDEO_SUFFIXES, Emotion, Found, Listing, Recording, Refused

_FINDERS: dict[str, Callable[[Listing], Found]] = {
    "livelink": livelink.find,
    "video": videos.find,
    "beat": beat.find,
    "beat2": beat.find,
    "mead": videos.find_mead,
    "hdtf": videos.find_hdtf,
}
LAYOUTS = ("auto", *_FINDERS)
"""The layouts that :func:`add` knows."""

STYLE_FRAMES = 8 * FRAME_RATE
_VERSION = 1  # of what is kept; another one converts everything again
_LARGEST_KEPT = 1 << 30

Progress = Callable[[int, int, str], None]
"""Called with the recordings done, how many there are, and the one that comes next; may raise to stop."""


@dataclass(frozen=True)
class Summary:
    """What :func:`add` did.

    Attributes:
        layout: the layout of the folder.
        recordings: how many recordings the performances come from.
        converted: how many of them were converted now, and not in an earlier run.
        seconds: of performance, by actor.
        refused: what was not taken, and why.
        notes: remarks on recordings that were taken, as path and remark.
        files: the performance files written.
    """

    layout: str
    recordings: int
    converted: int
    seconds: dict[str, float]
    refused: tuple[Refused, ...]
    notes: tuple[Refused, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Clip:
    """A stretch of a recording by an actor in an emotion."""

    recording: int
    actor: str
    emotion: Emotion
    stretch: Stretch


@dataclass
class _Batch:
    """What came of converting recordings; ``fresh`` counts those that an earlier run had not left."""

    clips: list[_Clip] = field(default_factory=list)
    used: list[Recording] = field(default_factory=list)
    notes: list[Refused] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    fresh: int = 0


def add(
    folder: Path,
    layout: str,
    out: Path,
    progress: Progress | None = None,
    *,
    emotion: str | None = None,
    language: str = "en",
    face_landmarker: Path | None = None,
) -> Summary:
    """Convert the recordings in ``folder`` to performances in ``out``; what cannot be used is reported and passed over.

    Args:
        folder: the recordings.
        layout: one of ``LAYOUTS``.
        out: folder of performance files; made where it is missing.
        progress: called before each recording.
        emotion: like ``"happy:0.6"``: what is acted where the layout says nothing (default: neutral).
        language: what is spoken where the layout does not tell, as espeak-ng calls it.
        face_landmarker: model for capturing videos; see ``model_server.capture``.

    Raises:
        ConfigError: for an unknown layout or emotion.
        DreamTalkError: when ``folder`` is none, holds nothing of that layout, or nothing in it can be used.
        WeightsError: when videos are to be captured without a model.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown layout '{layout}'; choose from {', '.join(LAYOUTS)}")
    otherwise = parse_emotion(emotion) if emotion else ("neutral", 0.0)
    listing, refused = list_folder(folder, out)
    if layout == "auto":
        layout = detect_layout(listing)
    found = _FINDERS[layout](listing)
    recordings = [item for item in found if isinstance(item, Recording)]
    refused += [item for item in found if isinstance(item, Refused)]
    if not recordings:
        raise DreamTalkError(_nothing(folder, layout, refused))
    landmarker = find_model(face_landmarker) if any(item.kind == "video" for item in recordings) else None
    converter = Converter(folder, language, landmarker)
    settings = f"{_VERSION} {converter.encoder_hash} {language} {model_hash(landmarker) if landmarker else ''}"

    batch = _convert(recordings, converter, out / "converted", settings, otherwise, progress)
    refused += batch.refused
    performances, without_style = _with_styles(batch.clips)
    refused += [Refused(recordings[number].face, reason) for number, reason in without_style]
    if not performances:
        raise DreamTalkError(_nothing(folder, layout, refused))
    name = f"{layout}_{_plain(folder.resolve().name)}"
    files = _write(out, name, performances)
    seconds: dict[str, float] = {}
    for performance in performances:
        seconds[performance.actor] = seconds.get(performance.actor, 0.0) + len(performance) / FRAME_RATE
    left = {number for number, _ in without_style}
    count = len({clip.recording for clip in batch.clips} - left)
    summary = Summary(layout, count, batch.fresh, seconds, tuple(refused), tuple(batch.notes), files)
    _write_report(out / f"{name}.json", summary, batch.used, otherwise)
    return summary


def _convert(
    recordings: Sequence[Recording],
    converter: Converter,
    kept: Path,
    settings: str,
    otherwise: Emotion,
    progress: Progress | None,
) -> _Batch:
    """Convert what is not kept from an earlier run; a recording that cannot be used is refused."""
    batch = _Batch()
    for number, recording in enumerate(recordings):
        if progress is not None:
            progress(number, len(recordings), recording.face)
        try:
            path = kept / f"{_key(converter.root, recording, settings)}.npz"
            converted = _load(path)
            if converted is None:
                converted = converter.convert(recording)
                _save(path, converted)
                batch.fresh += 1
        except (Cancelled, WeightsError):
            raise
        except (DreamTalkError, CurvesError, OSError) as error:
            batch.refused.append(Refused(recording.face, _one_line(error)))
            continue
        batch.notes += [Refused(recording.face, note) for note in converted.notes]
        batch.used.append(recording)
        acted = recording.emotion or otherwise
        batch.clips += [_Clip(number, recording.actor, acted, stretch) for stretch in converted.stretches]
    return batch


def detect_layout(listing: Listing) -> str:
    """Return the layout that the names in a folder speak for.

    Raises:
        DreamTalkError: when none does.
    """
    stems = [file.rpartition("/")[2].rpartition(".") for file in listing.files]
    sequences = {suffix.lower() for stem, _, suffix in stems if beat.SEQUENCE.fullmatch(stem)}
    films = listing.with_suffix(*VIDEO_SUFFIXES)
    if "npz" in sequences:
        return "beat2"
    if "json" in sequences:
        return "beat"
    if any(videos.MEAD_FILE.fullmatch(file) for file in films):
        return "mead"
    if any(livelink.is_curve_file(listing.root / file) for file in listing.with_suffix(".csv")):
        return "livelink"
    names = [file.rpartition("/")[2].rpartition(".")[0] for file in films]
    annotated = any(file.endswith(videos.HDTF_TIMES) for file in listing.files)
    if annotated or (names and all(re.match(r"(RD|WDA|WRA)_\w+_\d{3}$", name) for name in names)):
        return "hdtf"
    if films:
        return "video"
    raise DreamTalkError(
        f"'{listing.root}' holds neither Live Link Face CSVs, nor videos, nor BEAT's sequences; "
        "name the folder that holds the recordings"
    )


def _with_styles(clips: Sequence[_Clip]) -> tuple[list[Performance], list[tuple[int, str]]]:
    """Return the clips as performances, and (number, reason) of recordings that have no clip to borrow a style from.

    The style of a clip is one of another recording of the same actor in the same emotion; where there is none, another
    stretch of the same recording.
    """
    groups: dict[tuple[str, str], list[_Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.actor, clip.emotion[0]), []).append(clip)
    performances: list[Performance] = []
    alone: list[tuple[int, str]] = []
    for group in groups.values():
        for place, clip in enumerate(group):
            others = _style_sources(clip, group)
            if not others:
                reason = "is the only clip of its actor in its emotion, and shorter than 8 s: there is none for style"
                alone.append((clip.recording, reason))
                continue
            generator = np.random.default_rng([place, len(group)])
            style = others[int(generator.integers(len(others)))].stretch.face
            first = int(generator.integers(max(1, len(style) - STYLE_FRAMES + 1)))
            emotion = np.tile(emotion_weights(clip.emotion), (len(clip.stretch.face), 1))
            cut = style[first : first + STYLE_FRAMES]
            performances.append(Performance(clip.stretch.audio, emotion, clip.stretch.face, cut, clip.actor))
    return performances, alone


def _style_sources(clip: _Clip, group: Sequence[_Clip]) -> list[_Clip]:
    """Return the clips of ``group`` that suit best: of other recordings as intense, of others, of the same."""
    others = [other for other in group if other.recording != clip.recording]
    as_intense = [other for other in others if other.emotion == clip.emotion]
    return as_intense or others or [other for other in group if other is not clip]


def _write(out: Path, name: str, performances: list[Performance]) -> tuple[Path, ...]:
    """Write one file an actor and remove those of actors who are no longer there."""
    actors = sorted({performance.actor for performance in performances})
    paths = {actor: out / f"{name}_{_plain(actor)}.npz" for actor in actors}
    if len(set(paths.values())) < len(paths):
        paths = {actor: out / f"{name}_{_plain(actor)}-{_digest(actor)[:6]}.npz" for actor in actors}
    for actor, path in paths.items():
        save_performances(path, [performance for performance in performances if performance.actor == actor])
    report = out / f"{name}.json"
    if report.is_file():
        former = [out / Path(str(file)).name for file in _read_report(report).get("files", [])]
        for path in former:
            if path not in paths.values() and path.suffix == ".npz":
                path.unlink(missing_ok=True)
    return tuple(paths.values())


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _write_report(path: Path, summary: Summary, used: list[Recording], otherwise: Emotion) -> None:
    emotions = {recording.face: recording.emotion or otherwise for recording in used}
    report = {
        "layout": summary.layout,
        "files": [file.name for file in summary.files],
        "seconds": {actor: round(seconds, 2) for actor, seconds in summary.seconds.items()},
        "recordings": [
            {
                "face": recording.face,
                "sound": recording.sound,
                "actor": recording.actor,
                "emotion": emotions[recording.face][0],
                "intensity": round(emotions[recording.face][1], 3),
                "transcript": recording.transcript,
            }
            for recording in used
        ],
        "notes": [{"path": note.path, "note": note.reason} for note in summary.notes],
        "refused": [{"path": refused.path, "reason": refused.reason} for refused in summary.refused],
        "emotions": EMOTIONS,
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def _key(folder: Path, recording: Recording, settings: str) -> str:
    """Return what names the kept conversion: the files as they are now, and everything that it depends on."""
    facts: list[Any] = [settings, recording.kind, recording.language, recording.spans]
    for file in recording.files():
        status = (folder / file).stat()
        facts.append([file, status.st_size, status.st_mtime_ns])
    return _digest(json.dumps(facts))[:40]


def _save(path: Path, converted: Converted) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial.npz")
    np.savez(
        partial,
        audio=np.concatenate([stretch.audio for stretch in converted.stretches]),
        face=np.concatenate([stretch.face for stretch in converted.stretches]),
        counts=np.array([len(stretch.face) for stretch in converted.stretches]),
        notes=np.array(json.dumps(converted.notes)),
    )
    partial.replace(path)


def _load(path: Path) -> Converted | None:
    """Return what was kept, or None where nothing is or it is damaged."""
    if not path.is_file() or path.stat().st_size > _LARGEST_KEPT:
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            edges = np.cumsum(data["counts"])[:-1]
            audio, face = np.split(data["audio"], edges), np.split(data["face"], edges)
            notes = tuple(str(note) for note in json.loads(str(data["notes"])))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return Converted(tuple(Stretch(*pair) for pair in zip(audio, face, strict=True)), notes)


def _nothing(folder: Path, layout: str, refused: list[Refused]) -> str:
    shown = "; ".join(f"{item.path} {item.reason}" for item in refused[:3])
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    found = f": {shown}{more}" if refused else ""
    return f"nothing in '{folder}' can be added in the layout '{layout}'{found}"


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return " ".join(str(error).split())


def _plain(name: str) -> str:
    """Return a name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60] or "folder"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
