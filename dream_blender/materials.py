"""The materials of the proxy avatar, used by the viewport, EEVEE, Cycles and every exporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

COLOUR_ATTRIBUTE = "Colour"
"""Name of the avatar mesh's vertex colours, which its materials show."""


@dataclass(frozen=True)
class Surface:
    """How light meets one part of the avatar: roughness, specular level, subsurface weight; in [0, 1]."""

    roughness: float = 0.5
    specular: float = 0.5
    subsurface: float = 0.0


_SURFACES: dict[str, Surface] = {
    "skin": Surface(0.48, 0.4, 0.12),
    "lips": Surface(0.34, 0.5, 0.10),
    "eye_white": Surface(0.12),
    "iris": Surface(0.10),
    "pupil": Surface(0.05),
    "teeth": Surface(0.18, 0.5, 0.05),
    "gums": Surface(0.30, 0.5, 0.10),
    "tongue": Surface(0.38, 0.5, 0.10),
    "mouth_cavity": Surface(0.70, 0.2),
    "brow": Surface(0.80, 0.2),
    "lash": Surface(0.80, 0.2),
    "hair": Surface(0.55, 0.3),
}
"""Materials that need more than a plain surface."""


def linear(colour: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return (..., 3) linear RGB in [0, 1] of sRGB ``colour`` in [0, 1]."""
    value = np.asarray(colour, np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def material(name: str, colour: tuple[float, float, float]) -> Any:
    """Return the avatar's material ``name``, made when this file has none yet.

    Args:
        name: the part's name in the avatar's asset, such as ``"skin"``.
        colour: sRGB in [0, 1], for views without vertex colours.
    """
    title = f"DREAM-Talk {name.replace('_', ' ')}"
    existing = bpy.data.materials.get(title)
    if existing is not None:
        return existing
    surface = _SURFACES.get(name, Surface())
    made = bpy.data.materials.new(title)
    if made.node_tree is None:  # before 5.0 nodes are an option; from 5.0 every material has them
        made.use_nodes = True
    flat = (*linear(colour).tolist(), 1.0)
    made.diffuse_color = flat
    made.roughness = surface.roughness
    nodes = made.node_tree.nodes
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = flat
    shader.inputs["Roughness"].default_value = surface.roughness
    shader.inputs["Specular IOR Level"].default_value = surface.specular
    shader.inputs["Subsurface Weight"].default_value = surface.subsurface
    shader.inputs["Subsurface Radius"].default_value = (0.010, 0.004, 0.002)
    paint = nodes.new("ShaderNodeVertexColor")
    paint.layer_name = COLOUR_ATTRIBUTE
    paint.location = (-220.0, 220.0)
    made.node_tree.links.new(paint.outputs["Color"], shader.inputs["Base Color"])
    return made
