"""Puts the avatar together and writes the asset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_NAMES
from blendshape_rigs.avatar import DELTA_STEP, PROXY_AVATAR_FILE, UNIT_STEP, Corrective
from blendshape_rigs.face_mesh import LANDMARKS

from .base_face import base_face
from .brows import brows
from .cage import EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT, build_cage
from .correctives import corrective_fields, correctives
from .ears import ears
from .eyeballs import eyeballs
from .hair import hair
from .identities import identity_fields, warps
from .lashes import lashes
from .mouth_interior import mouth_interior
from .parts import COLOURS, MATERIALS, joined
from .rig import Rig
from .shapes import cage_fields
from .shoulders import NECK_PIVOT, head_weight
from .skin import build_skin
from .symmetry import even_points, even_steps, mirror_partners
from .topology import Floats
from .uvs import texture_coordinates
from .zip_file import write_arrays

TONGUE_OPENS = 0.3
"""Share of ``jawOpen`` that ``tongueOut`` carries, as no tongue comes out of a shut mouth."""


def build_arrays() -> dict[str, NDArray[Any]]:
    """Return every array of the asset."""
    cage = build_cage(base_face())
    rig = Rig(cage)
    fields = cage_fields(rig)
    repairs = corrective_fields(rig, fields)
    carried = identity_fields(rig)
    skin = build_skin(cage, fields | repairs | carried)
    parts = [skin.part, *eyeballs(), *mouth_interior(), *brows(skin.part), *lashes(skin), *ears(), hair()]
    names = (*ARKIT_NAMES, *repairs)
    whole, deltas = joined(parts, names)
    deltas[names.index("tongueOut")] += TONGUE_OPENS * deltas[names.index("jawOpen")]
    partners = mirror_partners(whole.points, names, deltas)
    points, deltas = even_points(whole.points, partners), even_steps(names, deltas, partners, DELTA_STEP)
    identities = {name: warp(points) for name, warp in warps().items()}
    identities.update(zip(carried, joined(parts, tuple(carried))[1], strict=True))
    face_uvs = texture_coordinates(cage, skin, parts[1:])

    return {
        "vertices": points.astype(np.float32),
        "triangles": whole.triangles.astype(np.int32),
        "triangle_materials": whole.materials.astype(np.int8),
        "vertex_colors": np.rint(np.clip(whole.colours, 0, 1) * 255).astype(np.uint8),
        "materials": np.array(MATERIALS),
        "material_colors": np.array([COLOURS[name] for name in MATERIALS], dtype=np.float32),
        "face_uvs": _units(face_uvs),
        "head_weight": _units(head_weight(whole.points)),
        **_sparse("delta", deltas[:ARKIT_COUNT]),
        "identity_names": np.array(list(identities), dtype=np.str_),
        **_sparse("identity", np.array(list(identities.values())).reshape(-1, *whole.points.shape)),
        **_corrective_arrays(correctives(tuple(repairs), deltas[ARKIT_COUNT:]), len(points)),
        "landmark_vertices": np.arange(LANDMARKS, dtype=np.int32),
        "neck_pivot": NECK_PIVOT.astype(np.float32),
        "eye_centres": np.stack([EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT]).astype(np.float32),
        "upper_lip": skin.lip_lines[0].astype(np.int32),
        "lower_lip": skin.lip_lines[1].astype(np.int32),
    }


def _units(values: Floats) -> NDArray[np.uint16]:
    """Return numbers between 0 and 1 as 16-bit steps."""
    steps: NDArray[np.uint16] = np.rint(np.clip(values, 0, 1) / UNIT_STEP).astype(np.uint16)
    return steps


def _sparse(kind: str, displacements: Floats) -> dict[str, NDArray[Any]]:
    """Return the moving vertices of displacements (N, V, 3) as the asset stores them."""
    steps = np.rint(displacements / DELTA_STEP)
    moving = (steps != 0).any(axis=2)
    return {
        f"{kind}_shape": np.nonzero(moving)[0].astype(np.uint8),
        f"{kind}_vertex": np.nonzero(moving)[1].astype(np.uint16),
        f"{kind}_steps": steps[moving].astype(np.int16),
    }


def _corrective_arrays(repairs: Sequence[Corrective], count: int) -> dict[str, NDArray[Any]]:
    """Return the asset's arrays of the correctives; unused places of the drivers are -1."""
    drivers = np.full((len(repairs), max((len(repair.drivers) for repair in repairs), default=1)), -1, dtype=np.int8)
    for row, repair in zip(drivers, repairs, strict=True):
        row[: len(repair.drivers)] = repair.drivers
    return {
        "corrective_names": np.array([repair.name for repair in repairs], dtype=np.str_),
        "corrective_drivers": drivers,
        **_sparse("corrective", np.array([repair.deltas for repair in repairs]).reshape(-1, count, 3)),
    }


def build(path: Path = PROXY_AVATAR_FILE) -> None:
    """Write the asset."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, build_arrays())
