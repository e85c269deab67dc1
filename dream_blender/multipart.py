"""Forms with files as HTTP bodies (RFC 7578), streamed from the disk. Standard library only."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

_BLOCK = 2**16  # bytes


class FormBody:
    """A form whose texts and files are sent one after the other. Iterate it once.

    Args:
        texts: plain fields by name.
        files: files on the disk by field name.
        data: files in memory by field name.

    Attributes:
        headers: ``Content-Type`` and ``Content-Length``.

    Raises:
        OSError: when a file cannot be found.
    """

    def __init__(
        self, texts: Mapping[str, str], files: Mapping[str, Path], data: Mapping[str, bytes] | None = None
    ) -> None:
        boundary = uuid.uuid4().hex
        self._parts: list[tuple[bytes, bytes | Path, int]] = []
        for name, text in texts.items():
            self._add(_head(boundary, name), text.encode())
        for name, path in files.items():
            self._add(_head(boundary, name, path.name), path)
        for name, content in (data or {}).items():
            self._add(_head(boundary, name, name), content)
        self._tail = f"--{boundary}--\r\n".encode()
        length = sum(len(head) + size + 2 for head, _, size in self._parts) + len(self._tail)
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(length),
        }

    def _add(self, head: bytes, content: bytes | Path) -> None:
        self._parts.append((head, content, content.stat().st_size if isinstance(content, Path) else len(content)))

    def __iter__(self) -> Iterator[bytes]:
        for head, content, size in self._parts:
            yield head
            if isinstance(content, Path):
                yield from _blocks(content, size)
            else:
                yield content
            yield b"\r\n"
        yield self._tail


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    left = size  # a file that grows meanwhile must not exceed the stated length
    with path.open("rb") as file:
        while left and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block


def _head(boundary: str, name: str, file_name: str = "") -> bytes:
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in file_name)
    extra = f'; filename="{safe}"' if file_name else ""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode()
