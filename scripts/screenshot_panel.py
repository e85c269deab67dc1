"""Try the extension in a Blender window as a user does, and take a picture of it.

Run it inside a Blender that has a window, with the model server running::

    blender --factory-startup --python scripts/screenshot_panel.py -- dream_talk.zip voice.wav happy 2.5 out.png

It installs the zip, adds the avatar, generates a take with the named emotion, undoes and redoes it, and writes
the picture at the given second of speech. Blender then quits: with status 0 when all of that worked.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

PATIENCE = 300.0  # seconds to wait for the take
PACKAGE, AUDIO, EMOTION, SECONDS, PICTURE = sys.argv[sys.argv.index("--") + 1 :]
Steps = Generator[float, None, None]


def view() -> tuple[Any, Any, Any]:
    """Return the 3D view's area, its sidebar region and its space."""
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    sidebar = next(region for region in area.regions if region.type == "UI")
    return area, sidebar, area.spaces.active


def frame_face(space: Any, head: Any) -> None:
    """Look the avatar in the face."""
    space.shading.color_type = "VERTEX"
    space.shading.show_cavity = True
    space.overlay.show_cursor = False
    space.overlay.show_outline_selected = False
    space.overlay.show_object_origins = False
    space.overlay.show_extras = False
    space.overlay.show_bones = False
    space.overlay.show_relationship_lines = False
    space.overlay.show_floor = False
    space.overlay.show_axis_x = space.overlay.show_axis_y = False
    space.shading.studio_light = "paint.sl"
    space.lens = 85.0
    eye = space.region_3d
    eye.view_perspective = "PERSP"
    eye.view_rotation = (0.6963, 0.6963, 0.1228, 0.1228)
    eye.view_location = head.matrix_world.translation
    eye.view_location.z += 0.105
    eye.view_distance = 0.95


def story() -> Steps:
    """Do what a user does, yielding the seconds to wait before going on."""
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(Path(PACKAGE).resolve()), enable_on_install=True, overwrite=True
    )
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    bpy.ops.dream_talk.add_avatar()
    settings = bpy.context.scene.dream_talk
    settings.audio_path, settings.emotion, settings.intensity = str(Path(AUDIO).resolve()), EMOTION, 0.8
    _area, sidebar, space = view()
    space.show_region_ui = True
    frame_face(space, settings.character)
    yield 1.0
    sidebar.active_panel_category = "DREAM-Talk"
    yield 6.0  # the status line asks the server meanwhile
    bpy.ops.ed.undo_push(message="Before the take")
    bpy.ops.dream_talk.generate("INVOKE_DEFAULT")
    deadline = time.monotonic() + PATIENCE
    while not bpy.data.actions:
        assert time.monotonic() < deadline, "no take came"
        yield 0.2
    print("TAKE", [(action.name, tuple(action.frame_range)) for action in bpy.data.actions], flush=True)
    yield 0.5
    assert_one_undo_step()
    scene = bpy.context.scene
    scene.frame_set(scene.frame_start + round(float(SECONDS) * scene.render.fps / scene.render.fps_base))
    yield 3.0
    bpy.ops.screen.screenshot(filepath=str(Path(PICTURE).resolve()))


def assert_one_undo_step() -> None:
    """Check that one undo takes the whole take away, and one redo brings it back."""
    name = bpy.data.actions[0].name
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
        assert not bpy.data.actions, "one undo leaves keys behind"
        assert bpy.context.scene.dream_talk.character is not None, "one undo takes too much"
        bpy.ops.ed.redo()
    assert bpy.data.actions[0].name == name, "redo does not bring the take back"


def run(steps: Steps) -> float | None:
    """Go one step on; quit Blender at the end, with status 1 when a step failed."""
    try:
        return next(steps)
    except StopIteration:
        print("DONE", flush=True)
        bpy.ops.wm.quit_blender()
    except Exception:  # noqa: BLE001 - whatever went wrong must end the window
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    return None


bpy.context.preferences.view.show_splash = False
steps = story()
bpy.app.timers.register(lambda: run(steps), first_interval=2.0, persistent=True)
