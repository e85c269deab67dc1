"""Go through the add-on in a Blender window as a user does, and take pictures of all its panels.

Run it inside a Blender that has a window and draws with Vulkan, so that it can take pictures, with the model server
running (``scripts/test_blenders.py`` does all of that)::

    blender --factory-startup --gpu-backend vulkan --python scripts/window_story.py -- dream_talk.zip voice.wav FOLDER

It installs the zip, adds the avatar, generates a take, undoes and redoes it, makes another one while Blender renders,
moves the brows, exports, and draws every panel of the tab. Blender then quits: with status 0 when all of that worked.
Pictures go to FOLDER/panels, other files to FOLDER.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import numpy as np

PATIENCE = 400.0  # seconds to wait for a take
RENDERED = 3  # frames
BROWS_DOWN = -0.4
ABOVE_PREFERENCES = 235  # pixels
MODULE = "bl_ext.user_default.dream_talk"
PACKAGE, AUDIO, FOLDER = (Path(word).absolute() for word in sys.argv[sys.argv.index("--") + 1 :])
Steps = Generator[float, None, None]
waited_for_render: list[str] = []


def window() -> Any:
    """Return Blender's first window."""
    return bpy.context.window_manager.windows[0]


def view() -> tuple[Any, Any, Any]:
    """Return the 3D view's area, its sidebar region and its space."""
    area = max((a for a in window().screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return area, next(region for region in area.regions if region.type == "UI"), area.spaces.active


def module(name: str) -> Any:
    """Return a module of the installed extension."""
    return importlib.import_module(f"{MODULE}.dream_blender.{name}")


def wait_for(condition: Callable[[], Any], what: str) -> Steps:
    """Wait until ``condition`` is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        yield 0.1


def settled() -> Steps:
    """Wait until the sidebar has been drawn anew."""
    view()[0].tag_redraw()
    yield 0.7


class Part(NamedTuple):
    """A part of a window, pixels from its lower left corner."""

    x: int
    y: int
    width: int
    height: int


def picture(name: str, region: Any = None, of: Any = None) -> None:
    """Write a picture of the window ``of``, or of the ``region`` in it without the empty rows below its panels."""
    path = FOLDER / "panels" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with bpy.context.temp_override(window=of or window()):
        bpy.ops.screen.screenshot(filepath=str(path))
    if region is not None:
        crop(path, region.x, region.y, region.width, region.height)
    print("PICTURE", path.name, flush=True)


def crop(path: Path, left: int, bottom: int, wide: int, high: int) -> None:
    """Keep that part of the picture at ``path``, without the rows below its last content."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    part = pixels.reshape(height, width, 4)[bottom : bottom + high, left : left + wide]
    drawn = np.flatnonzero(np.ptp(part[:, : wide - 30, :3], axis=1).max(axis=1) > 0.15)
    part = part[max(0, int(drawn[0]) - 18) :] if len(drawn) else part
    small = bpy.data.images.new("picture", part.shape[1], part.shape[0])
    small.pixels.foreach_set(np.ascontiguousarray(part).ravel())
    small.file_format = "PNG"
    small.save(filepath=str(path))
    for made in (image, small):
        bpy.data.images.remove(made)


def frame_face(space: Any, head: Any) -> None:
    """Look the avatar in the face."""
    space.shading.color_type = "VERTEX"
    space.overlay.show_overlays = False
    space.lens = 85.0
    eye = space.region_3d
    eye.view_perspective = "PERSP"
    eye.view_rotation = (0.6963, 0.6963, 0.1228, 0.1228)
    eye.view_location = head.matrix_world.translation
    eye.view_location.z += 0.105
    eye.view_distance = 0.95


def install() -> Steps:
    """Install the zip, open the tab, and add the avatar."""
    done = bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(PACKAGE), enable_on_install=True, overwrite=True
    )
    assert done == {"FINISHED"}, done
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    _area, sidebar, space = view()
    space.show_region_ui = True
    yield from settled()
    sidebar.active_panel_category = "DREAM-Talk"
    yield 1.0
    with only_panel("DREAMTALK_PT_speak"):
        yield from settled()
        picture("speak_empty", sidebar)
    bpy.ops.dream_talk.add_avatar()
    settings = bpy.context.scene.dream_talk
    bpy.ops.wm.save_as_mainfile(filepath=str(AUDIO.with_name("scene.blend")))
    settings.audio_path, settings.emotion, settings.intensity = f"//{AUDIO.name}", "happy", 0.8
    frame_face(space, settings.character)
    yield from wait_for(lambda: module("server_status").line()[1], "the server's status line")


def generate() -> Steps:
    """Generate, with pictures before, meanwhile and after; check that the take is one step of undo."""
    sidebar, moving = view()[1], module("generate")
    with only_panel("DREAMTALK_PT_speak"):
        yield from settled()
        picture("speak_ready", sidebar)
        bpy.ops.ed.undo_push(message="Before the take")
        assert bpy.ops.dream_talk.generate("INVOKE_DEFAULT") == {"FINISHED"}
        (making,) = moving.active.values()
        yield from wait_for(lambda: making.progress.text == making.job.doing or not moving.active, "the work to begin")
        yield from settled()
        if moving.active:
            picture("speak_busy", sidebar)
        yield from wait_for(lambda: not moving.active, "the take")
        assert bpy.data.actions, moving.last_message
        yield from settled()
        picture("speak_done", sidebar)
    name = bpy.data.actions[0].name
    with bpy.context.temp_override(window=window()):
        bpy.ops.ed.undo()
        assert not bpy.data.actions, "one undo leaves keys behind"
        assert bpy.context.scene.dream_talk.character is not None, "one undo takes too much"
        bpy.ops.ed.redo()
    assert bpy.data.actions[0].name == name, "redo does not bring the take back"
    yield from settled()


def generate_while_rendering() -> Steps:
    """Make another take while Blender renders: its keys wait for the last frame."""
    scene, moving = bpy.context.scene, module("generate")
    scene.dream_talk.seed += 1
    stage = module("stage")
    stage.set_stage(scene, scene.dream_talk.character)
    stage.set_picture(scene, 64, "workbench")
    scene.render.filepath = str(FOLDER / "frames" / "frame_")
    first, last = scene.frame_start, scene.frame_end
    scene.frame_end = first + RENDERED - 1
    bpy.context.preferences.view.render_display_type = "NONE"
    before = len(bpy.data.actions)
    bpy.ops.dream_talk.generate("INVOKE_DEFAULT")
    (making,) = moving.active.values()

    def outlast(*_arguments: object) -> None:
        """Let every frame take longer than the take; Blender calls this on the render's own thread."""
        until = time.monotonic() + PATIENCE
        while making.progress.text != "Waiting for the render to end" and time.monotonic() < until:
            time.sleep(0.1)

    bpy.app.handlers.render_pre.append(outlast)
    with bpy.context.temp_override(window=window()):
        bpy.ops.render.render("INVOKE_DEFAULT", animation=True)
    yield from wait_for(lambda: bpy.app.is_job_running("RENDER"), "the render to begin")
    while bpy.app.is_job_running("RENDER"):
        assert len(bpy.data.actions) == before, "a take was keyed while Blender rendered"
        waited_for_render.extend(generation.progress.text for generation in moving.active.values())
        yield 0.05
    bpy.app.handlers.render_pre.remove(outlast)
    yield from wait_for(lambda: not moving.active, "the take after the render")
    assert len(bpy.data.actions) > before, moving.last_message
    assert "Waiting for the render to end" in waited_for_render, "the render ended before the take was made"
    scene.frame_end = last
    print("RENDERED", len(list((FOLDER / "frames").glob("*.png"))), flush=True)


def adjust_and_export() -> Steps:
    """Move the brows down and write the take for Unreal."""
    scene, character = bpy.context.scene, bpy.context.scene.dream_talk.character
    scene.frame_set(scene.frame_start + round(2.4 * scene.render.fps / scene.render.fps_base))
    yield from settled()
    picture("window")
    brows = character.data.shape_keys.key_blocks["browDownLeft"]
    before = brows.value
    module("take").take_of(character).dream_talk_adjust.brows.offset = BROWS_DOWN
    yield from settled()
    scene.frame_set(scene.frame_current)
    print("BROWS", before, brows.value, flush=True)
    assert brows.value > before + 0.1, "the slider does not move the brows"
    target = FOLDER / "take.fbx"
    with bpy.context.temp_override(window=window()):
        assert bpy.ops.dream_talk.export(filepath=str(target)) == {"FINISHED"}
    assert target.stat().st_size > 100_000
    print("EXPORTED", target.stat().st_size, flush=True)


def tab_panels() -> list[Any]:
    """Return the panels of the tab, in the order in which they are registered."""
    found = [item for item in module("registration").CLASSES if issubclass(item, bpy.types.Panel)]
    return [item for item in found if getattr(item, "bl_category", "") == "DREAM-Talk"]


class only_panel:  # noqa: N801 - used like a function
    """Show one panel of the tab alone, open; bring all of them back afterwards.

    How far a panel is open cannot be set from Python: a copy that opens by itself takes its place.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.copies: list[Any] = []

    def _copy(self, original: Any, **more: Any) -> Any:
        options = set(getattr(original, "bl_options", set())) - {"DEFAULT_CLOSED"}
        made = {"bl_idname": f"{original.bl_idname}_open", "bl_options": options, **more}
        # Bases of the original, not itself: Blender keeps what it registers on the class.
        members = {key: value for key, value in vars(original).items() if key not in ("bl_rna", "__dict__")}
        return type(f"{original.__name__}_open", original.__bases__, members | made)

    def __enter__(self) -> Any:
        panels = tab_panels()
        chosen = next(item for item in panels if item.__name__ == self.name)
        children = [item for item in panels if getattr(item, "bl_parent_id", "") == chosen.bl_idname]
        copy = self._copy(chosen)
        self.copies = [copy, *(self._copy(child, bl_parent_id=copy.bl_idname) for child in children)]
        for item in reversed(panels):
            bpy.utils.unregister_class(item)
        for item in self.copies:
            bpy.utils.register_class(item)
        return copy

    def __exit__(self, *_error: object) -> None:
        for item in reversed(self.copies):
            bpy.utils.unregister_class(item)
        for item in tab_panels():
            bpy.utils.register_class(item)


def all_panels() -> Steps:
    """Take a picture of every panel of the tab that shows itself for an avatar with a take."""
    sidebar = view()[1]
    for item in tab_panels():
        if getattr(item, "bl_parent_id", "") or item.__name__ == "DREAMTALK_PT_speak":
            continue
        shown = not hasattr(item, "poll") or item.poll(bpy.context)
        if not shown:
            print("HIDDEN", item.__name__, flush=True)
            continue
        with only_panel(item.__name__):
            yield from settled()
            yield 0.5
            picture(item.__name__.removeprefix("DREAMTALK_PT_"), sidebar)
    yield from settled()
    picture("tab", sidebar)


def other_looks() -> Steps:
    """Take a picture of the first panel at twice the size, and in the light theme."""
    preferences, sidebar = bpy.context.preferences, view()[1]
    with only_panel("DREAMTALK_PT_speak"):
        preferences.view.ui_scale = 2.0
        yield 1.5
        picture("speak_high_dpi", sidebar)
        preferences.view.ui_scale = 1.0
        light = next(
            path
            for folder in bpy.utils.preset_paths("interface_theme")
            for path in sorted(Path(folder).glob("*.xml"))
            if "light" in path.name.lower()
        )
        bpy.ops.script.execute_preset(filepath=str(light), menu_idname="USERPREF_MT_interface_theme_presets")
        yield 1.5
        picture("speak_light", sidebar)
        bpy.ops.preferences.reset_default_theme()
        yield 0.5


def preferences_window() -> Steps:
    """Take a picture of the add-on's preferences."""
    with bpy.context.temp_override(window=window()):
        bpy.ops.preferences.addon_show(module=MODULE)
    yield 2.5
    opened = bpy.context.window_manager.windows[-1]
    assert len(bpy.context.window_manager.windows) > 1, "the preferences did not open"
    area = next(item for item in opened.screen.areas if item.type == "PREFERENCES")
    region = next(item for item in area.regions if item.type == "WINDOW")
    # What Blender says of the add-on itself, its folder on this computer too, is above.
    picture("preferences", Part(region.x, region.y, region.width, region.height - ABOVE_PREFERENCES), opened)
    with bpy.context.temp_override(window=opened):
        bpy.ops.wm.window_close()
    yield 0.5


def story() -> Steps:
    """Do all of it, yielding the seconds to wait before going on."""
    yield from install()
    yield from generate()
    yield from generate_while_rendering()
    yield from adjust_and_export()
    yield from all_panels()
    yield from other_looks()
    yield from preferences_window()


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
