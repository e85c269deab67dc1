"""Expressions that a rig has to bear: drawn from recorded faces, or mixed from a seed."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, MIRROR_PAIRS, REGIONS
from blendshape_rigs.formats.livelink import parse_livelink
from model_server.errors import ConfigError

Values = npt.NDArray[np.float32]

TONGUE_NEEDS = 0.4
"""Opening between the lips, ``jawOpen`` less ``mouthClose``, from which a drawn mixture may show the tongue."""
OPPOSITES = (
    ("mouthLeft", "mouthRight"),
    ("jawLeft", "jawRight"),
    ("mouthFunnel", "mouthPress"),
    ("mouthPucker", "mouthStretch"),
    ("mouthSmile", "mouthFrown"),
    ("mouthRollLower", "mouthLowerDown"),
    ("mouthRollUpper", "mouthUpperUp"),
    ("eyeLookUp", "eyeLookDown"),
    ("eyeLookIn", "eyeLookOut"),
    ("eyeBlink", "eyeWide"),
    ("eyeSquint", "eyeWide"),
    ("browDown", "browOuterUp"),
    ("tongueOut", "cheekPuff"),
    ("tongueOut", "mouthRollUpper"),
    ("tongueOut", "mouthPress"),
)
"""Muscles that work against each other: a drawn mixture uses one of each pair."""


def recorded_expressions(folder: Path, count: int, seed: int = 0) -> Values:
    """Return ``count`` frames (count, 52) of the Live Link Face CSVs in ``folder``, each at its recorded values.

    The frames are drawn without looking at them, all files alike by their length; with fewer frames than ``count`` all
    are used.

    Raises:
        ConfigError: where the folder has no ``.csv`` or ``.csv.gz``.
        FormatError: for a file that is not a Live Link Face CSV.
    """
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if not files:
        raise ConfigError(f"'{folder}' has no .csv or .csv.gz files; name a folder of Live Link Face recordings")
    frames = np.concatenate([_values(path) for path in files])
    order = np.random.default_rng(seed).permutation(len(frames))[:count]
    return frames[np.sort(order)]


def _values(path: Path) -> Values:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    return parse_livelink(io.StringIO(text, newline=""), path.name).values


def drawn_mixtures(count: int, seed: int = 0) -> Values:
    """Return ``count`` plausible mixtures (count, 52): one to three shapes a region, mostly even on both sides.

    Opposed muscles do not work together, the lips close no further than the jaw opens, the tongue comes out of an open
    mouth only, and what a region's shapes sum to stays below 1.6, as in recorded faces.
    """
    random = np.random.default_rng(seed)
    values = np.zeros((count, ARKIT_COUNT), np.float32)
    for row in values:
        for channels in REGIONS.values():
            chosen = random.choice(channels, min(len(channels), int(random.integers(1, 4))), replace=False)
            row[chosen] = random.beta(1.2, 2.2, len(chosen))
            row[list(channels)] *= min(1.0, 1.6 / max(float(row[list(channels)].sum()), 1e-6))
        _even_sides(row, random)
        _without_opposites(row)
        jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
        row[close] = min(row[close], row[jaw])
        if row[jaw] - row[close] < TONGUE_NEEDS:
            row[ARKIT_INDEX["tongueOut"]] = 0.0
    return values


def _even_sides(row: Values, random: np.random.Generator) -> None:
    """Let most pairs work evenly; ``jawLeft`` and ``mouthLeft`` oppose their mirror image instead."""
    for left, right in MIRROR_PAIRS:
        if left in (ARKIT_INDEX["jawLeft"], ARKIT_INDEX["mouthLeft"]):
            continue
        strongest = max(row[left], row[right])
        row[left], row[right] = strongest * random.uniform(0.7, 1.0, 2) if random.random() < 0.8 else row[[left, right]]
    for side, other in (("Left", "Right"), ("Right", "Left")):
        # One eye looks in where the other looks out.
        row[ARKIT_INDEX[f"eyeLookIn{side}"]] = row[ARKIT_INDEX[f"eyeLookOut{other}"]]


def _without_opposites(row: Values) -> None:
    for pair in OPPOSITES:
        for side in ("", "Left", "Right"):
            for other in ("", "Left", "Right"):
                first, second = ARKIT_INDEX.get(pair[0] + side), ARKIT_INDEX.get(pair[1] + other)
                if first is None or second is None or (side and other and side != other):
                    continue
                row[first if row[first] < row[second] else second] = 0.0
