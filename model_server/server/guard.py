"""Who may talk to the server: a check of every request before its body is read."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_OPEN_PATHS = {"/v1/health"}


class Guard:
    """ASGI middleware: refuses foreign ``Host`` names and requests without the bearer token.

    Args:
        application: what is guarded.
        token: the bearer token.
        any_host: leave the ``Host`` header unchecked.
    """

    def __init__(self, application: ASGIApp, token: str, any_host: bool) -> None:
        self._application = application
        self._credentials = f"Bearer {token}".encode()
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope["path"], Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._application(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> JSONResponse | None:
        """Return the answer to a request that is not let in, or None."""
        name = headers.get("host", "").lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        if not self._any_host and name not in _LOCAL_NAMES:
            return JSONResponse(
                {"detail": "this server answers only to localhost; start it with --host to reach it by name"},
                403,
            )
        given = headers.get("authorization", "").encode()
        if path not in _OPEN_PATHS and not secrets.compare_digest(given, self._credentials):
            return JSONResponse(
                {"detail": "the bearer token is missing or wrong; read it from the server's connection file"},
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        return None
