"""Make the speech corpus: ``python -m model_server.training.speech_corpus --jobs 2``.

Each voice is one file of utterances and one JSON row with its licence and length. Voices that are already there are
left as they are, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from .engines import VOICES, Voice
from .utterance import label_shift, save_shard, shifted

_BY_NAME = {voice.name: voice for voice in VOICES}


def make_voice(name: str, share: float, seed: int, folder: Path) -> dict[str, object]:
    """Speak, correct and store one voice; returns its row of the manifest."""
    voice: Voice = _BY_NAME[name]
    started = time.monotonic()
    # Every voice says other sentences.
    own_seed = 1000 * seed + zlib.crc32(name.encode()) % 1000
    utterances = list(voice.source(share * voice.seconds, own_seed, folder))
    shift = label_shift(utterances[:40])
    row: dict[str, object] = {
        "voice": name,
        "licence": voice.licence,
        "held_out": voice.held_out,
        "exact_times": voice.exact,
        "utterances": len(utterances),
        "seconds": round(sum(utterance.seconds for utterance in utterances), 1),
        "labels_moved_ms": round(1000 * shift, 1),
        "phones": len(np.unique(np.concatenate([utterance.phones for utterance in utterances]))),
        "took_seconds": round(time.monotonic() - started, 1),
    }
    (folder / f"{name}.json").write_text(json.dumps(row, indent=1))
    save_shard(folder / f"{name}.npz", [shifted(utterance, shift) for utterance in utterances])
    return row


def main() -> None:
    """Make every voice that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/speech_corpus"))
    parser.add_argument("--share", type=float, default=1.0, help="of a full corpus (about 9 hours)")
    parser.add_argument("--voices", nargs="+", choices=sorted(_BY_NAME), default=list(_BY_NAME))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in arguments.voices if not (arguments.folder / f"{name}.npz").exists()]
    failed = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        jobs = {
            pool.submit(make_voice, name, arguments.share, arguments.seed, arguments.folder): name for name in wanted
        }
        for job in as_completed(jobs):
            error = job.exception()
            if error is not None:
                failed.append(f"{jobs[job]}: {error!r}")
                print(failed[-1], flush=True)
                continue
            print(job.result(), flush=True)
    if failed:
        raise SystemExit(f"{len(failed)} of {len(wanted)} voices could not be made")


if __name__ == "__main__":
    main()
