"""Shapes carried over to heads without any: to the avatar itself, bent and thinned out, and to ICT-FaceKit's head."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from numpy.typing import NDArray
from test_blender_extension import performance

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES
from blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar
from blendshape_rigs.formats import write_curves
from blendshape_rigs.ict_facekit import ict_names
from blendshape_rigs.transfer import (
    FACE_POINTS,
    NoFaceError,
    Transfer,
    TransferError,
    guess_face_points,
    transfer_shapes,
)

MM = 0.001
SKIN = ("skin", "lips", "mouth_cavity")
# iBUG-68 numbers of the face points, as ICT-FaceKit lists its landmarks.
IBUG = {
    "nose tip": 30, "chin": 8, "mouth corner left": 54, "mouth corner right": 48, "upper lip": 51, "lower lip": 57,
    "eye outer corner left": 45, "eye inner corner left": 42, "eye inner corner right": 39,
    "eye outer corner right": 36,
}  # fmt: skip
ICT_PARTS = {"skin": (0, 14062), "lower teeth": (19247, 21451), "eyes": (21451, 24591)}


@dataclass(frozen=True, eq=False)
class Character:
    """A head whose own shapes are known: ``deltas`` (52, V, 3) with zeros where it has none."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    deltas: NDArray[np.float64]
    points: dict[str, NDArray[np.float64]]
    unit: float
    """Of its lengths, in metres of a head of human size."""


def agreement(character: Character, deltas: NDArray[np.float32], chosen: Any) -> dict[str, tuple[float, float]]:
    """Return by shape the median cosine between own and carried motions, and the ratio of their mean lengths.

    Counted are the ``chosen`` vertices that move by a fifth or more of the most that one of them moves.
    """
    found = {}
    for index, name in enumerate(ARKIT_NAMES):
        own, carried = character.deltas[index][chosen], deltas[index][chosen]
        lengths, others = np.linalg.norm(own, axis=1), np.linalg.norm(carried, axis=1)
        moving = lengths > max(0.2 * lengths.max(), 0.1 * MM / character.unit)
        if moving.any():
            cosines = (own * carried).sum(axis=1)[moving] / np.maximum(lengths * others, 1e-12)[moving]
            found[name] = (float(np.median(cosines)), float(others[moving].mean() / lengths[moving].mean()))
    return found


