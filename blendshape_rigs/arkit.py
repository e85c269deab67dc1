"""ARKit's 52 face blendshapes: names, order, mirror pairs and regions.

Source: Apple, ``ARFaceAnchor.BlendShapeLocation``. The order is Apple's; the Live Link Face app writes its
columns in it too, but with left and right of jaw and mouth swapped. Left and right are the *subject's*.
"""

from __future__ import annotations

from typing import Final

ARKIT_NAMES: Final[tuple[str, ...]] = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
ARKIT_COUNT: Final[int] = len(ARKIT_NAMES)
ARKIT_INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(ARKIT_NAMES)}

EMOTIONS: Final[tuple[str, ...]] = (
    "neutral",
    "angry",
    "contempt",
    "disgusted",
    "fear",
    "happy",
    "sad",
    "surprised",
)
"""MEAD's eight emotions, in the order of every emotion weight array of this project."""


def _region_of(name: str) -> str:
    if name == "tongueOut":
        return "tongue"
    if name.startswith(("cheek", "nose")):
        return "nose_cheek"
    return next(region for region in ("brow", "eye", "jaw", "mouth") if name.startswith(region))


REGION_OF: Final[dict[str, str]] = {name: _region_of(name) for name in ARKIT_NAMES}
REGIONS: Final[dict[str, tuple[int, ...]]] = {
    region: tuple(i for i, name in enumerate(ARKIT_NAMES) if REGION_OF[name] == region)
    for region in ("brow", "eye", "nose_cheek", "jaw", "mouth", "tongue")
}
"""Channel indices by region: brow, eye, nose_cheek, jaw, mouth, tongue. Together they are all 52."""

LIP_CHANNELS: Final[tuple[int, ...]] = tuple(sorted(REGIONS["jaw"] + REGIONS["mouth"] + REGIONS["tongue"]))
"""The 28 channels that lip refinement predicts: jaw, mouth and tongue."""


def mirror_name(name: str) -> str:
    """Return the ARKit name on the other side of the face; a middle shape is its own mirror.

    ``eyeLookIn`` and ``eyeLookOut`` keep their names: both are relative to the nose.
    """
    if name.endswith("Left"):
        return name[: -len("Left")] + "Right"
    if name.endswith("Right"):
        return name[: -len("Right")] + "Left"
    return name


MIRROR_INDEX: Final[tuple[int, ...]] = tuple(ARKIT_INDEX[mirror_name(name)] for name in ARKIT_NAMES)
"""``values[:, MIRROR_INDEX]`` is the performance seen in a mirror (head yaw and roll change sign with it)."""

MIRROR_PAIRS: Final[tuple[tuple[int, int], ...]] = tuple(
    (left, right) for left, right in enumerate(MIRROR_INDEX) if left != right and ARKIT_NAMES[left].endswith("Left")
)
