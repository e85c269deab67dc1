"""Captures on the server: from an uploaded video to the curves of its face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from capture_support import moving_photograph, write_video
from server_support import UPLOAD_MIB, Server, detail, wait_until

from model_server.capture import capture_face
from model_server.server.protocol import PROTOCOL_VERSION

FPS = 25


def post(server: Server, video: bytes, name: str = "take 1.mp4", **options: Any) -> httpx.Response:
    text = json.dumps({"protocol": PROTOCOL_VERSION} | options)
    return server.client.post("/v1/captures", files={"video": (name, video)}, data={"options": text})


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "take 1.mp4"
    write_video(path, moving_photograph(20), FPS)
    return path


def test_a_video_becomes_the_curves_of_its_face(server: Server, video: Path) -> None:
    response = post(server, video.read_bytes())
    assert response.status_code == 202, response.text
    job = f"/v1/jobs/{response.json()['id']}"
    with server.client.stream("GET", f"{job}/events") as stream:
        views = [json.loads(line) for line in stream.iter_lines()]
    assert views[-1]["state"] == "done", views[-1]
    assert views[-1]["frames"] == 20
    assert views[-1]["duration"] == pytest.approx(20 / FPS, abs=0.01)
    assert views[-1]["message"] == "no face was found in 4 of 20 frames; they are bridged"
    curves, expected = server.curves(job), capture_face(video).curves
    assert (len(curves), curves.fps, curves.provenance.source) == (20, FPS, "capture")
    np.testing.assert_allclose(curves.stacked(), expected.stacked(), atol=1e-5)
    assert len(server.curves(job, 15)) == 5
    assert not server.uploads()
    assert server.client.get(f"{job}/file").status_code == 404


def test_what_is_no_video_is_refused_at_once_by_its_own_name(server: Server) -> None:
    response = post(server, b"no pictures", name="../notes.mp4")
    assert response.status_code == 422
    assert detail(response).startswith("'notes.mp4' is no video that can be decoded")
    assert not server.uploads()


def test_a_video_without_a_face_fails_by_its_own_name(server: Server, tmp_path: Path) -> None:
    grey = tmp_path / "grey.mp4"
    write_video(grey, [np.full((64, 64, 3), 90, np.uint8)] * 3, FPS)
    view = server.finish(f"/v1/jobs/{post(server, grey.read_bytes(), name='grey.mp4').json()['id']}")
    assert view["state"] == "failed"
    assert view["message"] == "no face was found in 'grey.mp4'; film one face from the front, well lit"
    assert not server.uploads()


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"method": "eyes"}, 422, "option 'method'"),
        ({"colour": 1}, 422, "option 'colour'"),
        ({"protocol": 99}, 409, "protocol 99"),
    ],
)
def test_bad_options_are_refused(server: Server, video: Path, options: dict[str, Any], status: int, said: str) -> None:
    response = post(server, video.read_bytes(), **options)
    assert response.status_code == status
    assert said in detail(response)
    assert not server.uploads()


def test_uploads_are_bounded(server: Server) -> None:
    response = post(server, bytes(UPLOAD_MIB * 2**20))
    assert response.status_code == 413
    assert not server.uploads()


def test_a_capture_can_be_cancelled(server: Server, tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    write_video(long, moving_photograph(600), FPS)
    job = f"/v1/jobs/{post(server, long.read_bytes()).json()['id']}"
    wait_until(lambda: server.show(job)["seconds_done"] > 0, "some progress")
    server.client.delete(job)
    view = server.finish(job)
    assert (view["state"], view["frames"]) == ("cancelled", 0)
    assert not server.uploads()
