"""How far two captures of the same video agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blendshape_rigs.arkit import ARKIT_NAMES

from .capture import CapturedFace

_STILL = 1e-3
_POSE = ("pitch", "yaw", "roll")


@dataclass(frozen=True)
class ChannelAgreement:
    """One channel in two captures.

    Attributes:
        channel: an ARKit name, or pitch, yaw or roll.
        correlation: Pearson's r, or None where either is still.
        spreads: standard deviations, in the channel's unit (1 for shapes, radians for angles).
    """

    channel: str
    correlation: float | None
    spreads: tuple[float, float]


def channel_agreement(first: CapturedFace, second: CapturedFace) -> list[ChannelAgreement]:
    """Return the agreement of all 52 shapes and the head's angles, over the frames in which both saw the face."""
    count = min(len(first.seen), len(second.seen))
    both = first.seen[:count] & second.seen[:count]
    rows = [
        np.concatenate([face.curves.values, face.curves.head_rotation], axis=1)[:count][both].astype(np.float64)
        for face in (first, second)
    ]
    found = []
    for column, channel in enumerate((*ARKIT_NAMES, *_POSE)):
        one, other = rows[0][:, column], rows[1][:, column]
        spreads = (float(one.std()), float(other.std())) if len(one) else (0.0, 0.0)
        moving = min(spreads) > _STILL
        found.append(ChannelAgreement(channel, float(np.corrcoef(one, other)[0, 1]) if moving else None, spreads))
    return found
