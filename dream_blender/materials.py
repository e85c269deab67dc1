"""The materials of the proxy avatar: one table, used by the viewport, EEVEE, Cycles and every exporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy


@dataclass(frozen=True)
class Surface:
    """How one part of the avatar looks: linear RGB in [0, 1], roughness, and subsurface weight in [0, 1]."""

    colour: tuple[float, float, float]
    roughness: float
    subsurface: float = 0.0
    specular: float = 0.5


SURFACES: dict[str, Surface] = {
    "skin": Surface((0.62, 0.36, 0.26), 0.48, 0.12, 0.4),
    "lips": Surface((0.42, 0.13, 0.11), 0.34, 0.10),
    "eye_white": Surface((0.80, 0.78, 0.75), 0.12),
    "iris": Surface((0.07, 0.16, 0.24), 0.10),
    "pupil": Surface((0.004, 0.004, 0.005), 0.05),
    "teeth": Surface((0.78, 0.72, 0.62), 0.18, 0.05),
    "gums": Surface((0.40, 0.10, 0.10), 0.30, 0.10),
    "tongue": Surface((0.46, 0.14, 0.13), 0.38, 0.10),
    "mouth_cavity": Surface((0.05, 0.012, 0.012), 0.70),
    "brow": Surface((0.035, 0.020, 0.013), 0.80),
    "lash": Surface((0.010, 0.007, 0.006), 0.80),
    "hair": Surface((0.030, 0.018, 0.012), 0.55),
    "neck": Surface((0.60, 0.35, 0.25), 0.50, 0.12, 0.4),
    "clothes": Surface((0.06, 0.08, 0.11), 0.85),
}


def material(name: str) -> Any:
    """Return the avatar's material ``name``, made when this file has none yet.

    Raises:
        KeyError: for a part that has no surface.
    """
    surface = SURFACES[name]
    title = f"DREAM-Talk {name.replace('_', ' ')}"
    existing = bpy.data.materials.get(title)
    if existing is not None:
        return existing
    made = bpy.data.materials.new(title)
    if made.node_tree is None:  # before 5.0 nodes are an option; from 5.0 every material has them
        made.use_nodes = True
    made.diffuse_color = (*surface.colour, 1.0)
    made.roughness = surface.roughness
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*surface.colour, 1.0)
    shader.inputs["Roughness"].default_value = surface.roughness
    shader.inputs["Specular IOR Level"].default_value = surface.specular
    shader.inputs["Subsurface Weight"].default_value = surface.subsurface
    shader.inputs["Subsurface Radius"].default_value = (0.010, 0.004, 0.002)
    return made
