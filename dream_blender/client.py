"""The HTTP client of the model server (protocol version 1). Standard library only; safe on any thread.

Errors::

    ServerError
    ├── ServerUnreachable   nothing answers at the address
    ├── ProtocolMismatch    the server speaks another version
    └── NotKnown            the server has not, or no longer, what is asked for
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..blendshape_rigs.curves import CurvesError, FaceCurves
from ..blendshape_rigs.formats import curves_from_npz
from .multipart import FormBody

PROTOCOL_VERSION = 1
_JSON_LIMIT = 2**20  # bytes
_CURVES_LIMIT = 512 * 2**20  # bytes; an hour at 60 fps is 50 MB
_BLOCK = 2**18  # bytes
_HEALTH_TIMEOUT = 3.0  # seconds; Blender waits for this one answer


class ServerError(Exception):
    """The server refused or failed; the message is for the user."""


class ServerUnreachable(ServerError):
    """Nothing answers at the address."""


class ProtocolMismatch(ServerError):
    """The server speaks another version of the protocol."""


class NotKnown(ServerError):
    """The server has not, or no longer, what is asked for."""


@dataclass(frozen=True)
class Address:
    """Where the server is: ``url`` like ``http://127.0.0.1:8787`` and the bearer ``token``."""

    url: str
    token: str


@dataclass(frozen=True)
class Health:
    """What the server says of itself: ``ready`` when ``model_hash`` is loaded, else ``message`` may say why not."""

    version: str
    device: str
    ready: bool
    message: str
    model_hash: str = ""


@dataclass(frozen=True)
class JobStatus:
    """One job as the server sees it: state, seconds of audio done and in all (None: unknown), frames made."""

    state: str
    seconds_done: float
    duration: float | None
    frames: int
    message: str

    @property
    def fraction(self) -> float:
        """Share of the work that is done, in [0, 1]; 0 while the duration is unknown."""
        return min(1.0, self.seconds_done / self.duration) if self.duration else 0.0


def connection_path() -> Path:
    """Return where the server of this user writes its address and token."""
    home = os.environ.get("DREAMTALK_HOME")
    return (Path(home) if home else Path.home() / ".dreamtalk") / "server.json"


def read_address(path: Path) -> Address:
    """Return the address in the connection file at ``path``.

    Raises:
        ServerUnreachable: when there is no such file: the server does not run.
        ProtocolMismatch: when the server speaks another version.
        ServerError: for a broken file.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        address = Address(str(stored["url"]), str(stored["token"]))
        protocol = stored["protocol"]
    except FileNotFoundError:
        raise ServerUnreachable("The server is not running") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServerError(f"{path} cannot be read ({error}): restart the server") from error
    _check_protocol(protocol)
    return address


def is_loopback(url: str) -> bool:
    """Tell whether ``url`` stays on this computer."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may lead anywhere, 127.example.com too


def _check_protocol(version: Any) -> None:
    if version != PROTOCOL_VERSION:
        raise ProtocolMismatch(
            f"The server speaks protocol {version}, this add-on {PROTOCOL_VERSION}: update the older of the two"
        )


