"""What a batch has made so far, beside its files, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePath

from model_server import __version__

from .batch_manifest import ManifestLine

RECORD_NAME = ".dreamtalk-batch.jsonl"


class BatchRecord:
    """The record of the batch in a folder: one JSON object a line, for each file that was finished.

    A record that was cut off in the middle of a line loses that line only: its file is made once more.

    Args:
        folder: where the batch writes to.
        model_hash: of the models that make the performances.

    Raises:
        OSError: when the record cannot be read.
    """

    def __init__(self, folder: Path, model_hash: str) -> None:
        self._folder, self._model_hash = folder, model_hash
        self._digests: dict[Path, str] = {}
        self._made: dict[str, str] = {}
        if self._path.is_file():
            self._read()

    @property
    def _path(self) -> Path:
        return self._folder / RECORD_NAME

    def _read(self) -> None:
        for text in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(text)
                self._made[str(entry["output"])] = str(entry["settings"])
            except (ValueError, KeyError, TypeError):
                continue  # empty, or cut off while it was written

    def settings_of(self, line: ManifestLine) -> str:
        """Return a hash of all that the file of ``line`` depends on, the contents of its inputs among them.

        Raises:
            OSError: when an input cannot be read.
        """
        request = line.request
        settings = {
            "version": __version__,
            "model": self._model_hash,
            "inputs": [
                None if path is None else self._digest(path)
                for path in (line.audio, line.style, line.character, line.image)
            ],
            "emotion": request.emotion.weights.tolist(),
            "seed": request.seed,
            "fps": request.fps,
            "lips": [request.source.text, request.source.language, request.source.lips],
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            with path.open("rb") as file:
                self._digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._digests[path]

    def has(self, output: PurePath, settings: str) -> bool:
        """Tell whether ``output`` is there, finished, and was made with the same ``settings``."""
        return self._made.get(output.as_posix()) == settings and (self._folder / output).is_file()

    def add(self, output: PurePath, settings: str) -> None:
        """Note that ``output`` is finished.

        Raises:
            OSError: when the record cannot be written.
        """
        self._made[output.as_posix()] = settings
        with self._path.open("a", encoding="utf-8") as file:
            # On a line of its own, even where the one before was cut off.
            file.write("\n" + json.dumps({"output": output.as_posix(), "settings": settings}))
