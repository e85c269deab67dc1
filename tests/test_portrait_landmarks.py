"""Landmarks placed by hand: the file, the mesh made of a handful of points, the template to begin with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blendshape_rigs.avatar import load_proxy_avatar
from model_server.errors import PortraitError
from model_server.portrait.fit import FaceChoice, PortraitFit, fit_portrait
from model_server.portrait.landmark_file import (
    NEEDED_POINTS,
    POINTS,
    parse_landmarks,
    read_landmarks,
    write_found_landmarks,
)
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.rig import LandmarkRig

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")

SIZE = [512, 512]


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def rig() -> LandmarkRig:
    return LandmarkRig.from_avatar(load_proxy_avatar())


@pytest.fixture(scope="module")
def fit(photo: Photo, rig: LandmarkRig) -> PortraitFit:
    return fit_portrait(photo, rig)


@pytest.fixture(scope="module")
def points(fit: PortraitFit) -> dict[str, list[float]]:
    """Return the named points as the detector sees them."""
    picture = fit.landmarks[:, :2].astype(float) * [1, -1]
    return {name: picture[index].tolist() for name, index in POINTS.items()}


def mean_error(landmarks: np.ndarray, fit: PortraitFit) -> float:
    """Return the mean distance of landmarks (N, 2) from the detector's over the face's width."""
    return float(np.linalg.norm(landmarks[:468] - fit.points, axis=1).mean() / fit.face_width)


def test_the_mesh_goes_through_the_points(
    photo: Photo, rig: LandmarkRig, fit: PortraitFit, points: dict[str, list[float]]
) -> None:
    made = parse_landmarks({"size": SIZE, "points": points}, photo, rig)
    assert made.shape == (478, 2)
    for name, index in POINTS.items():
        assert made[index] == pytest.approx(points[name], abs=0.02), name
    assert mean_error(made, fit) < 0.02


def test_eight_points_are_enough(
    photo: Photo, rig: LandmarkRig, fit: PortraitFit, points: dict[str, list[float]]
) -> None:
    few = {name: points[name] for name in NEEDED_POINTS}
    placed = fit_portrait(photo, rig, FaceChoice(landmarks=parse_landmarks({"size": SIZE, "points": few}, photo, rig)))
    assert mean_error(placed.points, fit) < 0.04
    assert placed.pose_degrees == pytest.approx(fit.pose_degrees, abs=8)
    assert placed.scale == pytest.approx(fit.scale, rel=0.08)
    # Irises that are not given lie in the eyes.
    for iris, eye in ((473, (362, 263)), (468, (133, 33))):
        corners = np.sort(placed.points[list(eye), 0])
        assert corners[0] < placed.landmarks[iris, 0] < corners[1]


def test_a_whole_mesh_is_taken_as_it_is_and_named_points_move_it(
    photo: Photo, rig: LandmarkRig, fit: PortraitFit, points: dict[str, list[float]]
) -> None:
    picture = fit.landmarks[:, :2].astype(float) * [1, -1]
    for count in (468, 478):
        made = parse_landmarks({"size": SIZE, "landmarks": picture[:count].tolist()}, photo, rig)
        assert made[:count] == pytest.approx(picture[:count], abs=1e-3)
    moved = dict(points, chin=[points["chin"][0], points["chin"][1] + 12])
    made = parse_landmarks({"size": SIZE, "landmarks": picture.tolist(), "points": moved}, photo, rig)
    assert made[152, 1] - picture[152, 1] == pytest.approx(12, abs=0.02)
    assert 2 < made[199, 1] - picture[199, 1] < 12
    assert np.abs(made[[33, 263, 1, 105]] - picture[[33, 263, 1, 105]]).max() < 0.5


def test_the_points_may_count_the_pixels_of_the_larger_picture(rig: LandmarkRig) -> None:
    large = photo_from_array(cv2.resize(skimage_data.astronaut(), (2048, 2048)), "large")
    small = fit_portrait(large, rig)
    points = {name: (small.landmarks[index, :2] * [1, -1] * 2048 / 1080).tolist() for name, index in POINTS.items()}
    made = parse_landmarks({"size": [2048, 2048], "points": points}, large, rig)
    assert mean_error(made, small) < 0.02


def test_a_drawing_is_animated_by_ten_points(rig: LandmarkRig) -> None:
    page = np.full((400, 400, 3), 245, np.uint8)
    ink = (30, 30, 30)
    cv2.ellipse(page, (200, 210), (110, 140), 0, 0, 360, (250, 220, 190), -1)
    cv2.ellipse(page, (200, 210), (110, 140), 0, 0, 360, ink, 2)
    for x in (155, 245):
        cv2.ellipse(page, (x, 180), (26, 14), 0, 0, 360, (255, 255, 255), -1)
        cv2.ellipse(page, (x, 180), (26, 14), 0, 0, 360, ink, 2)
        cv2.circle(page, (x, 180), 8, ink, -1)
    cv2.line(page, (160, 275), (240, 275), (150, 40, 40), 4)
    drawing = Photo("drawing", page)
    placed = {
        "right_eye_outer": [129, 180], "right_eye_inner": [181, 180],
        "left_eye_inner": [219, 180], "left_eye_outer": [271, 180],
        "nose_tip": [200, 230], "mouth_right": [160, 275], "mouth_left": [240, 275], "chin": [200, 350],
        "right_cheek": [92, 215], "left_cheek": [308, 215],
    }  # fmt: skip
    landmarks = parse_landmarks({"size": [400, 400], "points": placed}, drawing, rig)
    renderer = PortraitRenderer(drawing, choice=FaceChoice(landmarks=landmarks))
    assert np.abs(renderer.fit.pose_degrees[1:]).max() < 2
    values = np.zeros(52, np.float32)
    values[17] = 0.7  # jawOpen
    changed = np.abs(renderer.render(values).astype(int) - page).max(axis=2) > 40
    assert changed[265:345, 150:250].sum() > 600
    assert not changed[:150].any()


def change(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document | changes


def move(**moved: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document | {"points": document["points"] | moved}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda document: [document], "must be a JSON object"),
        (lambda document: {"size": SIZE}, "must be a JSON object"),
        (change(extra=1), 'unknown entry "extra"'),
        (change(size=[512]), r'"size": \[width, height\]'),
        (change(size=[512, -512]), r'"size": \[width, height\]'),
        (change(size=[10**9, 10**9]), r'"size": \[width, height\]'),
        (change(size=[640, 480]), "picture of 640 x 480 pixels"),
        (change(points=[1, 2]), '"points" must be an object'),
        (change(landmarks=[[1, 2]] * 7), "7 landmarks; give 468 or 478"),
        (change(landmarks=[[1, 2]] * 10_000), "must be .column, row."),
        (change(landmarks=[[1, "2"]] * 468), "must be .column, row."),
        (move(left_ear=[1, 2]), 'unknown point "left_ear"; points are left_eye_outer'),
        (move(chin=[1, 2, 3]), 'point "chin" must be'),
        (move(chin=[float("nan"), 2]), 'point "chin" must be'),
        (move(chin=[10**300, 2]), 'point "chin" must be'),
        (move(chin=[True, 2]), 'point "chin" must be'),
        (lambda document: document | {"points": {"chin": [1, 2]}}, "lacks the points left_eye_outer"),
        (move(**{name: [100, 100] for name in POINTS}), "one spot"),
        (move(**{name: [10.0 * i, 100] for i, name in enumerate(POINTS)}), "one line"),
    ],
)
def test_broken_files_say_what_is_wrong(
    photo: Photo, rig: LandmarkRig, points: dict[str, list[float]], broken: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(PortraitError, match=words) as caught:
        parse_landmarks(broken({"size": SIZE, "points": points}), photo, rig, "face.json")
    assert "face.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_left_and_right_are_the_subjects(photo: Photo, rig: LandmarkRig, points: dict[str, list[float]]) -> None:
    def swapped(name: str) -> str:
        sides = {"left": "right", "right": "left"}
        return "_".join(sides.get(part, part) for part in name.split("_"))

    mirrored = {swapped(name): point for name, point in points.items()}
    with pytest.raises(PortraitError, match="subject's own"):
        parse_landmarks({"size": SIZE, "points": mirrored}, photo, rig)


def test_files_that_are_no_landmarks_are_refused(tmp_path: Path, photo: Photo, rig: LandmarkRig) -> None:
    (tmp_path / "words.json").write_text("This is no JSON.")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "large.json").write_text(" " * (2**20 + 1))
    for name, words in (
        ("gone.json", "does not exist"),
        ("words.json", "is no JSON"),
        ("deep.json", "is no JSON"),
        ("large.json", "larger than 1 MiB"),
    ):
        with pytest.raises(PortraitError, match=words):
            read_landmarks(tmp_path / name, photo, rig)


def test_landmarks_beside_the_picture_are_refused(photo: Photo, rig: LandmarkRig, fit: PortraitFit) -> None:
    picture = fit.landmarks[:, :2] * [1, -1]
    with pytest.raises(PortraitError, match="outside"):
        fit_portrait(photo, rig, FaceChoice(landmarks=picture + 1000))
    with pytest.raises(PortraitError, match="468 or 478"):
        fit_portrait(photo, rig, FaceChoice(landmarks=picture[:100]))


def test_the_written_template_reads_back(tmp_path: Path, photo: Photo, rig: LandmarkRig, fit: PortraitFit) -> None:
    assert write_found_landmarks(tmp_path / "found.json", photo)
    assert mean_error(read_landmarks(tmp_path / "found.json", photo, rig), fit) < 0.02
    assert set(json.loads((tmp_path / "found.json").read_text())["points"]) == set(POINTS)

    large = photo_from_array(cv2.resize(skimage_data.astronaut(), (2048, 2048)), "large")
    assert write_found_landmarks(tmp_path / "large.json", large)
    assert json.loads((tmp_path / "large.json").read_text())["size"] == [2048, 2048]
    assert mean_error(read_landmarks(tmp_path / "large.json", large, rig), fit_portrait(large, rig)) < 0.02

    blank = photo_from_array(np.full((300, 500, 3), 200, np.uint8), "blank")
    assert not write_found_landmarks(tmp_path / "blank.json", blank)
    made = read_landmarks(tmp_path / "blank.json", blank, rig)
    assert (made.min(axis=0) > 0).all()
    assert (made.max(axis=0) < [500, 300]).all()
    assert made.mean(axis=0) == pytest.approx([250, 150], abs=25)
