"""Finds videos of faces: any folder of them, MEAD's and HDTF's.

MEAD (Wang et al. 2020): ``M003/video/front/angry/level_2/007.mp4`` with its sound in
``M003/audio/angry/level_2/007.m4a``; other views of the same moment lie beside ``front``.

HDTF (Zhang et al. 2021): clips ``RD_Radio1_000.mp4`` or ``Radio1_0.mp4``, or whole videos ``Radio1.mp4`` with
``RD_annotion_time.txt``, whose lines are the video's name and the stretches ``00:30-01:00`` in which somebody talks.
"""

from __future__ import annotations

import re

from .labels import actor_of_folders, emotion_level, emotion_name, emotion_of_folders
from .recording import SOUND_SUFFIXES, TEXT_SUFFIXES, VIDEO_SUFFIXES, Found, Listing, Recording, Refused

MEAD_FILE = re.compile(r"(?:.*/)?(?P<actor>[^/]+)/video/(?P<view>[^/]+)/(?P<emotion>[^/]+)/(?P<level>[^/]+)/[^/]+")
HDTF_CLIP = re.compile(r"(?:(RD|WDA|WRA)_)?(?P<video>[A-Za-z]+[A-Za-z0-9]*)_(?P<clip>\d{1,3})")
HDTF_TIMES = "_annotion_time.txt"
_SPAN = re.compile(r"(?:(\d+):)?(\d+):(\d+)-(?:(\d+):)?(\d+):(\d+)")
_LARGEST_TEXT = 4 << 20


def find(listing: Listing) -> Found:
    """Return every video as a recording; folders name actor and emotion as in Live Link takes."""
    found: Found = []
    for file in listing.with_suffix(*VIDEO_SUFFIXES):
        folders = file.split("/")[:-1]
        actor = actor_of_folders(folders, listing.root.resolve().name)
        found.append(_video(listing, file, actor, emotion_of_folders(folders)))
    return found


def find_mead(listing: Listing) -> Found:
    """Return the front views of MEAD; emotion and intensity (1/3, 2/3, 1) are those of the folders."""
    found: Found = []
    other_views = 0
    for file in listing.with_suffix(*VIDEO_SUFFIXES):
        match = MEAD_FILE.fullmatch(file)
        if match is None:
            found.append(Refused(file, "does not lie as MEAD does: actor/video/view/emotion/level_n/number.mp4"))
            continue
        if match["view"] != "front":
            other_views += 1
            continue
        name, level = emotion_name(match["emotion"]), emotion_level(match["level"])
        if name is None or level is None:
            found.append(Refused(file, f"'{match['emotion']}/{match['level']}' is no emotion and level of MEAD"))
            continue
        heard = re.sub(r"/video/front/", "/audio/", file)
        sound = listing.beside(heard, _stem(file), SOUND_SUFFIXES) or file
        transcript = listing.beside(file, _stem(file), TEXT_SUFFIXES)
        found.append(Recording(file, "video", sound, match["actor"], (name, level), transcript, "en"))
    if other_views:
        found.append(Refused("video", f"{other_views} video(s) of other views than 'front' are not captured"))
    return found


def find_hdtf(listing: Listing) -> Found:
    """Return HDTF's clips; of whole videos the annotated stretches.

    An actor is a video: ``RD_Radio1``. Where videos are named by who speaks (``WDA``, ``WRA``), the number is not
    part of the name.
    """
    spans = _annotated_spans(listing)
    found: Found = []
    films = listing.with_suffix(*VIDEO_SUFFIXES)
    clipped = {_stem(file).rpartition("_")[0] for file in films if HDTF_CLIP.fullmatch(_stem(file))}
    for file in films:
        stem = _stem(file)
        match = HDTF_CLIP.fullmatch(stem)
        whole = stem if stem in spans else stem.partition("_")[2]
        if whole in spans and stem in clipped:
            found.append(Refused(file, "is the whole video of clips that are here too"))
        elif whole in spans:
            found.append(_video(listing, file, _hdtf_actor(stem), None, spans[whole]))
        elif match is not None:
            found.append(_video(listing, file, _hdtf_actor(stem[: -len(match["clip"]) - 1]), None))
        else:
            found.append(Refused(file, "is no clip of HDTF (RD_Radio1_000.mp4), nor a video of its annotations"))
    return found


def _hdtf_actor(video: str) -> str:
    return video.rstrip("0123456789") if video.startswith(("WDA_", "WRA_")) else video


def _video(
    listing: Listing,
    file: str,
    actor: str,
    emotion: tuple[str, float] | None,
    spans: tuple[tuple[float, float], ...] = (),
) -> Recording:
    sound = listing.beside(file, _stem(file), SOUND_SUFFIXES) or file
    transcript = listing.beside(file, _stem(file), TEXT_SUFFIXES)
    return Recording(file, "video", sound, actor, emotion, transcript, None, spans)


def _annotated_spans(listing: Listing) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return video name (without suffix) to its stretches, seconds."""
    spans: dict[str, tuple[tuple[float, float], ...]] = {}
    for file in listing.files:
        path = listing.root / file
        if not file.endswith(HDTF_TIMES) or path.stat().st_size > _LARGEST_TEXT:
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, *stretches = line.split()[:200] or [""]
            times = [_seconds(match) for text in stretches if (match := _SPAN.fullmatch(text))]
            if times:
                spans[name.rpartition(".")[0] or name] = tuple((start, end) for start, end in times if end > start)
    return spans


def _seconds(match: re.Match[str]) -> tuple[float, float]:
    hours, minutes, seconds, end_hours, end_minutes, end_seconds = (int(part or 0) for part in match.groups())
    return (
        float((hours * 60 + minutes) * 60 + seconds),
        float((end_hours * 60 + end_minutes) * 60 + end_seconds),
    )


def _stem(file: str) -> str:
    return file.rpartition("/")[2].rpartition(".")[0]
