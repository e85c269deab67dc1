"""Compare the mouth teacher with real mouths: ``python -m model_server.training.calibrate_mouth FOLDER``.

``FOLDER`` holds the recordings of FACEGOOD-Audio2Face: ``1114_2_01.flac`` to ``1114_2_05.flac`` and their captured
curves at 30 frames a second in ``curves_30fps.npz``. One Mandarin speaker says single words. The phones are what the
shipped speech encoder hears, so the figures hold its mistakes too. The teacher's numbers were chosen by takes 1, 2 and
4; takes 3 and 5 are held out. ``--livelink FOLDER`` adds the speeds of captured performances in Live Link Face's CSVs,
plain or gzipped.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats.livelink import parse_livelink, read_livelink
from model_server.audio.listener import PhoneListener
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack, join_tracks
from model_server.audio.phones import MOUTH_CLASSES, PHONES
from model_server.errors import AudioError
from model_server.metrics.correlation import best_lag, correlation
from model_server.metrics.loudness import loudness_to_jaw
from model_server.metrics.mouth_mesh import load_mouth_mesh
from model_server.models.checkpoint import load_checkpoint
from model_server.models.speech_encoder import SpeechEncoder

from .mouth_limits import SPEED_LIMITS
from .mouth_targets import BILABIAL
from .mouth_teacher import PhoneSegments, Speaker, articulate, lip_gap_weights
from .mouth_timing import near

Array = npt.NDArray[np.float32]
Cell = float | str

CALIBRATION = ("1114_2_01", "1114_2_02", "1114_2_04")
HELD_OUT = ("1114_2_03", "1114_2_05")
CAPTURED_FPS = 30.0

# ARKit channels from the captured ones of which they are made. mouth_oh_c drops the jaw while it rounds the lips.
_OPENING = {
    "jawOpen": {"mouth_stretch_c": 1.0, "mouth_oh_c": 0.35},
    "mouthLowerDownLeft": {"mouth_lowerLipDepress_l": 1.0},
    "mouthLowerDownRight": {"mouth_lowerLipDepress_r": 1.0},
    "mouthUpperUpLeft": {"mouth_upperLipRaise_l": 1.0},
    "mouthUpperUpRight": {"mouth_upperLipRaise_r": 1.0},
    "mouthFunnel": dict.fromkeys(
        ("mouth_funnel_dl", "mouth_funnel_dr", "mouth_funnel_ul", "mouth_funnel_ur"), 0.25
    ),
}  # fmt: skip
# The funnel channels are strongest on sibilants, so they are no measure of rounding.
_ROUNDING = {"mouth_pucker_l": 0.5, "mouth_pucker_r": 0.5, "mouth_oo_c": 1.0, "mouth_oh_c": 1.0}

_WEIGHTS = Path("model_server/weights/speech_encoder.safetensors")
_LARGEST_FILE = 1 << 30
_CHANGE_COST = 2.0
_CLOSED = 0.0015
_MARGIN = 0.04
_SHORTEST_PHONE, _SHORTEST_PAUSE = 0.04, 0.6
_MOVING, _FEWEST_MOVING = 0.1, 50
_EDGE_TIMES = np.array((-0.10, -0.05, 0.0, 0.05, 0.10))


@dataclass(frozen=True)
class Take:
    """A recorded take.

    Attributes:
        name: name of the file.
        samples: (N,) float32 at 16 kHz.
        opening: (T,) metres between the lips at ``CAPTURED_FPS``, on the proxy avatar's lips.
        rounding: (T,) sum of the rounding channels.
        segments: phones heard.
        taught: (T, 52) the teacher's curves for them at ``CAPTURED_FPS``.
    """

    name: str
    samples: Array
    opening: Array
    rounding: Array
    segments: PhoneSegments
    taught: Array


def heard_phones(track: PhoneTrack) -> PhoneSegments:
    """Return the most likely sequence of phones (Viterbi); a change of phone costs 2 nats."""
    costs = -np.log(np.maximum(track.posteriors.astype(np.float64), 1e-6))
    total, stay = np.zeros(len(PHONES)), np.arange(len(PHONES))
    came_from = np.zeros(costs.shape, np.int64)
    for frame, cost in enumerate(costs):
        cheapest = int(total.argmin())
        changes = total[cheapest] + _CHANGE_COST < total
        came_from[frame] = np.where(changes, cheapest, stay)
        total = np.minimum(total, total[cheapest] + _CHANGE_COST) + cost
    path = np.zeros(len(costs), np.int64)
    path[-1] = total.argmin()
    for frame in range(len(costs) - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist()]
    return PhoneSegments(
        tuple(PHONES[path[edge]] for edge in edges), np.array(edges) / FRAME_RATE, len(path) / FRAME_RATE
    )


def read_takes(folder: Path, names: Sequence[str], encoder: SpeechEncoder) -> list[Take]:
    """Return takes with what is heard in them and what the teacher makes of it.

    Raises:
        AudioError: for a folder without the takes.
    """
    import soundfile

    path = folder / "curves_30fps.npz"
    if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
        raise AudioError(f"'{folder}' has no curves_30fps.npz of up to 1 GiB; give FACEGOOD's folder of takes")
    takes: list[Take] = []
    with np.load(path, allow_pickle=False) as data:
        columns = {str(name): column for column, name in enumerate(data["names"])}
        for name in names:
            sound = folder / f"{name}.flac"
            if f"c_{name}" not in data or not sound.is_file():
                raise AudioError(f"'{folder}' has no take {name}; give FACEGOOD's folder of takes")
            samples, rate = soundfile.read(sound, dtype="float32")
            if rate != 16_000 or samples.ndim != 1:
                raise AudioError(f"'{sound}' is not mono at 16 kHz; convert it")
            curves = data[f"c_{name}"]
            opening = sum(
                lip_gap_weights()[ARKIT_INDEX[channel]] * _weighted(curves, columns, parts)
                for channel, parts in _OPENING.items()
            )
            track = join_tracks(list(PhoneListener(encoder).listen([samples])))
            segments = heard_phones(track)
            takes.append(
                Take(
                    name,
                    samples,
                    np.asarray(opening, np.float32),
                    _weighted(curves, columns, _ROUNDING),
                    segments,
                    _teach(segments, track, len(curves)),
                )
            )
    return takes


def _weighted(curves: Array, columns: dict[str, int], parts: dict[str, float]) -> Array:
    return np.asarray(sum(weight * curves[:, columns[name]] for name, weight in parts.items()), np.float32)


def _teach(segments: PhoneSegments, track: PhoneTrack, frames: int) -> Array:
    """Return (frames, 52) the teacher's curves, made at ``FRAME_RATE`` as for training, read at ``CAPTURED_FPS``."""
    made = np.arange(len(track)) / FRAME_RATE
    loudness = np.interp(made, track.times(), track.loudness).astype(np.float32)
    still = np.zeros((len(track), ARKIT_COUNT), np.float32)
    values = articulate(segments, loudness, FRAME_RATE, Speaker(), still)
    times = np.arange(frames) / CAPTURED_FPS
    return np.stack([np.interp(times, made, curve) for curve in values.T], axis=1).astype(np.float32)


