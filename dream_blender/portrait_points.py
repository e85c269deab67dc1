"""Points of a face that are placed by hand, for drawings and masks that no detector finds.

The names are those of the server's landmark files; left and right are the subject's own.
"""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import blf  # type: ignore[import-not-found]
import bpy
import gpu  # type: ignore[import-not-found]
from gpu_extras.batch import batch_for_shader  # type: ignore[import-not-found]

from . import portrait_preview
from .paths import absolute
from .translations import said

NEEDED_POINTS = (
    "right_eye_outer",
    "right_eye_inner",
    "left_eye_inner",
    "left_eye_outer",
    "nose_tip",
    "mouth_right",
    "mouth_left",
    "chin",
)
"""Points without which there is no face, in the order in which they are asked for."""
MORE_POINTS = (
    "upper_lip_bottom",
    "lower_lip_top",
    "upper_lip_top",
    "lower_lip_bottom",
    "right_eye_top",
    "right_eye_bottom",
    "left_eye_top",
    "left_eye_bottom",
    "right_iris",
    "left_iris",
    "right_brow_middle",
    "left_brow_middle",
    "right_cheek",
    "left_cheek",
    "forehead",
)
"""Points that make the fit better, asked for after those."""
_ENDING = {"RIGHTMOUSE", "ESC", "RET", "NUMPAD_ENTER"}
_PLACED, _NEXT = (1.0, 0.65, 0.1, 1.0), (1.0, 1.0, 1.0, 1.0)


def spoken(name: str) -> str:
    """Return the name of a point in words."""
    return name.replace("_", " ")


def missing_points(settings: Any) -> list[str]:
    """Return the names of the needed points that are not placed yet."""
    return [name for name in NEEDED_POINTS if name not in settings.points or not settings.points[name].placed]


def points_problem(settings: Any) -> str:
    """Return why the placed points are no face, as one sentence; empty when they are one or are not used."""
    missing = missing_points(settings) if settings.points_active else []
    return f"Place the points that are missing: {', '.join(map(spoken, missing))}" if missing else ""


def place_point(settings: Any, name: str, column: float, row: float) -> None:
    """Put the point ``name`` at a place in pixels from the upper left corner of the photograph."""
    if name not in settings.points:
        settings.points.add().name = name
    point = settings.points[name]
    point.placed = True
    point.place = column, row


def next_point(settings: Any) -> str:
    """Return the name of the point that is asked for next; empty when all are placed."""
    left = (name for name in NEEDED_POINTS + MORE_POINTS if name not in settings.points)
    return next(left, "")


def load_photo(settings: Any) -> Any:
    """Return the photograph as an image of this file, and forget points of a picture of another size.

    Raises:
        RuntimeError: when Blender cannot read it.
    """
    path = absolute(settings.photo)
    image = bpy.data.images.load(str(path), check_existing=True)
    if not image.size[0]:
        raise RuntimeError(f"Blender cannot read {path.name}: save it as PNG or JPEG")
    if tuple(settings.points_size) != tuple(image.size):
        settings.points.clear()
        settings.points_size = tuple(image.size)
    return image


class DREAMTALK_OT_portrait_points(bpy.types.Operator):
    """Mark the face in the photograph by clicking its points one after the other"""

    bl_idname = "dream_talk.portrait_points"
    bl_label = "Place Points by Hand"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is a photograph."""
        photo = context.scene.dream_talk.portrait.photo
        if not photo or not absolute(photo).is_file():
            cls.poll_message_set("Choose a photograph")
            return False
        return True

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Show the photograph and wait for clicks in it."""
        settings = context.scene.dream_talk.portrait
        try:
            image = load_photo(settings)
        except RuntimeError as error:
            self.report({"ERROR"}, said(str(error).strip()))
            return {"CANCELLED"}
        if not next_point(settings):
            settings.points.clear()
        self._area = portrait_preview.open_image(context, image)
        self._drawing = bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")
        self._hint(settings)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Take clicks in the photograph; everything else stays Blender's."""
        settings = context.scene.dream_talk.portrait
        region = next((region for region in self._area.regions if region.type == "WINDOW"), None)
        if region is None:  # the editor was closed
            return self._end(settings)
        x, y = event.mouse_x - region.x, event.mouse_y - region.y
        inside = 0 <= x < region.width and 0 <= y < region.height
        if not inside or event.value != "PRESS":
            return {"PASS_THROUGH"}
        if event.type in _ENDING:
            return self._end(settings)
        if event.type == "BACK_SPACE" and len(settings.points):
            settings.points.remove(len(settings.points) - 1)
        elif event.type == "LEFTMOUSE":
            self._click(settings, *region.view2d.region_to_view(x, y))
        else:
            return {"PASS_THROUGH"}
        if not next_point(settings):
            return self._end(settings)
        self._hint(settings)
        return {"RUNNING_MODAL"}

    def _click(self, settings: Any, across: float, up: float) -> None:
        """Place the next point at ``across`` and ``up``, shares of the picture from its lower left corner."""
        if 0 <= across <= 1 and 0 <= up <= 1:
            width, height = settings.points_size
            place_point(settings, next_point(settings), across * width, (1 - up) * height)

    def _hint(self, settings: Any) -> None:
        needed = len(missing_points(settings))
        end = f"{needed} more are needed" if needed else "right click when it is enough"
        self._area.header_text_set(
            f"Click: {spoken(next_point(settings))} (left and right are the subject's own). Backspace: again. {end}"
        )
        self._area.tag_redraw()

    def _end(self, settings: Any) -> set[str]:
        bpy.types.SpaceImageEditor.draw_handler_remove(self._drawing, "WINDOW")
        self._area.header_text_set(None)
        self._area.tag_redraw()
        settings.points_active = not missing_points(settings)
        portrait_preview.restart()
        return {"FINISHED"}


class DREAMTALK_OT_portrait_points_clear(bpy.types.Operator):
    """Forget the points that were placed by hand"""

    bl_idname = "dream_talk.portrait_points_clear"
    bl_label = "Clear Points"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        """Forget them."""
        settings = context.scene.dream_talk.portrait
        settings.points_active = False
        settings.points.clear()
        return {"FINISHED"}


def _draw() -> None:
    """Draw the points that are placed over the photograph."""
    region, settings = bpy.context.region, bpy.context.scene.dream_talk.portrait
    if not len(settings.points) or not settings.points_size[0]:
        return
    width, height = settings.points_size
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    for point in settings.points:
        x, y = region.view2d.view_to_region(point.place[0] / width, 1 - point.place[1] / height, clip=False)
        lines = [(x - 6, y), (x + 6, y), (x, y - 6), (x, y + 6)]
        shader.uniform_float("color", _PLACED)
        batch_for_shader(shader, "LINES", {"pos": lines}).draw(shader)
        blf.position(0, x + 8, y + 4, 0)
        blf.size(0, 11)
        blf.color(0, *_NEXT)
        blf.draw(0, spoken(point.name))
