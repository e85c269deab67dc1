"""Portrait frames per second, encoding included."""

from __future__ import annotations

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


def frames_per_second(size: int = 512) -> list[Row]:
    """Render the demo's speech onto a photograph of ``size`` squared; the fit of the photograph is not counted."""
    curves = SpeechToCurves.load()(
        open_audio(DEMO_SPEECH), AnimationRequest(EmotionTrack.constant({"happy": 0.7}), fps=25)
    )
    with tempfile.TemporaryDirectory() as folder:
        photograph, video = Path(folder) / "photograph.png", Path(folder) / "portrait.mp4"
        picture = cv2.resize(data.astronaut(), (size, size), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(photograph), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        first: list[float] = []

        def note(_: float) -> None:
            if not first:
                first.append(time.perf_counter())

        make_portrait_video(photograph, curves, DEMO_SPEECH, video, note)
        speed = (len(curves) - 1) / (time.perf_counter() - first[0])
    return [Row(f"portrait video at {size}x{size}, with H.264 and AAC", speed, "frames/s")]
