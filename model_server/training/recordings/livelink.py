"""Finds takes of Epic's Live Link Face app: CSV and sound of the same name, or the app's own take folders.

The app writes a folder a take: ``<slate>_<take>_<subject>.mov`` with the sound, and the curves as ``.csv``; of a
calibrated face as ``_cal.csv``, with ``_raw.csv`` as they were and ``_neutral.csv`` the rest pose. ``take.json`` and
logs lie beside them. Takes for MetaHuman Animator hold depth and no curves.
"""

from __future__ import annotations

from pathlib import Path

import av

from blendshape_rigs.formats.livelink import TIMECODE_RATE, first_timecode

from .labels import actor_of_folders, emotion_of_folders
from .recording import SOUND_SUFFIXES, TEXT_SUFFIXES, VIDEO_SUFFIXES, Found, Listing, Recording, Refused

_FORMS = ("_cal", "", "_raw")  # the best first
_CONTAINERS = "mov,w64,wav"
_DAY = 86400.0
_LONGEST_LEAD = 600.0


def is_curve_file(path: Path) -> bool:
    """Tell whether ``path`` begins like a CSV of the app."""
    with path.open("rb") as file:
        head = file.read(64).removeprefix(b"\xef\xbb\xbf").lower()
    return head.startswith(b"timecode,blendshapecount")


def find(listing: Listing) -> Found:
    """Return the takes of a folder.

    The first folder below it that is no emotion, level or take names the actor; none does, then the folder itself.
    """
    found: Found = []
    take_folders = {file.rpartition("/")[0] for file in listing.files if file.rpartition("/")[2] == "take.json"}
    takes: dict[str, dict[str, str]] = {}
    for file in listing.with_suffix(".csv"):
        name = file.rpartition("/")[2]
        if name == "frame_log.csv" or name.lower().endswith("_neutral.csv"):
            continue
        if not is_curve_file(listing.root / file):
            found.append(Refused(file, "is no Live Link Face CSV: it does not begin with Timecode,BlendShapeCount"))
            continue
        stem = file[: -len(".csv")]
        form = next(form for form in ("_cal", "_raw", "") if stem.lower().endswith(form))
        takes.setdefault(stem.removesuffix(stem[len(stem) - len(form) :]) if form else stem, {})[form] = file
    for stem, forms in takes.items():
        curves = forms[next(form for form in _FORMS if form in forms)]
        found.append(_take(listing, curves, stem.rpartition("/")[2], take_folders))
    with_curves = {stem.rpartition("/")[0] for stem in takes}
    for folder in sorted(take_folders - with_curves):
        reason = "is a take without ARKit curves (recorded for MetaHuman Animator?); add it with the layout 'video'"
        found.append(Refused(folder or ".", reason))
    return found


def _take(listing: Listing, curves: str, stem: str, take_folders: set[str]) -> Recording | Refused:
    suffixes = (*SOUND_SUFFIXES, *VIDEO_SUFFIXES)
    own_stem = curves.rpartition("/")[2][: -len(".csv")]
    sound = listing.beside(curves, stem, suffixes) or listing.beside(curves, own_stem, suffixes)
    if sound is None:
        return Refused(curves, f"has no sound beside it; put a recording called {stem}.wav, .flac or .mov there")
    folders = curves.split("/")[:-1]
    above = [name for depth, name in enumerate(folders) if "/".join(folders[: depth + 1]) not in take_folders]
    return Recording(
        curves,
        "livelink",
        sound,
        actor_of_folders(above, listing.root.resolve().name),
        emotion_of_folders(folders),
        listing.beside(curves, stem, TEXT_SUFFIXES),
    )


def seconds_after_sound(curves: Path, sound: Path) -> float | None:
    """Return how many seconds after the beginning of ``sound`` the curves begin; None where timecodes do not tell.

    A MOV says its time of day by a timecode track, a broadcast WAV by a time reference. More than ten minutes apart
    they are of different clocks, and tell nothing.
    """
    start = first_timecode(curves)
    began = _sound_time_of_day(sound)
    if start is None or began is None:
        return None
    apart = (start - began + _DAY / 2) % _DAY - _DAY / 2
    return apart if abs(apart) <= _LONGEST_LEAD else None


def _sound_time_of_day(path: Path) -> float | None:
    try:
        container = av.open(f"file:{path}", options={"format_whitelist": _CONTAINERS})
    except av.FFmpegError:
        return None  # of the containers that can be heard, these alone tell the time
    with container:
        reference = container.metadata.get("time_reference", "")
        sound = container.streams.best("audio")
        if reference.isascii() and reference.isdigit() and sound is not None and sound.rate:
            return float(int(reference) / sound.rate)
        stamps = [stream.metadata["timecode"] for stream in container.streams if "timecode" in stream.metadata]
        picture = container.streams.best("video")
        rate = float(picture.average_rate) if picture is not None and picture.average_rate else TIMECODE_RATE
    parts = stamps[0].replace(";", ":").split(":") if stamps else []
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    hours, minutes, seconds, frames = map(int, parts)
    return (hours * 60 + minutes) * 60 + seconds + frames / max(round(rate), frames + 1)
