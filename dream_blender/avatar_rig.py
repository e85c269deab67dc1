"""The avatar's armature: a head and a neck that turn while the shoulders stay, and eyes that find a target."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Vector

from ..blendshape_rigs.arkit import ARKIT_INDEX
from ..blendshape_rigs.avatar import ProxyAvatar
from .head_pose import to_blender

RIG_NAME = "DREAM-Talk Avatar Rig"
LOOK_AT = "look_at"
"""Custom property of the armature object: 0, the eyes follow their shapes alone, to 1, they find the target."""
LOOK_AT_MARK = "dream_talk_look_at"
"""Custom property that tells a look-at target from other empties."""
EYE_BONES = ("eye.L", "eye.R")
CORRECTIVE_PREFIX = "corrective "
_RING_NAME = "DREAM-Talk Ring"
_RINGS = {
    "root": (0.24, 0.02),
    "neck": (0.085, 0.02),
    "head": (0.145, 0.15),
    "eye.L": (0.017, 0.035),
    "eye.R": (0.017, 0.035),
}
"""Radius of the ring by which a bone is picked, and how far along the bone it lies; metres."""
_RING_POINTS = 48
_EYEBALL_MATERIALS = ("eye_white", "iris", "pupil", "cornea")
_WEIGHT_STEPS = 1000
_TARGET_DISTANCE = 0.6  # metres before the eyes
_BACK = 0.04  # metres from the neck's axis to the back
_NECK = (0.06, 0.012)  # metres below the point where the head turns: the neck's lower and upper end
_NECK_BEGINS = 0.7  # of the head's share of a vertex: from here up the neck holds the rest; 20° fold nothing then
_PITCH_LIMITS = np.radians([-28.0, 24.0])  # down, up: what the eyeLook shapes reach
_YAW_LIMIT = np.radians(32.0)


def eyeball_sides(avatar: ProxyAvatar) -> npt.NDArray[np.int8]:
    """Return (V,) int8: 1 for vertices of the left eyeball, 2 for the right one's, 0 for all others."""
    numbers = [avatar.materials.index(name) for name in _EYEBALL_MATERIALS if name in avatar.materials]
    ball = np.zeros(len(avatar.vertices), bool)
    ball[avatar.triangles[np.isin(avatar.triangle_materials, numbers)]] = True
    side = np.where(avatar.vertices[:, 0] > 0, 1, 2).astype(np.int8)
    return np.where(ball, side, np.int8(0))


def _add_bones(rig: Any, avatar: ProxyAvatar) -> None:
    """Add the bones; edit mode is the only way to make any."""
    layer = bpy.context.view_layer
    stage = bpy.context.scene.collection
    before = layer.objects.active
    stage.objects.link(rig)  # whatever collection it goes to, edit mode needs it in view
    layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    low = float((avatar.vertices - avatar.neck_pivot)[:, 1].min())
    root = bones.new("root")
    # Along the back, off the neck's axis: FBX importers connect a child at its parent's end, which holds it there.
    root.head, root.tail = (0.0, _BACK, low), (0.0, _BACK, 0.5 * low)
    neck = bones.new("neck")
    neck.head, neck.tail, neck.parent = (0.0, 0.5 * _BACK, -_NECK[0]), (0.0, 0.0, -_NECK[1]), root
    head = bones.new("head")
    head.head, head.tail, head.parent = (0.0, 0.0, 0.0), (0.0, 0.0, 0.16), neck
    for name, centre in zip(EYE_BONES, to_blender(avatar.eye_centres - avatar.neck_pivot), strict=True):
        eye = bones.new(name)
        eye.head = centre.tolist()
        eye.tail = eye.head + Vector((0.0, -0.03, 0.0))
        eye.align_roll(Vector((0.0, 0.0, 1.0)))
        eye.parent = head
    bpy.ops.object.mode_set(mode="OBJECT")
    stage.objects.unlink(rig)
    layer.objects.active = before


