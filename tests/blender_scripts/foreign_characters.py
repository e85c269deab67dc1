"""Build characters as other programs make them; for each make it active, import one take, export it, read it back."""

import importlib
import zipfile
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

take = importlib.import_module(f"{MODULE}.dream_blender.take")
character_module = importlib.import_module(f"{MODULE}.dream_blender.character")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
mapping_profile = importlib.import_module(f"{MODULE}.blendshape_rigs.mapping").profile
arkit_names = importlib.import_module(f"{MODULE}.blendshape_rigs.arkit").ARKIT_NAMES
folder = Path(arguments["folder"])
curves = read_curves(folder / "curves.npz")


def fresh_scene():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.frame_start = 1


def mesh_with_shapes(name, points, faces, shapes):
    """Return a new mesh object at the origin; ``shapes`` are displacements by name."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], faces)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    item.shape_key_add(name="Basis")
    for shape, deltas in shapes.items():
        key = item.shape_key_add(name=shape, from_mix=False)
        key.data.foreach_set("co", (points + deltas).astype(np.float32).ravel())
        key.value = 0.0  # Blender 5 begins at 1
    return item


def ball(name, shapes, size=0.1):
    """Return a small mesh whose every shape moves every point somewhere else."""
    random = np.random.default_rng(7)
    points = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64) * size
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return mesh_with_shapes(name, points, faces, {shape: random.normal(size=(8, 3)) * size / 5 for shape in shapes})


def rig_with(bones):
    """Return an armature object with bones (parent, head, tail) by name."""
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (parent, start, end) in bones.items():
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = start, end, 0.4
        bone.parent = rig.data.edit_bones.get(parent)
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def skin(item, rig):
    item.parent = rig
    item.modifiers.new("Armature", "ARMATURE").object = rig
    item.vertex_groups.new(name=rig.data.bones[0].name).add(range(len(item.data.vertices)), 1.0, "REPLACE")
    return item


def ict_facekit():
    with np.load(arguments["shared"] + "/ict_facekit/ict_facekit_light.npz") as head:
        shapes = dict(zip(head["expr_names"].tolist(), head["expr_delta"].astype(np.float64), strict=True))
        return mesh_with_shapes("ICT", head["neutral"].astype(np.float64), head["faces"].tolist(), shapes)


def makehuman_units():
    """The units displace a body that is not at hand: its points lie on a grid here."""
    shapes, count = {}, 0
    with zipfile.ZipFile(arguments["shared"] + "/makehuman_units/talkinghead-targets.zip") as package:
        for name in package.namelist():
            if name.endswith(".target") and not name.startswith("__MACOSX"):
                rows = [line.split() for line in package.read(name).decode().splitlines() if line[:1].isdigit()]
                shapes[Path(name).stem] = np.array(rows, np.float64).reshape(-1, 4)
                count = max(count, *(int(row[0]) + 1 for row in rows)) if rows else count
    count += -count % 3
    number = np.arange(count)
    points = np.stack([number % 140, number // 140, number % 3], axis=1) * 0.1
    deltas = {}
    for name, rows in shapes.items():
        deltas[name] = np.zeros((count, 3))
        deltas[name][rows[:, 0].astype(int)] = rows[:, 1:]
    return mesh_with_shapes("MakeHuman", points, number.reshape(-1, 3).tolist(), deltas)


def gltf():
    """A head as Ready Player Me exports it, by way of a file."""
    ball("Wolf3D_Head", [*arkit_names, "mouthOpen", "viseme_sil", "viseme_PP", "viseme_aa"])
    bpy.ops.export_scene.gltf(filepath=str(folder / "ready.glb"), export_format="GLB", export_morph=True)
    fresh_scene()
    bpy.ops.import_scene.gltf(filepath=str(folder / "ready.glb"))
    return next(item for item in bpy.data.objects if item.type == "MESH")


def vrm():
    """A VRoid avatar: face and hair on one skeleton, the bones named as VRM exporters name them."""
    rig = rig_with(
        {
            "Root": ("", (0, 0, 0), (0, 0, 0.1)),
            "J_Bip_C_Hips": ("Root", (0, 0, 0.9), (0, 0, 1)),
            "J_Bip_C_Neck": ("J_Bip_C_Hips", (0, 0, 1.4), (0, 0, 1.5)),
            "J_Bip_C_Head": ("J_Bip_C_Neck", (0, 0, 1.5), (0, 0, 1.7)),
            "J_Adj_L_FaceEye": ("J_Bip_C_Head", (0.02, -0.05, 1.6), (0.02, -0.07, 1.6)),
            "J_Adj_R_FaceEye": ("J_Bip_C_Head", (-0.02, -0.05, 1.6), (-0.02, -0.07, 1.6)),
        }
    )
    names = [entry.target for entry in mapping_profile("vroid").entries]
    face = skin(ball("Face", names), rig)
    skin(ball("Hair", ["HairWind"]), rig)
    return face


def parts():
    """A character in several meshes that share names; the teeth's jaw follows the head's by a driver."""
    rig = rig_with({"root": ("", (0, 0, 0), (0, 0, 1)), "head": ("root", (0, 0, 1.5), (0, 0, 1.7))})
    head = skin(ball("Head", arkit_names), rig)
    skin(ball("Lashes", ["eyeBlinkLeft", "eyeBlinkRight"]), rig)
    skin(ball("Tongue", ["jawOpen", "tongueOut"]), rig)
    teeth = skin(ball("Teeth", ["jawOpen", "jawForward"]), rig)
    driver = teeth.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver
    driver.type = "AVERAGE"
    target = driver.variables.new().targets[0]
    target.id_type, target.id = "KEY", head.data.shape_keys
    target.data_path = 'key_blocks["jawOpen"].value'
    skin(ball("Shoes", ["Heels"]), rig)
    return head


def rhubarb():
    """A flat mouth with one shape for each of Rhubarb's letters."""
    return ball("Mouth", list("ABCDEFGHX"))


