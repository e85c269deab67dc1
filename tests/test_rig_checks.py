"""The avatar's measured promises, and that the measuring finds what is wrong."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ict_support import write_repository
from numpy.typing import NDArray

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES, MIRROR_PAIRS
from blendshape_rigs.avatar import ProxyAvatar, read_proxy_avatar
from model_server.cli import main
from model_server.errors import ConfigError
from model_server.evaluation.rig_checks import (
    CLOSING,
    Measurement,
    check_rig,
    mirrored_vertices,
    pose,
    table_lines,
)
from model_server.evaluation.rig_expressions import drawn_mixtures, recorded_expressions
from model_server.evaluation.rig_parts import RigParts
from model_server.evaluation.rig_reference import Reference, agreements, read_reference
from model_server.evaluation.rig_surface import FlipCounter, Surface, nearest_on_triangles

MM = 0.001


@pytest.fixture(scope="module")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = pytest.importorskip("avatar_builder.build", reason="the builder needs the repository's root")
    path = tmp_path_factory.mktemp("avatar") / "avatar.npz"
    build.build(path)
    return path


@pytest.fixture(scope="module")
def avatar(asset: Path) -> ProxyAvatar:
    return read_proxy_avatar(asset)


@pytest.fixture(scope="module")
def parts(avatar: ProxyAvatar) -> RigParts:
    return RigParts(avatar)


def failed(lines: list[Measurement]) -> list[str]:
    """Return the lines of the table that do not hold."""
    return [text for line, text in zip(lines, table_lines(lines), strict=False) if not line.passed]


def sheet(rows: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return a flat square grid in millimetres, facing +Z."""
    x, y = np.meshgrid(np.arange(rows), np.arange(rows))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(rows * rows)], axis=1) * MM
    corner = (np.arange(rows - 1)[:, None] * rows + np.arange(rows - 1)).ravel()
    one = np.stack([corner, corner + 1, corner + rows], axis=1)
    two = np.stack([corner + 1, corner + rows + 1, corner + rows], axis=1)
    return points, np.concatenate([one, two])


def test_a_fold_is_a_flip_and_a_rolled_sheet_is_none() -> None:
    points, triangles = sheet(12)
    counter = FlipCounter(points, triangles)
    angle = points[:, 0] / 0.004
    rolled = np.stack([0.004 * np.sin(angle), points[:, 1], 0.004 * np.cos(angle)], axis=1)
    assert angle.max() > np.pi / 2 and len(counter.flipped(rolled)) == 0
    pushed = points.copy()
    pushed[65, 0] += 2.5 * MM
    assert 1 <= len(counter.flipped(pushed)) <= 4
    assert len(counter.flipped(pushed * 0.1)) == 0, "too small to be seen"


def test_depth_inside_a_box() -> None:
    import trimesh

    box = trimesh.creation.box((0.02, 0.02, 0.02)).subdivide().subdivide()
    probes = np.array([[0.0, 0.0, 0.009], [0.0, 0.0, 0.011], [0.0, 0.0, 0.0], [0.008, 0.0, 0.0]])
    posed = np.concatenate([box.vertices, probes])
    depth = Surface(box.faces).depths(posed, np.arange(len(box.vertices), len(posed)), reach=0.004)
    np.testing.assert_allclose(depth, [0.001, 0.0, 0.0, 0.002], atol=1e-9)


def test_nearest_places_on_a_triangle() -> None:
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    points = np.array([[0.2, 0.2, 3.0], [-1.0, -1.0, 0.0], [0.5, -2.0, 1.0], [1.0, 1.0, 0.0], [3.0, 0.0, 0.0]])
    nearest = nearest_on_triangles(points, np.tile(corners, (5, 1, 1, 1)))[:, 0]
    np.testing.assert_allclose(nearest, [[0.2, 0.2, 0], [0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0], [1, 0, 0]], atol=1e-12)


def test_mixtures_are_plausible_and_repeat() -> None:
    values = drawn_mixtures(300)
    assert values.shape == (300, ARKIT_COUNT) and values.min() >= 0 and 0.9 < values.max() <= 1
    np.testing.assert_array_equal(values, drawn_mixtures(300))
    assert (values[:, ARKIT_INDEX["mouthClose"]] <= values[:, ARKIT_INDEX["jawOpen"]]).all()
    assert (values[:, [ARKIT_INDEX["jawLeft"], ARKIT_INDEX["jawRight"]]].min(axis=1) == 0).all()
    assert (values > 0).any(axis=0).all(), "every shape is used"


