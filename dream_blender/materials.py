"""The materials of the proxy avatar, used by the viewport, EEVEE, Cycles and every exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

COLOUR_ATTRIBUTE = "Colour"
"""Name of the avatar mesh's vertex colours, which its materials show."""
OWN_MARK = "dream_talk_material"
"""Custom property that tells the avatar's materials from others."""
_VARIED = ("Roughness", "Normal", "Emission Color")  # sockets that files cannot hold as the nodes make them
_CLEAR_ALPHA = 0.05  # opacity of a clear material in files, whose renderers know no mixed shaders


@dataclass(frozen=True)
class Surface:
    """How light meets one part of the avatar: weights and roughness in [0, 1].

    ``glow`` is emission of its own colour: light that a mouth's walls would pass on, were there rays enough. ``pores``:
    how much roughness and height vary; ``clear``: glass-like, only highlights show.
    """

    roughness: float = 0.5
    specular: float = 0.5
    subsurface: float = 0.0
    coat: float = 0.0
    glow: float = 0.0
    pores: float = 0.0
    clear: bool = False


_SURFACES: dict[str, Surface] = {
    "skin": Surface(0.47, 0.4, 0.35, pores=1.0),
    "lips": Surface(0.30, 0.5, 0.35, coat=0.25),
    "eye_white": Surface(0.18, 0.5, 0.15, coat=0.8),
    "iris": Surface(0.50, 0.2, glow=0.05),
    "pupil": Surface(0.60, 0.1),
    "cornea": Surface(0.02, clear=True),
    "caruncle": Surface(0.20, 0.5, 0.25, coat=0.6),
    "teeth": Surface(0.22, 0.5, 0.20, coat=0.4, glow=0.03),
    "gums": Surface(0.28, 0.5, 0.25, coat=0.3, glow=0.06),
    "tongue": Surface(0.36, 0.5, 0.25, coat=0.2, glow=0.06),
    "mouth_cavity": Surface(0.60, 0.3, glow=0.10),
    "brow": Surface(0.75, 0.2),
    "lash": Surface(0.75, 0.2),
    "hair": Surface(0.45, 0.3),
    "cloth": Surface(0.85, 0.15),
}
"""Materials that need more than a plain surface."""


