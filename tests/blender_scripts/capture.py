"""Capture the face of a video as the sidebar does, and read the keys."""

import importlib
import json
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

capture_operator = importlib.import_module(f"{MODULE}.dream_blender.capture_operator")
generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
write_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").write_curves
folder, video = Path(arguments["folder"]), arguments["video"]
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 25, 1.0
scene.frame_start = 11
report({"without_character": capture_operator.disabled_reason(bpy.context)})
bpy.ops.dream_talk.add_avatar()
settings = scene.dream_talk

done = bpy.ops.dream_talk.capture_face(filepath=video)
action = take.take_of(settings.character)
first, last = take.frame_range(settings.character)
write_curves(take.read_take(settings.character, first, last, 25.0, 11), folder / "keyed.npz")
report(
    {
        "done": list(done),
        "take": action.name,
        "stored": json.loads(action[take.TAKE_MARK]),
        "range": [scene.frame_start, scene.frame_end],
    }
)

generation = capture_operator.prepare(bpy.context, Path(video))
generation.job.start()
generation.job.cancel()
generation.job.join(60.0)
messages = []
while not generation.job.messages.empty():
    messages.append(generation.job.messages.get())
report({"cancelled": messages[-1].cancelled, "sending": messages[0].text})

generation = capture_operator.prepare(bpy.context, Path(video))
generate.run_blocking(generation)
report({"message": generate.keyed_message(settings.character, action, generation.note)})

# What the timer does when the work of a Blender with a window has ended: one operator, undone in one step.
generate.active[generation.character] = generation
bpy.ops.ed.undo_push(message="before")
takes = len(bpy.data.actions)
bpy.ops.dream_talk.key_finished_take("EXEC_DEFAULT", True, character=generation.character)
keyed = len(bpy.data.actions)
bpy.ops.ed.undo()
generate.active.clear()
report({"takes": [takes, keyed, len(bpy.data.actions)]})

report(
    {
        "refused": refusal(lambda: bpy.ops.dream_talk.capture_face(filepath=arguments["text"])),
        "missing": refusal(lambda: bpy.ops.dream_talk.capture_face(filepath=str(folder / "nothing.mp4"))),
    }
)