def agreement_rows(takes: Sequence[Take]) -> list[list[Cell]]:
    """Return how teacher, baselines and truth follow the captured lips, means over ``takes``.

    Cells: name, r of opening, r of rounding, seconds by which the opening comes late, mean and 95th percentile of the
    opening (millimetres), share of frames with closed lips.
    """
    mesh = load_mouth_mesh()
    taught = [(mesh.lip_gap(take.taught), -mesh.width(take.taught)) for take in takes]
    jaw = float(lip_gap_weights()[ARKIT_INDEX["jawOpen"]])
    loud = [jaw * loudness_to_jaw(take.samples, 16_000, CAPTURED_FPS, len(take.opening)) for take in takes]
    others = [taught[(index + 1) % len(taught)] for index in range(len(taught))]
    made: dict[str, list[tuple[Array, Array]]] = {
        "captured": [(take.opening, take.rounding) for take in takes],
        "teacher": taught,
        "loudness-driven jaw": [(curve, curve) for curve in loud],
        "mean pose": [(np.full_like(gap, gap.mean()), np.full_like(gap, 0)) for gap, _ in taught],
        "shuffled audio": [
            (np.resize(gap, len(take.opening)), np.resize(width, len(take.opening)))
            for (gap, width), take in zip(others, takes, strict=True)
        ],
    }
    rows: list[list[Cell]] = []
    for name, curves in made.items():
        pairs = list(zip(curves, takes, strict=True))
        openings = np.concatenate([opening for opening, _ in curves])
        moves = openings.std() > 0 and name != "mean pose"
        rows.append([
            name,
            _mean([correlation(opening, take.opening) for (opening, _), take in pairs]),
            _mean([correlation(rounding, take.rounding) for (_, rounding), take in pairs]),
            _mean([best_lag(opening, take.opening, CAPTURED_FPS)[0] * 1000 for (opening, _), take in pairs])
            if moves
            else "",
            1000 * float(openings.mean()),
            1000 * float(np.percentile(openings, 95)),
            float((openings < _CLOSED).mean()),
        ])  # fmt: skip
    return rows


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def phone_rows(takes: Sequence[Take]) -> list[list[Cell]]:
    """Return, for each of the mouth classes: phones, captured and taught millimetres and rounding at their middle."""
    mesh = load_mouth_mesh()
    rows: list[list[Cell]] = []
    for members in MOUTH_CLASSES:
        found: list[tuple[float, ...]] = []
        for take in takes:
            curves = (
                take.opening,
                mesh.lip_gap(take.taught),
                take.rounding,
                take.taught[:, ARKIT_INDEX["mouthPucker"]],
            )
            times = np.arange(len(take.opening)) / CAPTURED_FPS
            for symbol, start, end in zip(take.segments.symbols, take.segments.starts, take.segments.ends, strict=True):
                if symbol in members and end - start >= _SHORTEST_PHONE:
                    found.append(tuple(float(np.interp((start + end) / 2, times, curve)) for curve in curves))
        if found:
            values = np.array(found)
            gaps, rounds = 1000 * np.median(values[:, :2], axis=0), values[:, 2:].mean(axis=0)
            rows.append([" ".join(members), float(len(found)), *gaps.tolist(), *rounds.tolist()])
    return rows


