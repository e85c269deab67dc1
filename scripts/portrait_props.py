"""What the sitters of ``render_portraits.py`` wear: glasses, a hat, a beard and hair, of Blender's simple parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Vector

Colour = tuple[float, float, float]
Points = npt.NDArray[np.float64]

_EYE = 0.0318  # metres from the middle of the face to an eye
_STRAND = 0.00035  # metres, radius of a lock of hair


def _material(name: str, colour: Colour, roughness: float) -> Any:
    """Return a plain material of an sRGB colour."""
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*(c**2.2 for c in colour), 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return made


def _tubes(name: str, paths: list[Points], radius: float, material: Any, cyclic: bool = False) -> Any:
    """Return an object of round tubes along ``paths``, each (N, 3) metres in the scene, thinner towards their ends."""
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions, data.bevel_depth, data.bevel_resolution = "3D", radius, 1
    data.use_fill_caps = True
    for path in paths:
        line = data.splines.new("POLY")
        line.points.add(len(path) - 1)
        line.points.foreach_set("co", np.column_stack([path, np.ones(len(path))]).ravel())
        line.use_cyclic_u = cyclic
        if not cyclic and len(path) > 2:
            line.points.foreach_set("radius", np.linspace(1.0, 0.3, len(path)))
    data.materials.append(material)
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made


def _surface(head: Any) -> tuple[Points, Points]:
    """Return vertices (N, 3) and normals (N, 3) of the posed skin, in the scene's metres."""
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    count = len(mesh.vertices)
    places, normals = np.empty(count * 3), np.empty(count * 3)
    mesh.vertices.foreach_get("co", places)
    mesh.vertices.foreach_get("normal", normals)
    evaluated.to_mesh_clear()
    matrix = np.array(head.matrix_world)
    skin = next(n for n, m in enumerate(head.data.materials) if m.name.endswith("skin"))
    used = sorted({v for p in head.data.polygons if p.material_index == skin for v in p.vertices})
    return (places.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])[used], normals.reshape(-1, 3)[used]


def glasses(_head: Any, eyes: Vector, _hair: Colour) -> list[Any]:
    """Return dark round glasses without lenses' tint: the rims, the bridge and the temples."""
    material = _material("rim", (0.09, 0.07, 0.06), 0.25)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    front, low = -0.031, -0.004
    rims = [
        np.array(eyes)
        + np.column_stack([side * 0.034 + 0.0255 * np.cos(turn), np.full(48, front), low + 0.0215 * np.sin(turn)])
        for side in (-1, 1)
    ]
    across = np.linspace(-1, 1, 9)
    bridge = np.array(eyes) + np.column_stack(
        [0.0085 * across, front - 0.002 * (1 - across**2), 0.003 - 0.003 * across**2]
    )
    along = np.linspace(0, 1, 10)
    temples = [
        np.array(eyes)
        + np.column_stack([side * (0.0595 + 0.019 * along**0.5), front + 0.1 * along, np.full(10, 0.004)])
        for side in (-1, 1)
    ]
    return [
        _tubes("rims", rims, 0.0016, material, cyclic=True),
        _tubes("bridge", [bridge[:5][::-1], bridge[4:]], 0.0015, material),
        _tubes("temples", temples, 0.0016, material),
    ]


