"""Faces that animators reach for: the 15 visemes and the eight emotions, each as ARKit weights.

Emotions are single readings of FACS: P. Ekman, W. V. Friesen and J. C. Hager, "Facial Action Coding System", 2002, by
its table of emotions. Visemes are those that mappings know mouth shapes by, at their full.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from .arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES, EMOTIONS, LIP_CHANNELS, REGIONS
from .mapping.catalogue import mouth_shapes

_VISEMES: Final = {
    "sil": ("Rest", "silence"),
    "PP": ("PP", "p, b, m: put, bat, mat"),
    "FF": ("FF", "f, v: fat, vat"),
    "TH": ("TH", "th: think, that"),
    "DD": ("DD", "t, d: tip, doll"),
    "kk": ("kk", "k, g: call, gas"),
    "CH": ("CH", "ch, j, sh: chair, join, she"),
    "SS": ("SS", "s, z: sir, zeal"),
    "nn": ("nn", "n, l: lot, not"),
    "RR": ("RR", "r: red"),
    "aa": ("aa", "a: car"),
    "E": ("E", "e: bed"),
    "I": ("I", "i: tip, see"),
    "O": ("O", "o: toe"),
    "U": ("U", "u: book, blue"),
}
"""Title and the sounds it is for, by the name of the mouth shape."""

# Names without a side are of both; the sum of what a muscle does, not of how it is felt.
_EMOTIONS: Final[dict[str, dict[str, float]]] = {
    "neutral": {},
    # 4+5+7+23+24
    "angry": {
        "browDown": 0.95,
        "eyeSquint": 0.45,
        "eyeWide": 0.25,
        "noseSneer": 0.35,
        "mouthPress": 0.5,
        "mouthRollLower": 0.15,
        "mouthFrown": 0.25,
    },
    # 12+14 on one side
    "contempt": {
        "mouthSmileLeft": 0.45,
        "mouthDimpleLeft": 0.6,
        "mouthLeft": 0.12,
        "cheekSquintLeft": 0.2,
        "eyeSquint": 0.25,
        "browOuterUpLeft": 0.2,
    },
    # 9+10+15+16
    "disgusted": {
        "noseSneer": 0.85,
        "mouthUpperUp": 0.4,
        "mouthFrown": 0.4,
        "browDown": 0.45,
        "eyeSquint": 0.5,
        "cheekSquint": 0.35,
        "mouthShrugLower": 0.2,
    },
    # 1+2+4+5+20+26
    "fear": {
        "browInnerUp": 0.95,
        "browOuterUp": 0.35,
        "browDown": 0.15,
        "eyeWide": 0.85,
        "mouthStretch": 0.55,
        "jawOpen": 0.1,
    },
    # 6+12
    "happy": {"mouthSmile": 0.85, "cheekSquint": 0.65, "eyeSquint": 0.35, "mouthDimple": 0.15},
    # 1+4+15+17
    "sad": {
        "browInnerUp": 0.95,
        "browDown": 0.12,
        "mouthFrown": 0.8,
        "mouthShrugLower": 0.35,
        "eyeBlink": 0.12,
        "eyeSquint": 0.12,
    },
    # 1+2+5+26
    "surprised": {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.8, "jawOpen": 0.28, "mouthFunnel": 0.08},
}


_ABOUT: Final = {
    "neutral": "No feeling: brows, lids and mouth at rest",
    "angry": "Brows down, lids tight, lips pressed",
    "contempt": "One corner of the mouth tightened and raised",
    "disgusted": "Nose wrinkled, upper lip raised",
    "fear": "Brows up and together, eyes wide, mouth stretched",
    "happy": "Cheeks up, a smile that reaches the eyes",
    "sad": "Inner brows up, corners of the mouth down",
    "surprised": "Brows up, eyes wide, jaw dropped",
}


@dataclass(frozen=True, eq=False)
class FacePose:
    """One face.

    Attributes:
        name: as it is stored, such as ``"viseme PP"`` or ``"emotion happy"``.
        title: as it is shown.
        about: one line for animators.
        group: ``"viseme"`` or ``"emotion"``.
        values: (52,) ARKit weights, 0..1; read-only.
        channels: ``ARKIT_NAMES`` indices of what the pose is about; applying it leaves the rest of the face alone.
    """

    name: str
    title: str
    about: str
    group: str
    values: npt.NDArray[np.float64]
    channels: tuple[int, ...]


def _values(weights: dict[str, float]) -> npt.NDArray[np.float64]:
    """Return (52,) of weights by ARKit name; a name without its side counts for both."""
    values = np.zeros(ARKIT_COUNT)
    for name, weight in weights.items():
        for full in (name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right"):
            values[ARKIT_INDEX[full]] = weight
    values.flags.writeable = False
    return values


@cache
def face_poses() -> dict[str, FacePose]:
    """Return the 15 visemes and the eight emotions by name, visemes first.

    Visemes are about jaw, mouth and tongue. Emotions are about all but the tongue and where the eyes look; neutral
    puts that to rest.
    """
    gaze = tuple(index for index in REGIONS["eye"] if "Look" in ARKIT_NAMES[index])
    face = tuple(index for index in range(ARKIT_COUNT) if index not in (*gaze, *REGIONS["tongue"]))
    shapes = mouth_shapes()
    visemes = [
        FacePose(f"viseme {name}", title, f"Mouth for {about}", "viseme", _values(dict(shapes[name])), LIP_CHANNELS)
        for name, (title, about) in _VISEMES.items()
    ]
    emotions = [
        FacePose(f"emotion {name}", name.capitalize(), _ABOUT[name], "emotion", _values(found), face)
        for name in EMOTIONS
        for found in (_EMOTIONS[name],)
    ]
    return {pose.name: pose for pose in (*visemes, *emotions)}
