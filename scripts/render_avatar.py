"""Render the README's pictures of the avatar: three angles, eight emotions, nine visemes, eight people.

Run it in the project's environment, which has Blender as a module::

    python scripts/render_avatar.py [--asset FILE] [--out docs/images] [--only emotions] [--samples 32]

Cycles on the processor, a fixed seed and a denoiser: the pictures come out the same every time.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from blendshape_rigs.arkit import ARKIT_INDEX  # noqa: E402
from blendshape_rigs.mapping.catalogue import mouth_shapes  # noqa: E402
from model_server import blender_child  # noqa: E402
from model_server.training.expressions.programmes import PROGRAMMES  # noqa: E402

Pose = Mapping[str, float]

ANGLES = {"front": 0.0, "three-quarter": 38.0, "side": 90.0}  # degrees to the subject's left
EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "surprised", "disgusted", "contempt")
CHOSEN = {"happy": 3}
"""Number of an emotion's programme, where it is not the first: a smile that shows the teeth."""
KINDS = ("avatar", "emotions", "visemes", "people")
PEOPLE = range(8)
"""Seeds of random people."""
VISEMES = {
    "PP": "P B M",
    "FF": "F V",
    "TH": "TH",
    "SS": "S Z",
    "CH": "CH SH",
    "E": "E",
    "aa": "AH",
    "O": "OH",
    "U": "OO W",
}
FOCUS = 85.0  # mm
_BACK = 0.075  # metres from the eyes back to the middle of the head, seen from its side
LIGHTS = (
    ("Key", (-0.65, -0.95, 0.60), 19.0, 0.7, (1.0, 0.96, 0.91)),
    ("Fill", (0.95, -0.75, 0.05), 4.0, 1.1, (0.92, 0.96, 1.0)),
    ("Rim", (0.45, 0.85, 0.55), 11.0, 0.5, (1.0, 0.98, 0.95)),
)
"""Name, place in metres from the face, power in watts, size in metres, colour."""
BRIGHT, DARK = (214, 217, 222), (146, 151, 160)  # of the background, middle and corners


def load(asset: Path | None) -> tuple[Any, Any]:
    """Return a fresh avatar's mesh and the data it was made from, in an empty scene."""
    blender_child.load_headless()
    package = blender_child.PARENT_PACKAGE
    avatar_module = importlib.import_module(f"{package}.blendshape_rigs.avatar")
    avatar_object = importlib.import_module(f"{package}.dream_blender.avatar_object")
    if asset is not None:
        avatar_module.PROXY_AVATAR_FILE = asset
    bpy.ops.wm.read_factory_settings()
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    head = avatar_object.spawn_avatar(bpy.context.scene.collection)
    return head, avatar_module.load_proxy_avatar()


def light_scene(scene: Any, middle: Vector) -> None:
    """Put soft lights about ``middle`` and dim, neutral light everywhere."""
    for name, place, power, size, colour in LIGHTS:
        data = bpy.data.lights.new(name, "AREA")
        data.energy, data.size, data.color = power, size, colour
        item = bpy.data.objects.new(name, data)
        scene.collection.objects.link(item)
        item.location = middle + Vector(place)
        item.rotation_euler = (middle - item.location).to_track_quat("-Z", "Y").to_euler()
    world = bpy.data.worlds.new("Studio")
    if world.node_tree is None:
        world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.42, 0.44, 0.48, 1.0)
    background.inputs["Strength"].default_value = 0.42
    scene.world = world


