"""Go through the five-minute tutorial in a Blender window, and take its pictures.

Run it inside a fresh Blender that has a window, and that draws with Vulkan, so that it can take pictures::

    blender --factory-startup --gpu-backend vulkan --python scripts/tutorial_pictures.py -- \
        dream_talk.zip ENVIRONMENT voice.wav FOLDER

It does what ``docs/tutorial.md`` says, by the operators behind the buttons: it installs the zip, starts the server of
the environment, adds the avatar, drops the recording, chooses the emotion, generates, moves the brows, and exports for
Unreal. Blender then quits: with status 0 when all of that worked. Pictures and the FBX file are in the folder.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

PATIENCE = 120.0  # seconds to wait for the server or a take
SPEAKING = 2.4  # seconds into the take at which its picture is taken
BROWS_DOWN = -0.4
PACKAGE, ENVIRONMENT, AUDIO, FOLDER = (Path(word).absolute() for word in sys.argv[sys.argv.index("--") + 1 :])
EXTENSION = "bl_ext.user_default.dream_talk"
Steps = Generator[float, None, None]
hidden: list[Any] = []
"""Panels that are not shown for the time of a picture, in the order in which they are registered."""
opened: list[Any] = []
"""What is shown instead."""


def view() -> tuple[Any, Any, Any]:
    """Return the 3D view's area, its sidebar region and its window region."""
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    regions = {region.type: region for region in area.regions}
    return area, regions["UI"], regions["WINDOW"]


def wait_for(condition: Callable[[], Any], what: str) -> Steps:
    """Wait until ``condition`` is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        yield 0.3


def picture(name: str, window: Any, box: tuple[int, int, int, int] | None = None) -> None:
    """Write a picture of ``window``, or of the ``box`` (left, bottom, width, height) of it without empty rows."""
    path = str(FOLDER / f"{name}.png")
    with bpy.context.temp_override(window=window):
        bpy.ops.screen.screenshot(filepath=path)
    if box is None:
        return
    image = bpy.data.images.load(path)
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    left, bottom, wide, high = box
    cut = pixels.reshape(height, width, 4)[bottom : bottom + high, left : left + wide]
    drawn = np.flatnonzero((cut[:, 4:-30] != cut[:, 4:5]).any(axis=(1, 2)))  # the tabs are at the right
    cut = cut[max(0, drawn[0] - 8) :]
    made = bpy.data.images.new(name, cut.shape[1], cut.shape[0])
    made.pixels.foreach_set(np.ascontiguousarray(cut).ravel())
    made.filepath_raw, made.file_format = path, "PNG"
    made.save()
    bpy.data.images.remove(image)
    bpy.data.images.remove(made)


def show_only(name: str) -> None:
    """Leave only the panel called ``name`` in the sidebar, and open: Blender lets no script open one."""
    show_all()
    hidden.extend(c for c in bpy.types.Panel.__subclasses__() if getattr(c, "bl_category", "") == "DREAM-Talk")
    for panel in reversed(hidden):
        bpy.utils.unregister_class(panel)
    wanted = next(panel for panel in hidden if panel.__name__ == name)
    # Under another name, for it remembers that it was closed.
    opened.append(type(f"{name}_open", (wanted,), {"bl_idname": f"{name}_open", "bl_options": set()}))
    bpy.utils.register_class(opened[0])


def show_all() -> None:
    """Show all panels again."""
    for panel in opened:
        bpy.utils.unregister_class(panel)
    for panel in hidden:
        bpy.utils.register_class(panel)
    opened.clear()
    hidden.clear()


def sidebar_box() -> tuple[int, int, int, int]:
    """Return left, bottom, width and height of the sidebar in its window, in pixels."""
    _, sidebar, _ = view()
    return sidebar.x, sidebar.y, sidebar.width, sidebar.height


def start_server(main: Any) -> Steps:
    """Step 2: the preferences."""
    bpy.ops.screen.userpref_show("INVOKE_DEFAULT", section="ADDONS")
    yield 1.0
    chosen = bpy.context.preferences.addons[EXTENSION].preferences
    bpy.context.window_manager.addon_search = "dream"
    bpy.ops.preferences.addon_show(module=EXTENSION)
    chosen.environment = str(ENVIRONMENT)
    bpy.ops.dream_talk.start_server()
    status = sys.modules[f"{EXTENSION}.dream_blender.server_status"]
    yield from wait_for(lambda: status.answer() is not None and status.answer()[1].ready, "the server")
    window = next(w for w in bpy.context.window_manager.windows if w != main)
    for area in window.screen.areas:
        area.tag_redraw()  # our question made the status look as if it had been drawn
    yield 2.0
    picture("preferences", window)
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
    yield 1.0


def set_scene(main: Any) -> Steps:
    """Steps 3 to 5: the avatar, the recording, the emotion."""
    area, _, region = view()
    with bpy.context.temp_override(window=main, area=area, region=region):
        bpy.ops.object.select_all(action="SELECT")
        bpy.ops.object.delete()
        area.spaces.active.show_region_ui = True
        yield 1.0
    view()[1].active_panel_category = "DREAM-Talk"
    with bpy.context.temp_override(window=main, area=area, region=region):
        bpy.ops.dream_talk.add_avatar()
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
        dropped = {"directory": str(AUDIO.parent), "files": [{"name": AUDIO.name}]}
        bpy.ops.dream_talk.drop_recordings("EXEC_DEFAULT", **dropped)
    bpy.context.scene.dream_talk.emotion = "happy"
    yield 5.0
    picture("speak", main, sidebar_box())


def story() -> Steps:
    """Do what the tutorial says, yielding the seconds to wait before going on."""
    main = bpy.context.window_manager.windows[0]
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(PACKAGE), enable_on_install=True, overwrite=True
    )
    yield from start_server(main)
    yield from set_scene(main)
    area, _, region = view()
    scene = bpy.context.scene
    with bpy.context.temp_override(window=main, area=area, region=region):
        bpy.ops.dream_talk.generate("INVOKE_DEFAULT")
    yield from wait_for(lambda: bpy.data.actions, "the take")
    take = bpy.data.actions[0]
    scene.frame_set(scene.frame_start + round(SPEAKING * scene.render.fps / scene.render.fps_base))
    yield 2.0
    picture("take", main)
    show_only("DREAMTALK_PT_adjust")
    take.dream_talk_adjust.brows.shown = True
    take.dream_talk_adjust.brows.offset = BROWS_DOWN
    yield 2.0
    picture("adjust", main, sidebar_box())
    with bpy.context.temp_override(window=main, area=area, region=region):
        bpy.ops.dream_talk.adjust_apply()
        target = FOLDER / "take.fbx"
        bpy.ops.dream_talk.export("EXEC_DEFAULT", filepath=str(target))
    assert target.stat().st_size > 1000
    show_only("DREAMTALK_PT_export")
    yield 2.0
    picture("export", main, sidebar_box())
    show_all()


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
bpy.context.preferences.system.use_region_overlap = False  # so that nothing shows through the sidebar
steps = story()
bpy.app.timers.register(lambda: run(steps), first_interval=2.0, persistent=True)
