"""English phones of many stretches of sound at once, by recogniser processes that end with the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from model_server.errors import AudioError

from .alignment import Word
from .timed_phones import TimedPhones

FloatArray = npt.NDArray[np.float32]
Tag = TypeVar("Tag")

MOST_PROCESSES = 2


class _Child:
    """One recogniser process, answering one stretch at a time."""

    def __init__(self, stack: ExitStack) -> None:
        # The child must find this very package, installed or not.
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "model_server.audio.recogniser_child"],
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(self._process.kill)

    def ask(self, samples: FloatArray, words: Sequence[Word] | None) -> None:
        """Send a stretch; its answer is fetched by :meth:`answer` before the next one is sent."""
        told = None if words is None else [[word.spelling, word.pronunciations] for word in words]
        header = json.dumps({"samples": len(samples), "words": told}).encode() + b"\n"
        sound = (samples * 32767).clip(-32768, 32767).astype("<i2").tobytes()
        pipe = _open(self._process.stdin)
        try:
            pipe.write(header + sound)
            pipe.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def answer(self) -> TimedPhones | None:
        """Return the phones of the stretch that was sent, or None when none could be aligned."""
        line = _open(self._process.stdout).readline()
        if not line:
            raise self._gone()
        answer: dict[str, Any] | None = json.loads(line)
        return None if answer is None else TimedPhones.from_edges(answer["symbols"], answer["edges"])

    def _gone(self) -> AudioError:
        status = self._process.wait()
        return AudioError(
            f"the English recogniser stopped with status {status}; is there memory left? "
            "The lips can follow the encoder instead"
        )


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def english_phones(
    stretches: Iterable[tuple[FloatArray, Sequence[Word] | None, Tag]],
) -> Iterator[tuple[TimedPhones | None, Tag]]:
    """Yield the phones of stretches of English speech in their order; None where no alignment was found.

    The next stretches are worked on while the caller uses the last one.

    Args:
        stretches: (N,) float32 samples at 16 kHz, at most about half a minute; the words said in them, or None to
            recognise them; and anything, which is given back beside the answer.

    Raises:
        AudioError: when a recogniser process dies.
    """
    most = min(MOST_PROCESSES, os.cpu_count() or 1)
    with ExitStack() as stack:
        busy: deque[tuple[_Child, Tag]] = deque()
        for samples, words, tag in stretches:
            done = None
            if len(busy) == most:
                child, former = busy.popleft()
                done = child.answer(), former
            else:
                child = _Child(stack)
            child.ask(samples, words)
            busy.append((child, tag))
            if done is not None:
                yield done
        while busy:
            child, former = busy.popleft()
            yield child.answer(), former
