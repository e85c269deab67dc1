"""What the extension does where no server runs: import, mapping, sliders, poses, styles, export."""

from pathlib import Path

import bpy
from blender_test import arguments, refusal, report

folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps = 30
tools = bpy.ops.dream_talk

tools.add_avatar()
character = scene.dream_talk.character
scene.dream_talk.audio_path = str(folder / "face.csv")
report({"generate": refusal(tools.generate)})
for name in ("face.csv", "face.json", "face.npz"):
    tools.import_curves(filepath=str(folder / name))
action = character.data.shape_keys.animation_data.action
report({"takes": [item.name for item in bpy.data.actions if "dream_talk_take" in item], "take": action.name})

tools.mapping_save(filepath=str(folder / "mapping.json"))
scene.dream_talk.mapping_row = 0
tools.mapping_remove()
edited = len(scene.dream_talk.mapping_rows)
tools.mapping_load(filepath=str(folder / "mapping.json"))
report({"mapping": [edited, len(scene.dream_talk.mapping_rows)]})

scene.frame_set(10)
before = character.data.shape_keys.key_blocks["jawOpen"].value
action.dream_talk_adjust.jaw.strength = 0.5
scene.frame_set(11)
scene.frame_set(10)
report({"jaw": [before, character.data.shape_keys.key_blocks["jawOpen"].value]})
tools.adjust_apply()

style = scene.dream_talk.style
style.source, style.path = "FILE", str(folder / "face.csv")
tools.style_save(name="Calm")
report({"style": [style.source, style.saved]})

wanted = scene.dream_talk_export
for name in ("out.csv", "out.fbx", "out.glb"):
    tools.export(filepath=str(folder / name))
report({"written": sorted(path.name for path in folder.glob("out.*")), "program": wanted.program})
