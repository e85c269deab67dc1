"""The limits and addresses of one server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from model_server.pipeline.exchange import MAXIMUM_SECONDS

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8787


def home_folder() -> Path:
    """Return the user's DREAM-Talk folder: ``$DREAMTALK_HOME``, else ``~/.dreamtalk``."""
    given = os.environ.get("DREAMTALK_HOME")
    return Path(given) if given else Path.home() / ".dreamtalk"


@dataclass(frozen=True)
class ServerSettings:
    """What a server accepts and keeps.

    Attributes:
        any_host: answer whatever name the client called the server by. Only right when the server was told to
            listen beyond this machine: the check keeps web pages from reaching it by DNS rebinding.
        upload_bytes: largest request body.
        audio_seconds: longest recording.
        waiting_jobs: jobs that may wait beside the one that runs.
        kept_jobs: ended jobs whose curves are kept in memory.
        keep_seconds: how long an ended job is kept after it was last asked for.
    """

    any_host: bool = False
    upload_bytes: int = 2**30
    audio_seconds: float = MAXIMUM_SECONDS
    waiting_jobs: int = 8
    kept_jobs: int = 16
    keep_seconds: float = 1800.0
