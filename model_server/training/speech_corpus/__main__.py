"""Make the voices of the speech corpus alone, without sessions: ``python -m model_server.training.speech_corpus``.

``dreamtalk corpus build`` makes both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .build import make_voices
from .engines import VOICES
from .manifest import write_manifest


def main() -> None:
    """Make every voice that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/speech_corpus"))
    parser.add_argument("--share", type=float, default=1.0, help="of a full corpus")
    parser.add_argument("--voices", nargs="+", choices=sorted(voice.name for voice in VOICES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    voices = [voice for voice in VOICES if not arguments.voices or voice.name in arguments.voices]
    failed = 0
    for report in make_voices(voices, arguments.share, arguments.folder, arguments.jobs, arguments.seed):
        failed += report.failed
        if report.made or report.reason:
            print(report.row or f"{report.voice.name}: {report.reason}", flush=True)
    write_manifest(arguments.folder)
    if failed:
        raise SystemExit(f"{failed} voices could not be made")


if __name__ == "__main__":
    main()
