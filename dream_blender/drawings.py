"""Drawn mouths of a grease pencil: a take picks which drawing shows, by stepped keys on a Time Offset modifier."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.mapping import auto_map
from . import compat, generate
from .take import NO_TAKE, TakeError, fill_curve, frame_range, read_take, scene_fps, take_of
from .translations import said

MOUTHS = "ABCDEFGHX"
"""Rhubarb's mouths in the order in which a grease pencil holds them, by default."""
MODIFIER_NAME = "DREAM-Talk Mouths"
_NO_DRAWING = "Make a grease pencil active that holds one mouth drawing a frame"


def key_drawings(character: Any, drawing: Any, scene: Any, mouths: str, first_drawing: int) -> int:
    """Key which drawing of ``drawing`` shows, after the take of ``character``; return how often it changes.

    Args:
        character: the mesh whose take is followed.
        drawing: a grease pencil object, one mouth at a frame. A Time Offset modifier is added when it has none.
        scene: whose frame rate counts.
        mouths: letters A to H and X in the order of the drawings.
        first_drawing: frame of the first drawing.

    Raises:
        TakeError: when the character has no take, or the letters are no mouths.
    """
    letters = list(mouths.upper().replace(" ", ""))
    wrong = sorted(set(letters) - set(MOUTHS))
    if wrong or len(set(letters)) < len(letters) or not set("ABCDEF") <= set(letters):
        raise TakeError("Name each drawing by one letter: A to F once each, G, H and X where they are drawn")
    first, last = frame_range(character)
    fps = scene_fps(scene)
    curves = read_take(character, first, last, fps, first)
    events = auto_map(letters).shape_events(curves.values, fps)
    modifier, path = compat.time_offset(drawing, MODIFIER_NAME)
    modifier.mode = "FIX"
    frames = np.array([first + round(event.time * fps) for event in events], np.float64)
    shown = np.array([first_drawing + letters.index(event.shape) for event in events], np.float64)
    action = bpy.data.actions.new(f"{drawing.name} mouths")
    fill_curve(compat.animate(drawing, action).new(f"{path}.offset"), frames, shown, "CONSTANT")
    return len(events)


class DREAMTALK_OT_key_drawings(bpy.types.Operator):
    """Let the active grease pencil show the drawn mouths of the character's take, held as 2D animators hold them"""

    bl_idname = "dream_talk.key_drawings"
    bl_label = "Key Mouth Drawings"
    bl_options = {"REGISTER", "UNDO"}

    mouths: bpy.props.StringProperty(
        name="Drawings", description="Mouths A to H and X as Rhubarb names them, in the order drawn", default=MOUTHS
    )
    first_drawing: bpy.props.IntProperty(name="First Drawing", description="Frame of the first drawing", default=1)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is a take to follow and a grease pencil to show it."""
        drawing = context.view_layer.objects.active
        if drawing is None or drawing.type != compat.GREASE_PENCIL:
            cls.poll_message_set(_NO_DRAWING)
        elif take_of(generate.chosen_character(context)) is None:
            cls.poll_message_set(NO_TAKE)
        elif drawing.animation_data is not None and drawing.animation_data.action is not None:
            cls.poll_message_set(said(f"'{drawing.name}' is animated already: unlink its Action first"))
        else:
            return True
        return False

    def execute(self, context: Any) -> set[str]:
        """Key the drawings."""
        drawing = context.view_layer.objects.active
        character = generate.chosen_character(context)
        try:
            count = key_drawings(character, drawing, context.scene, self.mouths, self.first_drawing)
        except TakeError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, said(f"Keyed {count} drawings on '{drawing.name}'"))
        return {"FINISHED"}


CLASSES = (DREAMTALK_OT_key_drawings,)