def hat(_head: Any, eyes: Vector, _hair: Colour) -> list[Any]:
    """Return a felt hat: a crown, a band and a brim, over hair and forehead."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    # (height above the eyes, radius across, radius along) from the brim's edge to the top of the crown.
    rings = [(0.062, 0.150, 0.175), (0.058, 0.120, 0.145), (0.060, 0.092, 0.112), (0.085, 0.091, 0.111),
             (0.125, 0.087, 0.106), (0.158, 0.078, 0.095), (0.170, 0.055, 0.068), (0.164, 0.0, 0.0)]  # fmt: skip
    made = []
    for name, part, colour in (
        ("felt", rings, (0.34, 0.29, 0.24)),
        ("band", [(0.062, 0.0935, 0.1135), (0.082, 0.0928, 0.1128)], (0.12, 0.08, 0.07)),
    ):
        places = np.concatenate(
            [
                np.array(eyes) + np.column_stack([wide * np.cos(turn), 0.068 + deep * np.sin(turn), np.full(64, high)])
                for high, wide, deep in part
            ]
        )
        faces = [
            (64 * row + n, 64 * row + (n + 1) % 64, 64 * (row + 1) + (n + 1) % 64, 64 * (row + 1) + n)
            for row in range(len(part) - 1)
            for n in range(64)
        ]
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([tuple(p) for p in places], [], faces)
        mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
        mesh.materials.append(_material(name, colour, 0.9))
        item = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(item)
        made.append(item)
    return made


def beard(head: Any, eyes: Vector, hair: Colour) -> list[Any]:
    """Return a short full beard and a moustache of single hairs on the posed skin."""
    random = np.random.default_rng(21)
    places, normals = _surface(head)
    local = places - np.array(eyes)
    across, back, high = np.abs(local[:, 0]), local[:, 1], local[:, 2]
    lips = np.hypot(local[:, 0] / 0.031, (high + 0.068) / 0.0125)
    chin = (high < -0.062) & (high > -0.128) & (back < 0.05) & (normals[:, 1] < 0.75)
    sides = (high < -0.062 + 1.5 * np.maximum(across - 0.04, 0)) & (high > -0.12) & (across > 0.03) & (back < 0.055)
    moustache = (high < -0.048) & (high > -0.064) & (across < 0.03)
    chosen = np.flatnonzero((chin | sides | moustache) & (lips > 1.0) & (normals[:, 2] < 0.6))
    paths = []
    for row in np.repeat(chosen, 7):
        root = places[row] + random.normal(0, 0.0014, 3)
        grow = 0.35 * normals[row] + np.array([0.0, -0.1, -0.8]) + random.normal(0, 0.25, 3)
        length = random.uniform(0.004, 0.009)
        steps = np.linspace(0, 1, 4)[:, None]
        paths.append(root - 0.001 * normals[row] + steps * length * grow + steps**2 * np.array([0, 0, -0.001]))
    return [_tubes("beard", paths, 0.0002, _material("beard", hair, 0.6))]


def _locks(eyes: Vector, hair: Colour, name: str, roots: Points, ends: Points, bow: Points) -> list[Any]:
    """Return strands from ``roots`` to ``ends`` (N, 3), bent outwards by ``bow`` (N, 3) in their middle."""
    steps = np.linspace(0, 1, 14)[:, None]
    paths = [
        np.array(eyes) + a + steps * (b - a) + 4 * steps * (1 - steps) * c
        for a, b, c in zip(roots, ends, bow, strict=True)
    ]
    return [_tubes(name, paths, _STRAND, _material(name, hair, 0.4))]


def fringe(_head: Any, eyes: Vector, hair: Colour) -> list[Any]:
    """Return hair combed over the forehead, the brows and partly one eye."""
    random = np.random.default_rng(4)
    count = 900
    across = random.uniform(-0.062, 0.062, count)
    roots = np.column_stack([across * 0.85, 0.02 + 1.2 * across**2 * 10, np.full(count, 0.108)])
    low = 0.018 - 0.035 * np.clip((-across - 0.005) / 0.055, 0, 1) + random.normal(0, 0.005, count)
    ends = np.column_stack([across * 1.12 - 0.008, -0.021 + 9.5 * across**2, low])
    bow = np.column_stack([np.zeros(count), np.full(count, -0.016), np.full(count, 0.018)])
    return _locks(eyes, hair, "fringe", roots, ends, bow + random.normal(0, 0.001, (count, 3)))


def long_hair(_head: Any, eyes: Vector, hair: Colour) -> list[Any]:
    """Return hair that falls past both cheeks to the shoulders."""
    random = np.random.default_rng(5)
    count = 1800
    side = np.where(np.arange(count) % 2, 1.0, -1.0)
    depth = random.uniform(0.01, 0.13, count)
    roots = np.column_stack([side * random.uniform(0.0, 0.045, count), depth, np.full(count, 0.122)])
    ends = np.column_stack(
        [side * random.uniform(0.066, 0.098, count), depth * 0.8 + 0.01, random.uniform(-0.24, -0.16, count)]
    )
    bow = np.column_stack([side * 0.036, np.full(count, -0.006), np.full(count, 0.02)])
    return _locks(eyes, hair, "long_hair", roots, ends, bow + random.normal(0, 0.002, (count, 3)))


PROPS: dict[str, Callable[[Any, Vector, Colour], list[Any]]] = {
    "glasses": glasses,
    "hat": hat,
    "beard": beard,
    "fringe": fringe,
    "long_hair": long_hair,
}
"""What a sitter wears: from the avatar's head, the middle between its eyes (m) and the hair's sRGB colour."""
