"""The style clip of a scene: a performance whose manner new takes borrow."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from dataclasses import dataclass
from typing import Any

import bpy

from ..blendshape_rigs.curves import CurvesError, FaceCurves
from ..blendshape_rigs.formats import READERS, npz_bytes, read_curves
from . import compat, style_library
from .paths import absolute
from .style_library import StyleError
from .take import TakeError, part_of, scene_fps
from .take_settings import settings_of
from .takes_merge import curves_of

NONE, FILE, TAKE, LIBRARY = "NONE", "FILE", "TAKE", "LIBRARY"


def _holds_a_face(_settings: Any, action: Any) -> bool:
    if part_of(action)[0] != 0:
        return False
    return any(id_type == "KEY" and curves for id_type, _, _, curves in compat.channels(action))


def _style_names(_settings: Any, _context: Any, _typed: str) -> list[str]:
    return style_library.names()


class DREAMTALK_PG_style(bpy.types.PropertyGroup):
    """Which clip new takes borrow their manner from."""

    source: bpy.props.EnumProperty(
        name="Style",
        description="A clip whose manner new takes borrow. Expect its emotion, in about five of eight clips and where "
        "no emotion is chosen beside it; little of how a person moves comes over",
        items=(
            (NONE, "No Style", "Act as the emotion says"),
            (FILE, "File", "A Live Link Face CSV, or curves as JSON or NPZ"),
            (TAKE, "Take", "A take, or another Action of a face, in this file"),
            (LIBRARY, "Library", "A style that you have saved, or captured from a video"),
        ),
    )
    path: bpy.props.StringProperty(
        name="Clip",
        description=f"Curves of a face ({', '.join(READERS)})",
        subtype="FILE_PATH",
        options=compat.BESIDE_BLEND,
    )
    take: bpy.props.PointerProperty(
        name="Take", description="The take whose manner is borrowed", type=bpy.types.Action, poll=_holds_a_face
    )
    saved: bpy.props.StringProperty(name="Saved Style", description="A style of your library", search=_style_names)
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far the style shows: 0 is as without it. Between 0 and 1, a take needs twice the time",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


@dataclass(frozen=True)
class Style:
    """A style clip as a job borrows it.

    Attributes:
        source: ``"FILE"``, ``"TAKE"`` or ``"LIBRARY"``.
        name: path of the file, or name of the take or of the saved style.
        strength: 0 to 1.
        curves: the clip.
    """

    source: str
    name: str
    strength: float
    curves: FaceCurves

    @property
    def options(self) -> dict[str, Any]:
        """What a request says of it."""
        return {"style_strength": self.strength}

    @property
    def parts(self) -> dict[str, bytes]:
        """What a request sends along."""
        return {"style": npz_bytes(self.curves)}


def style_problem(settings: Any) -> str:
    """Return why no take can be made with the style that ``settings`` name, as one sentence; empty when one can."""
    if settings.source == FILE and not settings.path:
        return "Choose the file of the style clip, or No Style"
    if settings.source == TAKE and settings.take is None:
        return "Choose the take of the style clip, or No Style"
    if settings.source == LIBRARY and not settings.saved:
        return "Choose a style of the library, or No Style"
    return ""


def name_of(settings: Any) -> str:
    """Return the path of the file, or the name of the take or saved style, that ``settings`` name; perhaps empty."""
    if settings.source == TAKE:
        return str(settings.take.name) if settings.take is not None else ""
    names = {FILE: settings.path, LIBRARY: settings.saved}
    return str(names.get(settings.source, ""))


def chosen_style(scene: Any, character: Any) -> Style | None:
    """Return the style that the sidebar of ``scene`` names, or None where it names none or one of strength 0.

    Args:
        scene: the scene.
        character: who plays a take that does not say whose it is.

    Raises:
        TakeError: for a style that cannot be read.
    """
    settings = scene.dream_talk.style
    problem = style_problem(settings)
    if problem:
        raise TakeError(problem)
    return style_again(scene, character, settings.source, name_of(settings), round(settings.strength, 4))


def style_again(scene: Any, character: Any, source: str, name: str, strength: float) -> Style | None:
    """Return the style that a source and a name tell, as those of the settings of an earlier take; perhaps none.

    Args:
        scene: whose frame rate takes are read at.
        character: who plays a take that does not say whose it is.
        source: as in :class:`Style`, or ``"NONE"`` or nothing.
        name: as in :class:`Style`.
        strength: 0 to 1.

    Raises:
        TakeError: for a style that is gone, or cannot be read.
    """
    if source in ("", NONE) or not strength:
        return None
    try:
        curves = style_library.as_style(_curves(scene, character, source, name))
    except (StyleError, CurvesError, OSError) as error:
        raise TakeError(f"Style clip: {error}") from error
    return Style(source, name, strength, curves)


def _curves(scene: Any, character: Any, source: str, name: str) -> FaceCurves:
    if source == LIBRARY:
        return style_library.load(name)
    if source == FILE:
        path = absolute(name)
        if not path.is_file():
            raise StyleError(f"there is no file {path}")
        return read_curves(path)
    take = bpy.data.actions.get(name)
    if take is None:
        raise StyleError(f"the take '{name}' is no longer in this file")
    made = settings_of(take)
    actor = bpy.data.objects.get(made.character) if made is not None else None
    return curves_of(actor if actor is not None else character, take, scene_fps(scene))


CLASSES: tuple[Any, ...] = (DREAMTALK_PG_style,)
