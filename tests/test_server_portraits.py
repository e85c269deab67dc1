"""Portraits on the server: photographs held ready, frames of them, and videos from the queue."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from server_support import Server, detail, voice, wait_until, wav

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import npz_bytes
from model_server.server.protocol import PROTOCOL_VERSION

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A square of 240 pixels about the face, so that the tests are quick."""
    return png(skimage_data.astronaut()[0:240, 100:340])


def take(frames: int = 3, fps: float = 25.0) -> FaceCurves:
    """Return curves whose jaw opens from frame to frame."""
    curves = FaceCurves.zeros(frames, fps)
    curves.values[:, ARKIT_INDEX["jawOpen"]] = np.linspace(0, 0.8, frames)
    return curves


def hold(server: Server, photo: bytes, name: str = "her.png", **options: Any) -> httpx.Response:
    text = json.dumps({"protocol": PROTOCOL_VERSION} | options)
    return server.client.post("/v1/portraits", files={"photo": (name, photo)}, data={"options": text})


def frames(server: Server, portrait: str, curves: FaceCurves, **query: Any) -> httpx.Response:
    return server.client.post(f"/v1/portraits/{portrait}/frames", params=query, content=npz_bytes(curves))


def submit(
    server: Server, curves: FaceCurves, photo: bytes | None = None, sound: bytes | None = None, **options: Any
) -> httpx.Response:
    files: dict[str, Any] = {"curves": ("curves.npz", npz_bytes(curves))}
    files |= {name: (name, data) for name, data in (("photo", photo), ("sound", sound)) if data is not None}
    text = json.dumps({"protocol": PROTOCOL_VERSION} | options)
    return server.client.post("/v1/portrait-jobs", files=files, data={"options": text})


@pytest.fixture
def held(server: Server, photo: bytes) -> Iterator[dict[str, Any]]:
    response = hold(server, photo, maximum_side=160)
    assert response.status_code == 201, response.text
    view = response.json()
    yield view
    server.client.delete(f"/v1/portraits/{view['id']}")


def test_a_photograph_is_held_ready_and_its_frames_follow_the_curves(server: Server, held: dict[str, Any]) -> None:
    assert (held["width"], held["height"], held["faces"], held["notes"]) == (160, 160, 1, [])
    response = frames(server, held["id"], take(), first=0, count=3)
    assert response.status_code == 200
    pixels = np.frombuffer(response.content, np.uint8).reshape(3, 160, 160, 3).astype(int)
    changed = np.abs(pixels[2] - pixels[0]).max(axis=2) > 20
    assert changed.sum() > 100
    # The jaw moves the lower face and nothing at the edge of the picture.
    assert not changed[:40].any()
    assert not changed[:, :10].any()
    still = frames(server, held["id"], take(), first=2, mouth=0)
    np.testing.assert_array_equal(np.frombuffer(still.content, np.uint8), pixels[0].ravel())


def test_frames_without_the_background_have_alpha(server: Server, held: dict[str, Any]) -> None:
    response = frames(server, held["id"], take(), background=False)
    alpha = np.frombuffer(response.content, np.uint8).reshape(160, 160, 4)[:, :, 3]
    assert alpha[80, 80] == 255
    assert alpha[:5, :5].max() == 0


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"first": 3}, "3 were sent"),
        ({"first": 2, "count": 2}, "3 were sent"),
        ({"first": -1}, "parameter 'first'"),
        ({"count": 17}, "parameter 'count'"),
        ({"head": 2.5}, "strength of head is 2.5"),
        ({"nose": 1}, "parameter 'nose'"),
    ],
)
def test_frames_that_cannot_be_made_are_refused(
    server: Server, held: dict[str, Any], query: dict[str, Any], sentence: str
) -> None:
    response = frames(server, held["id"], take(), **query)
    assert response.status_code == 422
    assert sentence in detail(response)


def test_curves_that_are_none_are_refused(server: Server, held: dict[str, Any]) -> None:
    path = f"/v1/portraits/{held['id']}/frames"
    assert "curves cannot be used" in detail(server.client.post(path, content=b"PK nothing"))
    assert server.client.post(path, content=bytes(3 * 2**20)).status_code == 413


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"maximum_side": 8}, "longest side is 8"),
        ({"face": -1}, "option 'face'"),
        ({"face": 3}, "no face number 4"),
        ({"landmarks": {"points": {}}}, "size"),
        ({"landmarks": {"size": [240, 240], "points": {"ear": [1, 2]}}}, 'unknown point "ear"'),
        ({"colour": "red"}, "option 'colour'"),
    ],
)
def test_choices_that_do_not_fit_are_refused(
    server: Server, photo: bytes, options: dict[str, Any], sentence: str
) -> None:
    response = hold(server, photo, **options)
    assert response.status_code == 422
    assert sentence in detail(response)
    assert not server.uploads()


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (b"no picture", "'her photo.png' is not a picture that can be read"),
        (png(np.zeros((32, 32, 3), np.uint8)), "'her photo.png' is only 32 x 32 pixels"),
        (png(np.full((200, 200, 3), 90, np.uint8)), "no face was found in 'her photo.png'"),
    ],
)
def test_pictures_without_a_usable_face_are_refused_by_their_own_name(
    server: Server, picture: bytes, sentence: str
) -> None:
    response = hold(server, picture, name="../secret/her photo.png")
    assert response.status_code == 422
    assert sentence in detail(response)
    assert not server.uploads()


