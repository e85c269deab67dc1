"""The contact sheet of portraits: every portrait in every pose, and a strip of a real take, to be judged by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from blendshape_rigs.curves import FaceCurves
from model_server.errors import ExportError
from model_server.portrait.arrays import Bytes
from model_server.portrait.motion import take_activity
from model_server.portrait.renderer import PortraitRenderer

from .portrait_poses import SHEET_POSES, Pose

CELL = 224
_COLUMNS = 7
_MARGIN = 0.42
"""Share of the face's height that a cell shows around it: hair, neck and shoulders tear first."""


def face_window(renderer: PortraitRenderer) -> tuple[slice, slice]:
    """Return rows and columns of a square around the face and what moves with it."""
    points = renderer.fit.points
    low, high = points.min(axis=0), points.max(axis=0)
    half = float((high - low).max()) * (0.5 + _MARGIN)
    middle = (low + high) / 2 + np.array([0.0, -0.03 * half])
    width, height = renderer.size
    half = min(half, width / 2, height / 2)
    middle = np.clip(middle, half, np.array([width, height]) - half)
    left, top = np.round(middle - half).astype(int)
    side = int(2 * half)
    return slice(top, top + side), slice(left, left + side)


def draw_sheet(
    portraits: Sequence[PortraitRenderer],
    poses: Sequence[Pose] = SHEET_POSES,
    take: FaceCurves | None = None,
    cell: int = CELL,
) -> Bytes:
    """Return (H, W, 3) uint8 RGB: for each portrait some lines of poses and a strip of ``take``.

    The first picture is the photograph itself, so that every pose has its source beside it.

    Args:
        portraits: the portraits.
        poses: what each of them does.
        take: a real performance to take moments of, or None.
        cell: pixels of the side of a picture.
    """
    lines = []
    for renderer in portraits:
        cells = [_captioned(_cell(renderer, renderer.photo.pixels, cell), "photograph")]
        for pose in poses:
            frame = renderer.render(pose.values, pose.rotation)
            cells.append(_captioned(_cell(renderer, frame, cell), pose.label))
        lines += [_line(cells[start : start + _COLUMNS]) for start in range(0, len(cells), _COLUMNS)]
        if take is not None:
            lines.append(_line(_moments(renderer, take, cell)))
    return np.concatenate(lines)


def write_sheet(path: Path, sheet: Bytes) -> None:
    """Write a sheet as PNG or JPEG.

    Raises:
        ExportError: where the picture cannot be written.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg") or not path.parent.is_dir():
        raise ExportError(f"'{path}': give a .png or .jpg in a folder that exists")
    options = [cv2.IMWRITE_JPEG_QUALITY, 72] if path.suffix.lower() != ".png" else []
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), options):
        raise ExportError(f"'{path}' cannot be written; check the folder's permissions and space")


def _cell(renderer: PortraitRenderer, frame: Bytes, side: int) -> Bytes:
    rows, columns = face_window(renderer)
    part = frame[rows, columns]
    method = cv2.INTER_AREA if part.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (side, side), interpolation=method), np.uint8)


def _line(cells: Sequence[Bytes]) -> Bytes:
    """Return the pictures side by side; a short line is filled up in white."""
    blank = np.full_like(cells[0], 255)
    return np.concatenate([*cells, *[blank] * (_COLUMNS - len(cells))], axis=1)


def _moments(renderer: PortraitRenderer, take: FaceCurves, side: int) -> list[Bytes]:
    """Return moments of ``take``, evenly spaced over its middle."""
    activity = take_activity(take.values, take.fps)
    cells = []
    for i in np.round(np.linspace(0.1, 0.9, _COLUMNS) * (len(take) - 1)).astype(int):
        frame = renderer.render(take.values[i], take.head_rotation[i], take.head_translation[i], float(activity[i]))
        cells.append(_captioned(_cell(renderer, frame, side), f"{take.times[i]:.2f} s"))
    return cells


def _captioned(cell: Bytes, label: str) -> Bytes:
    # OpenCV's letters are ASCII alone.
    text = label.replace("−", "-").replace("°", "")
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(cell, text, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)
    return cell