def thinned(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return ``triangles`` after collapsing short edges onto one of their ends, no two of them side by side."""
    pairs = np.unique(np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    lengths = np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1)
    becomes = np.arange(len(vertices))
    around: list[list[int]] = [[] for _ in vertices]
    for first, second in pairs.tolist():
        around[first].append(second)
        around[second].append(first)
    taken = np.zeros(len(vertices), bool)
    for first, second in pairs[np.argsort(lengths, kind="stable")].tolist():
        if not (taken[first] or taken[second]):
            becomes[second] = first
            taken[[first, second, *around[first], *around[second]]] = True
    merged = becomes[triangles]
    kept: NDArray[np.int32] = merged[
        (merged[:, 0] != merged[:, 1]) & (merged[:, 1] != merged[:, 2]) & (merged[:, 2] != merged[:, 0])
    ].astype(np.int32)
    return kept


def bent_avatar(avatar: ProxyAvatar) -> tuple[Character, NDArray[np.bool_]]:
    """Return the avatar wider, shorter, with a longer chin, thinned out, in inches and elsewhere; and what is skin."""
    places = avatar.vertices.astype(np.float64)
    stretch = np.array([1.1, 0.94, 1.04])
    chin = np.exp(-(((places - [0, -0.1, 0.02]) / 0.05) ** 2).sum(axis=1))
    bent = places * stretch + chin[:, None] * [0, -0.008, 0.004]
    slope = -2 * (places - [0, -0.1, 0.02]) / 0.05**2 * chin[:, None]
    frames = np.diag(stretch) + np.array([0, -0.008, 0.004])[None, :, None] * slope[:, None, :]
    deltas = np.einsum("vxy,svy->svx", frames, avatar.deltas)
    angle = 0.2
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    unit = 0.0254
    triangles = avatar.triangles
    for _ in range(3):
        triangles = thinned(avatar.vertices, triangles)
    used, numbers = np.unique(triangles, return_inverse=True)
    skin = avatar.triangles[np.isin(avatar.triangle_materials, [avatar.materials.index(name) for name in SKIN])]
    vertices = bent @ turn.T / unit + [3.0, 60.0, -2.0]
    points = {name: vertices[avatar.landmark_vertices[landmark]] for name, landmark in FACE_POINTS.items()}
    character = Character(
        vertices[used], numbers.reshape(-1, 3).astype(np.int32), (deltas @ turn.T / unit)[:, used], points, unit
    )
    return character, np.isin(used, skin)


@pytest.fixture(scope="module")
def bent() -> tuple[Character, NDArray[np.bool_], Transfer]:
    character, skin = bent_avatar(load_proxy_avatar())
    return character, skin, transfer_shapes(character.vertices, character.triangles, character.points)


@pytest.fixture(scope="module")
def ict(shared_data: Path) -> Character:
    """Return ICT-FaceKit's head; its own shapes serve as the truth alone."""
    folder = shared_data / "characters" / "ict_facekit"
    with np.load(folder / "ict_facekit_light.npz", allow_pickle=False) as stored:
        vertices, faces = stored["neutral"].astype(np.float64), stored["faces"]
        own = dict(zip(stored["expr_names"].tolist(), stored["expr_delta"], strict=True))
    deltas = np.zeros((len(ARKIT_NAMES), *vertices.shape))
    for index, name in enumerate(ARKIT_NAMES):
        deltas[index] = sum((own[part] for part in ict_names(name)), np.zeros_like(vertices))
    landmarks = json.loads((folder / "vertex_indices.json").read_text())["idx_to_landmark_verts"]
    points = {name: vertices[landmarks[number]] for name, number in IBUG.items()}
    triangles = np.concatenate([faces[:, :3], faces[faces[:, 3] >= 0][:, [0, 2, 3]]]).astype(np.int32)
    return Character(vertices, triangles, deltas, points, 0.01)


@pytest.fixture(scope="module")
def carried(ict: Character) -> Transfer:
    return transfer_shapes(ict.vertices, ict.triangles, guess_face_points(ict.vertices, ict.triangles))


def test_the_avatar_itself_bent_and_thinned_out_gets_its_own_shapes(
    bent: tuple[Character, NDArray[np.bool_], Transfer],
) -> None:
    character, skin, transfer = bent
    assert len(character.vertices) < 0.65 * len(load_proxy_avatar().vertices)
    found = agreement(character, transfer.deltas, skin)
    assert len(found) >= 51
    assert np.median([cosine for cosine, _ in found.values()]) > 0.995
    assert min(cosine for cosine, _ in found.values()) > 0.98
    assert all(0.88 < ratio < 1.12 for _, ratio in found.values()), found
    report = transfer.report
    assert report.landmark_distance_mm < 0.5
    assert report.matched > 0.97
    assert report.eyes == 2


def test_eyes_turn_teeth_and_tongue_follow_the_jaw(bent: tuple[Character, NDArray[np.bool_], Transfer]) -> None:
    character, skin, transfer = bent
    found = agreement(character, transfer.deltas, ~skin)
    for name in ("jawOpen", "jawLeft", "jawForward", "eyeLookUpLeft", "eyeLookInRight", "tongueOut"):
        cosine, ratio = found[name]
        assert cosine > 0.97, name
        assert 0.85 < ratio < 1.2, name


def test_what_no_shape_moves_stays(bent: tuple[Character, NDArray[np.bool_], Transfer]) -> None:
    character, skin, transfer = bent
    still = skin & (np.abs(character.deltas).max(axis=(0, 2)) == 0)
    assert still.sum() > 500
    assert np.abs(transfer.deltas[:, still]).max() * character.unit < 1.5 * MM


def test_ict_facekit_moves_as_its_own_shapes_do(ict: Character, carried: Transfer) -> None:
    start, end = ICT_PARTS["skin"]
    found = agreement(ict, carried.deltas, slice(start, end))
    cosines = {name: cosine for name, (cosine, _) in found.items()}
    assert np.median(list(cosines.values())) > 0.9
    assert min(cosines.values()) > 0.5, min(cosines, key=lambda name: cosines[name])
    assert 0.5 < np.median([ratio for _, ratio in found.values()]) < 1.4
    start, end = ICT_PARTS["lower teeth"]
    cosine, ratio = agreement(ict, carried.deltas, slice(start, end))["jawOpen"]
    assert cosine > 0.95
    assert 0.6 < ratio < 1.5


def test_ict_facekits_lips_part_and_close(ict: Character, carried: Transfer, shared_data: Path) -> None:
    folder = shared_data / "characters" / "ict_facekit"
    landmarks = json.loads((folder / "vertex_indices.json").read_text())["idx_to_landmark_verts"]
    upper, lower = landmarks[61:64], [landmarks[number] for number in (67, 66, 65)]
    parted = 10 * (carried.deltas[:, upper, 1] - carried.deltas[:, lower, 1])  # millimetres
    own = 10 * (ict.deltas[:, upper, 1] - ict.deltas[:, lower, 1])
    opened, shut = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    assert (parted[opened] > 0.5 * own[opened]).all()
    assert np.abs(parted[opened] + parted[shut]).max() < 1.5
    assert carried.report.lip_opening_mm > 15
    assert carried.report.lip_remainder_mm < 1.5
    assert carried.report.eyes == 2
    assert carried.report.jaw_parts == 17  # sixteen teeth, and the gums that hold them
    assert any("tongue" in warning for warning in carried.report.warnings)
    assert "approximation" in carried.report.lines()[0]


def test_face_points_are_found_from_the_shape_alone(ict: Character) -> None:
    found = guess_face_points(ict.vertices, ict.triangles)
    misses = {name: 10 * float(np.linalg.norm(found[name] - place)) for name, place in ict.points.items()}
    assert max(misses.values()) < 8, misses
    assert np.mean(list(misses.values())) < 4, misses
    # The eyeballs tell where the corners of the eyes are.
    assert max(miss for name, miss in misses.items() if name.startswith("eye")) < 4, misses


@pytest.mark.parametrize("turns", range(4))
def test_face_points_are_found_on_a_figure_that_looks_elsewhere(turns: int) -> None:
    avatar = load_proxy_avatar()
    angle = turns * np.pi / 2
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    # A loose part larger than the head, as clothes are.
    low, high = np.array([-0.4, -1.6, -0.2]), np.array([0.4, -0.2, 0.2])
    box = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low) + low
    sides = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6]]
    vertices = np.concatenate([avatar.vertices, box]) @ turn.T * 7 + 2
    triangles = np.concatenate([avatar.triangles, np.array(sides) + len(avatar.vertices)])
    found = guess_face_points(vertices, triangles)
    for name, landmark in FACE_POINTS.items():
        place = avatar.vertices[avatar.landmark_vertices[landmark]] @ turn.T * 7 + 2
        assert np.linalg.norm(found[name] - place) < 0.003 * 7, name


