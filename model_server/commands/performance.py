"""From a recording to curves, as the commands do it."""

from __future__ import annotations

import argparse
from pathlib import Path

from blendshape_rigs.curves import FaceCurves
from model_server.errors import ConfigError
from model_server.pipeline.kept import Kept
from model_server.pipeline.request import AnimationRequest, EmotionTrack

from .files import CURVE_SUFFIXES
from .options import phone_source
from .progress import progress_bar, spinner


def perform(arguments: argparse.Namespace, audio: Path, fps: float, kept: Kept | None = None) -> FaceCurves:
    """Return the performance that the shared options in ``arguments`` ask for, with what is ``kept`` of an earlier one.

    Raises:
        DreamTalkError: for a recording, a style clip, a text or a track of phones that cannot be used.
        CurvesError: for a style clip that is a broken file of curves.
    """
    from model_server.audio.decode import open_audio

    # Bad input is told before the model loads.
    recording = open_audio(audio, maximum_seconds=arguments.max_hours * 3600)
    style = read_style(arguments.style) if arguments.style else None
    strength: float = arguments.style_strength
    if style is None and strength != 1:
        raise ConfigError("--style-strength needs the --style whose strength it is")
    emotion = arguments.emotion or EmotionTrack.constant({})
    source = phone_source(arguments)
    request = AnimationRequest(emotion, arguments.seed or 0, fps, style, kept, source, strength)
    with spinner("Loading the model"):
        from model_server.pipeline.speech_to_curves import SpeechToCurves

        model = SpeechToCurves.load()
    with progress_bar("Animating", recording.duration) as progress:
        return model(recording, request, progress)


def read_style(clip: Path) -> FaceCurves:
    """Return the curves in ``clip``, or those of the face that it shows.

    Raises:
        CaptureError: for a video in which no face is found.
        CurvesError: for a broken file of curves.
    """
    from blendshape_rigs.formats import read_curves
    from model_server.capture import capture_video

    if clip.suffix.lower() in CURVE_SUFFIXES:
        return read_curves(clip)
    with progress_bar("Capturing the style", None) as progress:
        return capture_video(clip, progress=progress)
