"""What Face-vid2vid learns from: files of clips, rendered or cut from videos, and pairs of pictures drawn from them."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_server.errors import ConfigError
from model_server.training.compute import Compute

HELD_OUT = ".held_out.npz"
_KEPT_BYTES = 2 << 30  # of clips in memory
_LARGEST_FILE = 1 << 30
_TRUTH = ("canonical", "keypoints", "translation", "points", "seen")

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Truth:
    """What is known of rendered heads, in picture axes; the first of a pair is the source, the second the driving one.

    Attributes:
        canonical: (B, K, 3) keypoints of the neutral face seen from the front.
        keypoints: (2, B, K, 3) placed keypoints.
        translation: (2, B, 3).
        points: (2, B, P, 3) places of points of the surface.
        seen: (B, P) bool, points seen in both pictures.
    """

    canonical: Tensor
    keypoints: Tensor
    translation: Tensor
    points: Tensor
    seen: Tensor


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures of one person each.

    Attributes:
        pictures: (2, B, 3, S, S) float32 in 0..1, source and driving.
        rotation: (2, B, 3, 3) turn of the head.
        truth: what else is known, or None.
    """

    pictures: Tensor
    rotation: Tensor
    truth: Truth | None


class ClipFiles:
    """Clips in files, read when they are drawn from; the last 2 GiB stay in memory.

    Args:
        paths: the files, all rendered or all cut from videos.
        size: pixels of a side that the pictures must have.
    """

    def __init__(self, paths: list[Path], size: int) -> None:
        self.paths, self.size = paths, size
        self._kept: OrderedDict[Path, Arrays] = OrderedDict()

    def arrays(self, number: int) -> Arrays:
        """Return the arrays of a file.

        Raises:
            ConfigError: for a file that is broken or of another size.
        """
        path = self.paths[number]
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        arrays = read_clip(path)
        if arrays["frames"].shape[1:] != (self.size, self.size, 3):
            side = arrays["frames"].shape[1]
            raise ConfigError(f"'{path}' has pictures of {side} pixels; set model.size={side}, or make it with --size")
        self._kept[path] = arrays
        while (
            len(self._kept) > 1 and sum(a.nbytes for kept in self._kept.values() for a in kept.values()) > _KEPT_BYTES
        ):
            self._kept.popitem(last=False)
        return arrays

    def pairs(self, batch: int, generator: torch.Generator, compute: Compute) -> Pairs:
        """Draw pairs of different pictures of the same clip."""
        rows: list[tuple[Arrays, list[int]]] = []
        for number in torch.randint(len(self.paths), (batch,), generator=generator).tolist():
            arrays = self.arrays(number)
            rows.append((arrays, torch.randperm(len(arrays["frames"]), generator=generator)[:2].tolist()))

        def both(name: str) -> Tensor:
            stacked = np.stack([[arrays[name][pair[side]] for arrays, pair in rows] for side in (0, 1)])
            return compute.put(stacked)

        pictures = both("frames").permute(0, 1, 4, 2, 3).float() / 255
        truth = None
        if all(name in rows[0][0] for name in _TRUTH):
            canonical = compute.put(np.stack([arrays["canonical"] for arrays, _ in rows]))
            seen = both("seen")
            truth = Truth(canonical, both("keypoints"), both("translation"), both("points"), seen[0] & seen[1])
        return Pairs(pictures, both("rotation"), truth)


def read_clip(path: Path) -> Arrays:
    """Return the arrays of a clip's file, bounded in size.

    Raises:
        ConfigError: for a file that is too large, broken or no clip.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(info.file_size for info in archive.zip.infolist()) > _LARGEST_FILE:
                raise ConfigError(f"'{path}' is larger than {_LARGEST_FILE >> 30} GiB; that is no clip of faces")
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, TypeError) as error:
        raise ConfigError(f"'{path}' is no file of clips; make it with 'dreamtalk corpus heads' or 'faces'") from error
    frames, rotation = arrays.get("frames"), arrays.get("rotation")
    if frames is None or frames.ndim != 4 or frames.dtype != np.uint8 or len(frames) < 2:
        raise ConfigError(f"'{path}' holds no pictures; make it with 'dreamtalk corpus heads' or 'faces'")
    if rotation is None or rotation.shape != (len(frames), 3, 3):
        raise ConfigError(f"'{path}' does not say how the heads are turned; make it again")
    return arrays


@dataclass(frozen=True)
class Faces:
    """Clips to learn from or to validate with; either kind may be missing, not both.

    Attributes:
        rendered: rendered heads.
        filmed: clips of videos.
    """

    rendered: ClipFiles | None
    filmed: ClipFiles | None

    def __len__(self) -> int:
        return sum(len(kind.paths) for kind in (self.rendered, self.filmed) if kind)

    def pairs(self, batch: int, share: float, generator: torch.Generator, compute: Compute) -> Pairs:
        """Draw pairs, all of one kind: rendered with probability ``share`` where there are both."""
        is_rendered = bool(torch.rand((), generator=generator) < share)
        kind = (self.rendered or self.filmed) if is_rendered else (self.filmed or self.rendered)
        if kind is None:
            raise ConfigError("there are no clips of faces")
        return kind.pairs(batch, generator, compute)


def find_faces(folders: tuple[str, ...], size: int) -> tuple[Faces, Faces]:
    """Return the clips to train with, and those held out, of all ``.npz`` files in and below ``folders``.

    Raises:
        ConfigError: when there are none of either.
    """
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.npz"))
    if not paths:
        raise ConfigError(
            f"no clips of faces are in {', '.join(folders)}; make them with 'dreamtalk corpus heads', or of videos "
            "with 'dreamtalk corpus faces FOLDER', and name the folder with --data"
        )
    training, held_out = ([path for path in paths if path.name.endswith(HELD_OUT) == last] for last in (False, True))
    if not training or not held_out:
        raise ConfigError(
            f"all {len(paths)} clips in {', '.join(folders)} are for {'validation' if held_out else 'training'}; "
            f"name some of them *{HELD_OUT}, and not all"
        )
    return _faces(training, size), _faces(held_out, size)


def _faces(paths: list[Path], size: int) -> Faces:
    kinds: dict[bool, list[Path]] = {True: [], False: []}
    for path in paths:
        kinds[_is_rendered(path)].append(path)
    rendered, filmed = (ClipFiles(kinds[kind], size) if kinds[kind] else None for kind in (True, False))
    return Faces(rendered, filmed)


def _is_rendered(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in _TRUTH} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"'{path}' is no file of clips; make it with 'dreamtalk corpus heads' or 'faces'") from error
