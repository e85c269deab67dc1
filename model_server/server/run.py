"""Starting and stopping a server process."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import signal
import socket
import sys
from types import FrameType

import uvicorn

from model_server.errors import ConfigError

from .app import create_app
from .connection import Connection, connection_path
from .jobs import JobQueue
from .settings import ServerSettings


class _Server(uvicorn.Server):
    """A server whose streams of events end when it is told to stop."""

    jobs: JobQueue

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.jobs.stopping = True
        super().handle_exit(sig, frame)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host`` and ``port``.

    Raises:
        ConfigError: when the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Elsewhere this option would let two servers share one port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is in use, perhaps by a DREAM-Talk server that runs already "
                f"(see {connection_path()}); stop it or choose another with --port"
            ) from error
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listener


def serve(host: str, port: int, settings: ServerSettings) -> None:
    """Serve until told to stop by SIGINT or SIGTERM; port 0 lets the system choose.

    Writes the connection file when the server is up and removes it when it stops.

    Raises:
        ConfigError: when the address cannot be listened on.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    listener = _listen(host, port)
    shown_host = f"[{host}]" if ":" in host else host
    url = f"http://{shown_host}:{listener.getsockname()[1]}"
    connection = Connection(url, secrets.token_urlsafe(32), os.getpid())
    jobs = JobQueue(settings)

    def announce() -> None:
        path = connection.write()
        print(f"DREAM-Talk server at {url} (connection file: {path}); stop it with Ctrl-C", flush=True)

    app = create_app(settings, connection.token, jobs, announce)
    server = _Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3))
    server.jobs = jobs
    # uvicorn raises the signal again when it has stopped: without a handler it would end the process before the
    # connection file is removed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[listener])
    finally:
        connection.remove()
        listener.close()
