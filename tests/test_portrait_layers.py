"""The body of the portrait renderer: the cut-out person, the painted background, the turning mesh."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from portrait_support import landmarks, weights

from blendshape_rigs.face_mesh import LANDMARKS
from model_server.errors import PortraitError
from model_server.metrics.picture import local_scales, outside_pixels, smeared_pixels, torn_pixels
from model_server.portrait.fit import fit_portrait, rotation_angles
from model_server.portrait.inpaint import fill_background
from model_server.portrait.matte import PersonMatte, closed_form_matte, person_matte
from model_server.portrait.mesh import build_mesh, gentle_depth
from model_server.portrait.motion import eased
from model_server.portrait.person import split_layers
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.warp import MeshWarp

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


TURNS = [(0, 15, 0), (0, -15, 0), (10, 0, 0), (-10, 0, 0), (0, 0, 20), (8, 12, -12)]


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def renderer(photo: Photo) -> PortraitRenderer:
    return PortraitRenderer(photo)


def nose_shift(points: np.ndarray) -> float:
    """Return where the nose lies between the cheeks, -1 to 1; it grows as the head turns to the subject's left."""
    left, right, nose = points[454, 0], points[234, 0], points[1, 0]
    return float((2 * nose - left - right) / (left - right))


def nose_height(points: np.ndarray) -> float:
    """Return how far the nose's tip lies below the eyes, in face widths; it grows as the head looks down."""
    return float((points[[33, 263], 1].mean() - points[1, 1]) / np.ptp(points[:, 0]))


# --- The person and the background --------------------------------------------------------------------------------


def test_the_matte_is_the_person_and_tight(renderer: PortraitRenderer, photo: Photo) -> None:
    matte = person_matte(photo, renderer.fit)
    assert matte.separable
    assert (matte.alpha[40:180, 195:250] > 0.99).all()  # hair and face
    assert matte.alpha[:150, 330:].max() < 0.01  # wall and shuttle
    assert matte.alpha[:100, :120].max() < 0.01  # flag
    soft = (matte.alpha > 0.05) & (matte.alpha < 0.95)
    assert soft[:130].sum() < 1500


def test_a_matte_follows_the_colours_inside_its_band() -> None:
    generator = np.random.default_rng(0)
    truth = (np.arange(60)[None, :] > 33).astype(np.float32).repeat(40, axis=0)
    image = np.array([0.2, 0.3, 0.6]) * (1 - truth[..., None]) + np.array([0.8, 0.6, 0.4]) * truth[..., None]
    image += generator.normal(0, 0.01, image.shape)
    unknown = np.zeros((40, 60), bool)
    unknown[:, 22:45] = True
    known = np.where(unknown, 0, truth).astype(np.float32)
    guess = np.clip((np.arange(60) - 22) / 23, 0, 1).astype(np.float32)[None].repeat(40, axis=0)
    found = closed_form_matte(image.astype(np.float32), known, unknown, guess)
    assert np.abs(found - truth).mean() < 0.03
    assert (np.argmax(np.diff(found, axis=1), axis=1) == 33).all()


def test_layers_mix_to_the_photograph_and_the_background_is_rid_of_the_person(
    renderer: PortraitRenderer, photo: Photo
) -> None:
    layers = split_layers(photo, person_matte(photo, renderer.fit), renderer.fit.face_width)
    inner = layers.person[layers.border : -layers.border, layers.border : -layers.border].astype(float)
    alpha = inner[..., 3:] / 255
    mixed = inner[..., :3] + layers.background * (1 - alpha)
    assert np.abs(mixed - photo.pixels).max() <= 1
    assert (inner[..., :3] <= inner[..., 3:]).all()
    # Behind the head is a wall: bright and grey, not hair.
    wall = layers.background[30:120, 190:260].astype(float)
    assert wall.mean() > 150
    assert np.ptp(wall.mean(axis=(0, 1))) < 40


def test_the_background_goes_on_in_its_own_texture() -> None:
    generator = np.random.default_rng(1)
    grain = np.clip(generator.normal(128, 20, (200, 200, 3)), 0, 255).astype(np.uint8)
    hidden = np.zeros((200, 200), bool)
    hidden[60:, 70:130] = True
    filled = fill_background(grain, hidden, 80.0)
    strip = filled[100:160, 72:86]
    assert np.array_equal(filled[~hidden], grain[~hidden])
    assert strip.std() > 10  # a smear would have hardly any
    assert strip.mean() == pytest.approx(128, abs=6)


