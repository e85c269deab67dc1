"""Emotion over time: eight weights and an intensity on every character, which Blender can animate."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.arkit import EMOTIONS
from . import compat
from .character import EMOTION_PATH

INTENSITY = "intensity"
_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def _moved(group: Any, _context: Any) -> None:
    if not group.over_time:
        group.over_time = True


def _slider(name: str, description: str, default: float = 0.0) -> Any:
    return bpy.props.FloatProperty(
        name=name,
        description=description,
        default=default,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options={"ANIMATABLE"},
        override=_OVERRIDABLE,
        update=_moved,
    )


def _weight(name: str) -> Any:
    return _slider(name.capitalize(), f"How {name} the voice is acted. Key it to change it over time")


class DREAMTALK_PG_emotion(bpy.types.PropertyGroup):
    """What a character feels; F-curves, drivers and the NLA may animate every slider."""

    neutral: _slider(
        "Neutral", "How much of all feelings is held back: at 1 the face is neutral, whatever the others say"
    )
    angry: _weight("angry")
    contempt: _slider("Contempt", "How much contempt the voice is acted with. Key it to change it over time")
    disgusted: _weight("disgusted")
    fear: _slider("Fear", "How much fear the voice is acted with. Key it to change it over time")
    happy: _weight("happy")
    sad: _weight("sad")
    surprised: _weight("surprised")
    intensity: _slider("Intensity", "How strongly all the feelings show", default=1.0)
    over_time: bpy.props.BoolProperty(
        name="Use Sliders",
        description="Act by these sliders, not by the one emotion that is chosen above. "
        "Sliders with keys, drivers or NLA strips are used without it",
        options=set(),
        override=_OVERRIDABLE,
    )
    from_markers: bpy.props.BoolProperty(
        name="From Markers",
        description="Act by the timeline's markers, not by the sliders. Name them like happy 0.8, sad, neutral or "
        "angry .5 + fear .2",
        options=set(),
        override=_OVERRIDABLE,
    )


def path_of(name: str) -> str:
    """Return the animation path of the slider ``name`` on its object."""
    return f"{EMOTION_PATH}.{name}"


def weights_of(group: Any) -> list[float]:
    """Return the eight weights of ``group`` in the order of ``EMOTIONS``."""
    return [getattr(group, name) for name in EMOTIONS]


def emotion_curves(curves: list[Any]) -> list[Any]:
    """Return those of the F-curves or drivers ``curves`` that animate a slider of an emotion."""
    return [curve for curve in curves if curve.data_path.startswith(f"{EMOTION_PATH}.")]


def driven_sliders(character: Any) -> set[str]:
    """Return the animation paths of the sliders of ``character`` that a driver holds."""
    animation = character.animation_data
    return set() if animation is None else {curve.data_path for curve in emotion_curves(list(animation.drivers))}


def keyed_curves(character: Any) -> list[Any]:
    """Return the F-curves of the active Action of ``character`` that animate its emotion."""
    return emotion_curves(compat.assigned_curves(character))


def _flat(strips: Any) -> list[Any]:
    """Return NLA strips with those inside of meta strips."""
    return [found for strip in strips for found in (_flat(strip.strips) if strip.type == "META" else [strip])]


def is_animated(character: Any) -> bool:
    """Tell whether keys, drivers or strips of the NLA animate the emotion of ``character``."""
    animation = character.animation_data
    if animation is None:
        return False
    strips = [strip for track in animation.nla_tracks for strip in _flat(track.strips)]
    return bool(
        driven_sliders(character)
        or keyed_curves(character)
        or any(emotion_curves(compat.strip_curves(strip)) for strip in strips)
    )


def follows_sliders(character: Any) -> bool:
    """Tell whether takes of ``character`` follow its sliders."""
    group = character.dream_talk_emotion
    return not group.from_markers and (group.over_time or is_animated(character))


def follows_choice(character: Any) -> bool:
    """Tell whether takes of ``character`` follow the one emotion that is chosen in the sidebar."""
    return not character.dream_talk_emotion.from_markers and not follows_sliders(character)


CLASSES: tuple[Any, ...] = (DREAMTALK_PG_emotion,)


def register_properties() -> None:
    """Give objects an emotion; call it after the classes are registered."""
    bpy.types.Object.dream_talk_emotion = bpy.props.PointerProperty(type=DREAMTALK_PG_emotion, override=_OVERRIDABLE)


def unregister_properties() -> None:
    """Undo :func:`register_properties`."""
    del bpy.types.Object.dream_talk_emotion
