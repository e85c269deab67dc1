"""The avatar in a real Blender without a window: its bones, driven shapes, look-at target, identities and tones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from blender_support import installed_blender

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_NAMES
from blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar

Floats = npt.NDArray[np.floating[Any]]

TARGETS = [[0.05, -0.7, 0.15], [0.0, -0.5, 0.9], [0.0, -0.5, -0.8], [2.0, -0.1, 0.1], [0.0, 4.0, 0.1]]
"""Metres from the neck: near before the eyes, too high, too low, too far to the left, behind the head."""
EYEBALL = ("eye_white", "iris", "pupil", "cornea")


@dataclass(frozen=True)
class Seen:
    """What the script saw: its report, its arrays, and the avatar and shape values it was given."""

    report: dict[str, Any]
    arrays: dict[str, Floats]
    avatar: ProxyAvatar
    values: Floats

    def vertices_of(self, *materials: str) -> npt.NDArray[np.intp]:
        numbers = [self.avatar.materials.index(name) for name in materials if name in self.avatar.materials]
        return np.unique(self.avatar.triangles[np.isin(self.avatar.triangle_materials, numbers)])

    def project(self, name: str) -> Floats:
        """Return the array ``name`` of Blender's axes, relative to the neck, in the avatar's axes and place."""
        x, y, z = self.arrays[name].T
        return np.stack([x, z, -y], axis=1) + self.avatar.neck_pivot


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("avatar")
    avatar = load_proxy_avatar()
    values = np.random.default_rng(3).uniform(-0.2, 1.2, ARKIT_COUNT)
    np.savez(folder / "given.npz", values=values)
    report = installed_blender().run(
        "avatar.py",
        folder=str(folder),
        arkit=list(ARKIT_NAMES),
        targets=TARGETS,
        slider=next(iter(avatar.identities)),
        skin_material=avatar.materials.index("skin"),
    )
    with np.load(folder / "found.npz") as found:
        return Seen(report, dict(found), avatar, values)


def test_avatar_begins_at_rest_with_all_its_shapes(seen: Seen) -> None:
    names = seen.report["names"]
    assert names[: ARKIT_COUNT + 1] == ["Basis", *ARKIT_NAMES]
    assert [name for name in names if name.startswith("identity ")] == [f"identity {n}" for n in seen.avatar.identities]
    assert {f"corrective {c.name}" for c in seen.avatar.correctives} < set(names)
    assert not np.any(seen.report["at_start"])
    np.testing.assert_allclose(seen.project("rest"), seen.avatar.vertices, atol=1e-6)
    np.testing.assert_allclose(seen.arrays["uvs"].reshape(-1, 3, 2), seen.avatar.face_uvs, atol=1e-6)


def test_correctives_follow_their_drivers_without_scripts(seen: Seen) -> None:
    assert seen.avatar.correctives
    assert seen.report["drivers_without_scripts"]
    assert seen.report["driven"] == len(seen.avatar.correctives) + 4
    np.testing.assert_allclose(seen.project("posed"), seen.avatar.deform(seen.values), atol=1e-5)


def test_bones_stand_at_the_neck_and_the_eyes(seen: Seen) -> None:
    bones = seen.report["bones"]
    assert {name: place[0] for name, place in bones.items()} == {
        "root": "",
        "neck": "root",
        "head": "neck",
        "eye.L": "head",
        "eye.R": "head",
    }
    np.testing.assert_allclose(bones["head"][1:], 0.0, atol=1e-6)
    for name, centre in zip(("eye.L", "eye.R"), seen.avatar.eye_centres - seen.avatar.neck_pivot, strict=True):
        np.testing.assert_allclose(bones[name][1:], [centre[0], -centre[2], centre[1]], atol=1e-6)


def test_head_turns_about_the_neck_while_the_shoulders_stay(seen: Seen) -> None:
    rest, turned, turn = (seen.arrays[name] for name in ("rest", "turned", "turn"))
    weight = seen.avatar.head_weight
    shoulders, head = weight == 0, weight == 1
    assert shoulders.sum() > 100
    np.testing.assert_allclose(turned[shoulders], rest[shoulders], atol=1e-6)
    np.testing.assert_allclose(turned[head], rest[head] @ turn.T, atol=1e-5)
    between = weight[:, None] * (rest @ turn.T) + (1 - weight[:, None]) * rest
    np.testing.assert_allclose(turned, between, atol=2e-4)


def normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def test_neck_carries_the_head_and_leaves_the_shoulders(seen: Seen) -> None:
    rest, bent, bend = (seen.arrays[name] for name in ("rest", "bent", "bend"))
    weight = seen.avatar.head_weight
    np.testing.assert_allclose(bent[weight == 0], rest[weight == 0], atol=1e-6)
    carried = rest @ bend[:3, :3].T + bend[:3, 3]
    np.testing.assert_allclose(bent[weight > 0.7], carried[weight > 0.7], atol=2e-4)
    moved, full = (np.linalg.norm(points - rest, axis=1) for points in (bent, carried))
    assert np.all(moved <= full + 2e-4)
    before, after = (normals(points, seen.avatar.triangles) for points in (rest, bent))
    assert np.all((before * after).sum(axis=1) > 0), "nothing folds"


def test_eyes_find_their_target_within_sensible_angles(seen: Seen) -> None:
    near, high, low, side, behind = seen.report["gaze"]
    np.testing.assert_allclose(near["forward"], near["wanted"], atol=1e-3)
    for gaze, angles in ((high, (0, 24)), (low, (0, -28)), (side, (32, None)), (behind, (None, None))):
        for x, y, z in gaze["forward"]:
            pitch, yaw = np.degrees(np.arcsin(z)), np.degrees(np.arctan2(x, -y))
            assert -28.01 < pitch < 24.01
            assert abs(yaw) < 32.01
            if angles[0]:
                assert yaw == pytest.approx(angles[0], abs=1)
            elif angles[1]:
                assert pitch == pytest.approx(angles[1], abs=1)


def test_eyeballs_turn_in_place_and_lids_follow(seen: Seen) -> None:
    moved = seen.arrays["moved"]
    low, lids = seen.arrays["gaze 2"], seen.report["gaze"][2]["lids"]
    assert lids == pytest.approx(
        {
            "corrective lid down left": 1,
            "corrective lid up left": 0,
            "corrective lid down right": 1,
            "corrective lid up right": 0,
        },
        abs=1e-3,
    )
    for centre in seen.avatar.eye_centres:
        rows = seen.vertices_of(*EYEBALL)
        rows = rows[seen.avatar.vertices[rows, 0] * centre[0] > 0]
        x, y, z = centre - seen.avatar.neck_pivot
        middle = np.array([x + 1.0, -z + 2.0, y + 3.0])
        before, after = (np.linalg.norm(points[rows] - middle, axis=1) for points in (moved, low))
        np.testing.assert_allclose(after, before, atol=1e-5)
        assert np.abs(low[rows] - moved[rows]).max() > 0.003
    np.testing.assert_allclose(moved, seen.arrays["rest"] + [1.0, 2.0, 3.0], atol=1e-5)


def test_identity_and_look_at_can_be_keyed(seen: Seen) -> None:
    assert seen.report["keyed"] == pytest.approx([0.5, 0.5], abs=1e-3)


def test_identity_slider_changes_the_form_and_hair_can_be_hidden(seen: Seen) -> None:
    deltas = next(iter(seen.avatar.identities.values()))
    assert np.abs(deltas).max() > 0.001
    np.testing.assert_allclose(seen.project("identity"), seen.avatar.vertices - 0.5 * deltas, atol=1e-5)
    hair = seen.vertices_of("hair")
    assert np.ptp(seen.arrays["bald"][hair], axis=0).max() < 1e-5
    others = np.setdiff1d(np.arange(len(seen.avatar.vertices)), hair)
    np.testing.assert_allclose(seen.arrays["bald"][others], seen.arrays["rest"][others], atol=1e-6)


def test_tones_paint_their_own_parts_only(seen: Seen) -> None:
    before, after = seen.arrays["own_colours"], seen.arrays["deep_colours"]
    assert seen.report["choices"][:2] == ["DEEP", "CUSTOM"]
    skin = seen.vertices_of("skin")
    assert after[skin, :3].mean() < 0.25 * before[skin, :3].mean()
    iris = np.setdiff1d(seen.vertices_of("iris"), seen.vertices_of("pupil", "eye_white"))
    assert (after[iris, 1] > after[iris, 0]).all()
    for part in ("teeth", "hair", "tongue"):
        rows = np.setdiff1d(seen.vertices_of(part), seen.vertices_of("skin", "gums"))
        np.testing.assert_array_equal(after[rows], before[rows])
    # sRGB 0.31, 0.19, 0.14 in linear light.
    np.testing.assert_allclose(seen.report["skin_material"][:3], [0.0785, 0.0301, 0.0176], atol=2e-3)
    np.testing.assert_allclose(seen.report["skin_shader"][:3], seen.report["skin_material"][:3], atol=1e-6)


def test_person_of_a_number_is_always_the_same(seen: Seen) -> None:
    first, again, other = (seen.arrays[name] for name in ("person 0", "person 1", "other person"))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, other, atol=1e-6)
    assert np.abs(first - seen.arrays["rest"]).max() > 0.001
    np.testing.assert_array_equal(seen.arrays["other_colours"], seen.arrays["person_colours"])


def test_options_of_adding_are_obeyed(seen: Seen) -> None:
    assert seen.report["own_choices"] == ["FAIR", "BLUE", "BROWN"]
    assert seen.report["chosen_skin"] == pytest.approx([0.5, 0.4, 0.3], abs=1e-3)
    assert seen.report["chosen_hair"] == 1.0
    assert seen.report["chosen_identity"] == pytest.approx([0.25] + [0.0] * (len(seen.avatar.identities) - 1))
    assert seen.report["materials_shared"] == 3 * len(seen.avatar.materials)
