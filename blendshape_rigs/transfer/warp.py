"""Similarities and smooth warps between point sets, with their local frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

SOFTENING: Final = 0.008
"""Metres: the kernel is rounded off within this distance, so that local frames change smoothly."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """``x -> scale * rotation @ x + offset``."""

    scale: float
    rotation: Points
    offset: Points

    def apply(self, points: NDArray[np.floating[Any]]) -> Points:
        """Return the mapped points (..., 3)."""
        mapped: Points = self.scale * points @ self.rotation.T + self.offset
        return mapped

    def undo(self, points: NDArray[np.floating[Any]]) -> Points:
        """Return the points (..., 3) that ``apply`` maps to ``points``."""
        restored: Points = (points - self.offset) @ self.rotation / self.scale
        return restored

    def turn(self, vectors: NDArray[np.floating[Any]]) -> Points:
        """Return the mapped displacements (..., 3)."""
        turned: Points = self.scale * vectors @ self.rotation.T
        return turned


def fit_similarity(source: Points, target: Points) -> Similarity:
    """Return the least-squares similarity from ``source`` (N, 3) to ``target`` (N, 3).

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991).
    """
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    centred = source - from_mean
    left, sizes, right = np.linalg.svd((target - to_mean).T @ centred)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * signs) @ right
    scale = float((sizes * signs).sum() / (centred**2).sum())
    return Similarity(scale, rotation, to_mean - scale * rotation @ from_mean)


@dataclass(frozen=True, eq=False)
class Warp:
    """A smoothing spline in space: affine part (4, 3) and weights (N, 3) at ``centres`` (N, 3)."""

    centres: Points
    weights: Points
    affine: Points

    def apply(self, points: NDArray[np.floating[Any]]) -> Points:
        """Return the warped points (P, 3)."""
        mapped: Points = self.affine[0] + points @ self.affine[1:] + _kernel(points, self.centres) @ self.weights
        return mapped

    def frames(self, points: NDArray[np.floating[Any]]) -> Points:
        """Return the derivatives (P, 3, 3) of the warp: ``frames[p] @ d`` is how a small ``d`` at point p maps."""
        slopes = _kernel(points, self.centres)
        frames: Points = np.empty((len(points), 3, 3))
        for axis in range(3):
            change = (points[:, axis, None] - self.centres[:, axis]) / slopes
            frames[:, :, axis] = change @ self.weights + self.affine[1 + axis]
        return frames


def fit_warp(source: Points, target: Points, stiffness: NDArray[np.floating[Any]] | float) -> Warp:
    """Return the spline from ``source`` (N, 3) towards ``target`` (N, 3).

    The kernel is the distance itself, the three-dimensional thin-plate spline of lowest order.
    Source: G. Wahba, "Spline Models for Observational Data" (1990).

    Args:
        source: at least four points that lie in no common plane, metres.
        target: their images, metres.
        stiffness: metres, per point or for all: zero meets the targets, more bends less.
    """
    count = len(source)
    system = np.zeros((count + 4, count + 4))
    system[:count, :count] = np.diag(np.broadcast_to(stiffness, count)) - _kernel(source, source)
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :] = source
    system[count + 1 :, :count] = source.T
    solved = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
    return Warp(source, -solved[:count], solved[count:])


def _kernel(points: NDArray[np.floating[Any]], centres: Points) -> Points:
    squares = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * points @ centres.T
    kernel: Points = np.sqrt(np.maximum(squares, 0) + SOFTENING**2)
    return kernel
