"""Emotions as programmes of facial action units, written in ARKit channels.

Units are from Ekman and Friesen's FACS, their sets from EMFACS. A programme gives for each channel, without its
side, the weight at full intensity and the intensity below which the unit stays at rest: weak emotions use few
units, strong ones more. ``one:`` marks a unit of one side only.
"""

from __future__ import annotations

Programme = dict[str, tuple[float, float]]

PROGRAMMES: dict[str, tuple[Programme, ...]] = {
    "angry": (
        # 4+5+7+23: a glare with tight lips.
        {
            "browDown": (1.00, 0.0), "eyeSquint": (0.40, 0.10), "noseSneer": (0.25, 0.35), "eyeWide": (0.22, 0.45),
            "mouthPress": (0.40, 0.15), "mouthFrown": (0.36, 0.15), "mouthRollLower": (0.12, 0.50),
            "jawForward": (0.18, 0.45),
        },
        # 4+7+10: a snarl.
        {
            "browDown": (0.92, 0.0), "eyeSquint": (0.50, 0.10), "noseSneer": (0.50, 0.20), "mouthUpperUp": (0.16, 0.40),
            "mouthFrown": (0.36, 0.20), "mouthStretch": (0.10, 0.50),
        },
        # 4+5+25: hot anger, eyes open.
        {
            "browDown": (0.94, 0.0), "eyeWide": (0.50, 0.20), "eyeSquint": (0.28, 0.15), "noseSneer": (0.30, 0.40),
            "mouthStretch": (0.20, 0.45), "mouthFrown": (0.20, 0.25), "jawForward": (0.14, 0.50),
        },
    ),
    "contempt": (
        # 14, one corner tightened.
        {
            "one:mouthSmile": (0.72, 0.0), "one:mouthDimple": (0.65, 0.05), "eyeSquint": (0.26, 0.25),
            "one:cheekSquint": (0.40, 0.30), "mouthPress": (0.12, 0.30), "mouthShrugLower": (0.16, 0.25),
            "eyeBlink": (0.12, 0.25),
        },
        # 2+14, a brow asks.
        {
            "one:mouthSmile": (0.58, 0.0), "one:mouthDimple": (0.60, 0.05), "one:browOuterUp": (0.70, 0.10),
            "eyeSquint": (0.25, 0.35), "browDown": (0.12, 0.50), "mouthShrugLower": (0.12, 0.30),
        },
        # 10+14 with heavy lids: disdain.
        {
            "one:mouthDimple": (0.50, 0.0), "one:noseSneer": (0.45, 0.15), "one:mouthUpperUp": (0.16, 0.35),
            "one:mouthSmile": (0.50, 0.0), "eyeBlink": (0.18, 0.25), "mouthShrugLower": (0.15, 0.45),
        },
    ),
    "disgusted": (
        # 9+10: a bad smell.
        {
            "noseSneer": (1.00, 0.0), "mouthUpperUp": (0.34, 0.20), "browDown": (0.26, 0.20), "eyeSquint": (0.60, 0.10),
            "cheekSquint": (0.50, 0.30), "mouthFrown": (0.40, 0.25),
        },
        # 9+15+17: a bad taste.
        {
            "noseSneer": (0.85, 0.0), "mouthShrugUpper": (0.26, 0.30), "mouthShrugLower": (0.34, 0.25),
            "browDown": (0.22, 0.25), "mouthFrown": (0.80, 0.10), "eyeSquint": (0.50, 0.10),
        },
        # 10+16, one side more.
        {
            "noseSneer": (0.70, 0.0), "one:noseSneer": (0.28, 0.10), "one:mouthUpperUp": (0.30, 0.20),
            "mouthFrown": (0.50, 0.15), "browDown": (0.24, 0.25), "eyeSquint": (0.58, 0.10),
            "mouthStretch": (0.20, 0.40),
        },
    ),
    "fear": (
        # 1+2+4+5+20.
        {
            "browInnerUp": (1.00, 0.0), "browOuterUp": (0.28, 0.25), "browDown": (0.12, 0.30), "eyeWide": (0.85, 0.0),
            "mouthStretch": (0.62, 0.20), "mouthFrown": (0.20, 0.45), "jawOpen": (0.05, 0.60),
        },
        # 1+2+5+26: alarm.
        {
            "browInnerUp": (0.88, 0.0), "browOuterUp": (0.40, 0.20), "eyeWide": (0.95, 0.0),
            "mouthStretch": (0.46, 0.25), "jawOpen": (0.08, 0.50), "browDown": (0.08, 0.40),
        },
        # 1+4+5+28: worry, lips drawn in.
        {
            "browInnerUp": (0.95, 0.0), "browDown": (0.18, 0.25), "eyeWide": (0.66, 0.05), "eyeSquint": (0.10, 0.45),
            "mouthStretch": (0.44, 0.15), "mouthRollLower": (0.16, 0.40), "mouthPress": (0.12, 0.40),
        },
    ),
    "happy": (
        # 6+12.
        {
            "mouthSmile": (0.95, 0.0), "cheekSquint": (0.70, 0.15), "eyeSquint": (0.34, 0.30),
            "mouthDimple": (0.15, 0.35), "mouthUpperUp": (0.06, 0.60),
        },
        # 1+2+6+12: delight.
        {
            "mouthSmile": (0.86, 0.0), "cheekSquint": (0.55, 0.20), "eyeSquint": (0.22, 0.35),
            "browOuterUp": (0.30, 0.25), "browInnerUp": (0.22, 0.25), "mouthDimple": (0.20, 0.35),
        },
        # 12+14, crooked and warm.
        {
            "mouthSmile": (0.70, 0.0), "one:mouthSmile": (0.24, 0.10), "mouthDimple": (0.28, 0.20),
            "cheekSquint": (0.42, 0.25), "eyeSquint": (0.40, 0.30), "mouthPress": (0.08, 0.45),
        },
        # 6+12+25: a laugh in the voice.
        {
            "mouthSmile": (1.00, 0.0), "cheekSquint": (0.80, 0.15), "eyeSquint": (0.42, 0.25),
            "mouthUpperUp": (0.16, 0.40),
            "mouthLowerDown": (0.06, 0.60), "noseSneer": (0.12, 0.50),
        },
    ),
    "sad": (
        # 1+4+15+17.
        {
            "browInnerUp": (1.00, 0.0), "browDown": (0.12, 0.30), "mouthFrown": (0.85, 0.0),
            "mouthShrugLower": (0.34, 0.25), "eyeBlink": (0.08, 0.25), "eyeSquint": (0.10, 0.45),
        },
        # 1+15+43: withdrawn, heavy lids.
        {
            "browInnerUp": (0.80, 0.0), "browDown": (0.08, 0.30), "mouthFrown": (0.70, 0.0),
            "mouthPress": (0.10, 0.35), "eyeBlink": (0.20, 0.20), "mouthRollLower": (0.10, 0.50),
        },
        # 1+4+7+15+20: close to tears.
        {
            "browInnerUp": (1.00, 0.0), "browDown": (0.22, 0.25), "mouthFrown": (0.78, 0.0), "eyeSquint": (0.24, 0.25),
            "mouthShrugLower": (0.40, 0.25), "mouthStretch": (0.20, 0.45), "cheekSquint": (0.14, 0.50),
        },
    ),
    "surprised": (
        # 1+2+5+26.
        {
            "browInnerUp": (0.95, 0.0), "browOuterUp": (0.95, 0.0), "eyeWide": (0.85, 0.10),
            "jawOpen": (0.24, 0.30), "mouthFunnel": (0.08, 0.50),
        },
        # 1+2+5, one brow more: can it be?
        {
            "browInnerUp": (0.72, 0.0), "browOuterUp": (0.74, 0.0), "one:browOuterUp": (0.26, 0.10),
            "eyeWide": (0.66, 0.10), "jawOpen": (0.06, 0.50), "mouthStretch": (0.08, 0.50),
        },
        # 1+2+5+12: a good surprise.
        {
            "browInnerUp": (0.86, 0.0), "browOuterUp": (0.95, 0.0), "eyeWide": (0.75, 0.10),
            "mouthSmile": (0.30, 0.30), "jawOpen": (0.20, 0.30),
        },
    ),
}  # fmt: skip