def test_a_face_is_found_where_it_is_marked_by_hand(server: Server) -> None:
    """A blank picture has no face; eight points say where one would be."""
    points = {
        "left_eye_outer": [160, 90], "left_eye_inner": [130, 90],
        "right_eye_outer": [80, 90], "right_eye_inner": [110, 90],
        "nose_tip": [120, 130], "mouth_left": [145, 160], "mouth_right": [95, 160], "chin": [120, 200],
    }  # fmt: skip
    blank = np.linspace(60, 200, 240 * 240 * 3).reshape(240, 240, 3).astype(np.uint8)
    response = hold(server, png(blank), landmarks={"size": [240, 240], "points": points})
    assert response.status_code == 201, response.text
    pixels = frames(server, response.json()["id"], take(2), first=1)
    assert pixels.status_code == 200
    server.client.delete(f"/v1/portraits/{response.json()['id']}")


def test_of_many_portraits_the_last_used_are_kept(server: Server, photo: bytes, held: dict[str, Any]) -> None:
    others = [hold(server, photo, maximum_side=96).json()["id"] for _ in range(3)]
    assert frames(server, held["id"], take()).status_code == 200
    others.append(hold(server, photo, maximum_side=96).json()["id"])
    assert frames(server, held["id"], take()).status_code == 200
    gone = frames(server, others[0], take())
    assert gone.status_code == 404
    assert "send the photograph again" in detail(gone)
    assert len(server.uploads()) == 4
    for portrait in others:
        server.client.delete(f"/v1/portraits/{portrait}")
    assert server.client.delete(f"/v1/portraits/{others[0]}").status_code == 404
    assert len(server.uploads()) == 1


def video(server: Server, job: str, folder: Path, suffix: str) -> Path:
    path = folder / f"video{suffix}"
    with server.client.stream("GET", f"{job}/file") as response:
        assert response.status_code == 200
        path.write_bytes(b"".join(response.iter_bytes()))
    return path


def test_a_video_runs_from_upload_to_file(server: Server, photo: bytes, tmp_path: Path) -> None:
    response = submit(server, take(20), photo, wav(voice(2.0)), strengths={"head": 0.5}, badge=True)
    assert response.status_code == 202, response.text
    job = f"/v1/jobs/{response.json()['id']}"
    assert response.json()["duration"] == pytest.approx(0.8)
    view = server.finish(job)
    assert view["state"] == "done", view
    assert view["seconds_done"] == pytest.approx(0.8)
    path = video(server, job, tmp_path, ".mp4")
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 20
        assert file.streams.video[0].average_rate == 25
        assert len(file.streams.audio) == 1
    assert server.client.get(f"{job}/curves").status_code == 404
    assert len(server.uploads()) == 1
    server.client.delete(job)
    assert not server.uploads()
    assert server.client.get(f"{job}/file").status_code == 404


def test_a_portrait_that_is_held_ready_makes_a_transparent_video(
    server: Server, held: dict[str, Any], tmp_path: Path
) -> None:
    response = submit(server, take(), portrait=held["id"], background=False, format="webm")
    assert response.status_code == 202, response.text
    job = f"/v1/jobs/{response.json()['id']}"
    assert server.finish(job)["state"] == "done"
    with av.open(str(video(server, job, tmp_path, ".webm"))) as file:
        stream = file.streams.video[0]
        # The photograph's own size, not that of the preview.
        assert (stream.width, stream.height) == (240, 240)
        assert stream.metadata.get("alpha_mode") == "1"
    server.client.delete(job)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"background": False}, "an MP4 cannot be transparent"),
        ({"format": "gif"}, "option 'format'"),
        ({"strengths": {"blink": -1}}, "strength of blink is -1"),
        ({"portrait": "x"}, "either a 'photo' file or the id"),
    ],
)
def test_videos_that_cannot_be_made_are_refused(
    server: Server, photo: bytes, options: dict[str, Any], sentence: str
) -> None:
    response = submit(server, take(), photo, **options)
    assert response.status_code == 422
    assert sentence in detail(response)
    assert not server.uploads()


def test_a_video_needs_a_photograph_frames_and_a_sound_that_is_one(server: Server, photo: bytes) -> None:
    assert "either a 'photo' file" in detail(submit(server, take()))
    assert submit(server, take(), portrait="unknown").status_code == 404
    assert "no frames" in detail(submit(server, FaceCurves.zeros(0, 25.0), photo))
    assert "'sound' is not audio" in detail(submit(server, take(), photo, b"no sound" * 100))
    assert not server.uploads()


def test_a_video_without_a_face_fails_naming_the_photograph(server: Server) -> None:
    response = submit(server, take(), png(np.full((200, 200, 3), 90, np.uint8)))
    view = server.finish(f"/v1/jobs/{response.json()['id']}")
    assert view["state"] == "failed"
    assert "no face was found in 'photo'" in view["message"]
    assert not server.uploads()


def test_a_cancelled_video_leaves_nothing(server: Server, photo: bytes) -> None:
    response = submit(server, take(4000), photo)
    job = f"/v1/jobs/{response.json()['id']}"
    wait_until(lambda: server.show(job)["seconds_done"] > 0, "some progress")
    assert server.client.get(f"{job}/file").status_code == 409
    server.client.delete(job)
    assert server.finish(job)["state"] == "cancelled"
    assert not server.uploads()