def test_recordings_are_read_packed_and_plain(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.csv"):
        recorded_expressions(tmp_path, 10)
    header = "Timecode,BlendShapeCount," + ",".join(name[0].upper() + name[1:] for name in ARKIT_NAMES)
    header += ",HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
    rows = [f"00:00:00:{frame:02}.000,61," + ",".join(["0.25"] * 52 + ["0"] * 9) for frame in range(4)]
    text = "\n".join([header, *rows]) + "\n"
    (tmp_path / "one.csv").write_text(text, encoding="utf-8")
    (tmp_path / "two.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert recorded_expressions(tmp_path, 6).shape == (6, 52)
    assert np.allclose(recorded_expressions(tmp_path, 100), 0.25) and len(recorded_expressions(tmp_path, 100)) == 8


@pytest.fixture(scope="module")
def reference(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    write_repository(shared_data, folder)
    return read_reference(folder)


def test_avatar_bears_drawn_mixtures(avatar: ProxyAvatar) -> None:
    assert not failed(check_rig(avatar, drawn_mixtures(25)))


def test_avatar_bears_recorded_expressions(avatar: ProxyAvatar, reference: Reference, shared_data: Path) -> None:
    expressions = recorded_expressions(shared_data / "livelink_alexdjulin", 25)
    lines = check_rig(avatar, expressions, reference)
    assert not failed(lines)
    assert sum(line.name.startswith("direction, ") for line in lines) == 52, "51 shapes and their median"


def test_direction_of_a_wrong_shape_is_found(avatar: ProxyAvatar, reference: Reference) -> None:
    deltas = avatar.deltas.copy()
    deltas[ARKIT_INDEX["mouthSmileLeft"]] *= -1
    cosine = {line.name: line.cosine for line in agreements(replace(avatar, deltas=deltas), reference)}
    assert cosine["mouthSmileLeft"] < -0.8 and cosine["mouthSmileRight"] > 0.8


def test_reference_needs_its_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ICT-FaceKit"):
        read_reference(tmp_path)


def test_overlaps_are_found(avatar: ProxyAvatar, parts: RigParts) -> None:
    assert parts.measure(avatar.deform(pose(mouthClose=0.2))).lips > 1 * MM, "lips pushed into each other"
    crossed = avatar.vertices + 1.6 * avatar.deltas[ARKIT_INDEX["eyeBlinkLeft"]]
    assert parts.measure(crossed).lids > 0.5 * MM
    sunk = avatar.vertices.copy()
    sunk[parts.lip_points, 2] -= np.float32(12 * MM)
    assert parts.measure(sunk).teeth > 0.5 * MM
    near_eye = np.linalg.norm(avatar.vertices - avatar.eye_centres[0], axis=1) < 0.03
    lids = np.intersect1d(np.flatnonzero(near_eye), parts.lids[1][0].points)
    sunk = avatar.vertices.copy()
    sunk[lids, 2] -= np.float32(3 * MM)
    assert parts.measure(sunk).eyes > 0.5 * MM


@pytest.mark.parametrize("value", CLOSING)
def test_lips_close_over_any_opening(avatar: ProxyAvatar, value: float) -> None:
    posed = avatar.deform(pose(jawOpen=value, mouthClose=value))
    assert np.linalg.norm(posed[avatar.upper_lip] - posed[avatar.lower_lip], axis=1).max() <= 0.3 * MM


@pytest.mark.parametrize("other", ["eyeLookDown", "eyeLookUp", "eyeWide", "eyeSquint", "cheekSquint", "mouthSmile"])
@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_eyes_close_whatever_else_moves_the_lids(avatar: ProxyAvatar, other: str, amount: float) -> None:
    posed = avatar.deform(pose(eyeBlinkLeft=1.0, **{f"{other}Left": amount}))[avatar.landmark_vertices]
    upper, lower = (384, 385, 386, 387, 388), (381, 380, 374, 373, 390)
    assert np.linalg.norm(posed[list(upper)] - posed[list(lower)], axis=1).max() <= 0.2 * MM


def test_sides_are_exact_mirror_images(avatar: ProxyAvatar) -> None:
    points, other = mirrored_vertices(avatar)
    flip = np.array([-1, 1, 1], dtype=np.float32)
    np.testing.assert_array_equal(avatar.vertices[other], avatar.vertices[points] * flip)
    for left, right in MIRROR_PAIRS:
        np.testing.assert_array_equal(
            avatar.deltas[right, other], avatar.deltas[left, points] * flip, err_msg=ARKIT_NAMES[left]
        )


def test_correctives_leave_the_opening_of_the_lips_linear(avatar: ProxyAvatar) -> None:
    assert {len(corrective.drivers) for corrective in avatar.correctives} == {2}
    middle = len(avatar.upper_lip) // 2
    for corrective in avatar.correctives:
        names = " x ".join(ARKIT_NAMES[driver] for driver in corrective.drivers)
        assert corrective.name == names
        gap = corrective.deltas[avatar.upper_lip[middle], 1] - corrective.deltas[avatar.lower_lip[middle], 1]
        assert abs(gap) < 1e-5, names
    values = drawn_mixtures(20)
    posed = avatar.deform(values)
    measured = posed[:, avatar.upper_lip[middle], 1] - posed[:, avatar.lower_lip[middle], 1]
    np.testing.assert_allclose(measured, avatar.lip_gap(values), atol=1e-5)


def test_command_prints_the_table(asset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rigs", "check", "--avatar", str(asset), "--count", "5"]) == 0
    out = capsys.readouterr().out
    assert "ok   lip gap" in out and "FAIL" not in out
    assert main(["rigs", "check", "--avatar", str(asset), "--count", "5", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    assert {"name", "value", "limit", "unit", "passed", "note"} == set(lines[0])


def test_command_fails_on_a_broken_avatar(asset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(asset, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    blink = arrays["delta_shape"] == ARKIT_INDEX["eyeBlinkLeft"]
    arrays["delta_steps"][blink] //= 2
    np.savez(tmp_path / "broken.npz", **arrays)
    assert main(["rigs", "check", "--avatar", str(tmp_path / "broken.npz"), "--count", "2"]) == 1
    out = capsys.readouterr().out
    assert "FAIL eye gap" in out and "FAIL mirror pairs" in out and "ok   lip gap" in out
