"""``dreamtalk serve``: the server that Blender's add-on talks to."""

from __future__ import annotations

import argparse

from . import options

SUMMARY = "Serve animation to Blender and other clients on this machine."
EXAMPLE = "dreamtalk serve --port 8787"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port; choose 0 (any free one) to 65535")
    return port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--port", type=_port, default=8787, help="0 takes any free port (default: 8787)")
    parser.add_argument(
        "--host",
        help="address to listen on instead of this machine alone; what is sent there is not encrypted",
    )
    parser.add_argument(
        "--max-upload-mib",
        type=options.positive,
        default=1024.0,
        help="largest upload (default: 1024)",
    )
    parser.add_argument(
        "--max-hours", type=options.positive, default=4.0, help="longest recording to accept (default: 4)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from model_server.server.run import serve
    from model_server.server.settings import DEFAULT_HOST, ServerSettings

    settings = ServerSettings(
        any_host=arguments.host is not None,
        upload_bytes=int(arguments.max_upload_mib * 2**20),
        audio_seconds=arguments.max_hours * 3600,
    )
    serve(arguments.host or DEFAULT_HOST, arguments.port, settings)
    return 0
