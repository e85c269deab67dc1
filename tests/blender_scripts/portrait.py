"""Preview and render portraits as the sidebar does, with a server: videos, sequences, refusals and what is left."""

import importlib
import threading
import time
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

render = importlib.import_module(f"{MODULE}.dream_blender.portrait_render")
preview = importlib.import_module(f"{MODULE}.dream_blender.portrait_preview")
points = importlib.import_module(f"{MODULE}.dream_blender.portrait_points")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
folder = Path(arguments["folder"])
PATIENCE = 120.0


def until(condition, what):
    """Let the preview's timer go on until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        preview._tick()
        time.sleep(0.005)


def settle():
    """Let the preview's timer go on until no frame has come for a while."""
    worker, last, since = preview._active.worker, -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        if worker.made != last:
            last, since = worker.made, time.monotonic()
        preview._tick()
        time.sleep(0.005)


scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.001
bpy.ops.dream_talk.add_avatar()
avatar = scene.dream_talk.character
take.key_take(avatar, read_curves(folder / "curves.npz"), "take", 1, take.scene_fps(scene), head=True)
settings = scene.dream_talk.portrait
report({"no_photo": render.problem(bpy.context)})
settings.photo = str(folder / "photo.png")
report(
    {
        "no_consent": render.problem(bpy.context),
        "greyed": [bpy.ops.dream_talk.portrait_preview.poll(), bpy.ops.dream_talk.portrait_render.poll()],
        "refused": refusal(bpy.ops.dream_talk.portrait_render),
    }
)
bpy.context.preferences.addons[MODULE].preferences.likeness_consent = True
report({"unsaved": render.render_problem(bpy.context)})

# The live preview, while the animator scrubs.
settings.preview_side = 256
bpy.ops.dream_talk.portrait_preview()
until(lambda: preview._active.worker.made > 0 and preview.IMAGE_NAME in bpy.data.images, "a first frame")
pictures = {}
for frame in (1, 9, 9, 1):
    scene.frame_set(frame)
    settle()
    image = bpy.data.images[preview.IMAGE_NAME]
    pictures[frame] = [*pictures.get(frame, []), np.array(image.pixels[:])]
report(
    {
        "preview_size": list(image.size),
        "preview_same": [float(np.abs(a - b).max()) for a, b in (pictures[1], pictures[9])],
        "preview_changed": int((np.abs(pictures[1][0] - pictures[9][0]) > 0.1).sum()),
        "preview_alpha": float(pictures[1][0][3::4].min()),
    }
)
made, began = preview._active.worker.made, time.monotonic()
while time.monotonic() - began < 2.0:
    scene.frame_set(scene.frame_current % 12 + 1)
    preview._tick()
report({"preview_fps": (preview._active.worker.made - made) / (time.monotonic() - began)})

# A video of part of the scene, with the sequencer's sound; the preview waits meanwhile.
scene.frame_start, scene.frame_end = 1, 12
scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 3, 12
scene.frame_set(5, subframe=0.5)
if compat.has_audio():
    compat.strip_collection(scene).new_sound("voice", arguments["audio"], 1, 4)
settings.output, settings.head = str(folder / "video"), 0.5
done = bpy.ops.dream_talk.portrait_render()
report(
    {
        "done": list(done),
        "message": render.last_message,
        "frame_after": [scene.frame_current, scene.frame_subframe],
        "range_after": [scene.frame_start, scene.frame_end],
        "has_audio": compat.has_audio(),
        "still_previews": preview.is_active(),
    }
)

# Pictures with alpha.
scene.frame_preview_end = 5
settings.transparent = True
for kind in ("PNG", "EXR"):
    settings.format, settings.output = kind, str(folder / kind / "her.png")
    bpy.ops.dream_talk.portrait_render()
image = bpy.data.images.load(str(folder / "EXR" / "her_0004.exr"))
image.colorspace_settings.name = "Non-Color"
np.save(folder / "exr.npy", np.array(image.pixels[:], np.float32).reshape(image.size[1], image.size[0], 4)[::-1])
bpy.data.images.remove(image)

# Cancelled in the middle, while the scene is read and while the server works: nothing is left.
settings.output = str(folder / "cancelled" / "her")
scene.use_preview_range, scene.frame_end = False, 60
left = []
for kind, enough in (
    ("PNG", lambda work: work.shown),
    ("PNG", lambda work: work.work),
    ("MP4", lambda work: work.work),
):
    settings.format = kind
    work = render.prepare(bpy.context)
    render.active = work
    while not enough(work):
        assert render.step(work, 0.05) is None
    render.cancel()
    while (end := render.step(work, 0.05)) is None:
        time.sleep(0.01)
    render._finish(work, end)
    left.append([end.cancelled, work.folder.exists(), scene.frame_current, render.last_message[0]])
report({"cancelled": left, "cancelled_files": [str(path) for path in folder.glob("cancelled/*")]})

# What the server refuses is said in its words.
settings.photo, settings.format, scene.frame_end = str(folder / "blank.png"), "MP4", 3
settings.transparent = False
until(lambda: not preview.is_active(), "the preview to end")
report({"preview_refused": preview.message(), "render_refused": refusal(bpy.ops.dream_talk.portrait_render)})

# A drawing whose face is marked by hand.
points.load_photo(settings)
settings.points_active = True
report({"points_missing": render.problem(bpy.context)})
for name, (column, row) in arguments["points"].items():
    points.place_point(settings, name, column, row)
settings.output = str(folder / "drawing.mp4")
report({"points_ready": render.problem(bpy.context), "points_done": list(bpy.ops.dream_talk.portrait_render())})

# The preview ends with its character, and with its file.
settings.photo = str(folder / "photo.png")
ended = []
bpy.ops.dream_talk.portrait_preview()
spare = avatar.copy()
bpy.data.objects.remove(avatar)
until(lambda: not preview.is_active(), "the preview to end")
ended.append(preview.message()[0])
scene.collection.objects.link(spare)
scene.dream_talk.character = spare
bpy.ops.dream_talk.portrait_preview()
worker = preview._active.worker
bpy.ops.wm.read_homefile(use_empty=True)
worker.join(PATIENCE)
for thread in threading.enumerate():
    if thread.name.startswith("DREAM-Talk"):
        thread.join(PATIENCE)  # each tells the server to forget its photograph; none outlives Blender
report({"ended": ended, "after_load": [preview.is_active(), worker._thread.is_alive(), preview._tick() is None]})
