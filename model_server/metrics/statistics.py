"""What takes have in common: statistics of their channels, and who can be told from whom by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

FloatArray = npt.NDArray[np.floating[Any]]
Result = npt.NDArray[np.float64]

_SMALLEST_SPREAD = 0.02
"""Channels that hardly move are divided by 2 % of their range, so that they do not decide."""


def channel_statistics(face: FloatArray) -> Result:
    """Return (2 C,) the means and the standard deviations over time of (T, C) channels."""
    face = np.asarray(face, np.float64)
    return np.concatenate([face.mean(axis=0), face.std(axis=0)])


def nearest_centroid(features: FloatArray, labels: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return a label for each of N rows: that of the nearest class mean among the rows of all *other* groups.

    Features are divided by their standard deviation within the classes, so that those which tell nothing count little.

    Args:
        features: (N, F).
        labels: N class names.
        groups: N names of what must not be on both sides, such as the recording.
    """
    features, names = np.asarray(features, np.float64), np.asarray(labels)
    owners = np.asarray(groups)
    guesses: list[str] = []
    chance = np.random.default_rng(0)
    for row in range(len(features)):
        known = owners != owners[row]
        classes = sorted(set(names[known].tolist()))
        if not classes:
            raise ValueError("every group needs another one to be compared with")
        centroids = np.stack([features[known & (names == name)].mean(axis=0) for name in classes])
        places = np.array([classes.index(name) for name in names[known].tolist()])
        spread = np.maximum((features[known] - centroids[places]).std(axis=0), _SMALLEST_SPREAD)
        distance = (((features[row] - centroids) / spread) ** 2).sum(axis=1)
        # Rows that cannot be told apart are guessed by chance, not by the order of the names.
        best = np.flatnonzero(distance <= distance.min() * (1 + 1e-9))
        guesses.append(classes[int(chance.choice(best))])
    return guesses


def accuracy(guesses: Sequence[str], labels: Sequence[str]) -> float:
    """Return the share of right guesses."""
    return float(np.mean([guess == label for guess, label in zip(guesses, labels, strict=True)]))


def confusion(guesses: Sequence[str], labels: Sequence[str], classes: Sequence[str]) -> Result:
    """Return (C, C) the share of each true class (rows) guessed as each class (columns); rows sum to 1 or 0."""
    counts = np.zeros((len(classes), len(classes)))
    for guess, label in zip(guesses, labels, strict=True):
        counts[classes.index(label), classes.index(guess)] += 1
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def strength(face: FloatArray, neutral: FloatArray, full: FloatArray) -> float:
    """Return how far ``face`` has gone from neutral to the full emotion: 0 at ``neutral``, 1 at ``full``.

    It is the difference of the mean poses, projected on that of the full emotion. All arguments are (T, C).
    """
    direction = np.asarray(full, np.float64).mean(axis=0) - np.asarray(neutral, np.float64).mean(axis=0)
    moved = np.asarray(face, np.float64).mean(axis=0) - np.asarray(neutral, np.float64).mean(axis=0)
    return float(moved @ direction / max(float(direction @ direction), 1e-12))


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 where one side does not change."""
    ranks = [rankdata(np.round(side, 9)) for side in (first, second)]
    if any(np.ptp(side) == 0 for side in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def retrieval(takes: FloatArray, clips: FloatArray) -> tuple[float, float]:
    """Return how well takes find the style clip they were made with: top-1 share, and a ratio of distances.

    The ratio is the distance of each take to its own clip over the mean distance to the others, averaged; below 1 is
    nearer. Features are divided by their standard deviation over the clips.

    Args:
        takes: (N, F) channel statistics of takes.
        clips: (N, F) channel statistics of the clips; row i belongs to take i.
    """
    takes, clips = np.asarray(takes, np.float64), np.asarray(clips, np.float64)
    spread = np.maximum(clips.std(axis=0), _SMALLEST_SPREAD)
    distance = np.linalg.norm((takes[:, None] - clips[None]) / spread, axis=2)
    count = len(clips)
    first = float(np.mean([distance[i].argmin() == i for i in range(count)]))
    others = (distance.sum(axis=1) - distance.diagonal()) / max(count - 1, 1)
    return first, float((distance.diagonal() / np.maximum(others, 1e-12)).mean())
