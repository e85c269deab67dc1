"""Portraits driven from Blender: what is read from the scene, the live preview and the rendered files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from blender_support import installed_blender
from PIL import Image
from server_support import running_server, voice, wait_until, wav

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")

FRAMES = 12
POINTS = {
    "left_eye_outer": (160, 90), "left_eye_inner": (130, 90),
    "right_eye_outer": (80, 90), "right_eye_inner": (110, 90),
    "nose_tip": (120, 130), "mouth_left": (145, 160), "mouth_right": (95, 160), "chin": (120, 200),
}  # fmt: skip
"""Where a face might be in a picture of 240 x 240 pixels without one."""


def performance(frames: int, fps: float) -> FaceCurves:
    """Return smooth curves that move all 52 channels and the head."""
    random = np.random.default_rng(3)
    times = np.arange(frames)[:, None] / frames
    waves = np.sin(2 * np.pi * (times + random.random((1, 58))))
    return FaceCurves(0.5 + 0.45 * waves[:, :52], 0.2 * waves[:, 52:55], 0.02 * waves[:, 55:], fps)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any], Path]:
    """Return the curves that were keyed, what the script reports, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("reading")
    curves = performance(FRAMES, 24.0)
    write_curves(curves, folder / "curves.npz")
    return curves, installed_blender().run("portrait_reading.py", folder=str(folder)), folder


