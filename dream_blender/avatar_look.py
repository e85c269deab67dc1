"""How an avatar looks: tones of skin, eyes and hair, and the sliders of its identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar
from .avatar_rig import add_shape
from .head_pose import to_blender
from .materials import COLOUR_ATTRIBUTE, linear, set_colour

Colour = tuple[float, float, float]

IDENTITY_PREFIX = "identity "
"""Beginning of the names of the shape keys that are no expressions but a person's form, -1 to 1."""
HAIR_HIDDEN = "look hair hidden"
"""Name of the shape key that draws the hair together inside the skull."""

SKIN_TONES: dict[str, Colour] = {
    "Porcelain": (0.93, 0.78, 0.71),
    "Fair": (0.87, 0.68, 0.58),
    "Golden": (0.82, 0.62, 0.47),
    "Olive": (0.72, 0.53, 0.39),
    "Bronze": (0.60, 0.42, 0.30),
    "Brown": (0.45, 0.29, 0.20),
    "Deep": (0.31, 0.19, 0.14),
}
EYE_COLOURS: dict[str, Colour] = {
    "Blue": (0.29, 0.42, 0.46),
    "Grey": (0.42, 0.46, 0.48),
    "Green": (0.32, 0.42, 0.28),
    "Hazel": (0.42, 0.34, 0.18),
    "Amber": (0.50, 0.31, 0.12),
    "Brown": (0.29, 0.17, 0.10),
    "Dark Brown": (0.16, 0.09, 0.06),
}
HAIR_COLOURS: dict[str, Colour] = {
    "Black": (0.08, 0.07, 0.07),
    "Dark Brown": (0.18, 0.11, 0.08),
    "Brown": (0.30, 0.19, 0.13),
    "Auburn": (0.42, 0.19, 0.10),
    "Ginger": (0.62, 0.33, 0.15),
    "Blond": (0.72, 0.56, 0.34),
    "Grey": (0.52, 0.51, 0.50),
    "White": (0.85, 0.84, 0.82),
}
"""sRGB colours, 0 to 1."""

# How strongly each material takes the ratio between a chosen colour and the asset's own.
_FOLLOWS: dict[str, tuple[str, float]] = {
    "skin": ("skin", 1.0),
    "lips": ("skin", 0.8),
    "gums": ("skin", 0.25),
    "iris": ("eyes", 1.0),
    "hair": ("hair", 1.0),
    "brow": ("hair", 0.7),
    "lash": ("hair", 0.3),
}
_OWN = {"skin": "skin", "eyes": "iris", "hair": "hair"}
_MARKS = {"skin": "dream_talk_skin", "eyes": "dream_talk_eyes", "hair": "dream_talk_hair"}


@dataclass(frozen=True)
class Look:
    """A person's look. ``skin``, ``eyes``, ``hair``: sRGB 0 to 1, or None for the asset's own colour.

    ``identity``: value, -1 to 1, by slider name; those left out are 0.
    """

    skin: Colour | None = None
    eyes: Colour | None = None
    hair: Colour | None = None
    hair_visible: bool = True
    identity: Mapping[str, float] = field(default_factory=dict)


def random_look(seed: int, sliders: Sequence[str]) -> Look:
    """Return the person number ``seed``: always the same one for the same ``sliders``, the identity's names."""
    random = np.random.default_rng(seed)
    tone = int(random.integers(len(SKIN_TONES)))
    dark = tone / (len(SKIN_TONES) - 1)
    # Blue eyes and fair hair are rare where skin is dark.
    eyes = list(EYE_COLOURS.values())[round((len(EYE_COLOURS) - 1) * max(dark, random.random()))]
    hair_colours = list(HAIR_COLOURS.values())
    hair = hair_colours[min(int(len(hair_colours) * random.random() * (1 - 0.75 * dark)), len(hair_colours) - 1)]
    values = np.clip(random.normal(0.0, 0.45, len(sliders)), -1.0, 1.0)
    identity = {name: round(float(value), 3) for name, value in zip(sliders, values, strict=True)}
    return Look(list(SKIN_TONES.values())[tone], eyes, hair, True, identity)


def own_colour(kind: str) -> Colour:
    """Return the asset's own sRGB colour of ``"skin"``, ``"eyes"`` or ``"hair"``."""
    return load_proxy_avatar().material_colors[_OWN[kind]]


def colour_of(head: Any, kind: str) -> Colour:
    """Return the sRGB colour of ``"skin"``, ``"eyes"`` or ``"hair"`` that the avatar ``head`` shows."""
    stored = head.get(_MARKS[kind])
    if stored is None:
        return own_colour(kind)
    red, green, blue = stored
    return float(red), float(green), float(blue)


