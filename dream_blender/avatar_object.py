"""The proxy avatar in Blender: a skinned bust with ARKit's 52 shape keys, correctives and identity sliders."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar
from .avatar_look import Look, add_look_keys, apply_look
from .avatar_rig import add_rig, add_shape, drive_correctives, drive_lids
from .head_pose import to_blender
from .materials import COLOUR_ATTRIBUTE, material

AVATAR_NAME = "DREAM-Talk Avatar"
AVATAR_MARK = "dream_talk_avatar"
"""Custom property that tells the proxy avatar from other meshes."""
UV_MAP = "UVMap"


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
    mesh.uv_layers.new(name=UV_MAP).data.foreach_set("uv", avatar.face_uvs.ravel())
    mesh.color_attributes.new(COLOUR_ATTRIBUTE, "FLOAT_COLOR", "POINT")
    return mesh


def _add_shape_keys(head: Any, avatar: ProxyAvatar) -> None:
    basis = to_blender(avatar.vertices - avatar.neck_pivot)
    head.shape_key_add(name="Basis", from_mix=False)
    for name, delta in zip(ARKIT_NAMES, to_blender(avatar.deltas), strict=True):
        add_shape(head, name, basis + delta)
    head.data.shape_keys.name = head.name


def spawn_avatar(
    collection: Any, location: tuple[float, float, float] = (0.0, 0.0, 0.0), look: Look | None = None
) -> Any:
    """Add the proxy avatar to ``collection`` and return its head, a mesh object.

    Its parent, an armature, places the avatar: move that one. Head pose is the turn of the bone ``head``.

    Args:
        collection: where to link the mesh, the armature and the look-at target.
        location: metres, where the neck pivot goes.
        look: tones and identity; the asset's own when left out.
    """
    avatar = load_proxy_avatar()
    head = bpy.data.objects.new(AVATAR_NAME, _build_mesh(avatar))
    head[AVATAR_MARK] = True
    collection.objects.link(head)
    _add_shape_keys(head, avatar)
    rig = add_rig(collection, head, avatar, location)
    drive_correctives(head, avatar)
    drive_lids(head, rig, avatar)
    add_look_keys(head, avatar)
    apply_look(head, look or Look())
    return head
