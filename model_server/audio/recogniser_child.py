"""The English recogniser in a process of its own: ``python -m model_server.audio.recogniser_child``.

Pocketsphinx holds Python's lock for seconds while it decodes; in the server's process nobody else could be served.

Reads from standard input, for each stretch of sound, one line of JSON ``{"samples": N, "words": [[spelling, [[phone,
...], ...]], ...] or null}`` and N samples as 16-bit little-endian integers at 16 kHz; answers with one line of JSON,
``{"symbols": [...], "edges": [...]}`` or null. Ends with its input.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import numpy as np

from .alignment import Word
from .recogniser import EnglishAligner, EnglishRecogniser


def main() -> None:
    """Answer until the input ends."""
    # Ctrl-C in a terminal reaches this process too; its parent closes the pipe then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    aligner, recogniser = EnglishAligner(), None
    source = sys.stdin.buffer
    while line := source.readline():
        request: dict[str, Any] = json.loads(line)
        sound = source.read(2 * request["samples"])
        samples = np.frombuffer(sound, "<i2").astype(np.float32) / 32767
        if request["words"] is None:
            recogniser = recogniser or EnglishRecogniser()
            words = recogniser.recognise(samples)
        else:
            words = [Word(spelling, tuple(map(tuple, spoken))) for spelling, spoken in request["words"]]
        phones = aligner.align(samples, words)
        answer = None if phones is None else {"symbols": phones.symbols, "edges": [*phones.starts, phones.duration]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