def test_stripes_go_on_behind_the_person() -> None:
    stripes = np.where((np.arange(240) // 12) % 2 == 0, 90, 160).astype(np.uint8)[None, :, None].repeat(200, axis=0)
    wall = stripes.repeat(3, axis=2)
    hidden = np.zeros((200, 240), bool)
    hidden[50:, 90:150] = True
    filled = fill_background(wall, hidden, 56.0)
    assert np.abs(filled[80:180, 92:110] - wall[80:180, 92:110]).mean() < 3


def test_where_nobody_is_cut_off_nobody_goes_on_past_the_border(renderer: PortraitRenderer, photo: Photo) -> None:
    layers = split_layers(photo, person_matte(photo, renderer.fit), renderer.fit.face_width)
    assert layers.person[: layers.border, :, 3].max() == 0
    assert (layers.person[-layers.border :, 200 + layers.border, 3] == 255).all()


def test_a_person_alone_is_the_frame_without_its_background(renderer: PortraitRenderer) -> None:
    turn = np.radians([4, 10, 3])
    person, frame = renderer.render_person(weights(jawOpen=0.4), turn), renderer.render(weights(jawOpen=0.4), turn)
    whole = person[..., 3] == 255
    assert np.array_equal(person[..., :3][whole], frame[whole])
    assert person[20, 500, 3] == 0
    assert 0.2 < whole.mean() < 0.7


def test_a_picture_without_a_person_to_cut_out_moves_as_a_whole(renderer: PortraitRenderer, photo: Photo) -> None:
    matte = PersonMatte(np.ones(photo.pixels.shape[:2], np.float32), False)
    mesh = build_mesh(renderer.fit, matte, renderer.motion.pivot)
    rows, columns = -mesh.points[LANDMARKS:, 1], mesh.points[LANDMARKS:, 0]
    far = (columns > 420) | (columns < 10) | (rows < -20)
    assert mesh.head_weight[:LANDMARKS].min() == 1
    assert mesh.head_weight[LANDMARKS:][far].max() < 0.02
    layers = split_layers(photo, matte, renderer.fit.face_width)
    assert (layers.person[..., 3] == 255).all()


def test_a_drawing_has_no_person_alone() -> None:
    generator = np.random.default_rng(0)
    face = cv2.resize(skimage_data.astronaut()[20:190, 140:310], (400, 400))
    edges = cv2.adaptiveThreshold(
        cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 31, 6
    )
    drawing = np.minimum(cv2.GaussianBlur(edges, (0, 0), 2)[..., None] // 2 + 110, 255).repeat(3, axis=2)
    drawing = np.clip(drawing + generator.normal(0, 3, drawing.shape), 0, 255).astype(np.uint8)
    renderer = PortraitRenderer(photo_from_array(drawing, "drawing"))
    assert not renderer.separable
    with pytest.raises(PortraitError, match="background"):
        renderer.render_person(np.zeros(52))


# --- Turning ------------------------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_frame_whatever_came_before(renderer: PortraitRenderer) -> None:
    values, turn = weights(jawOpen=0.4, eyeBlink=0.6), np.array([0.05, 0.1, 0.02])
    first = renderer.render(values, turn)
    renderer.render(weights(jawOpen=1.0), -2 * turn)
    assert np.array_equal(first, renderer.render(values, turn))


def test_the_background_stays_still(renderer: PortraitRenderer, photo: Photo) -> None:
    frame = renderer.render(weights(jawOpen=0.5), np.array([0.1, 0.25, 0.1]))
    changed = np.abs(frame.astype(int) - photo.pixels).max(axis=2) > 0
    left, top, right, bottom = renderer.motion.mesh.roi
    outside = np.ones(changed.shape, bool)
    outside[top:bottom, left:right] = False
    assert not changed[outside].any()
    # The flag and the model shuttle are in the region's reach but no part of the person.
    assert not changed[:, 400:].any()
    assert changed.mean() > 0.05


def test_the_head_turns_nods_and_tilts(renderer: PortraitRenderer) -> None:
    def seen(pitch: float, yaw: float, roll: float) -> np.ndarray:
        return landmarks(renderer.render(np.zeros(52), np.radians([pitch, yaw, roll])))

    assert np.all(np.diff([nose_shift(seen(0, yaw, 0)) for yaw in (-15, -7, 0, 7, 15)]) > 0.03)
    assert np.all(np.diff([nose_height(seen(pitch, 0, 0)) for pitch in (-10, -5, 0, 4, 8)]) > 0.002)
    for roll in (-10, 10):
        eyes = seen(0, 0, roll)[[33, 263], :2]
        rest = renderer.fit.landmarks[[33, 263], :2]
        turn = np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1]) - np.arctan2(*(rest[1] - rest[0])[::-1]))
        # A tilt to the subject's left shoulder lowers the left eye, which is on the right of the picture.
        assert turn == pytest.approx(-roll, abs=2)