def closure_rows(takes: Sequence[Take]) -> list[list[Cell]]:
    """Return, for captured and taught lips: median smallest gap near p b m heard (millimetres), share closed, and the
    mean gap (millimetres) at -100, -50, 0, 50 and 100 ms around the beginnings and the ends of words."""
    mesh = load_mouth_mesh()
    sources: dict[str, Callable[[Take], Array]] = {
        "captured": lambda take: take.opening,
        "teacher": lambda take: mesh.lip_gap(take.taught),
    }
    rows: list[list[Cell]] = []
    for name, curve_of in sources.items():
        smallest: list[float] = []
        begins: list[npt.NDArray[np.float64]] = []
        ends: list[npt.NDArray[np.float64]] = []
        for take in takes:
            gap, times = curve_of(take), np.arange(len(take.opening)) / CAPTURED_FPS
            for symbol, start, end in zip(take.segments.symbols, take.segments.starts, take.segments.ends, strict=True):
                part = gap[near(times, start - _MARGIN, end + _MARGIN)]
                if symbol in BILABIAL and len(part):
                    smallest.append(float(part.min()))
                elif symbol == "sil" and end - start >= _SHORTEST_PAUSE:
                    begins.append(np.interp(end + _EDGE_TIMES, times, gap))
                    ends.append(np.interp(start + _EDGE_TIMES, times, gap))
        depth, closed = 1000 * float(np.median(smallest)), float((np.array(smallest) < _CLOSED).mean())
        edges = [" ".join(f"{1000 * gap:.1f}" for gap in np.mean(side, axis=0)) for side in (begins, ends)]
        rows.append([name, depth, closed, *edges])
    return rows


