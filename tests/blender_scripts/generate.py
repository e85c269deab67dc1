"""Press Generate as the sidebar does, for a file and for a trimmed sound strip, and read the keys."""

import importlib
import json
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
write_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").write_curves
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0
scene.frame_start = 11
bpy.ops.dream_talk.add_avatar()
settings = scene.dream_talk
settings.audio_path = arguments["audio"]
settings.emotion, settings.intensity, settings.seed = "happy", 0.8, 3

done = bpy.ops.dream_talk.generate()
action = take.take_of(settings.character)
write_curves(take.read_take(settings.character, 11, scene.frame_end, 30.0, 11), folder / "file.npz")
report(
    {
        "audio": compat.has_audio(),
        "done": list(done),
        "take": action.name,
        "stored": json.loads(action[take.TAKE_MARK]),
        "range": [scene.frame_start, scene.frame_end],
        "strips": [(strip.type, strip.frame_start) for strip in compat.strips(scene)],
    }
)

if compat.has_audio():
    strip = compat.strips(scene)[0]
    strip.frame_offset_start, strip.frame_offset_end = 12, 6
    settings.audio_source, settings.strip_name = "STRIP", strip.name
    settings.set_range = False
    bpy.ops.dream_talk.generate()
    trimmed = take.take_of(settings.character)
    first, last = take.frame_range(settings.character)
    write_curves(take.read_take(settings.character, first, last, 30.0, 11), folder / "strip.npz")
    report(
        {
            "strip_range": [first, last],
            "strip_heard": [strip.frame_final_start, strip.frame_final_end - 1],
            "two_takes": trimmed != action,
            "one_strip": len(compat.strips(scene)) == 1,
        }
    )

generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
job = generate.prepare(bpy.context).job
job.start()
job.cancel()
job.join(30.0)
messages = []
while not job.messages.empty():
    messages.append(job.messages.get())
report({"cancelled": messages[-1].cancelled})

settings.audio_source, settings.lips, settings.text = "FILE", "TEXT", " "
report({"without_text": generate.disabled_reason(bpy.context)})
settings.text = "Hello! My name is Bella"
bpy.ops.dream_talk.generate()
write_curves(take.read_take(settings.character, 11, 11 + 59, 30.0, 11), folder / "text.npz")
settings.lips = "SOUND"
settings.audio_path = arguments["text"]
takes = len(bpy.data.actions)
try:
    bpy.ops.dream_talk.generate()
except RuntimeError as error:
    report({"refused": str(error)})
report({"no_take_of_refused": len(bpy.data.actions) == takes})
