"""What the server's tests share: a real server process on loopback and recordings to send it."""

from __future__ import annotations

import io
import json
import os
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

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import curves_from_npz

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


def wav(samples: npt.NDArray[np.floating[Any]], rate: int = 16_000, width: int = 2, channels: int = 1) -> bytes:
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
        self,
        audio: bytes,
        name: str = "line.wav",
        style: bytes | None = None,
        take: bytes | None = None,
        **options: Any,
    ) -> httpx.Response:
        files = {"audio": (name, audio)}
        files |= {part: (f"{part}.npz", data) for part, data in (("style", style), ("take", take)) if data is not None}
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


@cache
def an_hour_of_silence() -> bytes:
    return encoded(np.zeros(3600 * 16_000, np.float32), "flac", "flac")