def _read_live_link(file: Path) -> FaceCurves:
    if file.suffix != ".gz":
        return read_livelink(file)
    with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as stream:
        return parse_livelink(stream, file.name)


def speed_rows(folder: Path, takes: Sequence[Take]) -> list[list[Cell]]:
    """Return, for each channel: fastest speed and acceleration of captured performances, the limit, the teacher's.

    Speeds are 99th percentiles over the frames in which the channel moves, in the fastest recording.

    Raises:
        AudioError: for a folder without recordings.
    """
    files = [*sorted(folder.glob("*.csv")), *sorted(folder.glob("*.csv.gz"))]
    if not files:
        raise AudioError(f"'{folder}' has no Live Link Face CSV; give a folder with .csv or .csv.gz files")
    captured = [_read_live_link(file) for file in files]
    rows: list[list[Cell]] = []
    for name, limit in SPEED_LIMITS.items():
        columns = [index for channel, index in ARKIT_INDEX.items() if channel.startswith(name)]
        real = np.max([_speeds(take.values[:, column], take.fps) for take in captured for column in columns], axis=0)
        own = np.max([_speeds(take.taught[:, column], CAPTURED_FPS) for take in takes for column in columns], axis=0)
        rows.append([name, real[0], limit, own[0], real[1], own[1]])
    return rows


def _speeds(curve: Array, fps: float) -> tuple[float, float]:
    """Return the 99th percentiles of speed and acceleration where (T,) ``curve`` moves; zeros for a still one."""
    speed = np.abs(np.diff(curve)) * fps
    change = np.abs(np.diff(curve, 2)) * fps**2
    moving = speed > _MOVING
    if moving.sum() < _FEWEST_MOVING:
        return 0.0, 0.0
    either = [bool(before or after) for before, after in pairwise(moving)]
    return float(np.percentile(speed[moving], 99)), float(np.percentile(change[either], 99))


def _print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(cell if isinstance(cell, str) else f'{cell:.2f}' for cell in row)} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="FACEGOOD's takes")
    parser.add_argument("--livelink", type=Path, help="folder of Live Link Face CSVs")
    parser.add_argument("--weights", type=Path, default=_WEIGHTS, help="speech encoder that hears the phones")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    encoder = load_checkpoint(arguments.weights, SpeechEncoder)
    calibration, held_out = (read_takes(arguments.folder, names, encoder) for names in (CALIBRATION, HELD_OUT))
    head = ["", "opening r", "rounding r", "late, ms", "mean, mm", "95 %, mm", "closed"]
    _print_table("Takes 1, 2, 4 (calibration)", head, agreement_rows(calibration))
    _print_table("Takes 3, 5 (held out)", head, agreement_rows(held_out))
    head = ["phones", "count", "captured, mm", "taught, mm", "captured rounding", "mouthPucker"]
    _print_table("Middles of phones, takes 1, 2, 4", head, phone_rows(calibration))
    head = ["", "smallest gap, mm", "closed", "beginnings -100…100 ms, mm", "ends -100…100 ms, mm"]
    _print_table("p b m and edges of words, takes 1, 2, 4", head, closure_rows(calibration))
    if arguments.livelink:
        head = ["channel", "captured speed", "limit", "taught speed", "captured acceleration", "taught acceleration"]
        _print_table("Speeds, units a second", head, speed_rows(arguments.livelink, [*calibration, *held_out]))


if __name__ == "__main__":
    main()