def test_a_take_is_read_as_it_was_keyed(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    curves, _, folder = read
    back = np.load(folder / "take.npz")
    np.testing.assert_allclose(back["values"], curves.values, atol=1e-5)
    np.testing.assert_allclose(back["head_rotation"], curves.head_rotation, atol=1e-4)
    np.testing.assert_allclose(back["head_translation"], curves.head_translation, atol=1e-4)


def test_keys_layers_drivers_and_constraints_all_count(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = read
    np.testing.assert_allclose(report["by_hand"], 0.25, atol=1e-6)
    np.testing.assert_allclose(report["layered"], 0.75, atol=1e-6)
    assert report["driven"] == pytest.approx(0.4, abs=1e-6)
    assert report["muted"] == 0
    # Euler angles of Blender's axes are pitch, roll, yaw.
    np.testing.assert_allclose(report["constrained"], [8, 12, -5], atol=0.05)


def test_the_camera_sees_the_head_from_where_it_stands(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = read
    np.testing.assert_allclose(report["front"], 0, atol=0.01)
    # Seen from the subject's left, the head looks away to its right.
    np.testing.assert_allclose(report["left"], [0, -20, 0], atol=0.01)
    np.testing.assert_allclose(report["elsewhere"], 0, atol=1e-5)
    assert "has no camera" in report["no_camera"]


def test_any_character_that_shows_something_can_be_followed(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = read
    np.testing.assert_allclose(report["mask"], [0.3, 0.6], atol=1e-6)
    np.testing.assert_allclose(report["mask_head"], [0, 10, 0, 0, 0, 0], atol=1e-4)
    assert "'Plain' has no shape keys or face bones" in report["plain"]
    assert "Choose a character" in report["nobody"]
    assert "is hidden: show it" in report["hidden"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Return what the script reports that previews and renders, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("portrait")
    write_curves(performance(FRAMES, 30 / 1.001), folder / "curves.npz")
    Image.fromarray(skimage_data.astronaut()[0:240, 100:340]).save(folder / "photo.png")
    shade = np.linspace(60, 200, 240 * 240 * 3).reshape(240, 240, 3).astype(np.uint8)
    Image.fromarray(shade).save(folder / "blank.png")
    (folder / "voice.wav").write_bytes(wav(voice(2.0)))
    with running_server(folder) as server:
        report = installed_blender().run(
            "portrait.py", home=server.home, folder=str(folder), audio=str(folder / "voice.wav"), points=POINTS
        )
        wait_until(lambda: not server.uploads(), "the server to forget the photographs")
    return report, folder


def test_without_consent_nothing_is_shown(rendered: tuple[dict[str, Any], Path]) -> None:
    report, _ = rendered
    assert report["no_photo"] == "Choose a photograph"
    assert "you may animate this person's likeness" in report["no_consent"]
    assert report["greyed"] == [False, False]
    assert "context is incorrect" in report["refused"] or report["no_consent"] in report["refused"]
    assert "Save the .blend file first" in report["unsaved"]


def test_preview_follows_the_frame(rendered: tuple[dict[str, Any], Path]) -> None:
    report, _ = rendered
    assert max(report["preview_size"]) <= 256
    assert report["preview_same"] == [0, 0]
    assert report["preview_changed"] > 100
    assert report["preview_alpha"] == 1
    assert report["preview_fps"] > 0


def test_video_has_the_range_the_rate_and_the_sound_of_the_scene(rendered: tuple[dict[str, Any], Path]) -> None:
    report, folder = rendered
    assert report["done"] == ["FINISHED"]
    assert str(folder / "video.mp4") in report["message"][0]
    assert report["frame_after"] == [5, 0.5]
    assert report["range_after"] == [1, 12]
    assert report["still_previews"]
    with av.open(str(folder / "video.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == 10
        assert float(file.streams.video[0].average_rate) == pytest.approx(30 / 1.001, abs=1e-3)
        assert (file.streams.video[0].width, file.streams.video[0].height) == (240, 240)
    if not report["has_audio"]:
        assert "no sound system" in report["message"][0]
        return
    with av.open(str(folder / "video.mp4")) as file:
        blocks = [frame.to_ndarray() for frame in file.decode(audio=0)]
        rate = file.streams.audio[0].rate
    sound = np.abs(np.concatenate(blocks, axis=1)).max(axis=0)
    assert len(sound) / rate == pytest.approx(10 * 1.001 / 30, abs=0.05)
    # The strip begins one frame after the range does.
    assert np.flatnonzero(sound > 0.01)[0] / rate == pytest.approx(1.001 / 30, abs=0.03)


def test_sequences_keep_alpha(rendered: tuple[dict[str, Any], Path]) -> None:
    _, folder = rendered
    assert sorted(path.name for path in (folder / "PNG").iterdir()) == [f"her_000{n}.png" for n in (3, 4, 5)]
    picture = np.asarray(Image.open(folder / "PNG" / "her_0004.png")).astype(np.float64) / 255
    assert picture.shape == (240, 240, 4)
    assert picture[120, 120, 3] == 1
    assert picture[:5, :5, 3].max() == 0
    other = np.asarray(Image.open(folder / "PNG" / "her_0005.png")).astype(np.float64) / 255
    assert (np.abs(picture - other).max(axis=2) > 0.1).sum() > 50
    # OpenEXR is linear light times alpha.
    alpha = picture[:, :, 3:]
    low, high = picture[:, :, :3] / 12.92, ((picture[:, :, :3] + 0.055) / 1.055) ** 2.4
    linear = np.where(picture[:, :, :3] <= 0.04045, low, high) * alpha
    exr = np.load(folder / "exr.npy")
    np.testing.assert_allclose(exr[:, :, 3], alpha[:, :, 0], atol=2e-3)
    np.testing.assert_allclose(exr[:, :, :3], linear, atol=2e-3)


def test_cancelled_render_leaves_nothing(rendered: tuple[dict[str, Any], Path]) -> None:
    report, _ = rendered
    assert [entry[:2] for entry in report["cancelled"]] == [[True, False]] * 3
    assert len({entry[2] for entry in report["cancelled"]}) == 1
    assert all(entry[3] == "Cancelled" for entry in report["cancelled"])
    assert report["cancelled_files"] == []


def test_refusals_are_the_server_s_own_words(rendered: tuple[dict[str, Any], Path]) -> None:
    report, _ = rendered
    text, failed = report["preview_refused"]
    assert failed
    assert "no face was found in 'blank.png'" in text
    assert "no face was found in 'blank.png'" in report["render_refused"]


def test_a_face_that_is_marked_by_hand_is_rendered(rendered: tuple[dict[str, Any], Path]) -> None:
    report, folder = rendered
    assert "Place the points that are missing: right eye outer" in report["points_missing"]
    assert report["points_ready"] == ""
    assert report["points_done"] == ["FINISHED"]
    with av.open(str(folder / "drawing.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == 3


def test_preview_ends_with_its_character_and_its_file(rendered: tuple[dict[str, Any], Path]) -> None:
    report, _ = rendered
    assert "no longer here: the preview has ended" in report["ended"][0]
    assert report["after_load"] == [False, False, True]


def test_preview_says_once_that_the_server_is_gone(tmp_path: Path) -> None:
    Image.fromarray(skimage_data.astronaut()[0:240, 100:340]).save(tmp_path / "photo.png")
    with running_server(tmp_path) as server:
        report = installed_blender().run(
            "portrait_alone.py", home=server.home, photo=str(tmp_path / "photo.png"), server=server.process.pid
        )
    assert report["before"]
    assert "does not answer" in report["message"][0]
    assert report["threads"] == []
