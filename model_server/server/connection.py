"""The file that tells clients of the same user where the server is and how to be let in."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from .protocol import PROTOCOL_VERSION
from .settings import home_folder


def connection_path() -> Path:
    """Return where the connection file of this user lies."""
    return home_folder() / "server.json"


@dataclass(frozen=True)
class Connection:
    """What a client needs: ``url`` like ``http://127.0.0.1:8787``, the bearer ``token``, the process."""

    url: str
    token: str
    pid: int
    protocol: int = PROTOCOL_VERSION

    def write(self) -> Path:
        """Write the file for this user's eyes only, in one step, and return its path."""
        path = connection_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file with mode 0600, so that the token is never readable by others.
        handle, name = tempfile.mkstemp(prefix=".server-", suffix=".json", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path

    def remove(self) -> None:
        """Remove the file, unless another server has written its own since."""
        path = connection_path()
        try:
            token = json.loads(path.read_text(encoding="utf-8")).get("token")
        except (FileNotFoundError, ValueError):
            return
        if token == self.token:
            path.unlink(missing_ok=True)
