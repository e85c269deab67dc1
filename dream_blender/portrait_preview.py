"""The live preview: an image that follows the character while the animator scrubs, poses and keys.

Handlers only note that something changed. A timer on the main thread reads the character, hands the newest state to
the worker and shows the frame that came back, so that Blender never waits for the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from . import server_status
from .client import ServerError
from .paths import absolute
from .portrait_client import PortraitClient
from .portrait_reading import FaceReader, ReadingError, Shown, watching_matrix
from .portrait_worker import Photograph, PreviewWorker, Wanted
from .preferences import server_address

IMAGE_NAME = "DREAM-Talk Portrait"
_TICK = 1 / 60  # seconds
_IDLE_TICK = 0.1  # seconds between looks at a viewport that turns, which no handler tells of


@dataclass
class _Preview:
    """The preview that runs. Scene and character are held by name: undo replaces the objects."""

    scene: str
    character: str
    worker: PreviewWorker
    changed: bool = True
    paused: bool = False
    shown: Shown | None = None


_active: _Preview | None = None
_message = ""


def is_active() -> bool:
    """Tell whether the preview runs."""
    return _active is not None


def message() -> tuple[str, bool]:
    """Return what is to say about the preview and whether that is an error; an empty text when nothing is."""
    if _message:
        return _message, True
    if _active is None:
        return "", False
    portrait = _active.worker.portrait
    if portrait is None:
        return "Looking for the face", False
    return ". ".join(portrait.notes), False


def start(context: Any) -> None:
    """Begin to show the portrait of the sidebar's character.

    Raises:
        ServerError: when no server can be used.
        ReadingError: when the character cannot be read.
    """
    global _active, _message
    stop()
    scene = context.scene
    settings = scene.dream_talk
    FaceReader(settings.character)
    photo = absolute(settings.portrait.photo)
    photograph = Photograph(photo, settings.portrait.face_options(), settings.portrait.preview_side)
    worker = PreviewWorker(PortraitClient(server_address(context)), photograph)
    _message = ""
    _active = _Preview(scene.name, settings.character.name, worker)
    for handlers in _handlers():
        handlers.append(_on_change)
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK, persistent=True)


def _handlers() -> tuple[Any, ...]:
    """Return Blender's lists of who is told of changes."""
    known = bpy.app.handlers
    return known.frame_change_post, known.depsgraph_update_post, known.undo_post, known.redo_post


def stop(why: str = "") -> None:
    """End the preview, and say ``why`` if it ends by itself."""
    global _active, _message
    if _active is None:
        return
    _active.worker.stop()
    _active, _message = None, why
    for handlers in _handlers():
        if _on_change in handlers:
            handlers.remove(_on_change)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    image = bpy.data.images.get(IMAGE_NAME)
    if image is not None and image.is_dirty:
        image.pack()  # else Blender asks at the end whether the picture should be saved
    server_status.redraw_sidebars()


def restart() -> None:
    """Begin again, where the preview runs: another photograph or face is to be shown."""
    if _active is None:
        return
    try:
        start(bpy.context)
    except (ServerError, ReadingError) as error:
        stop(server_status.explained(error))


def touch() -> None:
    """Show the present state again: something else than the character has changed."""
    if _active is not None:
        _active.changed, _active.shown = True, None


def pause(paused: bool) -> None:
    """Leave the image alone for a while: frames are gone through for another purpose."""
    if _active is not None:
        _active.paused = paused
        touch()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator] # bpy has no types
def on_file_loads(_path: str) -> None:
    """End the preview of the file that goes."""
    stop()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator] # bpy has no types
def _on_change(*_: Any) -> None:
    # Renders call this on threads of their own, so that nothing more may be done here.
    if _active is not None:
        _active.changed = True


def _tick() -> float | None:
    """Go one step on; never raises, for a timer that raises is gone without a word."""
    if _active is None:
        return None
    try:
        return _step(_active)
    except ReadingError as error:
        stop(str(error))
    return None


def _step(preview: _Preview) -> float | None:
    scene, character = bpy.data.scenes.get(preview.scene), bpy.data.objects.get(preview.character)
    if scene is None or character is None:
        stop(f"'{preview.character}' is no longer here: the preview has ended")
        return None
    frame = preview.worker.take()
    if frame is not None:
        show(frame)
    if preview.worker.error:
        # What a photograph or a server lacks is told once; the preview is not tried again by itself.
        stop(preview.worker.error)
        return None
    watched = scene.dream_talk.portrait.head_view == "VIEW"
    if (preview.changed or watched) and not preview.paused and preview.worker.portrait is not None:
        preview.changed = False
        _ask(preview, scene, character)
    return _IDLE_TICK if preview.paused else _TICK


def _ask(preview: _Preview, scene: Any, character: Any) -> None:
    """Read the character and ask for its frame if it looks different from the last one."""
    depsgraph = depsgraph_of(scene)
    settings = scene.dream_talk.portrait
    reader = FaceReader(character)
    shown = reader.read(depsgraph, watching_matrix(scene, settings.head_view, depsgraph))
    if shown.same_as(preview.shown):
        return
    preview.shown = shown
    preview.worker.want(Wanted(reader.curves([shown], 30.0), settings.look()))


def depsgraph_of(scene: Any) -> Any:
    """Return what Blender has evaluated of ``scene`` for the view layer that its window shows, else its first."""
    for window in bpy.context.window_manager.windows:
        if window.scene == scene:
            return window.view_layer.depsgraph
    layer = scene.view_layers[0]
    layer.update()
    return layer.depsgraph


def portrait_image(width: int, height: int) -> Any:
    """Return the image of the preview at that size in pixels, made where there is none."""
    image = bpy.data.images.get(IMAGE_NAME)
    if image is None:
        image = bpy.data.images.new(IMAGE_NAME, width, height, alpha=True)
    if tuple(image.size) != (width, height):
        image.scale(width, height)
    return image


def show(frame: Any) -> None:
    """Put ``frame`` (H, W, 3 or 4) uint8 into the image of the preview and draw it where it is shown."""
    height, width, channels = frame.shape
    pixels = np.ones((height, width, 4), np.float32)
    np.multiply(frame[::-1], np.float32(1 / 255), out=pixels[:, :, :channels])
    image = portrait_image(width, height)
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.tag_redraw()


def show_editor(context: Any) -> None:
    """Show the image of the preview in an image editor: one that is open, else half of the largest 3D view."""
    image = portrait_image(64, 64) if IMAGE_NAME not in bpy.data.images else bpy.data.images[IMAGE_NAME]
    open_image(context, image)


def open_image(context: Any, image: Any) -> Any:
    """Show ``image`` in an image editor and return its area: one that is open, else half of the largest 3D view."""
    screen = context.window.screen
    area = next((area for area in screen.areas if area.type == "IMAGE_EDITOR"), None)
    if area is None:
        before = set(screen.areas)
        views = [area for area in screen.areas if area.type == "VIEW_3D"] or list(screen.areas)
        largest = max(views, key=lambda area: area.width * area.height)
        region = next(region for region in largest.regions if region.type == "WINDOW")
        with context.temp_override(area=largest, region=region):
            bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
        area = next(area for area in screen.areas if area not in before)
        area.ui_type = "IMAGE_EDITOR"
    area.spaces.active.image = image
    return area