def linear(colour: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return (..., 3) linear RGB in [0, 1] of sRGB ``colour`` in [0, 1]."""
    value = np.asarray(colour, np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _shader(made: Any) -> Any:
    return next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def set_colour(made: Any, colour: npt.ArrayLike) -> None:
    """Set the linear ``colour`` (3,) that views and files without vertex colours show of the material ``made``."""
    flat = (*np.asarray(colour, np.float64).tolist(), made.diffuse_color[3])
    made.diffuse_color = flat
    for socket in ("Base Color", "Emission Color"):
        _shader(made).inputs[socket].default_value = (*flat[:3], 1.0)


def _add_pores(made: Any, shader: Any, surface: Surface) -> None:
    """Vary roughness and height over the skin by one noise that sticks to the rest shape."""
    nodes, links = made.node_tree.nodes, made.node_tree.links
    noise = nodes.new("ShaderNodeTexNoise")  # without a link it reads the generated coordinates
    noise.inputs["Scale"].default_value = 90.0
    noise.inputs["Detail"].default_value = 4.0
    noise.location = (-620.0, -60.0)
    spread = nodes.new("ShaderNodeMapRange")
    spread.inputs["To Min"].default_value = surface.roughness - 0.09 * surface.pores
    spread.inputs["To Max"].default_value = surface.roughness + 0.09 * surface.pores
    spread.location = (-420.0, 20.0)
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = 0.12 * surface.pores
    bump.inputs["Distance"].default_value = 0.0006
    bump.location = (-420.0, -260.0)
    factor = noise.outputs[0]
    links.new(factor, spread.inputs["Value"])
    links.new(spread.outputs["Result"], shader.inputs["Roughness"])
    links.new(factor, bump.inputs["Height"])
    links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def _make_clear(made: Any, shader: Any) -> None:
    """Show only what ``shader`` mirrors, by Fresnel, over whatever lies behind it."""
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader.inputs["Base Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    shader.inputs["Metallic"].default_value = 1.0  # a mirror: the mix alone says how much it reflects
    output = next(node for node in nodes if node.type == "OUTPUT_MATERIAL")
    gaze = nodes.new("ShaderNodeFresnel")
    gaze.inputs["IOR"].default_value = 1.5  # a cornea's 1.376 leaves indoor eyes dull
    gaze.location = (80.0, 420.0)
    glass = nodes.new("ShaderNodeBsdfTransparent")
    glass.location = (80.0, 200.0)
    mix = nodes.new("ShaderNodeMixShader")
    mix.location = (320.0, 300.0)
    links.new(gaze.outputs["Fac"], mix.inputs[0])
    links.new(glass.outputs["BSDF"], mix.inputs[1])
    links.new(shader.outputs["BSDF"], mix.inputs[2])
    links.new(mix.outputs["Shader"], output.inputs["Surface"])
    made.surface_render_method = "BLENDED"
    made.diffuse_color[3] = _CLEAR_ALPHA


def material(name: str, colour: tuple[float, float, float]) -> Any:
    """Return a new material for the avatar's part ``name``.

    Args:
        name: the part's name in the avatar's asset, such as ``"skin"``.
        colour: sRGB in [0, 1], for views without vertex colours.
    """
    surface = _SURFACES.get(name, Surface())
    made = bpy.data.materials.new(f"DREAM-Talk {name.replace('_', ' ')}")
    if made.node_tree is None:  # before 5.0 nodes are an option; from 5.0 every material has them
        made.use_nodes = True
    made[OWN_MARK] = True
    made.roughness = surface.roughness
    shader = _shader(made)
    set_colour(made, linear(colour))
    for socket, value in (
        ("Roughness", surface.roughness),
        ("Specular IOR Level", surface.specular),
        ("Subsurface Weight", surface.subsurface),
        ("Subsurface Scale", 0.006),  # metres that light travels in flesh
        ("Coat Weight", surface.coat),
        ("Coat Roughness", 0.04 if surface.coat else 0.03),
        ("Emission Strength", surface.glow),
    ):
        shader.inputs[socket].default_value = value
    shader.inputs["Subsurface Radius"].default_value = (1.0, 0.4, 0.25)
    if surface.clear:
        _make_clear(made, shader)
        return made
    if surface.pores:
        _add_pores(made, shader, surface)
    paint = made.node_tree.nodes.new("ShaderNodeVertexColor")
    paint.layer_name = COLOUR_ATTRIBUTE
    paint.location = (-420.0, 300.0)
    for socket in ("Base Color", "Emission Color") if surface.glow else ("Base Color",):
        made.node_tree.links.new(paint.outputs["Color"], shader.inputs[socket])
    return made


@contextmanager
def plain_materials(objects: list[Any]) -> Iterator[None]:
    """Simplify the materials of ``objects`` for the time of an export, to what files can hold.

    Pores and glow are left out, so that roughness is one number, and clear materials are plainly see-through.
    """
    slots = (slot.material for item in objects for slot in item.material_slots if slot.material is not None)
    ours = {made.name: made for made in slots if OWN_MARK in made}.values()
    cut, glows = [], [(made, _shader(made).inputs["Emission Strength"].default_value) for made in ours]
    for made in ours:
        shader = _shader(made)
        shader.inputs["Alpha"].default_value = made.diffuse_color[3]
        shader.inputs["Emission Strength"].default_value = 0.0
        links = [link for name in _VARIED for link in shader.inputs[name].links]
        output = next(node for node in made.node_tree.nodes if node.type == "OUTPUT_MATERIAL").inputs["Surface"]
        cut += [(made, link.from_socket, link.to_socket) for link in (*links, *output.links)]
        for link in links:
            made.node_tree.links.remove(link)
        made.node_tree.links.new(shader.outputs["BSDF"], output)  # exporters find no shader behind a mix
    try:
        yield
    finally:
        for made, glow in glows:
            _shader(made).inputs["Alpha"].default_value = 1.0
            _shader(made).inputs["Emission Strength"].default_value = glow
        for made, source, target in cut:
            made.node_tree.links.new(source, target)
