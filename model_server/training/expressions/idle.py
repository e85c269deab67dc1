"""Life in a face that does nothing: tone of brows and lids, lip corners, and small mouth movements in silence."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX

from .curves import Array, Curve, pink_noise, raise_pulse
from .manner import Actor

# Between blinks and raises the recordings' brows wander by 0.02, squint by 0.03 to 0.06, lip corners by 0.02 to 0.05.
_BROW_TONE, _LID_TONE, _CORNER_TONE = 0.018, 0.030, 0.035
_MOUTH_MOVES = (
    {"mouthPressLeft": 0.20, "mouthPressRight": 0.20, "mouthRollLower": 0.06, "mouthRollUpper": 0.06},
    {"mouthRollLower": 0.16, "mouthRollUpper": 0.08},
    {"mouthShrugLower": 0.14, "mouthShrugUpper": 0.06, "mouthFrownLeft": 0.06, "mouthFrownRight": 0.06},
    {"mouthDimpleLeft": 0.14, "mouthDimpleRight": 0.06, "mouthLeft": 0.04},
    {"mouthDimpleRight": 0.14, "mouthDimpleLeft": 0.06, "mouthRight": 0.04},
)


def add_idle(
    values: Array, speech: Curve, loud: Curve, frame_rate: float, actor: Actor, generator: np.random.Generator
) -> None:
    """Add idle life to (T, 52) ``values``; loud speech (T,) opens the eyes and lifts the brows."""
    frames = len(values)
    brow, inner, lid, squint, corner, side = pink_noise(frames, frame_rate, generator, 6, 0.04, 0.9).T

    def add(name: str, curve: Curve) -> None:
        column = ARKIT_INDEX[name]
        values[:, column] += (1 - values[:, column]) * np.maximum(curve, 0)

    tone = actor.brow_tone + _BROW_TONE * brow + 0.08 * loud
    add("browInnerUp", 0.02 + tone + 0.6 * _BROW_TONE * inner)
    for name, sign in (("Left", 1.0), ("Right", -1.0)):
        add(f"browOuterUp{name}", 0.8 * tone)
        add(f"browDown{name}", -tone)
        add(f"eyeWide{name}", 0.06 * actor.lid_tone + _LID_TONE * lid + 0.16 * loud)
        add(f"eyeSquint{name}", 0.06 - 0.03 * actor.lid_tone + _LID_TONE * squint)
        add(f"mouthSmile{name}", _CORNER_TONE * (corner + 0.15 * sign * side) - 0.01)
        add(f"mouthFrown{name}", -_CORNER_TONE * (corner + 0.15 * sign * side))
        add(f"noseSneer{name}", 0.04 + 0.01 * lid)
        add(f"cheekSquint{name}", 0.02 + 0.01 * corner)
    _move_mouth(values, speech, frame_rate, generator)


def _move_mouth(values: Array, speech: Curve, frame_rate: float, generator: np.random.Generator) -> None:
    """Press, roll or shrug the lips now and then in (T,) silence."""
    time = generator.uniform(0.5, 5.0)
    quiet = 1 - np.clip(1.5 * speech, 0, 1)
    while time < len(values) / frame_rate:
        window = np.zeros(len(values))
        rise, hold, fall = generator.uniform((0.25, 0.1, 0.4), (0.5, 0.7, 0.9))
        raise_pulse(window, frame_rate, time, rise, hold, fall, generator.uniform(0.4, 1.0))
        for name, weight in _MOUTH_MOVES[generator.integers(len(_MOUTH_MOVES))].items():
            values[:, ARKIT_INDEX[name]] += weight * window * quiet
        time += generator.uniform(2.5, 8.0)
