"""Rendered heads: random people of the proxy avatar in random expressions, with everything about them known.

One file a person, ``person_0007.npz`` (``person_0007.held_out.npz`` is for validation). All places are in picture
axes: x to the right, y down, z away from the viewer, -1 to 1 across the picture.

=================  ==================  ===========================================================================
``frames``         (N, S, S, 3) uint8  the pictures, sRGB
``values``         (N, 52) float32     ARKit weights
``canonical``      (15, 3) float32     keypoints of this person with a neutral face, seen from the front
``keypoints``      (N, 15, 3) float32  keypoints in each picture
``rotation``       (N, 3, 3) float32   turn of the head
``translation``    (N, 3) float32      the head's move: ``keypoints = rotation canonical + translation + expression``
``points``         (N, P, 3) float16   where points of the surface are: two pictures give the flow between them
``seen``           (N, P) bool         whether each of them is seen
=================  ==================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES, MIRROR_INDEX
from blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar
from model_server.errors import ConfigError
from model_server.portrait.arrays import Floats
from model_server.portrait.avatar_picture import HEAD_AXES, Appearance, AvatarPainter, Light, visible
from model_server.portrait.fit import rotation_matrix
from model_server.portrait.neural_crop import CROP_CENTRE, CROP_SPAN
from model_server.portrait.neural_keypoints import KEYPOINT_LANDMARKS

from .clips import HELD_OUT

_SMALLEST = 32
_POINTS = 768
_HIDDEN = ("cornea", "gums", "mouth_cavity", "teeth", "tongue")
_SKIN = ((1.06, 1.14, 1.20), (0.16, 0.10, 0.07))
_HAIR = ((4.5, 4.8, 4.5), (0.25, 0.30, 0.40))
_EYES = ((1.3, 1.3, 1.3), (0.5, 0.18, 0.08))
"""Factors of the linear colours: the lightest and the darkest."""
_TURN = np.radians([9.0, 14.0, 7.0])  # spread of pitch, yaw, roll
_MOST_TURN = np.radians([22.0, 35.0, 20.0])
_MOVE = 0.008  # metres


def make_heads(folder: Path, people: int, frames: int, size: int, seed: int, jobs: int) -> Generator[Path, None, None]:
    """Render people that are not there yet; every eighth is held out. Yields each file as it is done.

    Args:
        folder: where the files go.
        people: how many in all.
        frames: pictures of each.
        size: pixels of a picture's side.
        seed: same seed, same people.
        jobs: processes at once.

    Raises:
        ConfigError: for fewer than 2 frames or 32 pixels: a pair needs two pictures, a face some pixels.
    """
    if frames < 2 or size < _SMALLEST:
        raise ConfigError(f"heads need 2 --frames and a --size of {_SMALLEST} at least, not {frames} and {size}")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"person_{number:04}{HELD_OUT if number % 8 == 7 else '.npz'}" for number in range(people)]
    wanted = [(number, path) for number, path in enumerate(paths) if not path.exists()]
    work = partial(_make, frames=frames, size=size, seed=seed)
    if jobs == 1:
        yield from map(work, wanted)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, wanted)


def _make(number_and_path: tuple[int, Path], frames: int, size: int, seed: int) -> Path:
    number, path = number_and_path
    arrays = render_person(load_proxy_avatar(), np.random.default_rng([seed, number]), frames, size)
    partial_path = path.with_suffix(".partial")
    with partial_path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    partial_path.replace(path)
    return path


def render_person(avatar: ProxyAvatar, random: np.random.Generator, frames: int, size: int) -> dict[str, Floats]:
    """Return the arrays of one person's file; the first picture is neutral and seen from the front."""
    look = random_appearance(avatar, random)
    painter = AvatarPainter(avatar, look)
    landmarks = avatar.landmark_vertices[list(KEYPOINT_LANDMARKS)]
    chosen = surface_points(avatar)
    canonical = painter.vertices(np.zeros(ARKIT_COUNT))[landmarks]
    pivot = (avatar.neck_pivot - np.asarray(look.centre)) @ HEAD_AXES * (2 / look.span)
    rows: dict[str, list[Floats]] = {
        name: [] for name in ("frames", "values", "keypoints", "rotation", "translation", "points", "seen")
    }
    for number in range(frames):
        values = random_expression(random) if number else np.zeros(ARKIT_COUNT, np.float32)
        turn = np.clip(random.normal(0, _TURN), -_MOST_TURN, _MOST_TURN) * float(number > 0)
        move = random.normal(0, _MOVE, 3) * float(number > 0)
        vertices = painter.vertices(values, turn, move)
        picture, depth = painter.draw(vertices, size)
        rotation = HEAD_AXES @ rotation_matrix(*(float(angle) for angle in turn)) @ HEAD_AXES
        translation = pivot - rotation @ pivot + move @ HEAD_AXES * (2 / look.span)
        points = vertices[chosen]
        for name, value in zip(
            rows,
            (picture, values, vertices[landmarks], rotation, translation, points, visible(points, depth)),
            strict=True,
        ):
            rows[name].append(np.asarray(value))
    kinds = {"frames": np.uint8, "points": np.float16, "seen": np.bool_}
    arrays = {name: np.stack(values).astype(kinds.get(name, np.float32)) for name, values in rows.items()}
    return arrays | {"canonical": canonical}


