"""The settings of a scene's portrait."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import compat, portrait_preview
from .portrait_client import Look
from .translations import CONTEXT

STRENGTHS = ("head", "brows", "eyes", "mouth", "blink")
SUFFIXES = {"MP4": ".mp4", "WEBM": ".webm", "PNG": ".png", "EXR": ".exr"}
"""What the files of each format end in."""
SEQUENCES = ("PNG", "EXR")
_HEAD_VIEWS = (
    ("CHARACTER", "As it is Posed", "The head's own pose, away from its rest"),
    ("CAMERA", "As the Camera Sees It", "The head as the scene's camera sees it: looking into it is the photograph"),
    ("VIEW", "As the View Sees It", "The head as the 3D view sees it: looking out of it is the photograph"),
)
_FORMATS = (
    ("MP4", "MP4", "H.264 with sound"),
    ("WEBM", "WebM", "VP9 with sound; the person alone, or with the background"),
    ("PNG", "PNG Sequence", "One picture a frame; the person alone, or with the background"),
    ("EXR", "OpenEXR Sequence", "One picture a frame, for compositing; the person alone, or with the background"),
)


def _photo_changed(settings: Any, _context: Any) -> None:
    settings.points_active = False
    portrait_preview.restart()


def _choice_changed(_settings: Any, _context: Any) -> None:
    portrait_preview.restart()


def _look_changed(_settings: Any, _context: Any) -> None:
    portrait_preview.touch()


def _strength(name: str, what: str) -> Any:
    return bpy.props.FloatProperty(
        name=name,
        description=f"How strongly the portrait follows the character: {what}",
        default=1.0,
        min=0.0,
        max=2.0,
        subtype="FACTOR",
        update=_look_changed,
    )


class DREAMTALK_PG_portrait_point(bpy.types.PropertyGroup):
    """One point of the face, placed by hand; its place is in pixels, from the upper left corner."""

    place: bpy.props.FloatVectorProperty(size=2, min=0.0, update=_choice_changed)
    placed: bpy.props.BoolProperty()


class DREAMTALK_PG_portrait(bpy.types.PropertyGroup):
    """What the portrait panel asks for, one set a scene."""

    photo: bpy.props.StringProperty(
        name="Photograph",
        description="A photograph, painting or drawing of one face, seen from the front",
        subtype="FILE_PATH",
        options=compat.BESIDE_BLEND,
        update=_photo_changed,
    )
    face: bpy.props.IntProperty(
        name="Face",
        translation_context=CONTEXT,
        description="Which face of several, counted from the left; 0 is the largest",
        min=0,
        max=100,
        update=_choice_changed,
    )
    head_view: bpy.props.EnumProperty(
        name="Head", description="What the head's pose is", items=_HEAD_VIEWS, update=_look_changed
    )
    head: _strength("Head Motion", "head motion")
    brows: _strength("Brows", "brows")
    eyes: _strength("Eyes", "gaze, squint and wide eyes")
    mouth: _strength("Mouth", "mouth")
    blink: _strength("Blinks", "blinks")
    badge: bpy.props.BoolProperty(
        name="Badge", description="Mark every frame of the video as made by a computer", default=False
    )
    transparent: bpy.props.BoolProperty(
        name="Transparent Background",
        description="Leave out what lies behind the person",
        update=_look_changed,
    )
    format: bpy.props.EnumProperty(name="Format", description="Kind of file to write", items=_FORMATS)
    output: bpy.props.StringProperty(
        name="Output",
        description="The video to write, or the beginning of the names of a sequence",
        subtype="FILE_PATH",
        options=compat.BESIDE_BLEND,
        default="//portrait",
    )
    preview_side: bpy.props.IntProperty(
        name="Preview Size",
        description="Longest side of the preview in pixels",
        default=384,
        min=128,
        max=1920,
        subtype="PIXEL",
        update=_choice_changed,
    )
    points: bpy.props.CollectionProperty(type=DREAMTALK_PG_portrait_point)
    points_size: bpy.props.IntVectorProperty(
        size=2, description="Width and height of the picture that the points were placed on"
    )
    points_active: bpy.props.BoolProperty(
        name="Use Placed Points",
        description="Take the face where it is marked by hand, and look for none",
        update=_choice_changed,
    )

    @property
    def can_be_transparent(self) -> bool:
        """Whether the format has alpha."""
        return bool(self.format != "MP4")

    def strengths(self) -> dict[str, float]:
        """Return the five strengths by name."""
        return {name: round(float(getattr(self, name)), 4) for name in STRENGTHS}

    def look(self) -> Look:
        """Return how frames are made."""
        return Look(self.strengths(), not (self.transparent and self.can_be_transparent))

    def face_options(self) -> dict[str, Any]:
        """Return which face is meant, as the server is told."""
        if self.points_active:
            placed = {point.name: [round(x, 2) for x in point.place] for point in self.points if point.placed}
            return {"landmarks": {"size": list(self.points_size), "points": placed}}
        return {"face": self.face - 1} if self.face else {}