# What of an emotion stays between its bouts. Surprise is brief, sadness a mood.
TONIC: dict[str, float] = {
    "angry": 0.66, "contempt": 0.58, "disgusted": 0.62, "fear": 0.68, "happy": 0.48, "sad": 0.74, "surprised": 0.68,
}  # fmt: skip
# Speed of onset and offset.
TEMPO: dict[str, float] = {
    "angry": 1.25, "contempt": 0.8, "disgusted": 1.0, "fear": 1.3, "happy": 1.05, "sad": 0.6, "surprised": 1.7,
}  # fmt: skip
# Head offsets at full intensity: pitch (down +), yaw, roll in degrees; metres forward.
HEAD_OFFSETS: dict[str, tuple[float, float, float, float]] = {
    "angry": (5.0, 0.0, 0.0, 0.014),
    "contempt": (-5.0, 5.0, 4.0, -0.004),
    "disgusted": (-3.0, 7.0, 2.0, -0.014),
    "fear": (-2.0, 0.0, 0.0, -0.018),
    "happy": (-2.0, 0.0, 3.0, 0.004),
    "sad": (6.0, 0.0, 4.0, -0.003),
    "surprised": (-4.0, 0.0, 0.0, -0.010),
}
# How much of the neutral liveliness (head motion, accents) is seen at full intensity.
LIVELINESS: dict[str, float] = {
    "angry": 1.35, "contempt": 0.8, "disgusted": 0.9, "fear": 0.9, "happy": 1.3, "sad": 0.5, "surprised": 1.1,
}  # fmt: skip
# What an accent does to the brows: inner raise, outer raise, lowering; and to the upper lids.
ACCENTS: dict[str, tuple[float, float, float, float]] = {
    "neutral": (0.22, 0.22, 0.00, 0.07),
    "angry": (0.02, 0.03, 0.24, 0.14),
    "contempt": (0.08, 0.20, 0.04, 0.02),
    "disgusted": (0.03, 0.05, 0.20, 0.00),
    "fear": (0.24, 0.10, 0.02, 0.14),
    "happy": (0.24, 0.26, 0.00, 0.06),
    "sad": (0.24, 0.02, 0.05, 0.00),
    "surprised": (0.24, 0.26, 0.00, 0.16),
}
# Blink rate against rest, and how much longer a blink lasts, at full intensity.
BLINKS: dict[str, tuple[float, float]] = {
    "angry": (0.7, 0.9), "contempt": (0.9, 1.2), "disgusted": (1.15, 1.1), "fear": (1.35, 0.85),
    "happy": (1.15, 1.0), "sad": (0.85, 1.35), "surprised": (0.6, 0.9),
}  # fmt: skip
# Gaze at full intensity: degrees down, degrees aside, and how much oftener it leaves the listener.
GAZE: dict[str, tuple[float, float, float]] = {
    "angry": (0.0, 0.0, 0.5), "contempt": (1.0, 1.0, 0.8), "disgusted": (1.0, -2.0, 1.3), "fear": (0.0, 0.0, 1.5),
    "happy": (0.0, 0.0, 0.9), "sad": (3.5, -1.0, 1.6), "surprised": (0.0, 0.0, 0.5),
}  # fmt: skip
