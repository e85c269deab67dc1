"""Eyes: lids clear of the ball, an iris behind its cornea, lashes that turn with the lids, brows on the skin."""

from __future__ import annotations

import numpy as np
import pytest
from avatar_support import Floats, Ints, built_avatar, distance_to, head_skin, posed, triangles_of
from scipy.spatial import cKDTree

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.avatar import ProxyAvatar

pytest.importorskip("avatar_builder.build", reason="the builder needs the repository's root")
MM = 0.001
EYE_RADIUS = 13.5 * MM
# Heights above the eyeball at rest: below it is the lids' hidden edge; above it their outer side.
HIDDEN = 0.3 * MM
LID_FRONT = 0.9 * MM
SIDES = ((0, "Left", 1.0), (1, "Right", -1.0))
LOOKS = ("eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut")


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> ProxyAvatar:
    return built_avatar(tmp_path_factory.mktemp("avatar"))


def of_side(avatar: ProxyAvatar, outward: float, *materials: str) -> Ints:
    """Return one eye's vertices of the given materials."""
    used = np.unique(triangles_of(avatar, *materials))
    return used[avatar.vertices[used, 0] * outward > 0]


def lid_points(avatar: ProxyAvatar, number: int, height: float) -> Ints:
    """Return the skin's points around one eye that lie more than ``height`` metres above the eyeball at rest."""
    skin = np.unique(head_skin(avatar))
    distance = np.linalg.norm(avatar.vertices[skin] - avatar.eye_centres[number], axis=1)
    near = (distance > EYE_RADIUS + height) & (distance < 19 * MM) & (avatar.vertices[skin, 2] > 2 * MM)
    return skin[near]


def clearance(vertices: Floats, centre: Floats, points: Ints, surface: Ints) -> float:
    """Return how far in metres the points stay outside a surface around an eye's centre; below zero is inside."""
    ball, lids = vertices[surface] - centre, vertices[points] - centre
    radius, distance = np.linalg.norm(ball, axis=1), np.linalg.norm(lids, axis=1)
    _, nearest = cKDTree(ball / radius[:, None]).query(lids / distance[:, None], k=3)
    return float((distance - radius[nearest].max(axis=1)).min())


def assert_lids_cover(avatar: ProxyAvatar, vertices: Floats) -> None:
    """Assert that no lid is inside the white or the iris, and no outer side of a lid inside the cornea."""
    for number, _, outward in SIDES:
        centre = avatar.eye_centres[number].astype(np.float64)
        ball = of_side(avatar, outward, "eye_white", "iris")
        cornea = of_side(avatar, outward, "eye_white", "cornea")
        assert clearance(vertices, centre, lid_points(avatar, number, HIDDEN), ball) >= 0
        # The lid's inner edge may sink into the clear cornea behind the lid, where nobody sees it.
        assert clearance(vertices, centre, lid_points(avatar, number, LID_FRONT), cornea) >= 0


@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_blinking_lids_cover_the_ball(avatar: ProxyAvatar, value: float) -> None:
    assert_lids_cover(avatar, posed(avatar, eyeBlink=value))


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("value", [0.5, 1.0])
def test_the_cornea_passes_under_the_lids(avatar: ProxyAvatar, look: str, value: float) -> None:
    assert_lids_cover(avatar, posed(avatar, **{look: value}))


def test_the_iris_is_set_in_behind_the_cornea(avatar: ProxyAvatar) -> None:
    for number, _, outward in SIDES:
        cornea, iris, pupil = (of_side(avatar, outward, name) for name in ("cornea", "iris", "pupil"))
        depth = avatar.vertices[:, 2]
        assert 1.5 * MM < depth[cornea].max() - depth[pupil].max() < 4 * MM
        assert depth[pupil].min() < depth[pupil].max() - 0.4 * MM, "the pupil is a hole"
        distance = np.linalg.norm(avatar.vertices[iris] - avatar.eye_centres[number], axis=1)
        assert distance.max() < 13.51 * MM and np.median(distance) < 13.2 * MM
        bulge = np.linalg.norm(avatar.vertices[cornea] - avatar.eye_centres[number], axis=1).max()
        assert 0.3 * MM < bulge - EYE_RADIUS < 0.7 * MM


