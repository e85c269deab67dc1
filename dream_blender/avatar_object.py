"""The proxy avatar as a Blender object: a head mesh with ARKit's 52 shape keys that turns about its neck."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar
from .head_pose import EULER_ORDER, to_blender
from .materials import COLOUR_ATTRIBUTE, linear, material
from .take import REST_MARK

AVATAR_NAME = "DREAM-Talk Avatar"
AVATAR_MARK = "dream_talk_avatar"
"""Custom property that tells the proxy avatar from other meshes."""


def is_avatar(character: Any) -> bool:
    """Tell whether ``character`` is the proxy avatar that this add-on made."""
    return bool(character.get(AVATAR_MARK, False))


def _build_mesh(avatar: ProxyAvatar) -> Any:
    mesh = bpy.data.meshes.new(AVATAR_NAME)
    faces = len(avatar.triangles)
    mesh.vertices.add(len(avatar.vertices))
    mesh.loops.add(faces * 3)
    mesh.polygons.add(faces)
    rest = to_blender(avatar.vertices - avatar.neck_pivot)
    mesh.vertices.foreach_set("co", rest.ravel())
    mesh.loops.foreach_set("vertex_index", avatar.triangles.astype(np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces * 3, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", avatar.triangle_materials.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(faces, bool))
    for name in avatar.materials:
        mesh.materials.append(material(name, avatar.material_colors[name]))
    mesh.update(calc_edges=True)
    painted = np.ones((len(avatar.vertices), 4), np.float32)
    painted[:, :3] = linear(avatar.vertex_colors)
    mesh.color_attributes.new(COLOUR_ATTRIBUTE, "FLOAT_COLOR", "POINT").data.foreach_set("color", painted.ravel())
    return mesh


def _add_shape_keys(head: Any, avatar: ProxyAvatar) -> None:
    basis = to_blender(avatar.vertices - avatar.neck_pivot)
    head.shape_key_add(name="Basis", from_mix=False)
    for name, delta in zip(ARKIT_NAMES, to_blender(avatar.deltas), strict=True):
        key = head.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (basis + delta).ravel())
    head.data.shape_keys.name = head.name


def spawn_avatar(collection: Any, location: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Any:
    """Add the proxy avatar to ``collection`` and return its head, a mesh object.

    The head's origin is the neck pivot, so that its own rotation and location are the head pose. Its parent,
    an empty, places the avatar: move that one.

    Args:
        collection: where to link the two new objects.
        location: metres, where the neck pivot goes.
    """
    avatar = load_proxy_avatar()
    place = bpy.data.objects.new(f"{AVATAR_NAME} Place", None)
    place.empty_display_type = "CIRCLE"
    place.empty_display_size = 0.12
    place.location = location
    head = bpy.data.objects.new(AVATAR_NAME, _build_mesh(avatar))
    head[AVATAR_MARK] = True
    head[REST_MARK] = [0.0] * 6
    head.rotation_mode = EULER_ORDER
    head.parent = place
    for made in (place, head):
        collection.objects.link(made)
    _add_shape_keys(head, avatar)
    return head
