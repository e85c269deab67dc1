"""Long takes at broken frame rates, strips with every kind of offset, dropped files, and the range of the scene."""

import importlib
import wave
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
sound = importlib.import_module(f"{MODULE}.dream_blender.sound")
drop = importlib.import_module(f"{MODULE}.dream_blender.sound_drop")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
read_wav = importlib.import_module(f"{MODULE}.dream_blender.portrait_sound")
folder = Path(arguments["folder"])
FIRST = 11


def fresh(fps, base):
    """Open an empty file at ``fps`` / ``base`` frames a second that begins at ``FIRST``."""
    bpy.ops.wm.read_factory_settings()
    bpy.ops.preferences.addon_enable(module=MODULE)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    scene.frame_start = FIRST
    return scene


def key_frames(action_owner):
    """Return the frames of the keys of the first F-curve."""
    points = compat.assigned_curves(action_owner)[0].keyframe_points
    found = np.empty(len(points) * 2, np.float32)
    points.foreach_get("co", found)
    return found[::2].astype(np.float64)


def long_take(fps, base, name):
    """Import a take of ten minutes; return where its keys and the sound under it end."""
    scene = fresh(fps, base)
    bpy.ops.dream_talk.add_avatar()
    character = scene.dream_talk.character
    bpy.ops.dream_talk.import_curves(filepath=str(folder / f"{name}.npz"))
    curves = read_curves(folder / f"{name}.npz")
    frames = key_frames(character.data.shape_keys)
    seconds = (frames - FIRST) / take.scene_fps(scene)
    found = {
        "keys": len(frames),
        "first": frames[0],
        "last": frames[-1],
        "whole": bool((frames == np.round(frames)).all()),
        "drift": float(np.abs(seconds - curves.times).max()),
        "range": [scene.frame_start, scene.frame_end],
    }
    if compat.has_audio():
        scene.dream_talk.audio_path = str(folder / "long.wav")
        strip = sound.place_sound(scene, sound.recording_of_file(scene.dream_talk.audio_path, FIRST))
        placed = sound.recording_of_strip(scene, strip.name)
        found["strip"] = [strip.frame_final_start, strip.frame_final_end, placed.origin_frame, placed.last_frame]
    return found


def click_frame(scene):
    """Return the frame at which the sequencer plays the only click, from a mix of the scene's sound."""
    path = folder / "mix.wav"
    read_wav._mix(scene, 1, 200, path)
    with wave.open(str(path)) as file:
        channels, rate = file.getnchannels(), file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, channels)
    return 1 + int(np.abs(samples).max(axis=1).argmax()) / rate * take.scene_fps(scene)


def offsets():
    """Move, trim and shift a strip; compare where it plays the click with where a take would put it."""
    found = []
    for changes in (
        {},
        {"frame_offset_start": 10},
        {"frame_offset_start": 10.5, "frame_offset_end": 3},
        {"sound_offset": 0.31},
        {"sound_offset": -0.52},
        {"frame_start": 35, "frame_offset_start": 12, "sound_offset": 0.2},
    ):
        scene = fresh(30, 1.001)
        strip = compat.strip_collection(scene).new_sound("click", str(folder / "click.wav"), 1, FIRST)
        for name, value in changes.items():
            setattr(strip, name, value)
        recording = sound.recording_of_strip(scene, "click")
        expected = recording.origin_frame + arguments["click"] * take.scene_fps(scene)
        trimmed = [recording.first_frame, recording.last_frame]
        found.append([str(changes), click_frame(scene), expected, trimmed])
    return found


def strip_refusals():
    scene = fresh(25, 1)
    strip = compat.strip_collection(scene).new_sound("click", str(folder / "click.wav"), 1, FIRST)
    said = {}
    strip.select, scene.sequence_editor.active_strip = True, strip
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region, **compat.sequencer_context(scene)):
        bpy.ops.sequencer.retiming_segment_speed_set(speed=200.0)
    for name in ("click", "gone", ""):
        try:
            sound.recording_of_strip(scene, name)
        except sound.SoundError as error:
            said[name] = str(error)
    return said


def ranges():
    """Press Set Scene Range to Audio for a file and for a strip; undo it."""
    scene = fresh(25, 1)
    settings = scene.dream_talk
    found = {"greyed": bpy.ops.dream_talk.range_to_audio.poll()}
    settings.audio_path = str(folder / "click.wav")
    scene.frame_end, scene.sync_mode = 500, "NONE"
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.dream_talk.range_to_audio("EXEC_DEFAULT", True)
    found["file"] = [scene.frame_start, scene.frame_end, scene.sync_mode]
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    found["undone"] = [scene.frame_start, scene.frame_end, scene.sync_mode]
    if compat.has_audio():
        strip = compat.strip_collection(scene).new_sound("click", str(folder / "click.wav"), 1, 100)
        strip.frame_offset_start, strip.frame_offset_end = 10, 5
        scene.dream_talk.audio_source, scene.dream_talk.strip_name = "STRIP", "click"
        bpy.ops.dream_talk.range_to_audio()
        found["strip"] = [scene.frame_start, scene.frame_end]
        found["strip_handles"] = [strip.frame_final_start, strip.frame_final_end - 1]
    return found


def dropped(area_type, *names):
    """Drop files as Blender's own drop does; return what the sidebar then says."""
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = area_type
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        takes_files = drop.DREAMTALK_FH_recordings.poll_drop(bpy.context)
        files = {"directory": f"{folder}/", "files": [{"name": name} for name in names]}
        refused = refusal(lambda: bpy.ops.dream_talk.drop_recordings("EXEC_DEFAULT", True, **files))
    scene = bpy.context.scene
    settings = scene.dream_talk
    return {
        "takes": takes_files,
        "refused": refused,
        "source": settings.audio_source,
        "path": Path(settings.audio_path).name,
        "strip": settings.strip_name,
        "strips": [[s.name, s.frame_final_start, s.frame_final_end] for s in sound.strips_where(scene, "ALL")],
        "rows": [row.strip for row in scene.dream_talk_batch.rows],
    }


def by_blender(name):
    """Let Blender find who takes a file that is dropped into the 3D view, as the mouse does."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        done = bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=f"{folder}/", files=[{"name": name}])
    return [sorted(done), Path(bpy.context.scene.dream_talk.audio_path).name]


def drops():
    fresh(25, 1).frame_current = 40
    bpy.ops.ed.undo_push(message="before")
    found = {
        "one": dropped("VIEW_3D", "click.wav"),
        "missing": dropped("VIEW_3D", "gone.wav"),
        "text": dropped("TEXT_EDITOR", "click.wav")["takes"],
        "several": dropped("VIEW_3D", "click.wav", "Büro 2.wav"),
    }
    bpy.ops.ed.undo()
    found["several_undone"] = [len(compat.strips(bpy.context.scene)), bpy.context.scene.dream_talk.audio_source]
    fresh(25, 1)
    found["by_blender"] = by_blender("click.wav")
    fresh(25, 1).frame_current = 40
    found["sequencer"] = dropped("SEQUENCE_EDITOR", "click.wav")
    found["handles"] = drop.DREAMTALK_FH_recordings.bl_file_extensions.split(";")
    return found


report({"audio": compat.has_audio(), "ranges": ranges(), "drops": drops()})
report({"long": {name: long_take(*rate, name) for name, rate in arguments["rates"].items()}})
if compat.has_audio():
    report({"offsets": offsets(), "strip_refusals": strip_refusals()})
