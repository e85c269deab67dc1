"""Compare the expression teacher with recorded faces: ``python -m model_server.training.compare_expressions``.

Give a folder of Live Link Face recordings (``.csv`` or ``.csv.gz``). Recordings and teacher are brought to 30 frames
a second. The mouth row counts corners only: the recordings speak, the teacher leaves articulation to another.
Controls: the mean pose, which does not move, and left against right of another moment.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES, EMOTIONS, mirror_name
from blendshape_rigs.formats.livelink import parse_livelink, read_livelink
from model_server.audio.phone_track import FRAME_RATE
from model_server.errors import DreamTalkError

from .expression_teacher import Actor, express
from .phone_sequences import invent_utterance

Array = npt.NDArray[np.float32]

RATE = 30.0
_CLOSED = 0.3
_REGIONS = {
    "brows": ("brow",),
    "lids": ("eyeBlink", "eyeWide", "eyeSquint"),
    "gaze": ("eyeLook",),
    "cheeks and nose": ("cheekSquint", "noseSneer"),
    "mouth corners": ("mouthSmile", "mouthFrown", "mouthDimple"),
}


@dataclass(frozen=True)
class FaceStatistics:
    """How a face moves.

    Attributes:
        deviation: region to the mean standard deviation of its channels.
        velocity: region to the mean 95th percentile of its channels' speeds, per second.
        coupling: region to the mean correlation of its left and right channels; not a number where nothing moves.
        blinks: blinks a minute.
        closed: median seconds that the lids are more than 0.3 closed.
        blink_coupling: correlation of the left and the right lid.
    """

    deviation: dict[str, float]
    velocity: dict[str, float]
    coupling: dict[str, float]
    blinks: float
    closed: float
    blink_coupling: float


def measure(values: Array, frame_rate: float = RATE) -> FaceStatistics:
    """Return statistics of (T, 52) ARKit weights."""
    deviation, velocity, coupling = {}, {}, {}
    for region, prefixes in _REGIONS.items():
        names = [name for name in ARKIT_NAMES if name.startswith(prefixes)]
        part = values[:, [ARKIT_INDEX[name] for name in names]]
        deviation[region] = float(part.std(axis=0).mean())
        velocity[region] = float(np.percentile(np.abs(np.diff(part, axis=0)) * frame_rate, 95, axis=0).mean())
        lefts = [name for name in names if name.endswith("Left")]
        coupling[region] = float(np.mean([_coupling(values, name) for name in lefts]))
    lids = values[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]].mean(axis=1)
    closed = np.diff((lids - np.median(lids) > _CLOSED).astype(np.int8), prepend=0, append=0)
    lengths = (np.flatnonzero(closed < 0) - np.flatnonzero(closed > 0)) / frame_rate
    return FaceStatistics(
        deviation,
        velocity,
        coupling,
        60 * len(lengths) / (len(values) / frame_rate),
        float(np.median(lengths)) if len(lengths) else float("nan"),
        _coupling(values, "eyeBlinkLeft"),
    )


def _coupling(values: Array, left: str) -> float:
    """Return the correlation of a left channel with what the right side does at the same time."""
    # Both eyes look to one side by Out on that side and In on the other.
    swapped = left.replace("LookIn", "LookX").replace("LookOut", "LookIn").replace("LookX", "LookOut")
    pair = values[:, [ARKIT_INDEX[left], ARKIT_INDEX[mirror_name(swapped)]]]
    if min(pair.std(axis=0)) < 1e-6:
        return float("nan")
    return float(np.corrcoef(pair.T)[0, 1])


def recorded_faces(folder: Path) -> dict[str, Array]:
    """Return (T, 52) weights at 30 frames a second of each Live Link recording in ``folder``.

    Raises:
        DreamTalkError: when there is none.
    """
    faces: dict[str, Array] = {}
    for path in sorted(folder.glob("*.csv*")):
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
                curves = parse_livelink(stream, path.name)
        else:
            curves = read_livelink(path)
        faces[path.name.split(".")[0]] = _resample(curves.values, curves.fps)
    if not faces:
        raise DreamTalkError(f"there are no .csv or .csv.gz recordings in '{folder}'")
    return faces


def taught_faces(emotions: Sequence[str], intensity: float, takes: int, seed: int) -> Array:
    """Return (T, 52) weights at 30 frames a second: ``takes`` minutes by as many actors, each in one emotion."""
    parts = []
    for take in range(takes):
        generator = np.random.default_rng([seed, take])
        utterance = invent_utterance(60, FRAME_RATE, generator)
        emotion = np.zeros((len(utterance.speech), len(EMOTIONS)), np.float32)
        emotion[:, EMOTIONS.index(emotions[take % len(emotions)])] = intensity
        actor = Actor.random(generator)
        values = express(emotion, utterance.speech, utterance.prosody, FRAME_RATE, actor, generator)[0]
        parts.append(_resample(values, FRAME_RATE))
    return np.concatenate(parts)


def _resample(values: Array, frame_rate: float) -> Array:
    times = np.arange(int(len(values) / frame_rate * RATE)) / RATE
    frames = np.arange(len(values)) / frame_rate
    return np.stack([np.interp(times, frames, column) for column in values.T], axis=1).astype(np.float32)


def report(rows: dict[str, FaceStatistics]) -> str:
    """Return three tables by region, and one of blinks."""
    lines = []
    for title, name in (
        ("standard deviation", "deviation"),
        ("speed per second, 95th percentile", "velocity"),
        ("correlation of left and right", "coupling"),
    ):
        lines += ["", f"{title:34}" + "".join(f"{region:>17}" for region in _REGIONS)]
        for row, statistics in rows.items():
            figures = getattr(statistics, name)
            lines.append(f"{row:34}" + "".join(f"{figures[region]:17.3f}" for region in _REGIONS))
    lines += ["", f"{'blinks':34}{'per minute':>17}{'closed, s':>17}{'left and right':>17}"]
    for row, statistics in rows.items():
        lines.append(f"{row:34}{statistics.blinks:17.1f}{statistics.closed:17.3f}{statistics.blink_coupling:17.3f}")
    return "\n".join(lines[1:])


def compare(folder: Path, takes: int = 14, seed: int = 0) -> dict[str, FaceStatistics]:
    """Return statistics by row: each recording of ``folder``, the teacher, and controls."""
    faces = recorded_faces(folder)
    rows = {f"recorded {name}": measure(values) for name, values in faces.items()}
    neutral = taught_faces(["neutral"], 0.0, takes, seed)
    rows["taught neutral"] = measure(neutral)
    for intensity in (0.3, 0.7, 1.0):
        rows[f"taught emotions at {intensity}"] = measure(taught_faces(EMOTIONS[1:], intensity, takes, seed))
    apart = neutral.copy()
    rights = [i for name, i in ARKIT_INDEX.items() if name.endswith("Right")]
    apart[:, rights] = np.roll(apart[:, rights], len(apart) // 2, axis=0)
    rows["taught neutral, sides apart"] = measure(apart)
    rows["mean pose"] = measure(np.tile(neutral.mean(axis=0), (len(neutral), 1)))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of Live Link Face recordings, .csv or .csv.gz")
    parser.add_argument("--takes", type=int, default=14, help="minutes of the teacher in each row")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    print(report(compare(given.folder, given.takes, given.seed)))


if __name__ == "__main__":
    main()
