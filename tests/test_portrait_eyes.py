"""Lids, gaze, brows and glasses of the portrait renderer, measured on what it rendered."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from portrait_support import landmarks, weights

from blendshape_rigs.avatar import load_proxy_avatar
from model_server.portrait.eyes import Eye, EyePose
from model_server.portrait.eyes_shape import eye_shape
from model_server.portrait.fit import fit_portrait
from model_server.portrait.glasses import find_glasses
from model_server.portrait.layers import polygon_mask
from model_server.portrait.photo import photo_from_array
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.rig import LandmarkRig
from model_server.portrait.topology import EYE_LOOPS, IRIS_CENTRES

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")

BROW_EDGES = [(282, 334), (295, 296), (52, 105), (65, 66)]


@pytest.fixture(scope="module")
def rig() -> LandmarkRig:
    return LandmarkRig.from_avatar(load_proxy_avatar())


@pytest.fixture(scope="module")
def renderer(rig: LandmarkRig) -> PortraitRenderer:
    """The astronaut's head alone and enlarged: 270 pixels of face, for the detector to measure lids in."""
    head = cv2.resize(skimage_data.astronaut()[20:220, 120:320], (600, 600), interpolation=cv2.INTER_CUBIC)
    return PortraitRenderer(photo_from_array(head, "head"), rig)


@pytest.fixture(scope="module")
def hopper(rig: LandmarkRig) -> PortraitRenderer:
    cbook = pytest.importorskip("matplotlib.cbook", reason="matplotlib has the test photograph with glasses")
    path = Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    return PortraitRenderer(photo_from_array(np.asarray(Image.open(path).convert("RGB")), "hopper"), rig)


def gaze(right: float) -> np.ndarray:
    """Return (52,) weights of both eyes looking to the picture's right, or left where negative."""
    out, into = ("Left", "Right") if right > 0 else ("Right", "Left")
    return weights(**{f"eyeLookOut{out}": abs(right), f"eyeLookIn{into}": abs(right)})


def seen_points(frame: np.ndarray) -> np.ndarray:
    """Return (478, 2) columns and rows of the one face in ``frame``."""
    return landmarks(frame)[:, :2] * [1, -1]


def openness(points: np.ndarray, side: int) -> float:
    loop = points[list(EYE_LOOPS[side])]
    return float(np.linalg.norm(loop[4] - loop[12]) / np.linalg.norm(loop[0] - loop[8]))


def iris_place(points: np.ndarray, side: int) -> np.ndarray:
    """Return (2,) where the iris lies between the eye's corners, in widths of the eye."""
    loop = points[list(EYE_LOOPS[side])]
    return (points[IRIS_CENTRES[side]] - loop[[0, 8]].mean(axis=0)) / np.ptp(loop[:, 0])


def opening_mask(renderer: PortraitRenderer, side: int, margin: int = 0) -> np.ndarray:
    mask = polygon_mask(renderer.fit.points[list(EYE_LOOPS[side])], renderer.photo.pixels.shape[:2]) > 0.99
    return cv2.erode(mask.astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8)) > 0


# --- Lids -------------------------------------------------------------------------------------------------------


def test_a_blink_closes_both_eyes_step_by_step(renderer: PortraitRenderer) -> None:
    steps = [seen_points(renderer.render(weights(eyeBlink=value))) for value in (0, 0.25, 0.5, 0.75, 1)]
    for side in (0, 1):
        seen = [openness(points, side) for points in steps]
        assert np.all(np.diff(seen) < -0.01)
        assert seen[-1] < 0.4 * seen[0]


