"""``dreamtalk demo``: one recording to every kind of output, and a contact sheet to look at."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from blendshape_rigs.arkit import EMOTIONS
from blendshape_rigs.curves import FaceCurves, concatenate
from model_server.errors import PortraitError
from model_server.pipeline.request import AnimationRequest, EmotionTrack

from . import options
from .files import finished_output, write_take
from .progress import progress_bar, spinner
from .stills import render_stills, video_stills

if TYPE_CHECKING:
    from model_server.audio.decode import AudioStream
    from model_server.pipeline.phones import PhoneSegment
    from model_server.pipeline.speech_to_curves import SpeechToCurves

SUMMARY = "Make everything from one recording: FBX, USD, GLB, Live Link CSV, a portrait video, a contact sheet."
EXAMPLE = "dreamtalk demo --audio line.wav --portrait me.jpg --emotion angry:0.8 --out out/demo"

DEMO_SPEECH = Path(__file__).parent.parent / "assets" / "demo_speech.flac"
_FPS = 30.0
_STILLS = 16
_SHEET_EMOTION = 1.0
"""Intensity of the emotions side by side on the contact sheet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--audio", type=Path, default=DEMO_SPEECH, help="speech (default: a synthetic sample)")
    parser.add_argument("--portrait", type=Path, help="a photograph (default: scikit-image's astronaut)")
    parser.add_argument(
        "--emotion",
        type=options.emotion,
        default=EmotionTrack.constant({"happy": 0.7}),
        help="default: happy:0.7",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder (default: out/demo)")


def run(arguments: argparse.Namespace) -> int:
    """Make the take, every export, the portrait video and the contact sheet; print where each is."""
    from model_server.audio.decode import open_audio
    from model_server.pipeline.speech_to_curves import SpeechToCurves

    audio = open_audio(arguments.audio)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    with spinner("Loading the model"):
        model = SpeechToCurves.load()
    request = AnimationRequest(arguments.emotion, arguments.seed, _FPS)
    with progress_bar("Animating", audio.duration) as progress:
        curves = model(audio, request, progress)
    for suffix in (".csv", ".fbx", ".usdc", ".glb", ".blend"):
        path = out / f"take{suffix}"
        with spinner(f"Writing {path.name}"), finished_output(path, arguments.audio) as scratch:
            write_take(curves, scratch, arguments.audio)
        print(f"{path}: {len(curves)} frames, 52 channels and the head", flush=True)
    video = out / "portrait.mp4"
    with _photograph(arguments.portrait) as photograph, finished_output(video, photograph) as scratch:
        from model_server.pipeline.portrait_video import make_portrait_video

        with progress_bar("Rendering the portrait", curves.duration) as progress:
            make_portrait_video(photograph, curves, arguments.audio, scratch, progress)
    print(f"{video}: {curves.duration:.1f} s with sound", flush=True)
    sheet = out / "contact_sheet.png"
    with spinner("Drawing the contact sheet"), finished_output(sheet) as scratch:
        _draw_sheet(scratch, model, audio, curves, request, video)
    print(f"{sheet}: look at this one first")
    return 0


@contextmanager
def _photograph(given: Path | None) -> Iterator[Path]:
    """Give the user's photograph, or the astronaut out of scikit-image as a file."""
    if given is not None:
        if not given.is_file():
            raise PortraitError(f"'{given}' does not exist or is no file; check its path")
        yield given
        return
    import cv2
    from skimage import data

    with tempfile.TemporaryDirectory(prefix="dreamtalk-") as folder:
        path = Path(folder) / "astronaut.png"
        cv2.imwrite(str(path), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
        yield path


def _draw_sheet(
    path: Path,
    model: SpeechToCurves,
    audio: AudioStream,
    curves: FaceCurves,
    request: AnimationRequest,
    video: Path,
) -> None:
    from model_server.evaluation.contact_sheet import Still, draw_contact_sheet, telling_moments

    segments = model.heard_phones(audio)
    moments = telling_moments(segments, _STILLS) or segments[:1]
    times = [_extreme_time(curves, moment) for moment in moments]
    emotions = [_with_emotion(model, audio, request, name) for name in EMOTIONS]
    vowel = next((t for t, m in zip(times, moments, strict=True) if m.symbol not in "pbm"), times[0])
    # All stills go through Blender at once, as frames of one take at one frame a second.
    frames = [_frame_at(curves, time) for time in times] + [_frame_at(take, vowel) for take in emotions]
    images = render_stills(concatenate(frames))
    labels = [moment.symbol for moment in moments]
    stills = {
        "avatar": [Still(*row) for row in zip(images, times, labels, strict=False)],
        "portrait": video_stills(video, times, labels),
        "emotions": [Still(image, vowel, name) for image, name in zip(images[len(times) :], EMOTIONS, strict=True)],
    }
    title = f"{audio.name}: {request.emotion.describe()}, seed {request.seed}"
    draw_contact_sheet(path, title, curves, segments, stills)


def _extreme_time(curves: FaceCurves, moment: PhoneSegment) -> float:
    """Return the seconds in ``moment`` at which the lips are closest (p b m) or furthest apart (vowels)."""
    inside = [i for i, time in enumerate(curves.times) if moment.start <= time <= moment.end]
    if not inside:
        return moment.start
    opening = curves.channel("jawOpen") - curves.channel("mouthClose")
    pick = min if moment.symbol in "pbm" else max
    return float(curves.times[pick(inside, key=lambda i: opening[i])])


def _with_emotion(model: SpeechToCurves, audio: AudioStream, request: AnimationRequest, name: str) -> FaceCurves:
    return model(audio, replace(request, emotion=EmotionTrack.constant({name: _SHEET_EMOTION})))


def _frame_at(curves: FaceCurves, time: float) -> FaceCurves:
    """Return the one frame nearest to ``time``, at one frame a second."""
    index = min(len(curves) - 1, max(0, round((time - curves.start) * curves.fps)))
    return curves.with_stacked(curves.stacked()[index : index + 1], fps=1.0, start=0.0)