def rigify():
    """A mesh without shape keys on the control bones of a Rigify face."""
    targets = [entry.target for entry in mapping_profile("rigify").entries]
    bones = {"root": ("", (0, 0, 0), (0, 0, 1)), "head": ("root", (0, 0, 1.5), (0, 0.02, 1.7))}
    for name in dict.fromkeys(target.rsplit(":", 2)[0] for target in targets):
        side = 1 if ".L" in name else -1 if ".R" in name else 0
        bones[name] = ("head", (side * 0.032, -0.1, 1.55), (side * 0.032, -0.12, 1.553))
    return skin(ball("Body", []), rig_with(bones))


def shown_values(item):
    """Return what is seen at every frame: the value of each shape key, by "mesh: shape"."""
    seen = {}
    for frame in range(len(curves)):
        bpy.context.scene.frame_set(1 + frame)
        for mesh in character_module.meshes_of(item):
            for name in character_module.shape_names(mesh):
                seen.setdefault(f"{mesh.name}: {name}", []).append(mesh.data.shape_keys.key_blocks[name].value)
    return seen


def file_values(path):
    """Return the values of each shape at every frame of an exported file, by shape, as Blender's importer reads it."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = 24
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    found = {}
    for keys in bpy.data.shape_keys:
        by_path = {curve.data_path: curve for curve in compat.assigned_curves(keys)}
        for key in keys.key_blocks:
            curve = by_path.get(character_module.value_path(key.name))
            if curve is not None:
                first = min(point.co.x for point in curve.keyframe_points)
                found[key.name] = [curve.evaluate(first + frame) for frame in range(len(curves))]
    return found


def posed_bones(rig):
    """Return how far each bone is from rest at every frame: location and turn, in the armature's axes."""
    found = {}
    for frame in range(len(curves)):
        bpy.context.scene.frame_set(1 + frame)
        for bone in rig.pose.bones:
            rest = rig.data.bones[bone.name].matrix_local
            away = rest.to_3x3() @ bone.matrix_basis.to_3x3() @ rest.to_3x3().inverted()
            moved = rest.to_3x3() @ bone.matrix_basis.translation
            turned = away.to_quaternion().to_exponential_map()
            found.setdefault(bone.name, []).append([*moved, *turned])
    return found


def retargeted(name, build):
    """Take ``build``'s character from making it active to files, and return what was seen on the way."""
    fresh_scene()
    item = build()
    bpy.context.view_layer.objects.active = item
    assert bpy.context.scene.dream_talk.character is None
    assert bpy.ops.dream_talk.import_curves.poll()
    bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
    assert bpy.context.scene.dream_talk.character == item
    action = take.take_of(item)
    mapping = character_module.mapping_of(item)
    back = take.read_take(item, 1, len(curves), 24.0, 1)
    rig = character_module.armature_of(item)
    result = {
        "names": character_module.shape_names(item),
        "mapping": mapping.to_json(),
        "meshes": [mesh.name for mesh in character_module.meshes_of(item)],
        "notes": character_module.notes_on(item),
        "head_motion": bpy.context.scene.dream_talk.head_motion,
        "slots": sorted(slot.target_id_type for slot in getattr(action, "slots", [])),
        "actions": sorted(action.name for action in bpy.data.actions),
        "stepped": sorted(
            {
                curve.data_path.split('"')[1]
                for mesh in character_module.meshes_of(item)
                if mesh.data.shape_keys
                for curve in compat.assigned_curves(mesh.data.shape_keys)
                if {point.interpolation for point in curve.keyframe_points} == {"CONSTANT"}
            }
        ),
        "unread": list(take.unread_channels(item)),
        "seen": shown_values(item) if name != "rigify" else {},
        "bones": posed_bones(rig) if name == "rigify" else {},
    }
    np.savez(folder / f"{name}.npz", values=back.values, rotation=back.head_rotation, translation=back.head_translation)
    if name == "ict_facekit":
        bpy.context.scene.frame_set(8)
        evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
        points = np.empty(len(evaluated.data.vertices) * 3, np.float32)
        evaluated.data.vertices.foreach_get("co", points)
        np.save(folder / "ict_points.npy", points.reshape(-1, 3))
    for suffix in arguments["suffixes"].get(name, []):
        bpy.ops.dream_talk.export(filepath=str(folder / f"{name}{suffix}"))
    result["files"] = {s: file_values(folder / f"{name}{s}") for s in arguments["suffixes"].get(name, [])}
    return result


BUILDERS = {build.__name__: build for build in (ict_facekit, makehuman_units, gltf, vrm, parts, rhubarb, rigify)}
report({name: retargeted(name, BUILDERS[name]) for name in arguments["characters"]})
