"""What the tests of video capture share: curves that are known, pictures of them, and videos of pictures."""

from __future__ import annotations

import ctypes.util
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from blender_support import ROOT

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

Pictures = list[npt.NDArray[np.uint8]]
AVATAR_FPS = 24
AVATAR_FRAMES = 84
SIZE = 256


def write_video(path: Path, frames: Pictures, fps: int) -> None:
    """Write (H, W, 3) uint8 RGB pictures as H.264."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("h264", rate=fps, options={"crf": "18", "preset": "veryfast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def moving_photograph(frames: int, hidden: slice = slice(12, 16)) -> Pictures:
    """Return pictures (240, 240, 3) of a photograph that moves to and fro; in the ``hidden`` ones nothing is seen."""
    photographs = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    photograph = photographs.astronaut()
    pictures = []
    for number in range(frames):
        aside = round(12 * np.sin(number / 4))
        pictures.append(np.ascontiguousarray(photograph[0:240, 100 + aside : 340 + aside]))
    for picture in pictures[hidden]:
        picture[:] = 128
    return pictures


def avatar_performance() -> FaceCurves:
    """Return a face that talks, smiles, blinks and moves its brows, each at its own times, on a turning head."""
    time = np.arange(AVATAR_FRAMES) / AVATAR_FPS

    def bumps(*middles: float, width: float, height: float) -> npt.NDArray[np.float64]:
        return sum((height * np.exp(-0.5 * ((time - middle) / width) ** 2) for middle in middles), np.zeros(len(time)))

    talking = (np.abs(time - 0.9) < 0.7) | (time > 2.7)
    moves = {
        ("jawOpen",): 0.45 * np.clip(np.sin(2 * np.pi * 1.7 * time), 0, 1) * talking,
        ("mouthSmileLeft", "mouthSmileRight"): bumps(2.1, width=0.22, height=0.75),
        ("eyeBlinkLeft", "eyeBlinkRight"): bumps(0.5, 1.75, 3.0, width=0.05, height=1),
        ("browDownLeft", "browDownRight"): bumps(0.8, 2.45, width=0.18, height=0.8),
        ("browInnerUp",): bumps(1.5, 3.1, width=0.18, height=0.75),
        ("browOuterUpLeft", "browOuterUpRight"): bumps(1.5, width=0.18, height=0.75),
    }
    curves = FaceCurves.zeros(AVATAR_FRAMES, AVATAR_FPS)
    for channels, values in moves.items():
        curves.values[:, [ARKIT_INDEX[channel] for channel in channels]] = values[:, None]
    waves = [np.sin(2 * np.pi * rate * time + phase) for rate, phase in ((0.55, 1), (0.4, 0), (0.33, 2))]
    curves.head_rotation[:] = np.radians(np.stack(waves, axis=1) * [7, 12, 8])
    return curves


def avatar_video(folder: Path, curves: FaceCurves) -> Path:
    """Return a video of the proxy avatar that does ``curves``, rendered by Blender's Workbench."""
    if ctypes.util.find_library("EGL") is None:
        pytest.skip("rendering needs libEGL; on Debian: apt-get install libegl1 libgl1-mesa-dri")
    write_curves(curves, folder / "known.npz")
    times = ",".join(f"{time:.6f}" for time in curves.times)
    arguments = ["--curves", folder / "known.npz", "--times", times, "--size", str(SIZE), "-o", folder]
    command = [sys.executable, "-m", "model_server.blender_child", "render", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pictures = [cv2.imread(str(folder / f"{number:03d}.png")) for number in range(len(curves))]
    path = folder / "avatar.mp4"
    write_video(path, [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in pictures], int(curves.fps))
    return path