def test_what_is_no_face_is_refused() -> None:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    tube = np.stack([(np.cos(angles), np.full(60, height), np.sin(angles)) for height in np.linspace(0, 3, 40)])
    vertices = tube.transpose(0, 2, 1).reshape(-1, 3)
    corner = np.arange(39 * 60).reshape(39, 60)
    right = np.roll(corner, -1, axis=1)
    quads = np.stack([corner, corner + 60, right + 60, right], axis=-1).reshape(-1, 4)
    triangles = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    with pytest.raises(NoFaceError, match="No face was found"):
        guess_face_points(vertices, triangles)
    with pytest.raises(NoFaceError, match="no faces"):
        guess_face_points(vertices, np.zeros((0, 3), int))


def test_useless_points_are_refused(bent: tuple[Character, NDArray[np.bool_], Transfer]) -> None:
    character = bent[0]
    points = character.points
    with pytest.raises(TransferError, match="missing: chin"):
        transfer_shapes(
            character.vertices, character.triangles, {name: points[name] for name in points if name != "chin"}
        )
    line = {name: np.array([float(number), 0, 0]) for number, name in enumerate(points)}
    with pytest.raises(TransferError, match="one line"):
        transfer_shapes(character.vertices, character.triangles, line)
    with pytest.raises(TransferError, match="not a number"):
        transfer_shapes(character.vertices, character.triangles, points | {"chin": np.full(3, np.nan)})
    with pytest.raises(TransferError, match="vertices lie around"):
        transfer_shapes(character.vertices, character.triangles[:40], points)


def test_joined_lips_are_told_of() -> None:
    """A mask without a slit between the lips cannot open its mouth, and says so."""
    avatar = load_proxy_avatar()
    welded = np.arange(len(avatar.vertices))
    welded[avatar.lower_lip] = avatar.upper_lip
    materials = [avatar.materials.index(name) for name in ("skin", "lips")]
    triangles = welded[avatar.triangles[np.isin(avatar.triangle_materials, materials)]]
    points = {
        name: avatar.vertices[avatar.landmark_vertices[landmark]].astype(float)
        for name, landmark in FACE_POINTS.items()
    }
    report = transfer_shapes(avatar.vertices, triangles, points, avatar).report
    assert report.lip_opening_mm == 0
    assert any("slit" in warning for warning in report.warnings)
    assert report.eyes == 0
    assert any("eyes" in warning for warning in report.warnings)


def test_in_blender_meshes_of_a_character_get_shape_keys_that_a_take_moves(tmp_path: Path) -> None:
    write_curves(performance(12, 24.0), tmp_path / "curves.npz")
    avatar = load_proxy_avatar()
    landmarks = {name: int(avatar.landmark_vertices[landmark]) for name, landmark in FACE_POINTS.items()}
    report = installed_blender().run(
        "transfer.py", landmarks=landmarks, names=list(ARKIT_NAMES), curves=str(tmp_path / "curves.npz")
    )
    assert "Make the mesh of a head active" in report["refused_nothing"]
    assert "Apply the modifier 'Mirror'" in report["refused_mirror"]
    assert "shapes of its own" in report["refused_own_shapes"]
    assert max(report["misses"].values()) < 3 * MM
    assert all(keys == ["Basis", *ARKIT_NAMES] for keys in report["keys"].values())
    assert set(report["values"]) == {0.0}
    assert not report["far_has_shapes"]
    assert report["parents"] == ["", "Head", "Head"]
    assert (report["chosen"], report["problem"]) == ("Head", "")
    assert report["meshes"] == sorted(report["animated"]) == ["Eyes", "Head", "Mouth"]
    assert "approximation" in report["lines"][0]
    for part, (cosine, ratio) in {**report["skin"], "eyes": report["eyes"], "mouth": report["mouth"]}.items():
        assert cosine > 0.97, part
        assert 0.85 < ratio < 1.15, part
    assert report["points_left"] == 0
