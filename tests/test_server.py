"""The server as clients meet it: a real process on loopback."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from blendshape_rigs.formats import curves_from_npz, npz_bytes

from blendshape_rigs.curves import FaceCurves

ROOT = Path(__file__).parents[1]
UPLOAD_MIB = 4
PATIENCE = 120.0  # seconds; the machine may be busy


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of ``condition``."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        time.sleep(0.05)
    return value


def wav(
    samples: npt.NDArray[np.floating[Any]], rate: int = 16_000, width: int = 2, channels: int = 1
) -> bytes:
    """Return a PCM WAV file of (N,) samples in [-1, 1], repeated in every channel."""
    data = np.repeat(samples, channels)
    pcm = (data * 32767).astype("<i2") if width == 2 else (data * 127 + 128).astype(np.uint8)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def encoded(samples: npt.NDArray[np.float32], codec: str, container: str) -> bytes:
    """Return a 16 kHz mono file made by PyAV."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        track = file.add_stream(codec, rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = 16_000
        file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return buffer.getvalue()


def voice(seconds: float, rate: int = 16_000) -> npt.NDArray[np.float64]:
    """Return (N,) a buzz at 120 Hz that comes and goes four times a second."""
    times = np.arange(round(seconds * rate)) / rate
    return 0.4 * (2 * (120 * times % 1) - 1) * (0.5 - 0.5 * np.cos(2 * np.pi * 4 * times))


@dataclass
class Server:
    """A running server process and its client."""

    process: subprocess.Popen[str]
    home: Path
    scratch: Path
    client: httpx.Client

    def post(
        self, audio: bytes, name: str = "line.wav", style: bytes | None = None, **options: Any
    ) -> httpx.Response:
        files = {"audio": (name, audio)} | ({"style": ("clip.npz", style)} if style is not None else {})
        text = json.dumps({"protocol": 1} | options)
        return self.client.post("/v1/jobs", files=files, data={"options": text})

    def accept(self, audio: bytes, **options: Any) -> str:
        """Post a job that must be accepted and return its path."""
        response = self.post(audio, **options)
        assert response.status_code == 202, response.text
        assert response.json()["state"] in ("queued", "running")
        return f"/v1/jobs/{response.json()['id']}"

    def show(self, job: str) -> dict[str, Any]:
        response = self.client.get(job)
        assert response.status_code == 200, response.text
        view: dict[str, Any] = response.json()
        return view

    def finish(self, job: str) -> dict[str, Any]:
        """Return the state of a job when it has ended."""
        wait_until(lambda: self.show(job)["state"] not in ("queued", "running"), "the job to end")
        return self.show(job)

    def curves(self, job: str, first_frame: int = 0) -> FaceCurves:
        response = self.client.get(f"{job}/curves", params={"first_frame": first_frame})
        assert response.status_code == 200, response.text
        return curves_from_npz(response.content)

    def uploads(self) -> list[Path]:
        """Return the files that the server has on disk outside its home."""
        return [path for path in self.scratch.rglob("*") if path.is_file()]

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def detail(response: httpx.Response) -> str:
    """Return the sentence of a refusal."""
    text = response.json()["detail"]
    assert isinstance(text, str)
    assert text
    assert "\n" not in text
    return text


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "model_server.cli", "serve", *arguments]