@pytest.mark.parametrize("value", [1.0, 0.6])
def test_a_shut_eye_shows_nothing_but_skin(renderer: PortraitRenderer, value: float) -> None:
    # A squint and a downward look together with a blink close no further than shut.
    frame = renderer.render(weights(eyeBlink=value, eyeSquint=1, eyeLookDown=0.5))
    for side in (0, 1):
        inside = opening_mask(renderer, side)
        loop = renderer.fit.points[list(EYE_LOOPS[side])]
        above = inside & (np.arange(len(frame))[:, None] < loop[[0, 8], 1].mean())
        shut, open_eye = frame[above].astype(float), renderer.photo.pixels[above].astype(float)
        # No bright white, no dark pupil: a lid is even, and of the skin's colour.
        assert shut.mean(axis=1).std() < 0.35 * open_eye.mean(axis=1).std()
        brow_bone = renderer.fit.points[257 if side == 0 else 27].astype(int)
        skin = renderer.photo.pixels[brow_bone[1] - 2 : brow_bone[1] + 3, brow_bone[0] - 2 : brow_bone[0] + 3]
        assert np.abs(np.median(shut, axis=0) - np.median(skin.reshape(-1, 3), axis=0)).max() < 60


def test_one_eye_winks_alone(renderer: PortraitRenderer) -> None:
    frame = renderer.render(weights(eyeBlinkLeft=1.0))
    assert np.abs(frame.astype(int) - renderer.photo.pixels)[opening_mask(renderer, 1)].max() <= 1
    assert openness(seen_points(frame), 0) < 0.2


def test_the_eyeball_stays_while_the_lid_comes_down(renderer: PortraitRenderer) -> None:
    frame = renderer.render(weights(eyeBlink=0.4))
    change = np.abs(frame.astype(int) - renderer.photo.pixels).max(axis=2)
    rows = np.arange(len(frame))[:, None]
    for side in (0, 1):
        loop = renderer.fit.points[list(EYE_LOOPS[side])]
        low = opening_mask(renderer, side, 2) & (rows > np.average(loop[[4, 12], 1], weights=[0.3, 0.7]))
        # Nothing is squashed: what still shows is the same picture in the same place, but for the lid's shadow.
        before, after = renderer.photo.pixels[low].astype(float).ravel(), frame[low].astype(float).ravel()
        assert np.corrcoef(before, after)[0, 1] > 0.95
        assert change[opening_mask(renderer, side) & (rows < loop[[4, 12], 1].mean())].max() > 30


def test_eyes_widen_and_squint(renderer: PortraitRenderer) -> None:
    faces = [seen_points(renderer.render(weights(**step))) for step in ({"eyeSquint": 1}, {}, {"eyeWide": 1})]
    for side in (0, 1):
        squint, rest, wide = (openness(points, side) for points in faces)
        assert squint < rest - 0.05
        # The detector hardly believes in eyes wider than usual.
        assert wide > rest + 0.004


def test_lids_follow_the_gaze_down(renderer: PortraitRenderer) -> None:
    falls = [renderer.motion.lid_moves(weights(eyeLookDown=value), 0)[0] for value in (0, 0.5, 1)]
    assert np.all(np.diff(falls) > 0.1)
    assert renderer.motion.lid_moves(weights(eyeLookUp=1), 0)[0] < -0.05
    assert sum(renderer.motion.lid_moves(weights(eyeBlink=1, eyeLookDown=1, eyeSquint=1), 0)) == pytest.approx(1)


def test_eyes_shut_in_the_photograph_stay_shut() -> None:
    pixels = np.full((120, 160, 3), 180, np.uint8)
    x = np.linspace(40, 120, 9)
    arch = 1 - ((x - 80) / 40) ** 2

    def rings(sign: float) -> list[np.ndarray]:
        return [np.stack([x, 60 + sign * (0.5 + 14 * ring) * arch], axis=1) for ring in range(3)]

    shape = eye_shape(rings(-1), rings(1), (120, 160))
    grain = np.zeros(shape.u.shape, np.float32)
    eye = Eye(pixels, shape, np.array([80, 60]), 12, np.zeros((120, 160), np.float32), grain)
    assert eye.shut
    picture = pixels.copy()
    eye.paint(picture, EyePose(0.8, 0.2, 0, (0.3, 0.1), 1.0))
    assert np.array_equal(picture, pixels)


