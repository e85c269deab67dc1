"""Capture Face from Video in Blender against a real server process: the keys are the server's curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from capture_support import moving_photograph, write_video
from server_support import Server, running_server, wait_until

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves

FPS = 25
FRAMES = 30


def curves_of_server(server: Server, video: Path) -> FaceCurves:
    """Return what the server reads from ``video``."""
    files, options = {"video": (video.name, video.read_bytes())}, json.dumps({"protocol": 1})
    response = server.client.post("/v1/captures", files=files, data={"options": options})
    assert response.status_code == 202, response.text
    job = f"/v1/jobs/{response.json()['id']}"
    view = server.finish(job)
    assert view["state"] == "done", view["message"]
    return server.curves(job)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any], Path]:
    """Return the server's curves, what the script reports, and the folder it wrote its keys to."""
    folder = tmp_path_factory.mktemp("capture")
    video, text = folder / "filmed.mp4", folder / "text.mp4"
    write_video(video, moving_photograph(FRAMES), FPS)
    text.write_text("no pictures at all")
    with running_server(folder) as server:
        expected = curves_of_server(server, video)
        report = installed_blender().run(
            "capture.py", home=server.home, folder=str(folder), video=str(video), text=str(text)
        )
        assert server.process.poll() is None
        wait_until(lambda: not server.uploads(), "the server to forget the videos")
    return expected, report, folder


Captured = tuple[FaceCurves, dict[str, Any], Path]


def test_keys_are_the_server_s_curves(captured: Captured) -> None:
    expected, report, folder = captured
    keyed = read_curves(folder / "keyed.npz")
    assert report["done"] == ["FINISHED"]
    assert len(keyed) == len(expected) == FRAMES
    np.testing.assert_allclose(keyed.values, expected.values, atol=1e-4)
    np.testing.assert_allclose(keyed.head_rotation, expected.head_rotation, atol=1e-4)
    np.testing.assert_allclose(keyed.head_translation, expected.head_translation, atol=1e-4)


def test_the_take_begins_with_the_scene_and_knows_where_it_came_from(captured: Captured) -> None:
    _, report, _ = captured
    assert report["range"] == [11, 11 + FRAMES - 1]
    assert report["take"] == "filmed captured"
    assert report["stored"]["source"] == "capture"


def test_a_capture_can_be_cancelled_and_says_what_it_does(captured: Captured) -> None:
    _, report, _ = captured
    assert report["cancelled"]
    assert report["sending"] == "Sending the video"


def test_frames_without_a_face_are_told(captured: Captured) -> None:
    assert captured[1]["message"].startswith("Keyed 'filmed captured'. No face was found in 4 of 30 frames")


def test_a_captured_take_is_undone_in_one_step(captured: Captured) -> None:
    before, keyed, undone = captured[1]["takes"]
    assert keyed == before + 1
    assert undone == before


def test_what_cannot_be_captured_is_one_sentence(captured: Captured) -> None:
    _, report, _ = captured
    assert "text.mp4' is no video that can be decoded" in report["refused"]
    assert "There is no file" in report["missing"]
    assert report["without_character"]
