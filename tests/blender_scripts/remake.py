"""Make parts of a take again as the sidebar does, against a running server."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

take = importlib.import_module(f"{MODULE}.dream_blender.take")
take_keys = importlib.import_module(f"{MODULE}.dream_blender.take_keys")
take_settings = importlib.import_module(f"{MODULE}.dream_blender.take_settings")
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0
scene.frame_start = 11
bpy.ops.dream_talk.add_avatar()
settings, again = scene.dream_talk, scene.dream_talk_remake
head = settings.character
settings.audio_path = arguments["audio"]
settings.emotion, settings.intensity, settings.seed = "happy", 0.8, 3
no_take = refusal(bpy.ops.dream_talk.remake_mouth)
bpy.ops.dream_talk.generate()
old = take.take_of(head)
first, last = take.frame_range(head)
frames = np.arange(first, last + 0.5)


def values():
    """Return the values of the active take by animation path and index."""
    curves = take_keys.ActiveTake(head).curves
    return {f"{path}:{index}": take_keys.values_at(curve, frames) for (_, path, index), curve in curves.items()}


def curve(name):
    curves = take_keys.ActiveTake(head).curves
    return next(found for (_, path, _index), found in curves.items() if f'"{name}"' in path)


def play_old():
    """Let the first take play again, on the character's shapes and bones."""
    for data, part in playing.items():
        data.animation_data.action = part
        if take.compat.HAS_SLOTS:
            data.animation_data.action_slot = next(s for s in part.slots if s.target_id_type == data.id_type)


playing = {data: data.animation_data.action for data in (head.data.shape_keys, head.parent)}
# An animator's own key: it has to stay.
curve("browInnerUp").keyframe_points[5].co.y = 0.61
curve("browInnerUp").update()
before = values()
report({"no_take": no_take, "frames": [first, last], "no_preview": refusal(bpy.ops.dream_talk.remake_range)})
again.source, again.first, again.last = "FRAMES", first + 20, first + 39
old.dream_talk_adjust.gaze.lock = True
curve("cheekPuff").lock = True
bpy.ops.dream_talk.remake_range()
new = take.take_of(head)
remade = values()
stored = take_settings.settings_of(new)
np.savez(folder / "range.npz", names=list(before), old=list(before.values()), new=[remade[n] for n in before])
report(
    {
        "new_take": new != old,
        "name": new.name,
        "seed": stored.seed,
        "emotion": stored.emotion,
        "lock_goes_on": new.dream_talk_adjust.gaze.lock,
    }
)
play_old()
bpy.ops.dream_talk.remake_mouth()
remade = values()
np.savez(folder / "mouth.npz", names=list(before), old=list(before.values()), new=[remade[n] for n in before])
report({"own_lock_goes_on": curve("cheekPuff").lock})
take.take_of(head).dream_talk_adjust.gaze.lock = curve("cheekPuff").lock = False
report({"mouth_seed": take_settings.settings_of(take.take_of(head)).seed})
scene.render.fps = 24
report({"other_rate": refusal(bpy.ops.dream_talk.remake_mouth), "no_lock": refusal(bpy.ops.dream_talk.remake_unlocked)})
scene.render.fps = 30

# A face of mouth shapes, which no mapping can tell exactly from.
visemes = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")
face = bpy.data.objects.new("Face", bpy.data.meshes.new("Face"))
face.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
scene.collection.objects.link(face)
for name in ("Basis", *(f"viseme_{viseme}" for viseme in visemes), "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp"):
    face.shape_key_add(name=name).value = 0.0
settings.character = head = face
bpy.ops.dream_talk.generate()
before = values()
scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, first + 20, first + 39
again.source = "PREVIEW"
bpy.ops.dream_talk.remake_range()
remade = values()
np.savez(folder / "shapes.npz", names=list(before), old=list(before.values()), new=[remade[n] for n in before])
