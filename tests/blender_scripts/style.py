"""Make takes with emotion over time and with style clips, and keep styles in the library."""

import importlib
import json
import shutil
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
library = importlib.import_module(f"{MODULE}.dream_blender.style_library")
style_capture = importlib.import_module(f"{MODULE}.dream_blender.style_capture")
style_operators = importlib.import_module(f"{MODULE}.dream_blender.style_operators")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
take_settings = importlib.import_module(f"{MODULE}.dream_blender.take_settings")
formats = importlib.import_module(f"{MODULE}.blendshape_rigs.formats")
folder = Path(arguments["folder"])
shutil.rmtree(library.folder(), ignore_errors=True)  # other scripts of this Blender may have left styles there
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0
scene.frame_start = 11
bpy.ops.dream_talk.add_avatar()
settings = scene.dream_talk
settings.audio_path, settings.seed = arguments["audio"], 3
character, style = settings.character, settings.style


def generated(name):
    """Make a take, write its curves and its request, and return its settings."""
    generation = generate.prepare(bpy.context)
    (folder / f"{name}.json").write_text(json.dumps(generation.job.options))
    if "style" in generation.job.parts:
        (folder / f"{name}_style.npz").write_bytes(generation.job.parts["style"])
    action = generate.run_blocking(generation)
    first, last = take.frame_range(character)
    formats.write_curves(take.read_take(character, first, last, 30.0, 11), folder / f"{name}.npz")
    made = take_settings.settings_of(action)
    return {
        "take": action.name,
        "emotion": made.emotion,
        "emotion_text": made.emotion_text,
        "style": [made.style_source, Path(made.style).name, made.style_strength],
    }


# Emotion over time: happy gives way to sad while the recording is heard.
for frame, happy, sad in ((11, 1.0, 0.0), (11 + 45, 1.0, 0.0), (11 + 75, 0.0, 1.0)):
    scene.frame_set(frame)
    character.dream_talk_emotion.happy, character.dream_talk_emotion.sad = happy, sad
    bpy.ops.dream_talk.emotion_key()
report({"over_time": generated("over_time")})
bpy.ops.dream_talk.emotion_clear()
settings.emotion = "happy"
settings.emotion = "neutral"
report({"plain": generated("plain")})

# A Live Link CSV as the style, in full and in part, and beside an emotion.
style.source = "FILE"
report({"without_file": generate.disabled_reason(bpy.context)})
style.path = arguments["clip"]
report({"file": generated("file")})
style.strength = 0.5
report({"half": generated("half")})
style.strength = 0.0
report({"none": generated("none")})
style.strength = 1.0

# The same performance as a take in the file.
bpy.ops.dream_talk.import_curves(filepath=arguments["clip"])
style.source, style.take = "TAKE", take.take_of(character)
report({"take": generated("take")})

# The library.
report({"before": library.names()})
bpy.ops.ed.undo_push(message="before")
bpy.ops.dream_talk.style_save("EXEC_DEFAULT", True, name="Grumpy ß")
saved = [style.source, style.saved, library.names()]
bpy.ops.ed.undo()
scene = bpy.context.scene
settings, style = scene.dream_talk, scene.dream_talk.style
character = settings.character
report({"saved": saved, "undone": [style.source, style.saved]})
report(
    {
        "twice": refusal(lambda: bpy.ops.dream_talk.style_save(name="grumpy ß")),
        "no_file_name": refusal(lambda: bpy.ops.dream_talk.style_save(name="a/b")),
        "no_name": refusal(lambda: bpy.ops.dream_talk.style_save(name=" ")),
    }
)
style.source, style.saved = "LIBRARY", "Grumpy ß"
report({"library": generated("library"), "save_again": refusal(lambda: bpy.ops.dream_talk.style_save(name="x"))})
bpy.ops.dream_talk.style_rename(name="Grumpy 2")
report({"renamed": [style.saved, library.names(), library.free_name("Grumpy 2"), library.free_name("a:b")]})

# A video becomes a style of the library.
report(
    {
        "captured": [list(bpy.ops.dream_talk.style_capture(filepath=arguments["video"])), style.saved, library.names()],
        "clip_seconds": library.load(style.saved).duration,
        "no_video": refusal(lambda: bpy.ops.dream_talk.style_capture(filepath=str(folder / "nothing.mp4"))),
        "text_video": refusal(lambda: bpy.ops.dream_talk.style_capture(filepath=arguments["text"])),
    }
)
capture = style_capture.prepare(bpy.context, Path(arguments["video"]))
style_capture.active.append(capture)
capture.job.start()
bpy.ops.dream_talk.style_cancel()
capture.job.join(60.0)
meanwhile = style_operators.DREAMTALK_OT_style_capture.poll(bpy.context)
while not capture.job.messages.empty():
    end = capture.job.messages.get()
report({"cancelled": end.cancelled, "captures_meanwhile": meanwhile})
style_capture.stop()

# Save and load keep the pick and the library; what is gone is told.
path = str(folder / "kept.blend")
style.strength = 0.7
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.read_factory_settings()
bpy.ops.preferences.addon_enable(module=MODULE)
bpy.ops.wm.open_mainfile(filepath=path)
scene = bpy.context.scene
settings, style = scene.dream_talk, scene.dream_talk.style
character = settings.character
report({"loaded": [style.source, style.saved, round(style.strength, 3), style.take.name if style.take else ""]})
bpy.ops.dream_talk.style_delete()
style.source, style.saved = "LIBRARY", "filmed"
report({"deleted": library.names(), "gone": refusal(bpy.ops.dream_talk.generate)})
style.source, style.path = "FILE", arguments["short"]
report({"short": refusal(bpy.ops.dream_talk.generate)})
style.path = arguments["text"]
report({"no_clip": refusal(bpy.ops.dream_talk.generate)})
style.path = "//nothing.csv"
report({"no_file": refusal(bpy.ops.dream_talk.generate)})
bpy.ops.dream_talk.style_use(scene=scene.name, name="Grumpy 2")
report({"used": [style.source, style.saved]})
bpy.ops.dream_talk.style_delete()
library.folder().rmdir()
library.folder().write_text("in the way")
style.source, style.path = "FILE", arguments["clip"]
report({"unwritable": refusal(lambda: bpy.ops.dream_talk.style_save(name="x"))})
library.folder().unlink()
