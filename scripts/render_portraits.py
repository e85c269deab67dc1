"""Render portraits of the project's own avatar, to try the portrait renderer on: many people, lights and expressions.

Run it in the project's environment, which has Blender as a module::

    python scripts/render_portraits.py [--out FOLDER] [--only NAME ...] [--size 768] [--samples 16]

The faces, clothes and backgrounds are the project's own, so the pictures may be shown anywhere. Cycles on the
processor, a fixed seed and a denoiser: the pictures come out the same every time.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
import numpy.typing as npt
from mathutils import Vector
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_server import blender_child
from scripts.portrait_props import PROPS
from scripts.render_avatar import FOCUS, LIGHTS, Studio, load

Picture = npt.NDArray[np.uint8]

_CAMERA_RISE = 0.03  # metres above the eyes
_GRAIN = 1.5  # levels of 255, as a camera's sensor has it

LIGHTINGS: dict[str, dict[str, tuple[tuple[float, float, float], float, float, tuple[float, float, float]]]] = {
    "studio": {name: (place, power, size, colour) for name, place, power, size, colour in LIGHTS},
    "side": {
        "Key": ((-1.1, -0.35, 0.25), 22.0, 0.35, (1.0, 0.97, 0.93)),
        "Fill": ((0.9, -0.8, 0.0), 1.6, 1.2, (0.85, 0.92, 1.0)),
        "Rim": ((0.6, 0.8, 0.5), 6.0, 0.5, (1.0, 1.0, 1.0)),
    },
    "evening": {
        "Key": ((0.75, -0.9, 0.3), 20.0, 0.5, (1.0, 0.72, 0.45)),
        "Fill": ((-0.9, -0.7, 0.2), 5.0, 1.2, (0.55, 0.7, 1.0)),
        "Rim": ((-0.5, 0.8, 0.6), 14.0, 0.4, (1.0, 0.8, 0.6)),
    },
    "noon": {
        "Key": ((0.1, -0.45, 1.1), 24.0, 0.25, (1.0, 0.98, 0.94)),
        "Fill": ((0.0, -1.1, -0.3), 5.0, 1.4, (0.95, 0.98, 1.0)),
        "Rim": ((0.2, 0.9, 0.8), 8.0, 0.5, (1.0, 1.0, 1.0)),
    },
    "flat": {
        "Key": ((-0.25, -1.2, 0.2), 15.0, 1.4, (1.0, 1.0, 1.0)),
        "Fill": ((0.4, -1.2, 0.1), 12.0, 1.4, (1.0, 1.0, 1.0)),
        "Rim": ((0.0, 0.9, 0.5), 2.0, 0.8, (1.0, 1.0, 1.0)),
    },
}
"""Place in metres from the eyes, power in watts, size in metres and colour of each light."""


@dataclass(frozen=True)
class Sitter:
    """One portrait.

    ``skin``, ``eyes``, ``hair`` name tones of the avatar; ``identity``: -1 to 1 by slider; ``values``: 0 to 1 by ARKit
    shape; ``turn``: degrees by which the camera stands to the subject's left; ``rise``: metres by which it stands
    above the eyes, a metre away; ``props`` name functions of ``portrait_props``; ``finish``: how the render is drawn.
    """

    skin: str
    eyes: str
    hair: str
    identity: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    turn: float = 0.0
    rise: float = _CAMERA_RISE
    light: str = "studio"
    background: str = "grey"
    props: tuple[str, ...] = ()
    aspect: float = 1.0
    height: float = 0.39
    finish: str = "photograph"


def _both(**values: float) -> dict[str, float]:
    return {name + side: value for name, value in values.items() for side in ("Left", "Right")}


SMILE = _both(mouthSmile=0.75, cheekSquint=0.4, mouthUpperUp=0.3, eyeSquint=0.25) | {"jawOpen": 0.08}
SITTERS: dict[str, Sitter] = {
    "anna": Sitter("Fair", "Blue", "Auburn", {"width": -0.4, "eyes": 0.4, "lips": 0.3}, {}, 6.0, background="green"),
    "badru": Sitter(
        "Deep", "Dark Brown", "Black", {"nose": 0.7, "lips": 0.8, "jaw": 0.3}, {}, -8.0, light="side", background="warm"
    ),
    "chandra": Sitter(
        "Brown", "Brown", "Black", {"width": -0.2, "lips": 0.4}, SMILE, 10.0, light="evening", background="lights"
    ),
    "dieter": Sitter(
        "Porcelain", "Grey", "White", {"age": 1.0, "brow": 0.6, "jaw": 0.4, "nose": 0.5}, _both(mouthFrown=0.25),
        -12.0, light="flat", background="shelf", props=("glasses",),
    ),
    "elif": Sitter(
        "Golden", "Hazel", "Dark Brown", {"eyes": 0.6, "jaw": -0.5}, {"jawOpen": 0.4, "browInnerUp": 0.7}
        | _both(browOuterUp=0.6, eyeWide=0.4), 0.0, light="studio", background="stripes",
    ),
    "farid": Sitter(
        "Olive", "Amber", "Black", {"width": 0.5, "jaw": 0.8, "brow": 0.5}, {}, 5.0, light="noon", background="wall",
        props=("beard",),
    ),
    "greta": Sitter(
        "Porcelain", "Green", "Blond", {"age": -0.8, "width": 0.3, "nose": -0.6}, _both(mouthSmile=0.35), -4.0,
        light="studio", background="lights", props=("fringe", "long_hair"), aspect=0.75, height=0.44,
    ),
    "hal": Sitter(
        "Bronze", "Dark Brown", "Brown", {"age": 0.5, "nose": 0.4}, {}, 9.0, light="noon", background="green",
        props=("hat",), height=0.46,
    ),
    "ines": Sitter(
        "Olive", "Green", "Brown", {"lips": 0.9, "eyes": 0.3}, {"mouthPucker": 0.35, "jawOpen": 0.05}, 14.0, 0.12,
        "evening", "warm", ("glasses",), 1.25, 0.4,
    ),
    "juma": Sitter(
        "Deep", "Brown", "Grey", {"age": 0.8, "width": 0.2}, SMILE, -6.0, -0.05, "studio", "shelf", ("beard",), 1.0, 0.4
    ),
    "drawing": Sitter("Fair", "Hazel", "Dark Brown", {"jaw": -0.3}, {}, 8.0, background="white", finish="pencil"),
    "painting": Sitter(
        "Golden", "Brown", "Auburn", {"nose": 0.3, "eyes": 0.2}, _both(mouthSmile=0.2), -16.0, light="side",
        background="warm", finish="oil",
    ),
}  # fmt: skip


def _gradient(size: tuple[int, int], middle: tuple[int, ...], corner: tuple[int, ...]) -> Picture:
    rows, columns = np.mgrid[: size[1], : size[0]]
    share = np.clip(np.hypot(columns / size[0] - 0.5, (rows / size[1] - 0.45) * 1.1) / 0.75, 0, 1)[..., None] ** 1.6
    return np.rint(np.array(middle) * (1 - share) + np.array(corner) * share).astype(np.uint8)


def _lights(size: tuple[int, int]) -> Picture:
    """Return a street at night, out of focus."""
    random = np.random.default_rng(7)
    picture = _gradient(size, (40, 38, 52), (18, 18, 26))
    for _ in range(60):
        centre = (int(random.integers(size[0])), int(random.integers(size[1])))
        colour = tuple(int(c) for c in random.integers((120, 80, 30), (255, 200, 160)))
        glow = picture.copy()
        cv2.circle(glow, centre, int(size[0] * random.uniform(0.012, 0.04)), colour, -1, cv2.LINE_AA)
        picture = cv2.addWeighted(glow, 0.5, picture, 0.5, 0).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), size[0] / 200), np.uint8)


def _shelf(size: tuple[int, int]) -> Picture:
    """Return rows of books: edges that show when a background slides."""
    random = np.random.default_rng(11)
    picture = np.full((size[1], size[0], 3), (62, 46, 34), np.uint8)
    rows = 4
    for row in range(rows):
        foot, column = int(size[1] * (row + 0.93) / rows), 0
        while column < size[0]:
            width = int(size[0] * random.uniform(0.015, 0.045))
            top = int(foot - size[1] / rows * random.uniform(0.6, 0.85))
            colour = tuple(int(c) for c in np.clip(random.integers(60, 170) + random.normal(0, 22, 3), 20, 210))
            cv2.rectangle(picture, (column, top), (column + width - 2, foot), colour, -1)
            column += width
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), size[0] / 500), np.uint8)


def _stripes(size: tuple[int, int]) -> Picture:
    columns = np.arange(size[0])
    light = ((columns * 24 // size[0]) % 2)[None, :, None]
    colours = np.where(light, np.array((196, 205, 214)), np.array((168, 182, 198)))
    return np.broadcast_to(colours, (size[1], size[0], 3)).astype(np.uint8)


def _wall(size: tuple[int, int]) -> Picture:
    """Return bricks in sunlight."""
    random = np.random.default_rng(3)
    picture = np.full((size[1], size[0], 3), (176, 168, 158), np.uint8)
    high, wide = size[1] // 16, size[0] // 8
    for row in range(17):
        for column in range(-1, 9):
            colour = np.clip(np.array((158, 92, 70)) + random.normal(0, 12, 3), 0, 255)
            left = column * wide + (row % 2) * wide // 2
            corner = (left + wide - 4, (row + 1) * high - 4)
            cv2.rectangle(picture, (left, row * high), corner, tuple(int(c) for c in colour), -1)
    grain = random.normal(0, 5, (size[1], size[0], 1))
    return np.clip(cv2.GaussianBlur(picture, (0, 0), size[0] / 600) + grain, 0, 255).astype(np.uint8)


BACKGROUNDS: dict[str, Callable[[tuple[int, int]], Picture]] = {
    "grey": lambda size: _gradient(size, (214, 217, 222), (146, 151, 160)),
    "green": lambda size: _gradient(size, (120, 146, 104), (52, 74, 50)),
    "warm": lambda size: _gradient(size, (112, 80, 56), (40, 28, 22)),
    "white": lambda size: _gradient(size, (250, 250, 250), (236, 236, 236)),
    "lights": _lights,
    "shelf": _shelf,
    "stripes": _stripes,
    "wall": _wall,
}


def _pencil(picture: Picture) -> Picture:
    """Return a pencil drawing on paper: shading by hatching, lines where tones change."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.0).astype(np.float32)
    lines = np.clip(grey / (cv2.GaussianBlur(grey, (0, 0), picture.shape[1] / 60) + 1e-3), 0, 1) ** 2.2
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    hatching = 0.5 + 0.5 * np.sin((rows + columns) * 2.2 + np.random.default_rng(5).normal(0, 0.7, grey.shape))
    shade = np.clip(1.15 - (1 - grey / 255) * (0.35 + 0.6 * hatching), 0, 1)
    paper = np.array((246, 242, 232), np.float32)
    ink = np.array((52, 50, 54), np.float32)
    tone = (lines * shade)[..., None]
    return np.rint(ink + (paper - ink) * tone).astype(np.uint8)