class ServerClient:
    """One server at ``address``. Every call opens its own connection, so that one client serves many threads.

    Args:
        address: where the server is.
        timeout: seconds to wait for any one answer.
    """

    def __init__(self, address: Address, timeout: float = 60.0) -> None:
        self._address = address
        self._timeout = timeout

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._address.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServerError(f"'{self._address.url}' is no server address: write it like http://127.0.0.1:8787")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=self._timeout)

    def _request(
        self,
        method: str,
        path: str,
        body: Iterator[bytes] | bytes | None = None,
        headers: dict[str, str] | None = None,
        limit: int = _JSON_LIMIT,
    ) -> bytes:
        """Return the body of the answer.

        Raises:
            ServerUnreachable: when nothing answers in time.
            ServerError: for a refusal, with the server's own sentence, or an answer above ``limit`` bytes.
        """
        connection = self._connection()
        all_headers = {"Authorization": f"Bearer {self._address.token}", **(headers or {})}
        try:
            with self._silence_told():
                connection.request(method, path, body=body, headers=all_headers)
                answer = connection.getresponse()
                data = answer.read(limit + 1)
        finally:
            connection.close()
        if len(data) > limit:
            raise ServerError(f"The server's answer is larger than {limit // 2**20} MB")
        if answer.status >= 400:
            raise _refusal(data, answer.status)
        return data

    @contextmanager
    def _silence_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnreachable(f"The server at {self._address.url} does not answer ({error})") from error

    def download(self, path: str, target: Path, stop: Callable[[], bool]) -> bool:
        """Write the file at ``path`` of the server to ``target``; return False when ``stop`` became true before.

        Raises:
            ServerError: when the server refuses, or ends before the file does.
            OSError: when ``target`` cannot be written.
        """
        connection = self._connection()
        try:
            with self._silence_told():
                connection.request("GET", path, headers={"Authorization": f"Bearer {self._address.token}"})
                answer = connection.getresponse()
                refused = answer.read(_JSON_LIMIT) if answer.status >= 400 else b""
            if answer.status >= 400:
                raise _refusal(refused, answer.status)
            left = int(answer.headers["Content-Length"] or 0)
            with target.open("wb") as file:
                while left and not stop():
                    with self._silence_told():
                        block = answer.read(min(_BLOCK, left))
                    if not block:
                        raise ServerUnreachable(f"The server at {self._address.url} ended before its file did")
                    left -= len(block)
                    file.write(block)
        finally:
            connection.close()
        return not left

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        data = self._request(method, path, **request)
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise ServerError(f"The server's answer to {path} is not JSON") from error
        if not isinstance(answer, dict):
            raise ServerError(f"The server's answer to {path} is not an object")
        return answer

    def health(self) -> Health:
        """Return what the server says of itself.

        Raises:
            ProtocolMismatch: when it speaks another version.
            ServerError: when it does not answer properly.
        """
        answer = self._json("GET", "/v1/health")
        _check_protocol(answer.get("protocol"))
        model = answer.get("model") or {}
        return Health(
            str(answer.get("version", "")),
            str(answer.get("device", "")),
            bool(model.get("loaded")),
            str(model.get("message") or ""),
            str(model.get("hash") or ""),
        )

    def check_token(self) -> None:
        """Do nothing when the server lets this client in; health alone is open to all.

        Raises:
            ServerError: when it does not accept the token, or does not answer.
        """
        with suppress(NotKnown):
            self._request("GET", "/v1/jobs/none")

    def submit(self, audio: Path, options: dict[str, Any], parts: Mapping[str, bytes] | None = None) -> str:
        """Send the recording ``audio`` with the job's ``options`` and return the job's id.

        Args:
            audio: the recording.
            options: of the request, without the protocol.
            parts: NPZ curves that go along: a ``"style"`` clip, an earlier ``"take"``.

        Raises:
            ServerError: when the server refuses it.
            OSError: when the file cannot be read.
        """
        stated = json.dumps({"protocol": PROTOCOL_VERSION, **options})
        form = FormBody({"options": stated}, {"audio": audio}, parts)
        return str(self.post_form("/v1/jobs", form)["id"])

    def post_form(self, path: str, form: FormBody) -> dict[str, Any]:
        """Send ``form`` to ``path`` and return the answer.

        Raises:
            ServerError: when the server refuses it.
            OSError: when a file cannot be read.
        """
        return self._json("POST", path, body=iter(form), headers=form.headers)

    def job(self, job_id: str) -> JobStatus:
        """Return the state of a job.

        Raises:
            ServerError: for an unknown job or no answer.
        """
        answer = self._json("GET", f"/v1/jobs/{job_id}")
        try:
            duration = answer["duration"]
            return JobStatus(
                str(answer["state"]),
                float(answer["seconds_done"]),
                None if duration is None else float(duration),
                int(answer["frames"]),
                str(answer["message"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"The server's answer about job {job_id} lacks something: {error}") from error

    def curves(self, job_id: str, first_frame: int) -> FaceCurves:
        """Return the frames that a job has made so far, from ``first_frame`` on.

        Raises:
            ServerError: for an unknown job, no answer, or an answer that is no curves.
        """
        path = f"/v1/jobs/{job_id}/curves?first_frame={first_frame}"
        try:
            return curves_from_npz(self._request("GET", path, limit=_CURVES_LIMIT))
        except CurvesError as error:
            raise ServerError(f"The server sent curves that cannot be read: {error}") from error

    @contextmanager
    def held_job(self, job_id: str) -> Iterator[None]:
        """Bind a job to the body of the ``with`` statement: the server cancels it when this program ends meanwhile.

        A server that is older than this does without.

        Raises:
            ServerUnreachable: when nothing answers.
        """
        connection = self._connection()
        try:
            with self._silence_told():
                connection.request(
                    "GET", f"/v1/jobs/{job_id}/hold", headers={"Authorization": f"Bearer {self._address.token}"}
                )
                answer = connection.getresponse()
            with answer:
                yield
        finally:
            connection.close()

    def cancel(self, job_id: str) -> None:
        """Cancel a job, or forget one that has ended.

        Raises:
            ServerError: for an unknown job or no answer.
        """
        self._request("DELETE", f"/v1/jobs/{job_id}")


def health_of(address: Address) -> Health:
    """Return what the server at ``address`` says of itself, within a few seconds.

    Raises:
        ProtocolMismatch: when it speaks another version.
        ServerError: when it does not answer properly.
    """
    return ServerClient(address, timeout=_HEALTH_TIMEOUT).health()


def tested(address: Address) -> Health:
    """Return what the server at ``address`` says of itself, once it has accepted the token too.

    Raises:
        ProtocolMismatch: when it speaks another version.
        ServerError: when it does not answer properly, or does not accept the token.
    """
    client = ServerClient(address, timeout=_HEALTH_TIMEOUT)
    health = client.health()
    client.check_token()
    return health


def _refusal(data: bytes, status: int) -> ServerError:
    kind = NotKnown if status == 404 else ServerError
    return kind(_detail(data, status))


def _detail(data: bytes, status: int) -> str:
    """Return the server's sentence about a refusal."""
    if status == 401:
        return "The server does not accept the token: restart it, or correct the token in the preferences"
    try:
        said = str(json.loads(data)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered with status {status}"
    # What the server's framework says of a path that no route has.
    return "The server is older than this add-on and cannot do that: update it" if said == "Not Found" else said
