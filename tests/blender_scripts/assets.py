"""Make the asset library twice, and put poses on characters of several kinds."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report


def module(name):
    """Return a module of the installed extension."""
    return importlib.import_module(f"{MODULE}.{name}")


library, icons = module("dream_blender.pose_library"), module("dream_blender.pose_icons")
compat, poses = module("dream_blender.compat"), module("blendshape_rigs.poses").face_poses()
folder = Path(arguments["folder"])
scene = bpy.context.scene
pressed = bpy.ops.dream_talk


def blocks():
    """Return the names of all data-blocks by kind."""
    kinds = [prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"]
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def libraries():
    """Return name and folder of every asset library that Blender shows."""
    return [(known.name, known.path) for known in bpy.context.preferences.filepaths.asset_libraries]


report({"refused_without_character": refusal(pressed.apply_pose)})
pressed.add_avatar()  # its names are taken when the library is made
bpy.data.actions.new("viseme PP")
before, known = blocks(), libraries()
(folder / "mine").mkdir()
other = "11111111-2222-4333-8444-555555555555:Props:Props\n"
(folder / "mine" / library.CATALOG_FILE).write_text(f"VERSION 1\n\n{other}")
pressed.make_asset_library(directory=str(folder / "mine"))
catalogs = (folder / "mine" / library.CATALOG_FILE).read_text()
pressed.make_asset_library(directory=str(folder / "mine"))
report(
    {
        "unchanged": before == blocks(),
        "registered": [entry for entry in libraries() if entry not in known],
        "catalogs_once": catalogs == (folder / "mine" / library.CATALOG_FILE).read_text(),
        "other_catalog_stays": other in catalogs,
        "catalogs": {path: f"{number}:{path}" in catalogs for path, number in library.CATALOGS.items()},
        "refused_read_only": refusal(lambda: pressed.make_asset_library(directory="/proc/nowhere")),
    }
)
pressed.make_asset_library()
usual = Path(libraries()[-1][1])
report({"usual": str(usual), "usual_file": (usual / library.FILE_NAME).is_file(), "count": len(libraries())})

avatar = scene.dream_talk.character
keys = avatar.data.shape_keys.key_blocks


def values():
    """Return the avatar's 52 values."""
    names = module("blendshape_rigs.arkit").ARKIT_NAMES
    return [keys[name].value for name in names]


pressed.apply_pose(pose="EMOTION_HAPPY", amount=1.0)
report({"happy": values()})
keys["eyeLookUpLeft"].value = 0.7
pressed.apply_pose(pose="VISEME_AA", amount=0.5)
report({"half_aa_on_happy": values()})
pressed.apply_pose(pose="EMOTION_NEUTRAL", amount=1.0)
report({"rest": values()})
scene.frame_set(12)
pressed.apply_pose(pose="EMOTION_SAD", amount=1.0, keys=True)
curves = {
    curve.data_path: [tuple(point.co) for point in curve.keyframe_points]
    for curve in compat.assigned_curves(avatar.data.shape_keys)
}
report({"keyed": curves['key_blocks["browInnerUp"].value'], "keyed_count": len(curves)})

bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.object
for name in (
    "Basis",
    "viseme_sil",
    "viseme_PP",
    "viseme_FF",
    "viseme_TH",
    "viseme_DD",
    "viseme_kk",
    "viseme_CH",
    "viseme_SS",
    "viseme_nn",
    "viseme_RR",
    "viseme_aa",
    "viseme_E",
    "viseme_I",
    "viseme_O",
    "viseme_U",
):
    cube.shape_key_add(name=name).value = 0.0
scene.dream_talk.character = cube
pressed.apply_pose(pose="VISEME_O", amount=1.0)
report({"viseme_character": {key.name: key.value for key in cube.data.shape_keys.key_blocks}})

for _ in poses:
    icons.icon_of(poses["emotion happy"])
    icons.draw_next()
picture = np.empty(64 * 64 * 4, np.float32)
icons._drawn[0]["emotion sad"].image_pixels_float.foreach_get(picture)
shown = picture.reshape(64, 64, 4)
report({"middle": shown[32, 32].tolist(), "corner": shown[63, 0].tolist()})

path = folder / "mine" / library.FILE_NAME
with bpy.data.libraries.load(str(path), assets_only=True) as (inside, wanted):
    report(
        {"actions": sorted(inside.actions), "collections": list(inside.collections), "objects": list(inside.objects)}
    )
bpy.ops.wm.open_mainfile(filepath=str(path))
marked = [*bpy.data.actions, *bpy.data.collections]
head = next(item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys)
report(
    {
        "assets": {
            item.name: {
                "catalog": item.asset_data.catalog_id,
                "tags": [tag.name for tag in item.asset_data.tags],
                "about": item.asset_data.description,
                "picture": list(item.preview.image_size) if item.preview else [],
            }
            for item in marked
            if item.asset_data
        },
        "head": head.name,
        "drivers": len(head.data.shape_keys.animation_data.drivers),
    }
)
action = bpy.data.actions["emotion fear"]
if compat.HAS_SLOTS:
    compat.assign(head.data.shape_keys, action, action.slots[0])
else:
    compat.assign(head.data.shape_keys, action, None)
scene = bpy.context.scene
if head.name not in scene.objects:
    scene.collection.children.link(bpy.data.collections["DREAM-Talk Avatar"])
scene.frame_set(3)
report(
    {
        "fear": head.data.shape_keys.key_blocks["eyeWideLeft"].value,
        "open_refused": refusal(lambda: pressed.make_asset_library(directory=str(folder / "mine"))),
    }
)
