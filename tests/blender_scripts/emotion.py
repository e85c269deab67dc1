"""Animate what a character feels in every way that Blender offers, and read what the server would be told."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
emotion = importlib.import_module(f"{MODULE}.dream_blender.emotion")
emotion_keys = importlib.import_module(f"{MODULE}.dream_blender.emotion_keys")
emotion_markers = importlib.import_module(f"{MODULE}.dream_blender.emotion_markers")
generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
emotion_operators = importlib.import_module(f"{MODULE}.dream_blender.emotion_operators")
sampling = importlib.import_module(f"{MODULE}.dream_blender.emotion_sampling")
sound = importlib.import_module(f"{MODULE}.dream_blender.sound")
curves_module = importlib.import_module(f"{MODULE}.blendshape_rigs.curves")
write_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").write_curves
EMOTIONS = importlib.import_module(f"{MODULE}.blendshape_rigs.arkit").EMOTIONS
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0
scene.frame_start, scene.frame_end = 11, 300
report({"nobody": emotion_operators.slider_problem(bpy.context)})
bpy.ops.dream_talk.add_avatar()
settings = scene.dream_talk
character = settings.character
group = character.dream_talk_emotion
recording = sound.Recording(Path(arguments["audio"]), 11.0, 11.0, 11.0 + 120)


def told(who=None):
    """Return the emotion as the server is told it, for four seconds from frame 11."""
    return sampling.emotion_request(scene, who or character, recording)


def at(request, seconds, name):
    """Return the weight of an emotion of a request at a second."""
    if "times" not in request:
        return request.get(name, 0.0)
    return float(np.interp(seconds, request["times"], np.array(request["weights"])[:, EMOTIONS.index(name)]))


def key(name, frame, value):
    """Key a slider."""
    setattr(group, name, value)
    character.keyframe_insert(emotion.path_of(name), frame=frame)


# The one choice, sliders that rest, presets.
settings.emotion, settings.intensity = "sad", 0.6
report({"choice": told(), "follows_choice": emotion.follows_choice(character)})
bpy.ops.dream_talk.emotion_preset(preset="WARM_SMILE")
group.intensity = 0.5
report({"preset": told(), "turned_on": group.over_time})
group.neutral = 0.5
report({"held_back": told()})
settings.emotion = "angry"
report({"choice_again": told(), "turned_off": not group.over_time})

# Undo: a preset and a key are one step each.
bpy.ops.ed.undo_push(message="before")
bpy.ops.dream_talk.emotion_preset("EXEC_DEFAULT", True, preset="HORRIFIED")
bpy.ops.ed.undo()
group = bpy.context.scene.dream_talk.character.dream_talk_emotion
scene = bpy.context.scene
settings, character = scene.dream_talk, scene.dream_talk.character
report({"preset_undone": [round(group.fear, 3), round(group.happy, 3)]})
scene.frame_set(20)
bpy.ops.ed.undo_push(message="before")
bpy.ops.dream_talk.emotion_key("EXEC_DEFAULT", True)
keyed = len(emotion.keyed_curves(character))
bpy.ops.ed.undo()
scene = bpy.context.scene
settings, character = scene.dream_talk, scene.dream_talk.character
group = character.dream_talk_emotion
report({"key_undone": [keyed, len(emotion.keyed_curves(character))]})

# Keys: happy gives way to sad, and the present frame stays where it is.
bpy.ops.dream_talk.emotion_preset(preset="NEUTRAL")
group.intensity = 1.0
scene.frame_set(11)
group.happy = 0.9
bpy.ops.dream_talk.emotion_key()
scene.frame_set(131)
group.happy, group.sad = 0.0, 0.9
bpy.ops.dream_talk.emotion_key()
scene.frame_set(50)
seen = []
bpy.app.handlers.frame_change_post.append(lambda scene, *_: seen.append(scene.name))
bpy.app.handlers.depsgraph_update_post.append(lambda scene, *_: seen.append(scene.name))
request = told()
watched = list(seen)
scene.frame_set(50)
report(
    {
        "watched": [watched, seen[:1]],
        "keys": [[at(request, t, name) for t in (0, 2, 4)] for name in ("happy", "sad")],
        "frame": scene.frame_current,
        "left": [len(bpy.data.scenes), len([mesh for mesh in bpy.data.meshes if mesh.name.startswith("DREAM-Talk E")])],
    }
)

# A trimmed strip whose second 0 lies before its first frame, at 29.97 frames a second, and a keyed intensity.
scene.render.fps_base = 1.001
key("intensity", 11, 1.0)
key("intensity", 131, 0.5)
trimmed = sampling.emotion_request(scene, character, sound.Recording(Path(arguments["audio"]), 1.0, 11.0, 131.0))
report({"trimmed": [trimmed["times"][0], trimmed["times"][-1], at(trimmed, 130 * 1.001 / 30, "sad")]})
whole = sampling.emotion_request(scene, character, sound.Recording(Path(arguments["audio"]), 11.0, 11.0))
report({"whole": whole["times"][-1]})
character.keyframe_delete(emotion.path_of("intensity"), frame=11)
character.keyframe_delete(emotion.path_of("intensity"), frame=131)
group.intensity, scene.render.fps_base = 1.0, 1.0

# Save and load.
path, library, head_name = str(folder / "kept.blend"), str(folder / "library.blend"), character.name
bpy.ops.wm.save_as_mainfile(filepath=library, copy=True)
group.from_markers = True
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.read_factory_settings()
bpy.ops.preferences.addon_enable(module=MODULE)
bpy.ops.wm.open_mainfile(filepath=path)
scene = bpy.context.scene
settings, character = scene.dream_talk, scene.dream_talk.character
group = character.dream_talk_emotion
report({"loaded_markers": group.from_markers})
group.from_markers = False
request = told()
report({"loaded": [[at(request, t, name) for t in (0, 2, 4)] for name in ("happy", "sad")]})

# The NLA: the same keys as a strip a second later; then a driver on top.
action = character.animation_data.action
track = character.animation_data.nla_tracks.new()
strip = track.strips.new("feelings", 41, action)
character.animation_data.action = None
request = told()
report({"nla": [at(request, t, "happy") for t in (0, 1, 3, 4)], "nla_counts": emotion.is_animated(character)})
control = bpy.data.objects.new("Control", None)
scene.collection.objects.link(control)
control.location.x = 0.0
control.keyframe_insert("location", frame=11)
control.location.x = 1.0
control.keyframe_insert("location", frame=131)
for curve in compat.assigned_curves(control):
    for point in curve.keyframe_points:
        point.interpolation = "LINEAR"
driver = character.driver_add(emotion.path_of("surprised")).driver
variable = driver.variables.new()
variable.type = "TRANSFORMS"
variable.targets[0].id, variable.targets[0].transform_type = control, "LOC_X"
driver.expression = "var"
driver = character.driver_add(emotion.path_of("contempt")).driver
variable = driver.variables.new()
variable.targets[0].id_type = "SCENE"
variable.targets[0].id, variable.targets[0].data_path = scene, "frame_current"
driver.expression = "var / 1000"
request = told()
report(
    {
        "driven": [at(request, t, "surprised") for t in (0, 1, 2, 4)],
        "frame_driven": [at(request, t, "contempt") for t in (0, 2, 4)],
        "nla_and_driver": at(request, 3, "happy"),
        "free_keys": emotion_keys.key_weights(character, 5),
    }
)
bpy.ops.dream_talk.emotion_clear()
character.driver_remove(emotion.path_of("surprised"))
character.driver_remove(emotion.path_of("contempt"))
character.animation_data.nla_tracks.remove(track)
report({"left_animated": emotion.is_animated(character), "clear_refused": refusal(bpy.ops.dream_talk.emotion_clear)})

# Markers.
markers = scene.timeline_markers
group.from_markers = True
report({"no_markers": sampling.emotion_problem(scene, character)})
for name, frame in (("sad", 101), ("happy 0.8", 11), ("Marker 1", 30), ("angry .5 + fear .2", 71), ("hapy", 5)):
    markers.new(name, frame=frame)
request = told()
report(
    {
        "marked": {
            name: [at(request, t, name) for t in (-0.2, 0, 0.3, 2, 2.5, 3.5)] for name in ("happy", "angry", "sad")
        },
        "misspelt": emotion_markers.misspelt(scene),
    }
)
settings.audio_path = arguments["audio"]
broken = markers.new("happy 8", frame=200)
report(
    {
        "broken": sampling.emotion_problem(scene, character),
        "broken_generate": generate.disabled_reason(bpy.context),
        "broken_keys": refusal(bpy.ops.dream_talk.emotion_markers),
    }
)
markers.remove(broken)
bpy.ops.dream_talk.emotion_markers()
from_keys = told()
report(
    {
        "as_keys": max(
            abs(at(from_keys, t, name) - at(request, t, name))
            for t in np.arange(0.0, 4.0, 0.1).tolist()
            for name in ("happy", "angry", "fear", "sad")
        ),
        "keys_followed": emotion.follows_sliders(character),
        "shown": [round(group.happy, 3), scene.frame_current],
    }
)

# A head without an armature takes its own pose: the keys of its emotion outlive new takes.
mesh = character.data.copy()
plain = bpy.data.objects.new("Plain", mesh)
scene.collection.objects.link(plain)
settings.character = plain
settings.head_motion = True
for frame, value in ((11, 0.7), (131, 0.1)):
    plain.dream_talk_emotion.happy = value
    plain.keyframe_insert(emotion.path_of("happy"), frame=frame)
performance = curves_module.FaceCurves(
    np.full((30, 52), 0.5, np.float32), np.full((30, 3), 0.1, np.float32), np.zeros((30, 3), np.float32), 30.0
)
write_curves(performance, folder / "performance.npz")
actions = []
for _ in range(2):  # the first replaces the Action of the keys, the second that of a take
    bpy.ops.dream_talk.import_curves(filepath=str(folder / "performance.npz"))
    actions.append(plain.animation_data.action.name)
request = told(plain)
report(
    {
        "outlived": [at(request, t, "happy") for t in (0, 4)],
        "different_takes": actions[0] != actions[1],
        "turned": len([curve for curve in compat.assigned_curves(plain) if "rotation" in curve.data_path]),
    }
)

# A linked character: its sliders are greyed until it is overridden, then keyed like any other.
with bpy.data.libraries.load(library, link=True) as (stored, wanted):
    wanted.objects = [name for name in stored.objects if name == head_name]
linked = wanted.objects[0]
scene.collection.objects.link(linked)
settings.character = linked
report({"linked": refusal(lambda: bpy.ops.dream_talk.emotion_preset(preset="SMUG"))})
bpy.ops.dream_talk.make_override()
own = settings.character
bpy.ops.dream_talk.emotion_preset(preset="SMUG")
bpy.ops.dream_talk.emotion_key()
own.dream_talk_emotion.contempt = 0.1
own.keyframe_insert(emotion.path_of("contempt"), frame=131)
own.dream_talk_emotion.from_markers = False
request = told(own)
action = own.animation_data.action
report({"overridden": [at(request, t, "contempt") for t in (1.3, 4)], "own_action": action.library is None})
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.open_mainfile(filepath=path)
scene = bpy.context.scene
request = told(scene.dream_talk.character)
report({"overridden_loaded": [at(request, t, "contempt") for t in (1.3, 4)]})