def surface_points(avatar: ProxyAvatar) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the vertices (P,) whose places are stored; always the same ones."""
    hidden = [avatar.materials.index(name) for name in _HIDDEN]
    rows = np.unique(avatar.triangles[~np.isin(avatar.triangle_materials, hidden)])
    return np.sort(np.random.default_rng(0).choice(rows, _POINTS, replace=False)).astype(np.int64)


def random_appearance(avatar: ProxyAvatar, random: np.random.Generator) -> Appearance:
    """Return a random person in a random light before a random background."""
    identity = {name: float(np.clip(random.normal(0, 0.5), -1, 1)) for name in avatar.identities}
    dark = random.random()
    skin, hair = _between(_SKIN, dark), _between(_HAIR, max(dark, random.random()))
    tints = {"skin": skin, "lips": skin, "iris": _between(_EYES, max(dark, random.random()))}
    tints |= {"hair": hair, "brow": _between(_HAIR, 0.7)}
    tints["cloth"] = _colour(2.0 * random.random(3))
    side = random.uniform(-1.2, 1.2)
    key = Light((side, random.uniform(-1, 0.1), -1.0), _colour(random.uniform(0.45, 0.85) * _near_white(random)))
    fill = Light((-side, random.uniform(-0.6, 0.3), -0.8), _colour(random.uniform(0.05, 0.3) * _near_white(random)))
    # Walls are seldom of a strong colour.
    wall = random.random() + 0.35 * (random.random(3) - 0.5)
    return Appearance(
        identity,
        tints,
        (key, fill),
        float(random.uniform(0.2, 0.4)),
        (_colour(np.clip(wall, 0, 1)), _colour(np.clip(wall * random.uniform(0.5, 1.0), 0, 1))),
        float(CROP_SPAN * random.uniform(0.92, 1.08)),
        (float(random.normal(0, 0.004)), float(random.normal(CROP_CENTRE[1], 0.004)), CROP_CENTRE[2]),
    )


def random_expression(random: np.random.Generator) -> Floats:
    """Return (52,) random ARKit weights: a few shapes, most of them on both sides alike, speech and blinks often."""
    values = np.zeros(ARKIT_COUNT, np.float32)
    for channel in random.choice(ARKIT_COUNT, random.integers(2, 8), replace=False):
        strength = random.random() ** 1.5
        values[channel] = strength
        if random.random() < 0.7:
            values[MIRROR_INDEX[channel]] = strength
    if random.random() < 0.6:
        values[ARKIT_INDEX["jawOpen"]] = random.random() * 0.8
    if random.random() < 0.25:
        lids = [number for number, name in enumerate(ARKIT_NAMES) if name.startswith("eyeBlink")]
        values[lids] = random.choice([1.0, random.random()])
    values[ARKIT_INDEX["tongueOut"]] *= random.random() < 0.3
    # Lips that are pressed shut do not open with the jaw.
    values[ARKIT_INDEX["mouthClose"]] *= values[ARKIT_INDEX["jawOpen"]]
    return values


def _between(
    ends: tuple[tuple[float, float, float], tuple[float, float, float]], share: float
) -> tuple[float, float, float]:
    light, dark = np.log(np.asarray(ends))
    return _colour(np.exp(light + share * (dark - light)))


def _near_white(random: np.random.Generator) -> Floats:
    return np.asarray(1 + random.uniform(-0.15, 0.15, 3), np.float32)


def _colour(values: Floats) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
