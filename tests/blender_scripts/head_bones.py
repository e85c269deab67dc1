"""Key head pose on armatures of several makes, and measure where each head bone then is in the world."""

import importlib
from math import pi
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report
from mathutils import Matrix

take = importlib.import_module(f"{MODULE}.dream_blender.take")
targets = importlib.import_module(f"{MODULE}.dream_blender.head_target")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
folder = Path(arguments["folder"])
curves = read_curves(folder / "curves.npz")
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 24, 1.0


def armature_with_mesh(case):
    """Return a mesh with one ARKit shape under an armature as ``case`` describes it."""
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    bones.remove(bones[0])
    for name, parent, start, end in case["bones"]:
        bone = bones.new(name)
        bone.head, bone.tail = start, end
        bone.roll = case.get("roll", 0.0)
        bone.parent = bones.get(parent)
        bone.use_connect = case.get("connected", False) and bone.parent is not None
    bpy.ops.object.mode_set(mode="OBJECT")
    rig.matrix_world = Matrix(case.get("matrix", np.eye(4).tolist()))
    bpy.ops.mesh.primitive_cube_add()
    mesh = bpy.context.object
    for name in ("Basis", "jawOpen"):
        mesh.shape_key_add(name=name)
    if case.get("modifier", True):
        mesh.modifiers.new("Armature", "ARMATURE").object = rig
    else:
        mesh.parent, mesh.parent_type, mesh.parent_bone = rig, "BONE", case["bones"][-1][0]
    for bone in rig.pose.bones:
        bone.rotation_mode = case.get("mode", "QUATERNION")
    return mesh, rig


def measured(case):
    """Key the curves, and return by how much the head bone is turned and moved in the world at frame 7."""
    mesh, rig = armature_with_mesh(case)
    target = targets.head_target(mesh)
    for _ in range(2):  # the second take must not add to the first
        take.key_take(mesh, curves, "take", 1, 24.0)
    scene.frame_set(8)
    posed = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[target.bone]
    rest = rig.matrix_world @ rig.data.bones[target.bone].matrix_local
    now = rig.matrix_world @ posed.matrix
    turned = now.to_3x3().normalized() @ rest.to_3x3().normalized().inverted()
    back = take.read_take(mesh, 1, len(curves), 24.0, 1)
    return {
        "bone": target.bone,
        "turned": [list(row) for row in turned],
        "moved": list(now.translation - rest.translation),
        "back_rotation": back.head_rotation.tolist(),
        "back_translation": back.head_translation.tolist(),
        "channels": sorted({curve.data_path.rpartition(".")[2] for curve in take.compat.assigned_curves(rig)}),
    }


CASES = {
    "upright, rolled, quaternion": {
        "bones": [("root", "", (0, 0, 0), (0, 0, 1)), ("Head", "root", (0, 0, 1.5), (0, -0.05, 1.7))],
        "roll": 0.7,
    },
    "connected, Euler XYZ": {
        "bones": [("neck", "", (0, 0, 1), (0, 0, 1.5)), ("mixamorig:Head", "neck", (0, 0, 1.5), (0, 0, 1.7))],
        "connected": True,
        "mode": "XYZ",
    },
    "lying armature in centimetres, turned as an object": {
        "bones": [
            ("Hips", "", (0, 90, 0), (0, 100, 0)),
            ("CC_Base_L_Eye", "Hips", (3, 165, 8), (3, 165, 10)),
            ("CC_Base_R_Eye", "Hips", (-3, 165, 8), (-3, 165, 10)),
            ("CC_Base_Head", "Hips", (0, 150, 0), (0, 150, 10)),
        ],
        "matrix": [list(row) for row in Matrix.Rotation(pi / 2, 4, "X") @ Matrix.Scale(0.01, 4)],
        "roll": -0.3,
        "mode": "YXZ",
    },
    "facing backward": {
        "bones": [
            ("root", "", (0, 0, 0), (0, 0, 1)),
            ("J_Bip_C_Head", "root", (0, 0, 1.5), (0, 0, 1.7)),
            ("J_Adj_L_FaceEye", "J_Bip_C_Head", (-0.03, 0.1, 1.6), (-0.03, 0.12, 1.6)),
            ("J_Adj_R_FaceEye", "J_Bip_C_Head", (0.03, 0.1, 1.6), (0.03, 0.12, 1.6)),
        ],
    },
    "mesh on a bone": {
        "bones": [("body", "", (0, 0, 0), (0, 0, 1)), ("robot_top", "body", (0, 0, 1.5), (0, 0.2, 1.5))],
        "modifier": False,
        "mode": "ZYX",
    },
}
NAMES = {
    "DEF-spine.006": ["DEF-spine.005", "DEF-spine.006"],
    "head": ["DEF-spine.006", "ORG-spine.006", "head", "MCH-head"],
    "c_head_JNT": ["c_forehead_JNT", "c_head_JNT", "c_headEnd_JNT", "c_neck_JNT"],
    "Head_M": ["HeadEnd_M", "Head_M", "Neck_M"],
    "Bip001 Head": ["Bip001 Neck", "Bip001 HeadNub", "Bip001 Head"],
    "": ["spine", "forehead", "HeadTop_End"],
}
found = {}
for expected, names in NAMES.items():
    mesh, rig = armature_with_mesh({"bones": [(name, "", (0, 0, 0), (0, 0, 1)) for name in names]})
    found[expected] = targets.head_bone(rig) or ""
held, rig = armature_with_mesh({"bones": [("head", "", (0, 0, 0), (0, 0, 1)), ("DEF-head", "", (0, 0, 0), (0, 0, 1))]})
rig.pose.bones["head"].constraints.new("COPY_TRANSFORMS")
report(
    {
        "names": found,
        "held": targets.head_bone(rig),
        "cases": {name: measured(case) for name, case in CASES.items()},
    }
)