def _oil(picture: Picture) -> Picture:
    """Return an oil painting: edge-keeping brush strokes over a coarse canvas."""
    painted = picture
    for _ in range(2):
        painted = np.asarray(cv2.bilateralFilter(painted, 9, 28, 9), np.uint8)
    painted = np.asarray(cv2.edgePreservingFilter(painted, flags=1, sigma_s=12, sigma_r=0.25), np.uint8)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    canvas = 3.0 * (np.sin(rows * 1.9) + np.sin(columns * 1.9))
    warm = painted.astype(np.float32) * np.array((1.04, 0.98, 0.86)) + canvas[..., None]
    return np.clip(np.rint(warm), 0, 255).astype(np.uint8)


def _photograph(picture: Picture) -> Picture:
    noise = np.random.default_rng(0).normal(0, _GRAIN, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


FINISHES: dict[str, Callable[[Picture], Picture]] = {"photograph": _photograph, "pencil": _pencil, "oil": _oil}


def seat(studio: Studio, sitter: Sitter) -> list[Any]:
    """Give the avatar the sitter's look, expression, light and props; return the props' objects."""
    package = blender_child.PARENT_PACKAGE
    look = importlib.import_module(f"{package}.dream_blender.avatar_look")
    tones = (look.SKIN_TONES[sitter.skin], look.EYE_COLOURS[sitter.eyes], look.HAIR_COLOURS[sitter.hair])
    look.apply_look(studio.head, look.Look(*tones, True, dict(sitter.identity)))
    for name, (place, power, size, colour) in LIGHTINGS[sitter.light].items():
        item = bpy.data.objects[name]
        item.data.energy, item.data.size, item.data.color = power, size, colour
        item.location = studio.eyes + Vector(place)
        item.rotation_euler = (studio.eyes - item.location).to_track_quat("-Z", "Y").to_euler()
    studio.pose(sitter.values, at_camera=True)
    bpy.context.view_layer.update()
    return [item for name in sitter.props for item in PROPS[name](studio.head, studio.eyes, tones[2])]


def shoot(studio: Studio, sitter: Sitter, side: int) -> Image.Image:
    """Return the sitter's portrait with a long side of ``side`` pixels."""
    aspect = sitter.aspect
    size = (side, int(side / aspect) // 2 * 2) if aspect >= 1 else (int(side * aspect) // 2 * 2, side)
    middle = studio.eyes + Vector((0.0, 0.03, -0.035))
    distance = sitter.height * FOCUS / studio.camera.data.sensor_width * max(size) / size[1]
    angle = np.radians(sitter.turn)
    studio.camera.location = middle + Vector((np.sin(angle), -np.cos(angle), sitter.rise)) * distance
    studio.camera.rotation_euler = (middle - studio.camera.location).to_track_quat("-Z", "Y").to_euler()
    props = seat(studio, sitter)
    render = studio.scene.render
    render.resolution_x, render.resolution_y = size
    with tempfile.TemporaryDirectory() as folder:
        render.filepath = str(Path(folder) / "picture.png")
        bpy.ops.render.render(write_still=True)
        with Image.open(render.filepath) as picture:
            person = np.asarray(picture.convert("RGBA"), np.float32)
    for item in props:
        bpy.data.objects.remove(item)
    opacity = person[..., 3:] / 255
    laid = person[..., :3] * opacity + BACKGROUNDS[sitter.background](size) * (1 - opacity)
    return Image.fromarray(FINISHES[sitter.finish](np.rint(laid).astype(np.uint8)))


def main() -> None:
    """Render the portraits that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("out/portraits"), help="folder of the pictures")
    parser.add_argument("--only", nargs="+", choices=tuple(SITTERS), help="some portraits, not all")
    parser.add_argument("--size", type=int, default=768, help="long side in pixels")
    parser.add_argument("--samples", type=int, default=16, help="of Cycles, for each pixel")
    arguments = parser.parse_args()
    studio = Studio(*load(None), arguments.samples)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or SITTERS:
        path = arguments.out / f"{name}.png"
        shoot(studio, SITTERS[name], arguments.size).save(path, optimize=True)
        print(path, flush=True)


if __name__ == "__main__":
    main()
