"""The closed loop of portraits: landmarks found in rendered frames, the skin's colours, sharpness, holes, flicker."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from model_server.cli import main
from model_server.evaluation.portrait_loop import FRAMES, Gain, PortraitMeasurement, measure_portrait
from model_server.evaluation.portrait_picture import gradient_energy, skin_difference, skin_mask
from model_server.evaluation.portrait_poses import SHEET_POSES, TURNS
from model_server.evaluation.portrait_sheet import draw_sheet
from model_server.evaluation.portrait_tables import gain_table, picture_table
from model_server.portrait.avatar_picture import Appearance, AvatarPainter
from model_server.portrait.photo import photo_from_array
from model_server.portrait.renderer import PortraitRenderer

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def astronaut() -> PortraitRenderer:
    return PortraitRenderer(photo_from_array(skimage_data.astronaut(), "astronaut"))


@pytest.fixture(scope="module")
def steps() -> list[float]:
    return []


@pytest.fixture(scope="module")
def measured(astronaut: PortraitRenderer, steps: list[float]) -> PortraitMeasurement:
    return measure_portrait(astronaut, steps.append)


# --- A real photograph ----------------------------------------------------------------------------------------------


def test_the_mesh_is_found_where_it_was_driven(measured: PortraitMeasurement) -> None:
    errors = np.array(list(measured.mesh_errors.values()))
    assert np.isfinite(errors).all()
    assert errors.mean() < 0.012
    assert errors.max() < 0.02
    assert measured.floor < 0.006
    # The photograph held still is far from what was asked for.
    assert np.mean(list(measured.still_errors.values())) > 3 * errors.mean()


def test_every_response_grows_with_what_drives_it(measured: PortraitMeasurement) -> None:
    assert {name: gain.order for name, gain in measured.gains.items() if gain.order < 0.999} == {}


def test_gains_are_near_one(measured: PortraitMeasurement) -> None:
    gains = {name: gain.slope for name, gain in measured.gains.items()}
    assert set(gains) == {"opening", "mouth width", "smile", "blink", "brows", *TURNS}
    # Corners that rise are read too small on a photograph that smiles already.
    lowest = {"smile": 0.55}
    assert {name: gain for name, gain in gains.items() if not lowest.get(name, 0.7) < gain < 1.3} == {}


def test_the_person_stays_the_same_and_sharp(measured: PortraitMeasurement) -> None:
    assert np.mean(list(measured.identity.values())) < 0.05
    assert abs(np.mean(list(measured.sharpness.values())) - 1) < 0.05
    assert all(0.85 < value < 1.2 for value in measured.sharpness.values())


def test_nothing_is_broken_and_nothing_flickers(measured: PortraitMeasurement) -> None:
    assert max(measured.holes.values()) == 0
    assert max(measured.smears.values()) < 0.005
    assert measured.flicker == 0
    assert measured.rest_difference <= 1


def test_progress_counts_the_frames(measured: PortraitMeasurement, steps: list[float]) -> None:
    assert steps == [float(number) for number in range(1, FRAMES + 1)]
    assert measured.name == "astronaut"


# --- A rendered person ----------------------------------------------------------------------------------------------


def test_a_rendered_person_passes_too() -> None:
    form = {"width": 0.5, "jaw": 0.6, "lips": 0.5, "nose": 0.5}
    painter = AvatarPainter(load_proxy_avatar(), Appearance(form, {"skin": (0.35, 0.3, 0.28)}, span=0.4))
    picture, _ = painter.draw(painter.vertices(np.zeros(52)), 320)
    measured = measure_portrait(PortraitRenderer(photo_from_array(picture, "painted")))
    assert np.mean(list(measured.mesh_errors.values())) < 0.015
    assert {name: gain.order for name, gain in measured.gains.items() if gain.order < 0.85} == {}
    assert {name: gain.slope for name, gain in measured.gains.items() if not 0.4 < gain.slope < 1.4} == {}
    assert np.mean(list(measured.identity.values())) < 0.05
    assert abs(np.mean(list(measured.sharpness.values())) - 1) < 0.05
    assert measured.flicker == 0
    assert max(measured.smears.values()) < 0.01


# --- The measures themselves ----------------------------------------------------------------------------------------


def test_a_gain_is_the_slope_and_a_still_face_has_none() -> None:
    asked = np.array([0.0, 1.0, 2.0], np.float32)
    assert Gain("x", asked, 0.5 * asked + 3).slope == pytest.approx(0.5)
    assert Gain("x", asked, 0.5 * asked + 3).order == pytest.approx(1)
    still = Gain("x", asked, np.ones(3, np.float32))
    assert (still.slope, still.order) == (0, 0)
    lost = Gain("x", asked, np.array([0, np.nan, 1], np.float32))
    assert lost.order == 0


def test_blur_and_another_colour_are_noticed(astronaut: PortraitRenderer) -> None:
    photo = astronaut.photo.pixels
    skin = skin_mask(photo, astronaut.fit.points)
    assert skin.mean() > 0.005
    assert skin_difference(photo, skin, photo, skin) == 0
    assert skin_difference(np.clip(photo * 0.85, 0, 255).astype(np.uint8), skin, photo, skin) > 0.1
    blurred = np.asarray(cv2.GaussianBlur(photo, (0, 0), 1.0), np.uint8)
    assert gradient_energy(blurred, skin) < 0.8 * gradient_energy(photo, skin)


def test_tables_have_a_row_a_portrait_and_the_baselines(measured: PortraitMeasurement) -> None:
    pictures, gains = picture_table([measured]), gain_table([measured], measured.gains)
    assert [name for name, _ in pictures.rows] == ["astronaut", "mean"]
    assert [name for name, _ in gains.rows] == ["astronaut", "median", "the avatar itself, in 3D", "still photograph"]
    assert json.dumps([pictures.as_json(), gains.as_json()])


# --- The contact sheet and the command ------------------------------------------------------------------------------


def test_the_contact_sheet_shows_every_pose_beside_the_photograph(astronaut: PortraitRenderer) -> None:
    sheet = draw_sheet([astronaut], SHEET_POSES[:8], cell=64)
    assert sheet.shape == (2 * 64, 7 * 64, 3)
    # Nine pictures; the rest of the second line is white.
    assert (sheet[64:, 2 * 64 :] == 255).all()
    jaw, photograph = sheet[:64, 2 * 64 : 3 * 64], sheet[:64, :64]
    assert np.abs(jaw[20:].astype(int) - photograph[20:]).max() > 30


def test_the_command_draws_the_sheet_with_a_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from blendshape_rigs.formats import write_curves

    take, out = tmp_path / "take.npz", tmp_path / "sheet.png"
    write_curves(FaceCurves(np.zeros((10, 52)), np.zeros((10, 3)), np.zeros((10, 3)), 25.0), take)
    assert main(["evaluate", "portrait", "--sheet", str(out), "--curves", str(take)]) == 0
    assert "astronaut" in capsys.readouterr().out
    assert cv2.imread(str(out)).shape == (4 * 224, 7 * 224, 3)


def test_options_for_speech_are_refused_for_portraits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "portrait", "--quick"]) == 1
    assert "for speech" in capsys.readouterr().err
    assert main(["evaluate", "--sheet", "x.png"]) == 1
    assert "for portraits" in capsys.readouterr().err
