"""The server as clients meet it: who is let in, what is refused, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from server_support import (
    PATIENCE,
    UPLOAD_MIB,
    Server,
    an_hour_of_silence,
    command,
    detail,
    encoded,
    environment,
    voice,
    wait_until,
    wav,
)

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import npz_bytes


def test_health_is_open_and_says_what_runs(server: Server) -> None:
    response = httpx.get(f"{server.client.base_url}/v1/health")
    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["protocol"], body["device"]) == ("ok", 1, "cpu")
    assert body["version"]
    assert set(body["model"]) == {"hash", "loaded", "message"}


def test_the_model_loads_in_the_background(server: Server) -> None:
    def model() -> dict[str, Any]:
        found: dict[str, Any] = server.client.get("/v1/health").json()["model"]
        return found

    wait_until(lambda: model()["loaded"] or model()["message"], "the model")
    assert model()["message"] == ""
    assert len(model()["hash"]) >= 16


def test_the_connection_file_is_for_its_owner_alone(server: Server) -> None:
    path = server.home / "server.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = json.loads(path.read_text())
    assert connection["pid"] == server.process.pid
    assert connection["protocol"] == 1
    assert len(connection["token"]) >= 32
    assert [entry.name for entry in server.home.iterdir()] == ["server.json"]


@pytest.mark.parametrize("credentials", [None, "Bearer wrong", "Basic abc", "Bearer"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/jobs/x"), ("POST", "/v1/jobs"), ("GET", "/docs")])
def test_without_the_token_nothing_is_answered(server: Server, method: str, path: str, credentials: str | None) -> None:
    headers = {"Authorization": credentials} if credentials else {}
    response = httpx.request(method, f"{server.client.base_url}{path}", headers=headers)
    assert response.status_code == 401
    assert "token" in detail(response)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", ""])
def test_foreign_host_names_are_refused(server: Server, host: str) -> None:
    response = server.client.get("/v1/health", headers={"Host": host})
    assert response.status_code == 403
    assert "localhost" in detail(response)


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:8787", "[::1]"])
def test_local_host_names_are_answered(server: Server, host: str) -> None:
    assert server.client.get("/v1/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"speed": 2}, "option 'speed'"),
        ({"seed": "0"}, "option 'seed'"),
        ({"seed": -1}, "seed is -1"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": 1000}, "fps is 1000"),
        ({"emotion": {"joy": 1.0}}, "unknown emotion 'joy'"),
        ({"emotion": {"happy": 2.0}}, "weights must lie in 0..1"),
        ({"emotion": "happy"}, "option 'emotion'"),
        ({"emotion": {"times": [0.0]}}, "option 'emotion.weights'"),
        ({"emotion": {"times": [0.0], "weights": [[0.0] * 7]}}, "do not fit"),
        ({"emotion": {"times": [0.0, 1.0], "weights": [[0.0] * 8, [0.0] * 7]}}, "same number of columns"),
        ({"emotion": {"times": [1.0, 0.0], "weights": [[0.0] * 8] * 2}}, "increasing"),
        ({"protocol": "1"}, "option 'protocol'"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(server: Server, options: dict[str, Any], sentence: str) -> None:
    response = server.post(wav(voice(1)), **options)
    assert response.status_code == 422
    assert sentence in detail(response)
    assert not server.uploads()


def test_another_protocol_is_refused_naming_both(server: Server) -> None:
    response = server.post(wav(voice(1)), protocol=2, news="from the future")
    assert response.status_code == 409
    assert "protocol 2" in detail(response)
    assert "protocol 1" in detail(response)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_options_that_are_no_json_object_are_refused(server: Server, text: str) -> None:
    response = server.client.post("/v1/jobs", files={"audio": wav(voice(1))}, data={"options": text})
    assert response.status_code == 422
    assert "options" in detail(response)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"json": {}}, "multipart/form-data"),
        ({"files": {"other": b"x"}, "data": {"options": "{}"}}, "nothing else"),
        ({"files": {"options": b"{}"}}, "no 'audio' file"),
        ({"files": {"audio": b"x"}}, "no 'options' text"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "upload is broken"),
    ],
)
def test_broken_forms_are_refused(server: Server, arguments: dict[str, Any], sentence: str) -> None:
    response = server.client.post("/v1/jobs", **arguments)
    assert response.status_code == 422
    assert sentence in detail(response)


@pytest.mark.parametrize(
    ("audio", "sentence"),
    [
        (b"", "empty file"),
        (wav(voice(0.05)), "lasts 0.05 s"),
        (wav(np.zeros(0)), "no sound"),
        (b"This is no recording.\n" * 100, "not audio that can be decoded"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "not audio that can be decoded"),
        (encoded(np.full(8000, np.nan, np.float32), "pcm_f32le", "wav"), "at 0.00 s"),
    ],
)
def test_bad_audio_is_refused_naming_the_file(server: Server, audio: bytes, sentence: str) -> None:
    response = server.post(audio, name="../../etc/take 1.wav")
    assert response.status_code == 422
    assert sentence in detail(response)
    assert "'take 1.wav'" in detail(response)
    assert not server.uploads()


def test_style_clips_that_are_none_are_refused(server: Server) -> None:
    response = server.post(wav(voice(1)), style=b"PK no curves")
    assert response.status_code == 422
    assert "style clip" in detail(response)
    short = npz_bytes(FaceCurves.zeros(5, 30.0))
    assert "at least 0.5 s" in detail(server.post(wav(voice(1)), style=short))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "need the earlier 'take'"),
        ({"remake": [[2.0, 1.0]]}, "range 2-1 s"),
        ({"remake": [[0.0]]}, "remake"),
        ({"lock": ["ears"]}, "'ears' is neither"),
        ({"keys": [["jawOpen", "soon"]]}, "keys"),
    ],
)
def test_takes_that_nothing_can_be_kept_of_are_refused(server: Server, options: dict[str, Any], sentence: str) -> None:
    take = npz_bytes(FaceCurves.zeros(30, 30.0))
    response = server.post(wav(voice(1)), take=take, **options)
    assert response.status_code == 422
    assert sentence in detail(response)


def test_keeping_without_a_take_is_refused(server: Server) -> None:
    assert "need the earlier 'take'" in detail(server.post(wav(voice(1)), lock=["brow"]))


@pytest.mark.parametrize("chunked", [False, True])
def test_uploads_beyond_the_limit_are_refused(server: Server, chunked: bool) -> None:
    request = server.client.build_request(
        "POST", "/v1/jobs", files={"audio": bytes((UPLOAD_MIB + 1) * 2**20)}, data={"options": "{}"}
    )
    if chunked:
        body = request.read()
        pieces = (body[first : first + 65536] for first in range(0, len(body), 65536))
        kind = {"Content-Type": request.headers["Content-Type"]}
        request = server.client.build_request("POST", "/v1/jobs", content=pieces, headers=kind)
        assert "Content-Length" not in request.headers
    response = server.client.send(request)
    assert response.status_code == 413
    assert f"limit of {UPLOAD_MIB} MiB" in detail(response)
    assert not server.uploads()


def test_a_client_that_leaves_while_it_uploads_leaves_nothing(server: Server) -> None:
    before = server.open_files()
    url = server.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {server.client.headers['Authorization']}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 3000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
        )
        connection.sendall(head.encode() + bytes(2_000_000))
        wait_until(lambda: server.open_files() > before, "the upload to begin")
    wait_until(lambda: server.open_files() <= before, "the upload to be dropped")
    assert not server.uploads()


@pytest.mark.parametrize("path", ["nothing", "..%2F..%2Fetc%2Fpasswd", "%00"])
@pytest.mark.parametrize("what", ["", "/events", "/hold", "/curves"])
def test_unknown_jobs_are_not_found(server: Server, path: str, what: str) -> None:
    response = server.client.get(f"/v1/jobs/{path}{what}")
    assert response.status_code == 404


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_leaves_nothing_behind(own_server: Server, sent: signal.Signals) -> None:
    job = own_server.accept(an_hour_of_silence())
    with own_server.client.stream("GET", f"{job}/events") as response:
        lines = response.iter_lines()
        next(lines)
        own_server.process.send_signal(sent)
        for _ in lines:
            pass
    assert own_server.process.wait(PATIENCE) == 0
    assert list(own_server.home.iterdir()) == []
    assert list(own_server.scratch.iterdir()) == []
    assert own_server.process.stderr is not None
    assert own_server.process.stderr.read() == ""


def test_a_connection_file_of_another_server_is_left_alone(own_server: Server) -> None:
    path = own_server.home / "server.json"
    path.write_text('{"token": "of another"}')
    own_server.process.send_signal(signal.SIGTERM)
    assert own_server.process.wait(PATIENCE) == 0
    assert json.loads(path.read_text()) == {"token": "of another"}


def test_a_second_server_on_the_port_is_refused_in_one_line(server: Server, tmp_path: Path) -> None:
    port = str(server.client.base_url.port)
    done = subprocess.run(
        command("--port", port), env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"dreamtalk: port {port} is in use")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "home").exists()