def _ratios(head: Any) -> dict[str, npt.NDArray[np.float32]]:
    """Return (3,) by what to multiply each material's linear colour."""
    found = {}
    for name, (kind, strength) in _FOLLOWS.items():
        own = np.maximum(linear(own_colour(kind)), 1e-3)
        found[name] = (np.maximum(linear(colour_of(head, kind)), 1e-3) / own) ** strength
    return found


def painted(avatar: ProxyAvatar, ratios: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Return (V, 4) linear colours of the avatar's vertices, each material's multiplied by its ratio (3,)."""
    colours = np.ones((len(avatar.vertices), 4), np.float32)
    colours[:, :3] = linear(avatar.vertex_colors)
    factors = np.ones((len(avatar.vertices), 3), np.float32)
    for name, ratio in ratios.items():
        factors[_vertices_of(avatar, name)] = ratio
    colours[:, :3] = np.clip(colours[:, :3] * factors, 0.0, 1.0)
    _show_through(avatar, colours)
    return colours


def _vertices_of(avatar: ProxyAvatar, *materials: str) -> npt.NDArray[np.int32]:
    """Return the vertices of the triangles of ``materials``, sorted; of those that the avatar lacks, none."""
    numbers = [avatar.materials.index(name) for name in materials if name in avatar.materials]
    vertices: npt.NDArray[np.int32] = np.unique(avatar.triangles[np.isin(avatar.triangle_materials, numbers)])
    return vertices


def _show_through(avatar: ProxyAvatar, colours: npt.NDArray[np.float32]) -> None:
    """Paint each cornea as the eye behind it: views by vertex colour do not let light through."""
    clear, behind = _vertices_of(avatar, "cornea"), _vertices_of(avatar, "eye_white", "iris", "pupil")
    for centre, sign in zip(avatar.eye_centres, (1, -1), strict=True):
        front, back = (rows[avatar.vertices[rows, 0] * sign > 0] for rows in (clear, behind))
        towards, away = (avatar.vertices[rows] - centre for rows in (front, back))
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        if len(front):
            colours[front] = colours[back[np.argmax(towards @ away.T, axis=1)]]


def repaint(head: Any) -> None:
    """Give the avatar ``head`` the vertex colours and material colours of its look."""
    avatar = load_proxy_avatar()
    ratios = _ratios(head)
    colours = head.data.color_attributes[COLOUR_ATTRIBUTE]
    colours.data.foreach_set("color", painted(avatar, ratios).ravel())
    head.data.update()
    for name, slot in zip(avatar.materials, head.data.materials, strict=True):
        if slot is not None and name in ratios:
            set_colour(slot, np.clip(linear(avatar.material_colors[name]) * ratios[name], 0.0, 1.0))


def set_colour_of(head: Any, kind: str, colour: Colour) -> None:
    """Show the avatar ``head`` with the sRGB ``colour`` of ``"skin"``, ``"eyes"`` or ``"hair"``."""
    head[_MARKS[kind]] = list(colour)
    repaint(head)


def identity_keys(head: Any) -> dict[str, Any]:
    """Return the shape keys of the identity of ``head`` by slider name."""
    blocks = head.data.shape_keys.key_blocks if head.data.shape_keys else ()
    return {key.name[len(IDENTITY_PREFIX) :]: key for key in blocks if key.name.startswith(IDENTITY_PREFIX)}


def add_look_keys(head: Any, avatar: ProxyAvatar) -> None:
    """Add the shape keys of identity, and the one that hides the hair."""
    basis = to_blender(avatar.vertices - avatar.neck_pivot)
    for name, deltas in avatar.identities.items():
        add_shape(head, IDENTITY_PREFIX + name, basis + to_blender(deltas)).slider_min = -1.0
    rows = _vertices_of(avatar, "hair")
    hidden = basis.copy()
    hidden[rows] = basis[rows].mean(axis=0)
    add_shape(head, HAIR_HIDDEN, hidden)


def apply_look(head: Any, look: Look) -> None:
    """Give the avatar ``head`` the ``look``; sliders that the avatar lacks are left out."""
    for kind, colour in (("skin", look.skin), ("eyes", look.eyes), ("hair", look.hair)):
        if colour is None:
            head.pop(_MARKS[kind], None)
        else:
            head[_MARKS[kind]] = list(colour)
    for name, key in identity_keys(head).items():
        key.value = look.identity.get(name, 0.0)
    head.data.shape_keys.key_blocks[HAIR_HIDDEN].value = 0.0 if look.hair_visible else 1.0
    repaint(head)
