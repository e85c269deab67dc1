"""Reading multipart bodies: to temporary files, bounded in size, with nothing left behind."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from model_server.errors import CaptureError, ConfigError, DreamTalkError, PortraitError

_CURVES_BYTES = 64 * 2**20
_OPTIONS_BYTES = 16 * 2**20  # an edited track of phones of some hours


class UploadSizeError(DreamTalkError):
    """A request body beyond the server's limit."""


@dataclass(frozen=True)
class JobForm:
    """The parts of a job's body."""

    audio: UploadFile
    options: str
    style: UploadFile | None
    take: UploadFile | None


async def read_form(
    headers: Headers,
    body: AsyncGenerator[bytes, None],
    maximum_bytes: int,
    wanted: str = "an 'audio' file and 'options'",
) -> FormData:
    """Return the parts of a multipart body; files go to anonymous temporary files. Close it after use.

    Args:
        headers: of the request.
        body: of the request.
        maximum_bytes: of the whole body.
        wanted: what should have been sent, in words.

    Raises:
        UploadSizeError: for a body of more than ``maximum_bytes``.
        ConfigError: for a body that is no multipart form.
    """
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        raise ConfigError(f"send multipart/form-data with {wanted}")
    if int(headers.get("content-length", "0")) > maximum_bytes:
        raise UploadSizeError(_too_large(maximum_bytes))
    try:
        bounded = _bounded(body, maximum_bytes)
        return await MultiPartParser(headers, bounded, max_files=3, max_fields=1, max_part_size=_OPTIONS_BYTES).parse()
    except MultiPartException as error:
        raise ConfigError(f"the upload is broken: {error.message}") from error


def take_parts(form: FormData) -> JobForm:
    """Return the named parts of a form.

    Raises:
        ConfigError: for a part that is missing, of the wrong kind, or unknown.
    """
    audio, options, style, take = (form.get(name) for name in ("audio", "options", "style", "take"))
    unknown = set(form) - {"audio", "options", "style", "take"}
    if unknown:
        raise ConfigError("the upload may hold 'audio', 'options', 'style' and 'take', and nothing else")
    if not isinstance(audio, UploadFile):
        raise ConfigError("the upload has no 'audio' file")
    if not isinstance(options, str):
        raise ConfigError("the upload has no 'options' text")
    if not isinstance(style, UploadFile | None) or not isinstance(take, UploadFile | None):
        raise ConfigError("'style' and 'take' must be NPZ files")
    return JobForm(audio, options, style, take)


def require_parts(
    form: FormData, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> tuple[str, dict[str, UploadFile]]:
    """Return the text of the part "options" and the files of a form by their names.

    Raises:
        ConfigError: for a part that is missing, of the wrong kind, or unknown.
    """
    known = (*required, *optional)
    if set(form) - {"options", *known}:
        raise ConfigError(f"the upload may hold 'options', {', '.join(map(repr, known))}, and nothing else")
    options = form.get("options")
    if not isinstance(options, str):
        raise ConfigError("the upload has no 'options' text")
    files: dict[str, UploadFile] = {}
    for name in known:
        part = form.get(name)
        if isinstance(part, UploadFile):
            files[name] = part
        elif part is not None or name in required:
            raise ConfigError(f"the upload has no '{name}' file")
    return options, files


def shown_name(upload: UploadFile) -> str:
    """Return what messages call the uploaded file: its bare name, printable and short."""
    name = PureWindowsPath(upload.filename or "").name
    return "".join(character for character in name if character.isprintable())[:100] or "recording"


@contextlib.contextmanager
def called(path: Path, name: str) -> Iterator[None]:
    """Let errors about the file in ``path`` call it by the ``name`` that its user knows."""
    try:
        yield
    except (CaptureError, PortraitError) as error:
        raise type(error)(str(error).replace(path.name, name)) from error


def save(upload: UploadFile, folder: Path, stem: str) -> Path:
    """Copy an upload to ``folder`` under a name of our own, keeping only a harmless suffix of its own."""
    suffix = PureWindowsPath(upload.filename or "").suffix
    path = folder / (stem + (suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", suffix) else ".audio"))
    try:
        with path.open("xb") as file:
            shutil.copyfileobj(upload.file, file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def curves_bytes(upload: UploadFile) -> bytes:
    """Return the bytes of uploaded curves.

    Raises:
        UploadSizeError: for more than 64 MiB.
    """
    data = upload.file.read(_CURVES_BYTES + 1)
    if len(data) > _CURVES_BYTES:
        raise UploadSizeError(f"the curves are larger than {_CURVES_BYTES // 2**20} MiB; give a shorter clip")
    return data


def _too_large(maximum_bytes: int) -> str:
    return f"the upload is larger than this server's limit of {maximum_bytes / 2**20:g} MiB"


async def _bounded(body: AsyncGenerator[bytes, None], maximum_bytes: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in body:
        received += len(chunk)
        if received > maximum_bytes:
            raise UploadSizeError(_too_large(maximum_bytes))
        yield chunk