def _add_weights(head: Any, avatar: ProxyAvatar) -> None:
    sides = eyeball_sides(avatar)
    follows = np.rint(np.where(sides > 0, 0.0, avatar.head_weight) * _WEIGHT_STEPS).astype(int)
    stays = np.where(sides > 0, 0, _WEIGHT_STEPS - follows)
    # The neck takes its share from the shoulders' alone, so that the head turns as if there were no neck bone.
    rise = np.clip(avatar.head_weight / _NECK_BEGINS, 0.0, 1.0)
    neck = np.rint(stays * rise**2 * (3 - 2 * rise)).astype(int)
    for name, steps in (("root", stays - neck), ("neck", neck), ("head", follows)):
        group = head.vertex_groups.new(name=name)
        for step in np.unique(steps[steps > 0]):
            group.add(np.flatnonzero(steps == step).tolist(), float(step) / _WEIGHT_STEPS, "REPLACE")
    for number, name in enumerate(EYE_BONES, start=1):
        head.vertex_groups.new(name=name).add(np.flatnonzero(sides == number).tolist(), 1.0, "REPLACE")


def add_shape(head: Any, name: str, points: npt.NDArray[np.float32]) -> Any:
    """Add the shape key ``name`` at value 0 to ``head`` and return it; ``points`` (V, 3) metres at value 1."""
    key = head.shape_key_add(name=name, from_mix=False)
    key.value = 0.0  # Blender 5.0 begins at 1
    key.data.foreach_set("co", points.ravel())
    return key


def _variable(driver: Any, name: str, kind: str, **target: Any) -> None:
    """Add a variable to ``driver`` that reads the ``target``'s fields."""
    variable = driver.variables.new()
    variable.name, variable.type = name, kind
    for field, value in target.items():
        setattr(variable.targets[0], field, value)


def _drive_influence(constraint: Any, rig: Any) -> None:
    driver = constraint.driver_add("influence").driver
    driver.type = "AVERAGE"
    _variable(driver, "look_at", "SINGLE_PROP", id=rig, data_path=f'["{LOOK_AT}"]')


def _add_target(collection: Any, rig: Any, avatar: ProxyAvatar) -> Any:
    target = bpy.data.objects.new("Look At", None)
    target[LOOK_AT_MARK] = True
    target.empty_display_type = "SPHERE"
    target.empty_display_size = 0.02
    target.parent = rig
    middle = to_blender(avatar.eye_centres.mean(axis=0) - avatar.neck_pivot)
    target.location = Vector(middle.tolist()) + Vector((0.0, -_TARGET_DISTANCE, 0.0))
    collection.objects.link(target)
    return target


def _aim_eyes(rig: Any, target: Any) -> None:
    rig[LOOK_AT] = 0.0
    rig.id_properties_ui(LOOK_AT).update(
        min=0.0, max=1.0, soft_min=0.0, soft_max=1.0, default=0.0, description="How far the eyes find the target"
    )
    rig.property_overridable_library_set(f'["{LOOK_AT}"]', True)
    for name in EYE_BONES:
        bone = rig.pose.bones[name]
        bone.rotation_mode = "XYZ"
        track = bone.constraints.new("DAMPED_TRACK")
        track.target, track.track_axis = target, "TRACK_Y"
        _drive_influence(track, rig)
        limit = bone.constraints.new("LIMIT_ROTATION")
        limit.owner_space = "LOCAL"
        limit.use_limit_x = limit.use_limit_y = limit.use_limit_z = True
        limit.min_x, limit.max_x = _PITCH_LIMITS
        limit.min_z, limit.max_z = -_YAW_LIMIT, _YAW_LIMIT