def test_turns_ease_into_their_limits() -> None:
    limit = np.radians(15)
    angles = np.array([eased(angle, limit) for angle in np.radians(np.arange(-60, 61, 2))])
    assert np.all(np.diff(angles) > -1e-9)
    assert np.abs(angles).max() < limit
    assert eased(np.radians(8), limit) == np.radians(8)


@pytest.mark.parametrize("degrees", [(10, 15, 10), (-10, -15, -10), (0, 15, 0), (-10, 0, 0)])
def test_no_holes_open_when_the_head_moves(photo: Photo, degrees: tuple[int, int, int]) -> None:
    # Without blacks in the photograph, a black pixel can only be a hole.
    bright = photo_from_array((70 + photo.pixels * 0.6).astype(np.uint8), "bright")
    frame = PortraitRenderer(bright).render(weights(browInnerUp=1), np.radians(degrees))
    assert frame.min() > 40


def test_turns_are_seen_as_large_as_they_are_commanded(renderer: PortraitRenderer) -> None:
    rig, rest = renderer.motion.rig, renderer.fit.rotation
    for axis, angle in ((0, 7.0), (1, 10.0), (2, 12.0)):
        seen = []
        for sign in (1, -1):
            turn = np.zeros(3)
            turn[axis] = np.radians(sign * angle)
            found = fit_portrait(photo_from_array(renderer.render(np.zeros(52), turn)), rig).rotation
            seen.append(rotation_angles(found @ rest.T)[axis] / (sign * angle))
        assert 0.75 < np.mean(seen) < 1.25


def test_the_head_moves_and_comes_nearer(renderer: PortraitRenderer) -> None:
    def seen(*metres: float) -> np.ndarray:
        return landmarks(renderer.render(np.zeros(52), None, np.array(metres)))[:LANDMARKS, :2]

    rest = seen(0, 0, 0)
    for axis in (0, 1):
        move = np.zeros(3)
        move[axis] = 0.015
        shift = (seen(*move) - rest).mean(axis=0) / renderer.fit.scale
        assert shift[axis] == pytest.approx(0.015, rel=0.2)
    sizes = [np.ptp(seen(0, 0, z)[:, 1]) for z in (-0.02, 0, 0.02)]
    assert sizes[0] * 1.01 < sizes[1] < sizes[2] / 1.01


@pytest.mark.parametrize("degrees", TURNS)
def test_nothing_smears_or_tears_when_the_head_turns(
    renderer: PortraitRenderer, photo: Photo, degrees: tuple[int, int, int]
) -> None:
    column, row = renderer.flow(np.zeros(52), np.radians(degrees))
    assert smeared_pixels(column, row).mean() < 0.002
    assert torn_pixels(column, row).mean() < 0.002
    assert outside_pixels(column, row, photo.pixels.shape[:2]).mean() < 0.05


def test_smears_tears_and_outsides_are_found() -> None:
    column, row = np.meshgrid(np.arange(40.0), np.arange(30.0))
    least, most = local_scales(column, row)
    assert np.allclose(least, 1)
    assert np.allclose(most, 1)
    smeared = column.copy()
    smeared[:, 20:30] = 20 + 0.1 * (column[:, 20:30] - 20)
    assert smeared_pixels(smeared, row)[:, 21:28].all()
    assert not smeared_pixels(smeared, row)[:, :18].any()
    assert torn_pixels(smeared, row)[:, 29].all()
    assert outside_pixels(column - 3, row, (30, 40)).mean() == pytest.approx(3 / 40)


def test_gentle_depths_keep_what_is_gentle_and_calm_what_is_steep() -> None:
    flat = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    triangles = np.array([[0, 1, 2], [1, 3, 2]])
    gentle = np.array([0, 5, 5, 8], np.float32)
    assert np.array_equal(gentle_depth(flat, gentle, triangles), gentle)
    steep = gentle_depth(flat, np.array([0, 100, 0, 100], np.float32), triangles)
    assert np.abs(steep[1] - steep[0]) < 20


def test_the_coarse_map_is_exact_where_the_mesh_is_flat() -> None:
    corners = np.array([[2, 2], [90, 3], [4, 70], [92, 72], [40, 30], [50, 30], [45, 38]], np.float32)
    triangles = np.array([[4, 5, 6], [0, 1, 2], [1, 3, 2]], np.int32)
    warp = MeshWarp(corners, triangles, 0, (76, 96), 1, 2)
    moved = corners @ np.array([[1.02, 0.05], [-0.04, 0.97]], np.float32) + [1.5, -2.0]
    column, row = warp.maps(moved.astype(np.float32), np.zeros(7, np.float32))
    back = np.linalg.inv(np.array([[1.02, 0.05], [-0.04, 0.97]]))
    there = (np.array([50.0, 40.0]) - [1.5, -2.0]) @ back
    assert (column[40, 50], row[40, 50]) == pytest.approx(there, abs=0.02)