def environment(folder: Path) -> dict[str, str]:
    (folder / "tmp").mkdir(exist_ok=True)
    return os.environ | {
        "DREAMTALK_HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    with subprocess.Popen(
        command("--port", "0", "--max-upload-mib", str(UPLOAD_MIB)),
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            path = folder / "home" / "server.json"
            wait_until(lambda: path.is_file() or process.poll() is not None, "the connection file")
            assert process.poll() is None, process.communicate()[1]
            connection = json.loads(path.read_text())
            headers = {"Authorization": f"Bearer {connection['token']}"}
            with httpx.Client(base_url=connection["url"], headers=headers, timeout=PATIENCE) as client:
                yield Server(process, folder / "home", folder / "tmp", client)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as running:
        yield running


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
def test_without_the_token_nothing_is_answered(
    server: Server, method: str, path: str, credentials: str | None
) -> None:
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
def test_bad_options_are_refused_in_one_sentence(
    server: Server, options: dict[str, Any], sentence: str
) -> None:
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
@pytest.mark.parametrize("what", ["", "/events", "/curves"])
def test_unknown_jobs_are_not_found(server: Server, path: str, what: str) -> None:
    response = server.client.get(f"/v1/jobs/{path}{what}")
    assert response.status_code == 404


def test_a_job_runs_from_upload_to_curves(server: Server) -> None:
    job = server.accept(wav(voice(2.0)), emotion={"happy": 0.8}, seed=3, fps=24)
    with server.client.stream("GET", f"{job}/events") as response:
        views = [json.loads(line) for line in response.iter_lines()]
    assert views[-1]["state"] == "done", views[-1]
    assert views[-1]["frames"] == 48
    assert views[-1]["duration"] == pytest.approx(2.0)
    done = [view["seconds_done"] for view in views]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(2.0)
    curves = server.curves(job)
    assert (len(curves), curves.fps, curves.start) == (48, 24.0, 0.0)
    assert curves.provenance.seed == 3
    assert curves.provenance.emotion == "happy 0.80"
    tail = server.curves(job, 40)
    np.testing.assert_array_equal(tail.stacked(), curves.stacked()[40:])
    assert tail.start == pytest.approx(40 / 24)
    assert server.client.get(f"{job}/curves", params={"first_frame": -1}).status_code == 422
    assert not server.uploads()
    assert server.client.delete(job).status_code == 200
    assert server.client.get(job).status_code == 404


def test_same_seed_same_curves_other_seed_other_curves(server: Server) -> None:
    keys = {"times": [0.0, 1.0], "weights": [[0.0] * 8, [0.0] * 5 + [1.0, 0.0, 0.0]]}
    jobs = [server.accept(wav(voice(1.0)), seed=seed, emotion=keys) for seed in (1, 1, 2)]
    for job in jobs:
        assert server.finish(job)["state"] == "done"
    first, again, other = (server.curves(job).stacked() for job in jobs)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize(
    "audio",
    [
        wav(np.zeros(16_000)),
        wav(np.random.default_rng(0).uniform(-1, 1, 16_000)),
        wav(voice(1.0, 96_000), 96_000, channels=2),
        wav(voice(1.0, 8_000), 8_000, width=1),
        wav(voice(2.0))[:32_044],
        encoded(voice(1.0).astype(np.float32), "libmp3lame", "mp3"),
    ],
    ids=["silence", "noise", "stereo 96 kHz", "8-bit", "truncated", "mp3"],
)
def test_odd_audio_works(server: Server, audio: bytes) -> None:
    job = server.accept(audio)
    view = server.finish(job)
    assert view["state"] == "done", view
    assert abs(view["frames"] - 30) <= 1
    assert not server.uploads()


def test_a_style_clip_changes_the_performance(server: Server) -> None:
    clip = FaceCurves(np.full((60, 52), 0.5, np.float32), np.zeros((60, 3)), np.zeros((60, 3)), 30.0)
    plain, styled = server.accept(wav(voice(1.0))), server.accept(wav(voice(1.0)), style=npz_bytes(clip))
    assert server.finish(plain)["state"] == server.finish(styled)["state"] == "done"
    assert np.abs(server.curves(plain).stacked() - server.curves(styled).stacked()).max() > 1e-3


def test_samples_that_are_no_numbers_fail_the_job_naming_the_second(server: Server) -> None:
    samples = voice(2.0).astype(np.float32)
    samples[24_000] = np.nan
    view = server.finish(server.accept(encoded(samples, "pcm_f32le", "wav")))
    assert view["state"] == "failed"
    assert "at 1.50 s" in view["message"]
    assert not server.uploads()


@cache
def an_hour_of_silence() -> bytes:
    return encoded(np.zeros(3600 * 16_000, np.float32), "flac", "flac")


def test_a_cancelled_job_makes_room_for_the_next(server: Server) -> None:
    running = server.accept(an_hour_of_silence())
    waiting = server.accept(an_hour_of_silence())
    wait_until(lambda: server.show(running)["state"] == "running", "the job to run")
    assert server.client.delete(waiting).json()["state"] == "cancelled"
    wait_until(lambda: server.show(running)["seconds_done"] > 0, "some progress")
    server.client.delete(running)
    view = server.finish(running)
    assert view["state"] == "cancelled"
    assert view["seconds_done"] < 3600
    assert server.finish(server.accept(wav(voice(0.5))))["state"] == "done"
    assert not server.uploads()


def test_parts_can_be_fetched_while_the_rest_is_made(server: Server) -> None:
    job = server.accept(an_hour_of_silence())
    assert len(server.curves(job, 10**9)) == 0
    frames = wait_until(lambda: server.show(job)["frames"], "a first part")
    first = server.curves(job)
    assert len(first) >= frames
    np.testing.assert_array_equal(server.curves(job, frames - 1).values[0], first.values[frames - 1])
    server.client.delete(job)
    server.finish(job)


def test_a_reader_of_events_that_leaves_is_forgotten(server: Server) -> None:
    job = server.accept(an_hour_of_silence())
    wait_until(lambda: server.show(job)["state"] == "running", "the job to run")
    before = server.open_files()
    for _ in range(5):
        with (
            httpx.Client(base_url=server.client.base_url, headers=server.client.headers) as reader,
            reader.stream("GET", f"{job}/events") as response,
        ):
            assert json.loads(next(response.iter_lines()))["state"] == "running"
    wait_until(lambda: server.open_files() <= before, "the streams to close")
    server.client.delete(job)
    server.finish(job)


def test_too_many_waiting_jobs_are_refused(server: Server) -> None:
    jobs = []
    while (response := server.post(an_hour_of_silence())).status_code == 202:
        jobs.append(f"/v1/jobs/{response.json()['id']}")
        assert len(jobs) < 20
    assert response.status_code == 429
    assert "waiting already" in detail(response)
    for job in jobs:
        server.client.delete(job)
    for job in jobs:
        assert server.finish(job)["state"] == "cancelled"
    assert not server.uploads()


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