def test_a_photograph_of_shut_eyes_is_told_from_open_ones(renderer: PortraitRenderer, rig: LandmarkRig) -> None:
    shut = PortraitRenderer(photo_from_array(renderer.render(weights(eyeBlink=1))), rig)
    frame = shut.render(weights(eyeBlink=0.5, eyeLookUp=1))
    assert np.abs(frame.astype(int) - shut.photo.pixels).max() <= 1
    assert np.abs(renderer.render(weights(eyeLookUp=1)).astype(int) - renderer.photo.pixels).max() > 40


@pytest.mark.parametrize("side", [150, 1100])
def test_small_and_large_faces_blink(rig: LandmarkRig, side: int) -> None:
    head = cv2.resize(skimage_data.astronaut()[20:220, 120:320], (side, side), interpolation=cv2.INTER_AREA)
    renderer = PortraitRenderer(photo_from_array(head), rig)
    frame = renderer.render(weights(eyeBlink=1, eyeLookUp=0.3))
    for eye in (0, 1):
        inside = opening_mask(renderer, eye)
        assert frame[inside].mean(axis=1).std() < 0.6 * renderer.photo.pixels[inside].mean(axis=1).std()


# --- Gaze -------------------------------------------------------------------------------------------------------


def test_the_iris_follows_the_gaze(renderer: PortraitRenderer) -> None:
    sideways = [seen_points(renderer.render(gaze(value))) for value in (-1, -0.5, 0, 0.5, 1)]
    for side in (0, 1):
        assert np.all(np.diff([iris_place(points, side)[0] for points in sideways]) > 0.015)
    heights = []
    for values in (weights(eyeLookUp=1), weights(), weights(eyeLookDown=0.7)):
        points = seen_points(renderer.render(values))
        heights.append(np.mean([iris_place(points, side)[1] for side in (0, 1)]))
    assert np.all(np.diff(heights) > 0.01)


def test_no_iris_stays_where_it_was(renderer: PortraitRenderer) -> None:
    """The white that a turned iris leaves behind is lighter than the iris that was there."""
    frame = renderer.render(gaze(1.0)).astype(float).mean(axis=2)
    before = renderer.photo.pixels.astype(float).mean(axis=2)
    for side in (0, 1):
        centre = renderer.fit.landmarks[IRIS_CENTRES[side], :2] * [1, -1]
        radius = 0.2 * np.ptp(renderer.fit.points[list(EYE_LOOPS[side]), 0])
        x, y = np.round(centre - [0.55 * radius, 0]).astype(int)
        left = np.s_[y - 2 : y + 3, x - 3 : x + 2]
        assert frame[left].mean() > before[left].mean() + 25


