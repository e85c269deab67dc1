"""Finds and reads BEAT and BEAT2 (Liu et al. 2022, 2024), whose faces are ARKit weights by an iPhone.

A sequence is called ``1_wayne_0_65_65``: speaker, kind of recording (0, 2, 4, 6 speeches in English, Chinese,
Spanish, Japanese; the odd ones conversations), first and last number. The numbers tell the emotion that is acted.
BEAT keeps the files of a speaker in one folder; BEAT2 keeps kinds of files in folders (``wave16k``, ``textgrid``,
``smplxflame_30``), and its faces are FLAME coefficients, which are no ARKit weights: there BEAT's JSON is needed too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from blendshape_rigs.curves import FaceCurves, Provenance
from blendshape_rigs.filters import interpolate
from blendshape_rigs.formats.common import MAX_FRAMES, FormatError, arkit_columns, check_values, in_arkit_order

from .labels import UNGRADED_INTENSITY
from .recording import SOUND_SUFFIXES, Emotion, Found, Listing, Recording, Refused

SEQUENCE = re.compile(r"(?P<speaker>\d+_[A-Za-z]+)_(?P<kind>[0-7])_(?P<first>\d+)_(?P<last>\d+)")
FRAME_RATE = 60.0
_LARGEST_JSON = 256 << 20
_LANGUAGES = ("en", "cmn", "es", "ja")
# First number of each emotion's sequences in a speech.
_EMOTION_STARTS = (
    (111, "disgusted"),
    (103, "fear"),
    (95, "surprised"),
    (87, "contempt"),
    (81, "sad"),
    (73, "angry"),
    (65, "happy"),
    (0, "neutral"),
)


def find(listing: Listing) -> Found:
    """Return the sequences of BEAT or BEAT2, matched by name wherever their files lie."""
    parts: dict[str, dict[str, str]] = {}
    for file in listing.files:
        stem, dot, suffix = file.rpartition("/")[2].rpartition(".")
        if dot and SEQUENCE.fullmatch(stem):
            parts.setdefault(stem, {}).setdefault("." + suffix.lower(), file)
    return [_sequence(stem, files) for stem, files in sorted(parts.items())]


def _sequence(stem: str, files: dict[str, str]) -> Recording | Refused:
    face = files.get(".json")
    sound = next((files[suffix] for suffix in SOUND_SUFFIXES if suffix in files), None)
    if face is None and ".npz" in files:
        reason = f"holds FLAME expression coefficients, not ARKit weights; put {stem}.json of BEAT beside it"
        return Refused(files[".npz"], reason)
    if face is None or sound is None:
        missing = "curves (.json)" if face is None else "sound (.wav)"
        return Refused(min(files.values()), f"has no {missing} of the same name")
    match = SEQUENCE.fullmatch(stem)
    assert match is not None
    kind = int(match["kind"])
    # Text files hold BEAT's notes on gestures, not what is said.
    return Recording(
        face,
        "beat",
        sound,
        match["speaker"],
        sequence_emotion(kind, int(match["first"])),
        files.get(".textgrid"),
        _LANGUAGES[kind // 2],
    )


def sequence_emotion(kind: int, first: int) -> Emotion:
    """Return the emotion of a sequence; conversations are neutral, as BEAT labels them."""
    if kind % 2:
        return "neutral", 0.0
    name = next(name for start, name in _EMOTION_STARTS if first >= start)
    return name, 0.0 if name == "neutral" else UNGRADED_INTENSITY


def read_faces(path: Path) -> FaceCurves:
    """Return the curves of a BEAT JSON: ``names``, and ``frames`` with ``weights`` and ``time`` in seconds.

    The weights of frame i were captured at its time; frames are spaced by 1/60 s, and some are missing.

    Raises:
        FormatError: for a file of another form, unknown names, or values that are no weights.
    """
    if path.stat().st_size > _LARGEST_JSON:
        raise FormatError(f"{path.name} has more than {_LARGEST_JSON >> 20} MiB; split it")
    try:
        content = json.loads(path.read_bytes())
        names, frames = content["names"], content["frames"]
        columns = arkit_columns([str(name) for name in names], path.name)
        weights = np.array([frame["weights"] for frame in frames], np.float64)
        times = np.array([frame["time"] for frame in frames], np.float64)
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise FormatError(f"{path.name} is no JSON of BEAT (names, frames with weights and time): {error}") from error
    if weights.ndim != 2 or weights.shape != (len(times), len(columns)) or len(times) < 2:
        raise FormatError(f"{path.name}: frames of {weights.shape} weights do not fit its {len(columns)} names")
    check_values(weights, range(len(weights)), f"{path.name}, frame")
    steps = np.diff(times)
    if not np.isfinite(times).all() or (steps <= 0).any() or times[0] < 0:
        raise FormatError(f"{path.name}: the times of the frames do not go on from 0")
    count = 1 + int(np.floor((times[-1] - times[0]) * FRAME_RATE + 0.01))
    if count > MAX_FRAMES:
        raise FormatError(f"{path.name} has more than {MAX_FRAMES} frames; split it")
    even = interpolate(times, in_arkit_order(weights, columns), times[0] + np.arange(count) / FRAME_RATE)
    still = np.zeros((count, 3), np.float32)
    return FaceCurves(even, still, still, FRAME_RATE, float(times[0]), Provenance(source="file"))
