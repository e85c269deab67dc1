"""The Face Landmarker's model: fetched only for whoever agrees, and only if it is the right one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model_server.capture.face_landmarker import find_model
from model_server.capture.model_file import MODEL_ADDRESS, MODEL_SHA256, download_model, downloaded_model
from model_server.cli import main
from model_server.errors import WeightsError

CONTENT = b"a model" * 1000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a folder on loopback, and keep the user's own data folder out of it."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "model.task").write_bytes(CONTENT)
    monkeypatch.setenv("DREAMTALK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DREAMTALK_FACE_LANDMARKER", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_right_model_is_kept_and_found(address: str) -> None:
    received: list[float] = []
    path = download_model(received.append, f"{address}/model.task", hashlib.sha256(CONTENT).hexdigest())
    assert path == downloaded_model() == find_model(None)
    assert path.read_bytes() == CONTENT
    assert received[-1] == pytest.approx(len(CONTENT) / 2**20)


@pytest.mark.parametrize(
    ("name", "said"), [("model.task", "not the file that was asked for"), ("none.task", "could not be fetched")]
)
def test_anything_else_is_not_kept(name: str, said: str, address: str) -> None:
    with pytest.raises(WeightsError, match=said):
        download_model(address=f"{address}/{name}")
    assert list(downloaded_model().parent.iterdir()) == []


def test_nothing_is_fetched_before_someone_agrees(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", "--download-model"]) == 1
    shown = capsys.readouterr().err
    assert MODEL_ADDRESS in shown
    assert MODEL_SHA256 in shown
    assert "add --yes" in shown
    assert not downloaded_model().exists()