def test_gaze_changes_the_eyes_alone(renderer: PortraitRenderer) -> None:
    frame = renderer.render(gaze(0.8))
    changed = np.abs(frame.astype(int) - renderer.photo.pixels).max(axis=2) > 2
    for side in (0, 1):
        reach = cv2.dilate(opening_mask(renderer, side).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
        assert changed[reach].any()
        changed[reach] = False
    assert not changed.any()


# --- Brows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [{"browInnerUp": 1.0, "browOuterUp": 1.0}, {"browDown": 1.0}])
def test_brows_leave_the_eyes_where_they_are(renderer: PortraitRenderer, channels: dict[str, float]) -> None:
    frame = renderer.render(weights(**channels))
    difference = np.abs(frame.astype(int) - renderer.photo.pixels).max(axis=2)
    for side in (0, 1):
        assert difference[opening_mask(renderer, side, 1)].max() <= 2
    assert difference.max() > 40


def test_brows_rise_and_fall(renderer: PortraitRenderer) -> None:
    heights = []
    for channels in ({"browDown": 1.0}, {}, {"browInnerUp": 1.0, "browOuterUp": 1.0}):
        points = seen_points(renderer.render(weights(**channels)))
        heights.append((points[[33, 263], 1].mean() - points[[105, 334], 1].mean()) / np.ptp(points[:, 0]))
    assert np.all(np.diff(heights) > 0.005)


def test_a_lowered_brow_keeps_its_hair_and_never_meets_the_eye(renderer: PortraitRenderer) -> None:
    up = renderer.motion.fit.rotation[:2, 1]
    rest = renderer.motion.fit.landmarks[:468, :2] @ up
    lowered = renderer.motion.expression(weights(browDown=1.0), 0.0)[:468, :2] @ up
    for lower, upper in BROW_EDGES:
        assert lowered[upper] - lowered[lower] > 0.85 * (rest[upper] - rest[lower])
    for lid, brow in ((386, 282), (159, 52)):
        assert 0.4 * (rest[brow] - rest[lid]) < lowered[brow] - lowered[lid] < 0.95 * (rest[brow] - rest[lid])


# --- Glasses ----------------------------------------------------------------------------------------------------


def test_glasses_are_found_where_there_are_some(
    renderer: PortraitRenderer, hopper: PortraitRenderer, rig: LandmarkRig
) -> None:
    whole = photo_from_array(skimage_data.astronaut())
    assert find_glasses(renderer.photo.pixels, renderer.fit) is None
    assert find_glasses(whole.pixels, fit_portrait(whole, rig)) is None
    glasses = find_glasses(hopper.photo.pixels, hopper.fit)
    assert glasses is not None
    # The dark upper rim is frame; eyes and lips are none.
    x, y = hopper.fit.points[205].astype(int)
    assert hopper.photo.pixels[glasses.frame > 0.9].mean() < 0.9 * hopper.photo.pixels[y, x].mean()
    for side in (0, 1):
        assert glasses.frame[opening_mask(hopper, side)].max() < 0.1
    assert glasses.held[[13, 14, 61, 291, 152, 10]].max() == 0


def test_drawn_glasses_are_found(renderer: PortraitRenderer) -> None:
    pixels = renderer.photo.pixels.copy()
    middles = [renderer.fit.points[list(loop)].mean(axis=0) for loop in EYE_LOOPS]
    width = np.ptp(renderer.fit.points[list(EYE_LOOPS[0]), 0])
    axes, colour = (int(0.85 * width), int(0.7 * width)), (40, 30, 30)
    for x, y in np.round(middles).astype(int).tolist():
        cv2.ellipse(pixels, (x, y + int(0.1 * width)), axes, 0, 0, 360, colour, 4)
    left, right = (np.round(middle).astype(int).tolist() for middle in middles[::-1])
    cv2.line(pixels, (left[0] + axes[0], left[1]), (right[0] - axes[0], right[1]), colour, 4)
    glasses = find_glasses(pixels, renderer.fit)
    assert glasses is not None
    assert pixels[glasses.frame > 0.9].mean() < 0.75 * renderer.photo.pixels[glasses.frame > 0.9].mean()


def test_frames_keep_their_shape_when_brows_move_and_eyes_blink(hopper: PortraitRenderer) -> None:
    glasses = find_glasses(hopper.photo.pixels, hopper.fit)
    assert glasses is not None
    frame = hopper.render(weights(browInnerUp=1, browOuterUp=1, eyeBlink=1, cheekSquint=0.7))
    rim = glasses.frame > 0.5
    before, after = (picture[rim].astype(float).ravel() for picture in (hopper.photo.pixels, frame))
    assert np.corrcoef(before, after)[0, 1] > 0.98
    assert openness(seen_points(frame), 0) < 0.6 * openness(seen_points(hopper.photo.pixels), 0)


# --- Both -------------------------------------------------------------------------------------------------------


def test_the_same_eyes_are_painted_the_same(renderer: PortraitRenderer) -> None:
    values = weights(eyeBlink=0.45, eyeLookUp=0.3, eyeWide=0.2, browInnerUp=0.4)
    first = renderer.render(values)
    renderer.render(weights(eyeBlink=1.0))
    assert np.array_equal(first, renderer.render(values))


def test_eyes_move_in_small_steps(renderer: PortraitRenderer) -> None:
    """A slow blink has no jump: no step of 5 % changes a pixel by more than a lid's edge can."""
    area = cv2.dilate(opening_mask(renderer, 0).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    frames = [renderer.render(weights(eyeBlink=value))[area].astype(float) for value in np.arange(0, 1.01, 0.05)]
    steps = [np.abs(later - earlier).mean() for earlier, later in pairwise(frames)]
    assert max(steps) < 4 * np.median(steps)
