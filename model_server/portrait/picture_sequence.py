"""Writes frames as a numbered sequence of PNG pictures, all of them or none."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model_server.errors import ExportError

from .arrays import Bytes

_COMPRESSION = 3  # of zlib's 9: a third larger than the smallest, many times as fast
_DIGITS = 4


def numbered(out: Path, number: int) -> Path:
    """Return the path of one picture: the last run of ``#`` in the name is the number; without one it is appended.

    ``shot_####.png`` and ``shot.png`` both give ``shot_0001.png`` for 1.
    """
    runs = list(re.finditer("#+", out.stem))
    if not runs:
        return out.with_name(f"{out.stem}_{number:0{_DIGITS}d}{out.suffix}")
    begin, end = runs[-1].span()
    return out.with_name(f"{out.stem[:begin]}{number:0{end - begin}d}{out.stem[end:]}{out.suffix}")


class PictureSequence:
    """An open sequence of pictures, numbered from 1. Use as a context manager.

    The pictures are made in a hidden folder beside the first one and take their places when all went well.

    Args:
        out: see :func:`numbered`.
        metadata: texts for every picture, such as Title and Comment.

    Raises:
        ExportError: when the folder cannot be written to.
    """

    def __init__(self, out: Path, metadata: Mapping[str, str] | None = None) -> None:
        self._out, self._count = out, 0
        self._texts = PngInfo()
        for name, text in (metadata or {}).items():
            self._texts.add_itxt(name.capitalize(), text)
        self._folder = out.parent / f".dreamtalk-{secrets.token_hex(6)}"
        try:
            self._folder.mkdir(mode=0o700)
        except OSError as error:
            raise ExportError(f"'{out}' cannot be written: {error.strerror}; choose another folder") from error

    def __enter__(self) -> PictureSequence:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for number in range(1, self._count + 1):
                    place = numbered(self._out, number)
                    (self._folder / place.name).replace(place)
        except OSError as error:
            raise ExportError(f"'{self._out}' could not be written: {error.strerror or error}") from error
        finally:
            shutil.rmtree(self._folder)

    def write(self, frame: Bytes) -> None:
        """Append one frame: (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha, uint8.

        Raises:
            ExportError: when it cannot be written.
        """
        self._count += 1
        path = self._folder / numbered(self._out, self._count).name
        try:
            Image.fromarray(frame).save(path, pnginfo=self._texts, compress_level=_COMPRESSION)
        except OSError as error:
            raise ExportError(f"'{path.name}' could not be written: {error.strerror or error}") from error