def drive_lids(head: Any, rig: Any, avatar: ProxyAvatar) -> None:
    """Add shape keys that carry the lids along when an eye bone pitches, as the eyeLook shapes do for their eyes."""
    basis = to_blender(avatar.vertices - avatar.neck_pivot)
    lids = eyeball_sides(avatar) == 0
    for bone, side in zip(EYE_BONES, ("Left", "Right"), strict=True):
        for direction, full in (("Down", _PITCH_LIMITS[0]), ("Up", _PITCH_LIMITS[1])):
            delta = to_blender(avatar.deltas[ARKIT_INDEX[f"eyeLook{direction}{side}"]]) * lids[:, None]
            key = add_shape(head, f"{CORRECTIVE_PREFIX}lid {direction.lower()} {side.lower()}", basis + delta)
            driver = key.driver_add("value").driver
            driver.expression = f"min(max(pitch / {full:.6f}, 0.0), 1.0)"
            _variable(
                driver,
                "pitch",
                "TRANSFORMS",
                id=rig,
                bone_target=bone,
                transform_type="ROT_X",
                transform_space="LOCAL_SPACE",
            )


def drive_correctives(head: Any, avatar: ProxyAvatar) -> None:
    """Add the correctives as shape keys, each driven by the product of its drivers' values clipped to 0..1."""
    basis = to_blender(avatar.vertices - avatar.neck_pivot)
    names = tuple(ARKIT_INDEX)
    for corrective in avatar.correctives:
        key = add_shape(head, CORRECTIVE_PREFIX + corrective.name, basis + to_blender(corrective.deltas))
        driver = key.driver_add("value").driver
        letters = "abcdefgh"[: len(corrective.drivers)]
        # Blender evaluates arithmetic, min and max itself: no script has to be allowed.
        driver.expression = " * ".join(f"min(max({letter}, 0.0), 1.0)" for letter in letters)
        for letter, number in zip(letters, corrective.drivers, strict=True):
            path = f'key_blocks["{names[number]}"].value'
            _variable(driver, letter, "SINGLE_PROP", id_type="KEY", id=head.data.shape_keys, data_path=path)


def _ring() -> Any:
    """Return a circle of radius 1 m about the Y axis, which no scene shows: the shape of the bones."""
    existing = bpy.data.objects.get(_RING_NAME)
    if existing is not None and existing.type == "MESH":
        return existing
    turn = np.arange(_RING_POINTS) / _RING_POINTS * 2 * np.pi
    points = np.stack([np.cos(turn), np.zeros_like(turn), np.sin(turn)], axis=1)
    edges = [(point, (point + 1) % _RING_POINTS) for point in range(_RING_POINTS)]
    mesh = bpy.data.meshes.new(_RING_NAME)
    mesh.from_pydata(points.tolist(), edges, [])
    return bpy.data.objects.new(_RING_NAME, mesh)


def _show_rings(rig: Any) -> None:
    """Draw every bone as a ring around what it moves, so that none crosses the face."""
    ring = _ring()
    for name, (radius, along) in _RINGS.items():
        bone = rig.pose.bones[name]
        bone.custom_shape = ring
        bone.use_custom_shape_bone_size = False
        bone.custom_shape_scale_xyz = (radius, radius, radius)
        bone.custom_shape_translation = (0.0, along, 0.0)


def add_rig(collection: Any, head: Any, avatar: ProxyAvatar, location: tuple[float, float, float]) -> Any:
    """Skin ``head`` to a new armature in ``collection`` and return the armature object.

    Its bones are ``root``, which the shoulders follow, ``neck``, ``head`` at the neck pivot, ``eye.L`` and ``eye.R``.
    An empty, ``Look At``, is where the eyes aim as far as the armature's property ``look_at`` says.

    Args:
        collection: where to link the armature and the empty.
        head: the avatar's mesh, its origin at the neck pivot, with ARKit's shape keys.
        avatar: what the mesh was made from.
        location: metres, where the neck pivot goes.
    """
    rig = bpy.data.objects.new(RIG_NAME, bpy.data.armatures.new(RIG_NAME))
    _add_bones(rig, avatar)
    collection.objects.link(rig)
    _show_rings(rig)
    rig.location = location
    _add_weights(head, avatar)
    head.parent = rig
    modifier = head.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig
    _aim_eyes(rig, _add_target(collection, rig, avatar))
    return rig


def rig_of(head: Any) -> Any | None:
    """Return the armature object that deforms ``head``, or None."""
    armatures = (modifier.object for modifier in head.modifiers if modifier.type == "ARMATURE")
    return next((rig for rig in armatures if rig is not None), None)
