"""Folders of videos to clips of faces: VoxCeleb, TalkingHead-1KH, HDTF, or any other folder.

A video in a folder below the one that is named belongs to the person of the first such folder (VoxCeleb:
``id10001/7w0IBEWc9Qw/00001.mp4``). A video in the folder itself belongs to the person of its name without what follows
the last underscore and without digits at its end (HDTF: ``RD_Radio1_000.mp4`` is ``RD_Radio``; TalkingHead-1KH:
``-7TMJtnhiPM_0000_S1202_E1607.mp4``). Every eighth person, by a hash of the name, is held out.

A clip has the same arrays as a rendered person (see ``heads``) as far as they are known: ``frames`` and ``rotation``,
the turn of the head that MediaPipe's landmarks show.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blendshape_rigs.avatar import load_proxy_avatar
from model_server.capture.video_frames import open_video
from model_server.errors import CaptureError, ConfigError, PortraitError
from model_server.portrait.arrays import Bytes
from model_server.portrait.avatar_picture import HEAD_AXES
from model_server.portrait.fit import PortraitFit, fit_portrait
from model_server.portrait.neural_crop import cut_square, head_square
from model_server.portrait.photo import photo_from_array
from model_server.portrait.rig import LandmarkRig

from .clips import HELD_OUT

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
_MOST_SECONDS = 60.0
_FEWEST_FRAMES, _MOST_FRAMES = 4, 128
_HELD_OUT_OF = 8


@dataclass(frozen=True)
class Cut:
    """What became of a video: the clip's file, or why there is none.

    Attributes:
        video: path below the folder.
        clip: the file, or None.
        reason: why there is none.
    """

    video: str
    clip: Path | None
    reason: str = ""


def cut_videos(folder: Path, out: Path, frames: int, size: int) -> Generator[tuple[int, Cut], None, None]:
    """Cut faces out of every video that has no clip yet; yields the number of videos, and each as it is done.

    Args:
        folder: of videos, searched with all folders below.
        out: where the clips go.
        frames: pictures of each clip at most, evenly over at most its first minute.
        size: pixels of a picture's side.

    Raises:
        ConfigError: when there are no videos, or for another number of frames than 4 to 128.
    """
    if not _FEWEST_FRAMES <= frames <= _MOST_FRAMES:
        raise ConfigError(f"a clip has {_FEWEST_FRAMES} to {_MOST_FRAMES} pictures, not {frames}; change --frames")
    videos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not videos:
        raise ConfigError(f"no videos ({', '.join(SUFFIXES)}) are in '{folder}'; give a folder of them")
    rig = LandmarkRig.from_avatar(load_proxy_avatar())
    out.mkdir(parents=True, exist_ok=True)
    for video in videos:
        name = video.relative_to(folder).with_suffix("").as_posix()
        clip = out / f"{name.replace('/', '__')}{HELD_OUT if is_held_out(person(name)) else '.npz'}"
        if clip.exists():
            yield len(videos), Cut(name, clip)
            continue
        try:
            pictures, fits = _faces(video, frames, rig)
        except CaptureError as error:
            yield len(videos), Cut(name, None, str(error))
            continue
        if len(fits) < _FEWEST_FRAMES:
            yield len(videos), Cut(name, None, f"a face is found in only {len(fits)} of its pictures")
            continue
        _write(clip, pictures, fits, size)
        yield len(videos), Cut(name, clip)


def person(name: str) -> str:
    """Return who is in the video of that name, a path below the folder without its suffix."""
    first, folders, _ = name.partition("/")
    return first if folders else (first.rpartition("_")[0] or first).rstrip("0123456789") or first


def is_held_out(name: str) -> bool:
    """Tell whether the person of that name is for validation."""
    return zlib.crc32(name.encode()) % _HELD_OUT_OF == 0


def _faces(video: Path, frames: int, rig: LandmarkRig) -> tuple[list[Bytes], list[PortraitFit]]:
    """Return pictures evenly over the beginning of a video in which a face is found, and where it is."""
    pictures: list[Bytes] = []
    fits: list[PortraitFit] = []
    with open_video(video) as opened:
        length = min(opened.duration or _MOST_SECONDS, _MOST_SECONDS)
        due = 0
        for frame in opened.frames():
            if frame.time > length or due >= frames:
                break
            if frame.time < due * length / frames:
                continue
            due += 1
            try:
                fits.append(fit_portrait(photo_from_array(frame.pixels, video.name), rig))
            except PortraitError:
                # Nobody, or turned away: the other pictures make the clip.
                continue
            pictures.append(frame.pixels)
    return pictures, fits


def _write(clip: Path, pictures: list[Bytes], fits: list[PortraitFit], size: int) -> None:
    """Write a clip whose crop stays where it is: the head moves in it, the background does not."""
    squares = [head_square(fit) for fit in fits]
    middle = np.median([square[0] for square in squares], axis=0).astype(np.float32)
    side = float(np.median([square[1] for square in squares]))
    frames = np.stack([cut_square(picture, middle, side, size) for picture in pictures])
    rotation = np.stack([HEAD_AXES @ fit.rotation @ HEAD_AXES for fit in fits]).astype(np.float32)
    partial = clip.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, frames=frames, rotation=rotation)
    partial.replace(clip)
