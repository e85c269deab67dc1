"""Portrait frames per second, encoding included, with the first frame's wait and the peak of memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
from skimage import data

from model_server.audio.decode import open_audio
from model_server.commands.demo import DEMO_SPEECH
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.pipeline.request import AnimationRequest, EmotionTrack
from model_server.pipeline.speech_to_curves import SpeechToCurves

from . import Row

SIZES = (256, 512, 1024)


def frames_per_second(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Render the demo's speech onto a photograph at each of ``sizes`` squared, each in a process of its own."""
    rows = []
    for size in sizes:
        command = [sys.executable, "-m", "benchmarks.portrait", str(size)]
        root = Path(__file__).resolve().parents[1]
        made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
        measured = json.loads(made.stdout.splitlines()[-1])
        title = f"portrait video at {size}x{size}"
        rows += [
            Row(f"{title}, with H.264 and AAC", measured["speed"], "frames/s"),
            Row(f"{title}, photograph to first frame", measured["first"], "s"),
            Row(f"{title}, peak memory", measured["peak"], "MiB"),
        ]
    return rows


def _measure(size: int) -> dict[str, float]:
    """Return frames a second without the fit, seconds up to the first frame, and MiB at the most."""
    curves = SpeechToCurves.load()(
        open_audio(DEMO_SPEECH), AnimationRequest(EmotionTrack.constant({"happy": 0.7}), fps=25)
    )
    with tempfile.TemporaryDirectory() as folder:
        photograph, video = Path(folder) / "photograph.png", Path(folder) / "portrait.mp4"
        method = cv2.INTER_AREA if size < 512 else cv2.INTER_CUBIC
        picture = cv2.resize(data.astronaut(), (size, size), interpolation=method)
        cv2.imwrite(str(photograph), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        first: list[float] = []

        def note(_: float) -> None:
            if not first:
                first.append(time.perf_counter())

        begin = time.perf_counter()
        make_portrait_video(photograph, curves, DEMO_SPEECH, video, note)
        speed = (len(curves) - 1) / (time.perf_counter() - first[0])
    return {"speed": speed, "first": first[0] - begin, "peak": _peak_mebibytes()}


def _peak_mebibytes() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))
