"""Fetches MediaPipe's Face Landmarker for a user who has said yes; nothing else ever does."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from model_server.errors import WeightsError

MODEL_ADDRESS = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MODEL_LICENCE = "Apache-2.0"
LARGEST_MODEL = 64 << 20
"""Bytes; the model has 3.6 MiB."""

_BLOCK = 1 << 16
_PATIENCE = 30.0  # seconds without an answer

Progress = Callable[[float], None]
"""Called with the MiB that have come; may raise to stop."""


def downloaded_model() -> Path:
    """Return where the model is kept once it was fetched: ``$DREAMTALK_HOME/models``, else ``~/.dreamtalk/models``."""
    given = os.environ.get("DREAMTALK_HOME")
    home = Path(given) if given else Path.home() / ".dreamtalk"
    return home / "models" / "face_landmarker.task"


def download_model(progress: Progress | None = None, address: str = MODEL_ADDRESS, sha256: str = MODEL_SHA256) -> Path:
    """Fetch the model, check that it is the one this program was tested with, and return where it is kept.

    Call this only for a user who was shown the address and agreed.

    Raises:
        WeightsError: when it cannot be fetched, is larger than 64 MiB or has another hash; nothing is kept then.
    """
    path = downloaded_model()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            found = _fetch(address, file.write, progress)
        if found != sha256:
            raise WeightsError(
                f"what {address} gave is not the file that was asked for (sha256 {found}); try again later"
            )
        unfinished.replace(path)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(f"the model could not be fetched from {address} ({reason}); fetch it by hand") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _fetch(address: str, write: Callable[[bytes], object], progress: Progress | None) -> str:
    """Hand what is at ``address`` to ``write`` and return its hex SHA-256."""
    digest, received = hashlib.sha256(), 0
    with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:
        while block := answer.read(_BLOCK):
            received += len(block)
            if received > LARGEST_MODEL:
                raise WeightsError(f"what {address} gives is larger than {LARGEST_MODEL >> 20} MiB; nothing was kept")
            digest.update(block)
            write(block)
            if progress is not None:
                progress(received / 2**20)
    return digest.hexdigest()
