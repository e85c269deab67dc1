"""The poses that a portrait is judged in: those of the contact sheet, and growing steps of each response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from model_server.portrait.arrays import Floats, Reals

SIDES = ("Left", "Right")


@dataclass(frozen=True)
class Pose:
    """What a portrait does in one picture.

    Attributes:
        label: what the picture is called.
        shapes: 0 to 1 by ARKit name; a name without its side sets both sides.
        degrees: pitch, yaw, roll of the head, relative to the photograph.
    """

    label: str
    shapes: Mapping[str, float] = field(default_factory=dict)
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def values(self) -> Floats:
        """(52,) float32 ARKit weights."""
        return shape_values(self.shapes)

    @property
    def rotation(self) -> Floats:
        """(3,) float32 pitch, yaw, roll in radians."""
        return np.asarray(np.radians(self.degrees), np.float32)


def shape_values(shapes: Mapping[str, float]) -> Floats:
    """Return (52,) float32 weights of ``shapes`` by ARKit name; a name without its side sets both sides."""
    values = np.zeros(ARKIT_COUNT, np.float32)
    for name, value in shapes.items():
        for channel in (name,) if name in ARKIT_INDEX else tuple(name + side for side in SIDES):
            values[ARKIT_INDEX[channel]] = value
    return values


SHEET_POSES = (
    Pose("rest"),
    Pose("jaw 0.3", {"jawOpen": 0.3}),
    Pose("jaw 0.7", {"jawOpen": 0.7}),
    Pose("closed on p", {"mouthClose": 0.12, "jawOpen": 0.12, "mouthPress": 0.45}),
    Pose("smile", {"mouthSmile": 0.9, "cheekSquint": 0.5}),
    Pose("pucker", {"mouthPucker": 0.9}),
    Pose("upper lip up", {"mouthUpperUp": 0.8, "noseSneer": 0.4}),
    Pose("tongue", {"jawOpen": 0.45, "tongueOut": 0.6}),
    Pose("blink half", {"eyeBlink": 0.5}),
    Pose("blink", {"eyeBlink": 1.0}),
    Pose("gaze left", {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8}),
    Pose("gaze up", {"eyeLookUp": 0.8}),
    Pose("brows up", {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.4}),
    Pose("brows down", {"browDown": 0.9, "eyeSquint": 0.3}),
    Pose("yaw −15°", degrees=(0.0, -15.0, 0.0)),
    Pose("yaw +15°", degrees=(0.0, 15.0, 0.0)),
    Pose("pitch −10°", degrees=(-10.0, 0.0, 0.0)),
    Pose("pitch +10°", degrees=(10.0, 0.0, 0.0)),
    Pose("roll 15°", degrees=(0.0, 0.0, 15.0)),
    Pose("all at once", {"jawOpen": 0.35, "mouthSmile": 0.5, "eyeBlink": 0.3, "browInnerUp": 0.5}, (4.0, -10.0, 6.0)),
)
"""The columns of the contact sheet."""

Measure = Callable[[Floats], float]
"""Takes the landmarks (468, 2), x to the right and y up, in any unit of length."""


def _distance(first: int, second: int) -> Measure:
    return lambda points: float(np.linalg.norm(points[first] - points[second]))


def opening(points: Reals) -> float:
    """Return the gap of the inner lips' middles."""
    return float(np.linalg.norm(points[13] - points[14]))


def corner_raise(points: Reals) -> float:
    """Return how far the mouth's corners lie outwards and upwards of the nose's foot, along the smile's own way."""
    right, left = points[61], points[291]
    across = float(np.linalg.norm(left - right))
    up = points[168] - points[2]
    up = up / np.linalg.norm(up)
    return float(((left + right) / 2 - points[2]) @ up) + across / 2


def eye_opening(points: Reals) -> float:
    """Return the mean gap of both eyes' lids over the eyes' width: it has no unit."""
    gaps = [np.linalg.norm(points[u] - points[v]) for u, v in ((386, 374), (385, 380), (159, 145), (158, 153))]
    widths = [np.linalg.norm(points[u] - points[v]) for u, v in ((263, 362), (33, 133))]
    return float(np.mean(gaps) / np.mean(widths))


def brow_height(points: Reals) -> float:
    """Return how far the brows lie above the eyes' corners, along the nose's bridge."""
    up = points[168] - points[2]
    up = up / np.linalg.norm(up)
    brows = points[[105, 66, 107, 334, 296, 336]].mean(axis=0)
    return float((brows - points[[33, 133, 362, 263]].mean(axis=0)) @ up)


@dataclass(frozen=True)
class Response:
    """A movement in growing steps and the figure that it must move.

    Attributes:
        name: what is driven.
        poses: the steps, growing.
        measure: the figure, taken from landmarks.
        relative: take the figure over its value at rest, as lids of different eyes can be compared.
    """

    name: str
    poses: tuple[Pose, ...]
    measure: Measure
    relative: bool = False


def _steps(name: str, shapes: Mapping[str, float], amounts: tuple[float, ...]) -> tuple[Pose, ...]:
    return tuple(Pose(f"{name} {a:g}", {key: value * a for key, value in shapes.items()}) for a in amounts)


RESPONSES = (
    Response("opening", _steps("jaw", {"jawOpen": 1.0}, (0.2, 0.4, 0.6, 0.8)), opening),
    Response("mouth width", _steps("pucker", {"mouthPucker": 1.0}, (0.2, 0.4, 0.6, 0.8, 1.0)), _distance(61, 291)),
    Response("smile", _steps("smile", {"mouthSmile": 1.0}, (0.2, 0.4, 0.6, 0.8, 1.0)), corner_raise),
    Response("blink", _steps("blink", {"eyeBlink": 1.0}, (0.0, 0.25, 0.5, 0.75, 1.0)), eye_opening, relative=True),
    Response(
        "brows", _steps("brows", {"browInnerUp": 1.0, "browOuterUp": 1.0}, (0.0, 0.25, 0.5, 0.75, 1.0)), brow_height
    ),
)
"""Movements of the face. A mouth is compared from 0.2 on: below that it still fades from the photograph's own."""

TURNS = {
    "pitch": tuple(Pose(f"pitch {d:+g}°", degrees=(d, 0.0, 0.0)) for d in (-7.0, -3.5, 0.0, 3.5, 7.0)),
    "yaw": tuple(Pose(f"yaw {d:+g}°", degrees=(0.0, d, 0.0)) for d in (-10.0, -5.0, 0.0, 5.0, 10.0)),
    "roll": tuple(Pose(f"roll {d:+g}°", degrees=(0.0, 0.0, d)) for d in (-14.0, -7.0, 0.0, 7.0, 14.0)),
}
"""Turns of the head, inside the part of the clamps that is not eased."""