def test_the_iris_darkens_towards_its_rim_and_lightens_at_the_pupil(avatar: ProxyAvatar) -> None:
    iris = of_side(avatar, 1.0, "iris")
    radius = np.linalg.norm((avatar.vertices[iris] - avatar.eye_centres[0])[:, :2], axis=1)
    light = avatar.vertex_colors[iris].mean(axis=1)
    collar, rim = (radius > 2.5 * MM) & (radius < 3.8 * MM), (radius > 6.0 * MM) & (radius < 6.2 * MM)
    assert light[collar].mean() > 2 * light[rim].mean()


@pytest.mark.parametrize("look", LOOKS)
def test_cornea_and_iris_turn_as_one(avatar: ProxyAvatar, look: str) -> None:
    vertices = posed(avatar, **{look: 1.0})
    for number, _, outward in SIDES:
        gazes = []
        for name in ("cornea", "iris"):
            own = of_side(avatar, outward, name)
            gaze = vertices[own].mean(axis=0) - avatar.eye_centres[number]
            gazes.append(gaze / np.linalg.norm(gaze))
        assert np.degrees(np.arccos(np.clip(gazes[0] @ gazes[1], -1, 1))) < 0.5
        assert 20 < np.degrees(np.arccos(gazes[0][2])) < 35


def test_the_caruncle_keeps_still_in_the_inner_corner(avatar: ProxyAvatar) -> None:
    own = np.unique(triangles_of(avatar, "caruncle"))
    assert np.abs(avatar.deltas[:, own]).max() == 0
    for number, _, outward in SIDES:
        corner = avatar.vertices[avatar.landmark_vertices[362 if outward > 0 else 133]]
        middle = avatar.vertices[own[avatar.vertices[own, 0] * outward > 0]].mean(axis=0)
        assert np.linalg.norm(middle - corner) < 4 * MM
        assert abs(middle[0]) < abs(avatar.eye_centres[number, 0])


@pytest.mark.parametrize("value", [0.25, 0.5, 0.75, 1.0])
def test_lashes_stay_on_the_lids(avatar: ProxyAvatar, value: float) -> None:
    skin = head_skin(avatar)
    lashes = np.unique(triangles_of(avatar, "lash"))
    rooted = lashes[distance_to(avatar.vertices.astype(np.float64), skin, avatar.vertices[lashes]) < 0.3 * MM]
    assert len(rooted) > 0.3 * len(lashes)
    vertices = posed(avatar, eyeBlink=value)
    assert distance_to(vertices, skin, vertices[rooted]).max() < 1.2 * MM


def test_lashes_turn_down_with_the_closing_lid(avatar: ProxyAvatar) -> None:
    lashes = of_side(avatar, 1.0, "lash")
    rest, closed = posed(avatar), posed(avatar, eyeBlinkLeft=1.0)
    forward = lashes[np.argsort(rest[lashes, 2])[-12:]]
    lid = avatar.landmark_vertices[386]
    assert (rest[forward, 1] > rest[lid, 1]).all()
    assert (closed[forward, 1] < closed[lid, 1] + 1 * MM).all()
    assert closed[forward, 2].min() > closed[lid, 2], "they point into the eye"


@pytest.mark.parametrize("name", [name for name in ARKIT_NAMES if name.startswith(("brow", "noseSneer"))])
def test_brows_stay_on_the_skin(avatar: ProxyAvatar, name: str) -> None:
    skin, brow = head_skin(avatar), np.unique(triangles_of(avatar, "brow"))
    vertices = posed(avatar, **{name: 1.0})
    height = distance_to(vertices, skin, vertices[brow])
    assert height.max() < 1.3 * MM
    moved = np.linalg.norm(vertices[brow] - avatar.vertices[brow], axis=1)
    assert moved.max() > 1 * MM
