"""A captured face as the driver of a portrait: the head's pose counts from where it was most of the time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blendshape_rigs.curves import FaceCurves
from model_server.portrait.fit import rotation_angles, rotation_matrix


def relative_to_median(curves: FaceCurves) -> FaceCurves:
    """Return ``curves`` whose head rotation and translation are relative to their medians over the clip.

    The camera of a filmed face and that of a photograph stand in different places, so only what changes carries over.
    """
    if not len(curves):
        return curves
    back = rotation_matrix(*(float(angle) for angle in np.median(curves.head_rotation, axis=0))).T
    turned = [rotation_angles(rotation_matrix(*map(float, angles)) @ back) for angles in curves.head_rotation]
    move = curves.head_translation - np.median(curves.head_translation, axis=0)
    return replace(curves, head_rotation=np.radians(turned), head_translation=move)