def set_renderer(scene: Any, samples: int) -> None:
    """Set ``scene`` to Cycles on the processor, with a fixed seed and a see-through background."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.seed = 0
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 6
    scene.render.film_transparent = True
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"


class Studio:
    """A lit scene with an avatar and a camera that goes round it."""

    def __init__(self, head: Any, avatar: Any, samples: int) -> None:
        self.head, self.scene, self.identities = head, bpy.context.scene, tuple(avatar.identities)
        x, y, z = avatar.eye_centres.mean(axis=0) - avatar.neck_pivot
        self.eyes = Vector((float(x), -float(z), float(y)))
        lens = bpy.data.cameras.new("Camera")
        lens.lens = FOCUS
        self.camera = bpy.data.objects.new("Camera", lens)
        self.scene.collection.objects.link(self.camera)
        self.scene.camera = self.camera
        light_scene(self.scene, self.eyes)
        set_renderer(self.scene, samples)

    def pose(self, values: Pose, at_camera: bool) -> None:
        """Set the shapes ``values`` and no others; ``at_camera``: the eyes find the camera."""
        for name in ARKIT_INDEX:
            self.head.data.shape_keys.key_blocks[name].value = values.get(name, 0.0)
        rig = self.head.parent
        rig["look_at"] = 1.0 if at_camera else 0.0
        rig.update_tag()
        # Beyond the camera, which stands so near that the eyes would cross.
        far = self.eyes + 4.0 * (self.camera.location - self.eyes)
        next(child for child in rig.children if child.type == "EMPTY").location = far

    def shoot(self, values: Pose, turn: float, size: tuple[int, int], height: float, drop: float) -> Image.Image:
        """Return a picture of ``size`` pixels from ``turn`` degrees to the subject's left.

        ``height`` and ``drop`` (m): what the picture shows, and how far its middle lies below the eyes.
        """
        middle = self.eyes + Vector((0.0, _BACK * turn / 90.0, -drop))
        distance = height * FOCUS / self.camera.data.sensor_width * max(size) / size[1]
        angle = np.radians(turn)
        self.camera.location = middle + Vector((np.sin(angle), -np.cos(angle), 0.03)) * distance
        self.camera.rotation_euler = (middle - self.camera.location).to_track_quat("-Z", "Y").to_euler()
        self.pose(values, at_camera=abs(turn) < 30.0)
        self.scene.render.resolution_x, self.scene.render.resolution_y = size
        with tempfile.TemporaryDirectory() as folder:
            self.scene.render.filepath = str(Path(folder) / "picture.png")
            bpy.ops.render.render(write_still=True)
            with Image.open(self.scene.render.filepath) as picture:
                return Image.alpha_composite(backdrop(size), picture.convert("RGBA")).convert("RGB")


def backdrop(size: tuple[int, int]) -> Image.Image:
    """Return a neutral background, brighter in its middle."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    away = np.hypot(columns / size[0] - 0.5, (rows / size[1] - 0.45) * 1.1) / 0.75
    share = np.clip(away, 0.0, 1.0)[..., None] ** 1.6
    colours = np.array(BRIGHT) * (1 - share) + np.array(DARK) * share
    return Image.fromarray(np.rint(colours).astype(np.uint8)).convert("RGBA")


def captioned(picture: Image.Image, text: str, low: bool = False) -> Image.Image:
    """Return ``picture`` with ``text`` in its upper left corner, or in its lower one."""
    font = ImageFont.load_default(max(14, picture.height // 16))
    margin = picture.height // 24
    pencil = ImageDraw.Draw(picture)
    height = picture.height - margin if low else margin
    pencil.text((margin, height), text, fill=(32, 34, 38), font=font, anchor="ls" if low else "lt")
    return picture


def sheet(pictures: list[Image.Image], columns: int, gap: int = 6) -> Image.Image:
    """Return the pictures side by side, in rows of ``columns``."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), (255, 255, 255))
    for number, picture in enumerate(pictures):
        whole.paste(picture, (number % columns * (width + gap), number // columns * (height + gap)))
    return whole


def emotion_pose(emotion: str) -> Pose:
    """Return a programme of ``emotion`` at full intensity; a unit of one side goes to the left."""
    values: dict[str, float] = {}
    programme = PROGRAMMES[emotion][CHOSEN.get(emotion, 0)] if emotion in PROGRAMMES else {}
    for unit, (weight, _) in programme.items():
        name = unit.removeprefix("one:")
        sides = (f"{name}Left",) if unit.startswith("one:") else (f"{name}Left", f"{name}Right")
        for channel in (name,) if name in ARKIT_INDEX else sides:
            values[channel] = min(values.get(channel, 0.0) + weight, 1.0)
    return values


def people(studio: Studio) -> Image.Image:
    """Return a picture of random people; the avatar stays the last of them."""
    look = importlib.import_module(f"{blender_child.PARENT_PACKAGE}.dream_blender.avatar_look")
    pictures = []
    for seed in PEOPLE:
        look.apply_look(studio.head, look.random_look(seed, studio.identities))
        pictures.append(studio.shoot({}, 20.0, (320, 360), 0.36, 0.03))
    return sheet(pictures, 4)


def render(studio: Studio, kind: str) -> Image.Image:
    """Return the picture ``kind``, one of ``KINDS``."""
    if kind == "people":
        return people(studio)
    if kind == "avatar":
        views = [studio.shoot({}, turn, (480, 600), 0.53, 0.098) for turn in ANGLES.values()]
        return sheet(views, len(views))
    if kind == "emotions":
        faces = [captioned(studio.shoot(emotion_pose(e), 14.0, (320, 340), 0.31, 0.012), e) for e in EMOTIONS]
        return sheet(faces, 4)
    shapes = mouth_shapes()
    mouths = [
        captioned(studio.shoot(dict(shapes[name]), 10.0, (300, 260), 0.165, 0.058), caption, low=True)
        for name, caption in VISEMES.items()
    ]
    return sheet(mouths, 3)


def main() -> None:
    """Render the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--asset", type=Path, help="an avatar other than the packaged one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    parser.add_argument("--only", choices=KINDS, help="one picture, not all")
    parser.add_argument("--samples", type=int, default=32, help="of Cycles, for each pixel")
    arguments = parser.parse_args()
    studio = Studio(*load(arguments.asset), arguments.samples)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for kind in (arguments.only,) if arguments.only else KINDS:
        path = arguments.out / f"{kind}.png"
        render(studio, kind).save(path, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
