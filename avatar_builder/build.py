"""Puts the avatar together and writes the asset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.avatar import DELTA_STEP, PROXY_AVATAR_FILE
from blendshape_rigs.face_mesh import LANDMARKS

from .base_face import base_face
from .cage import EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT, build_cage
from .ears import ears
from .eyeballs import eyeballs
from .hair import brows, hair, lashes
from .mouth_interior import mouth_interior
from .parts import COLOURS, MATERIALS, joined
from .rig import Rig
from .shapes import cage_fields
from .skin import build_skin
from .zip_file import write_arrays

NECK_PIVOT = (0.0, -0.105, -0.082)


def build_arrays() -> dict[str, NDArray[Any]]:
    """Return every array of the asset."""
    cage = build_cage(base_face())
    skin = build_skin(cage, cage_fields(Rig(cage)))
    parts = [skin.part, *eyeballs(), *mouth_interior(), *brows(skin.part), *lashes(skin), *ears(), hair()]
    whole, deltas = joined(parts, ARKIT_NAMES)
    steps = np.rint(deltas / DELTA_STEP)
    moving = (steps != 0).any(axis=2)
    return {
        "vertices": whole.points.astype(np.float32),
        "triangles": whole.triangles.astype(np.int32),
        "triangle_materials": whole.materials.astype(np.int8),
        "vertex_colors": np.rint(np.clip(whole.colours, 0, 1) * 255).astype(np.uint8),
        "materials": np.array(MATERIALS),
        "material_colors": np.array([COLOURS[name] for name in MATERIALS], dtype=np.float32),
        "delta_shape": np.nonzero(moving)[0].astype(np.uint8),
        "delta_vertex": np.nonzero(moving)[1].astype(np.uint16),
        "delta_steps": steps[moving].astype(np.int16),
        "landmark_vertices": np.arange(LANDMARKS, dtype=np.int32),
        "neck_pivot": np.array(NECK_PIVOT, dtype=np.float32),
        "eye_centres": np.stack([EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT]).astype(np.float32),
        "upper_lip": skin.lip_lines[0].astype(np.int32),
        "lower_lip": skin.lip_lines[1].astype(np.int32),
    }


def build(path: Path = PROXY_AVATAR_FILE) -> None:
    """Write the asset."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, build_arrays())
