"""Export takes for every program and in every scope, as the sidebar does; tell what it says and what it changes."""

import importlib
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report


def module(name):
    """Return a module of the installed extension."""
    return importlib.import_module(f"{MODULE}.dream_blender.{name}")


compat, take, verify = module("compat"), module("take"), module("verify")
operators, jobs, presets = module("export_operators"), module("export_jobs"), module("export_presets")
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.001
wanted = scene.dream_talk_export
can_write = {suffix for suffix, operator in arguments["operators"].items() if compat.has_operator(operator)}
reads_usd = compat.expose_usd_library()
if not reads_usd:
    can_write.discard(".usdz")


def data_blocks():
    """Return how many data-blocks there are of each kind."""
    kinds = [prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"]
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def state():
    """Return all of the file that an export might change."""
    characters = [item for item in scene.objects if item.type == "MESH" and item.data.shape_keys]
    data = [item for character in characters for item in jobs.moved_data(character)]
    playing = [
        (
            item.name,
            *(
                part and (part.name_full if hasattr(part, "name_full") else part.identifier)
                for part in compat.playing(item)
            ),
        )
        for item in data
    ]
    keys = [key.value for character in characters for key in character.data.shape_keys.key_blocks]
    poses = [list(row) for item in scene.objects if item.pose for bone in item.pose.bones for row in bone.matrix]
    return {
        "playing": playing,
        "range": [scene.frame_start, scene.frame_end, scene.frame_current_final],
        "rate": [scene.render.fps, scene.render.fps_base],
        "keys": [round(value, 6) for value in keys],
        "poses": [[round(value, 5) for value in row] for row in poses],
        "selected": sorted(item.name for item in bpy.context.selected_objects),
        "active": bpy.context.view_layer.objects.active.name,
        "blocks": data_blocks(),
        "links": [len(material.node_tree.links) for material in bpy.data.materials if material.node_tree],
        "scene": bpy.context.scene.name,
    }


bpy.ops.dream_talk.add_avatar()
avatar = scene.dream_talk.character
report({"refused_without_take": refusal(lambda: bpy.ops.dream_talk.export(filepath=str(folder / "none.fbx")))})
scene.frame_start = 4
bpy.ops.dream_talk.import_curves(filepath=str(folder / "first.npz"))
bpy.ops.dream_talk.import_curves(filepath=str(folder / "second.npz"))
scene.frame_start, scene.frame_end = 1, 250
scene.frame_set(9, subframe=0.5)
before = state()
said = {}


def export(name, program, kind, scope="ACTIVE"):
    """Press Export and keep what the panel says."""
    wanted.program = program
    default = wanted.kind
    wanted.kind, wanted.scope = kind or default, scope
    suffix = f".{wanted.kind.lower()}"
    if suffix in can_write or suffix in (".csv", ".json", ".npz"):
        bpy.ops.dream_talk.export(filepath=str(folder / f"{name}{suffix}"))
        said[name] = operators.last_message[scene.name]


for program in presets.PROGRAMS:
    export(program, program, None)
for kind in ("USDZ", "ABC", "CSV", "JSON", "NPZ"):
    export(kind, "OTHER", kind)
export("maya usd", "MAYA", "USDC")
export("takes/any", "GODOT", "GLB", "TAKES")
report({"unchanged": before == state(), "kinds": {name: program.kind for name, program in presets.PROGRAMS.items()}})


def check(path):
    """Return why the file at ``path`` is not the take that the avatar plays; empty when it is."""
    try:
        verify.verify_take(bpy.context, [avatar], path, *take.frame_range(avatar))
    except verify.VerifyError as error:
        return str(error)
    return ""


cut = folder / "cut.fbx"
cut.write_bytes((folder / "UNREAL.fbx").read_bytes()[:100_000])
report({"reads_usd": reads_usd, "right": check(folder / "UNREAL.fbx"), "cut": check(cut)})
before_wrong = before == state()
second = take.take_of(avatar)
scene.frame_start = 4
bpy.ops.dream_talk.import_curves(filepath=str(folder / "third.npz"))
known = (folder / name for name in arguments["wrong"] if reads_usd or not name.endswith(".usdc"))
wrong = {path.suffix: check(path) for path in known if path.is_file()}
report({"wrong": wrong, "unchanged_by_checks": before_wrong})

bpy.ops.object.select_all(action="DESELECT")
scene.cursor.location = (1.0, 0.0, 0.0)
bpy.ops.dream_talk.add_avatar()
scene.frame_start = 10
bpy.ops.dream_talk.import_curves(filepath=str(folder / "second.npz"))
before = state()
for program, kind in (("UNREAL", "FBX"), ("GODOT", "GLB"), ("OMNIVERSE", "USDC"), ("OTHER", "ABC"), ("OTHER", "CSV")):
    export(f"scene/{kind}", program, kind, "SCENE")
report(
    {
        "scene_unchanged": before == state(),
        "characters": [item.name for item in jobs.characters_in(scene)],
        "takes": [action.name for action in jobs.takes_of(avatar)],
        "said": said,
        "written": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
        "version": bpy.app.version,
    }
)
