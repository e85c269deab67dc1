"""``dreamtalk portrait``: a photograph and a recording, a take or a filmed face to a video."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_server.errors import PortraitError

from . import options
from .files import finished_output
from .performance import perform
from .progress import progress_bar, spinner

if TYPE_CHECKING:
    from blendshape_rigs.curves import FaceCurves
    from model_server.pipeline.portrait_video import PortraitOptions

SUMMARY = "Make a portrait photograph speak a recording, as a video with sound."
EXAMPLE = """dreamtalk portrait line.wav me.jpg --emotion happy -o line.mp4
  dreamtalk portrait line.wav me.jpg --head 0.5 --blink 1.2 --badge -o line.mp4
  dreamtalk portrait --drive video.mp4 me.jpg -o out.mp4
  dreamtalk portrait --write-landmarks points.json drawing.png
  dreamtalk portrait line.wav drawing.png --landmarks points.json -o line.mp4"""
_SUFFIXES = (".mp4", ".webm", ".png")
_FPS = 25.0
_STRENGTHS = {
    "head": "the head's turns and movements; 0 holds it still",
    "brows": "the brows",
    "eyes": "gaze, wide eyes and squint",
    "mouth": "jaw, lips, cheeks and nose",
    "blink": "the blinks",
}


class _Spares(argparse.Action):
    """An option that makes others unneeded: ``spared`` are not required once it is given."""

    def __init__(self, *, spared: Sequence[argparse.Action], **keywords: Any) -> None:
        super().__init__(**keywords)
        self._spared = spared

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        setattr(namespace, self.dest, values)
        for action in self._spared:
            action.required = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "audio",
        type=Path,
        metavar="AUDIO",
        help="speech: any common audio or video file; may be left out with --drive or --curves",
    )
    image = parser.add_argument("image", type=Path, metavar="IMAGE", help="a photograph of a face, from the front")
    options.add_performance_options(parser)
    output = parser.add_argument(
        "-o",
        "--output",
        type=options.output(_SUFFIXES),
        required=True,
        metavar="OUT",
        help="video to write: .mp4 or .webm; or pictures: shot_####.png is shot_0001.png and so on",
    )
    parser.add_argument(
        "--curves",
        type=Path,
        metavar="TAKE",
        action=_Spares,
        spared=[image],
        help="move by this take (.csv .json .npz) instead; AUDIO is only heard then",
    )
    parser.add_argument(
        "--drive",
        type=Path,
        metavar="VIDEO",
        action=_Spares,
        spared=[image],
        help="move as the face in this video does; its sound is heard where no AUDIO is given",
    )
    _add_picture_options(parser, spared=[image, output])
    options.add_json_option(parser)


def _add_picture_options(parser: argparse.ArgumentParser, spared: Sequence[argparse.Action]) -> None:
    """Add what shapes the picture; ``spared`` is what --write-landmarks does without."""
    for name, what in _STRENGTHS.items():
        parser.add_argument(
            f"--{name}", type=_strength, default=1.0, metavar="0..2", help=f"strength of {what} (default: 1)"
        )
    parser.add_argument("--face", type=_face, metavar="N", help="which of several faces, counted from the left from 1")
    parser.add_argument(
        "--landmarks", type=Path, metavar="FILE", help="where the face is, for drawings and masks that are not found"
    )
    parser.add_argument(
        "--write-landmarks",
        type=Path,
        metavar="FILE",
        action=_Spares,
        spared=spared,
        help="write the landmarks of IMAGE, to be corrected by hand for --landmarks, and no video",
    )
    parser.add_argument("--badge", action="store_true", help='put an "AI-generated" mark in a corner of the picture')
    parser.add_argument(
        "--no-background",
        dest="background",
        action="store_false",
        help="leave out what is behind the person: transparent .webm or .png",
    )
    parser.add_argument(
        "--neural",
        type=Path,
        metavar="CHECKPOINT",
        help="draw with a Face-vid2vid checkpoint of your own instead; see docs/portraits.md",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the performance, render it and write the video."""
    if arguments.image is None:
        arguments.audio, arguments.image = None, arguments.audio
    image: Path = arguments.image
    _check_usage(arguments)
    if not image.is_file():
        raise PortraitError(f"'{image}' does not exist or is no file; check its path")
    if arguments.write_landmarks is not None:
        return _write_landmarks(arguments)
    out: Path = arguments.output
    audio, take, drive = arguments.audio, arguments.curves, arguments.drive
    inputs = (audio, image, take, drive, arguments.style, arguments.phones, arguments.landmarks, arguments.neural)
    # Pictures are many files, which their writer puts in place all at once.
    with nullcontext(out) if out.suffix.lower() == ".png" else finished_output(out, *inputs) as scratch:
        chosen = _options(arguments)
        curves = _curves(arguments)
        sound = drive if audio is None and drive is not None and _has_sound(drive) else audio
        with progress_bar("Rendering", curves.duration) as progress:
            from model_server.pipeline.portrait_video import make_portrait_video

            make_portrait_video(image, curves, sound, scratch, progress, options=chosen)
    if arguments.json:
        print(json.dumps({"output": str(out), "fps": curves.fps, "duration": curves.duration}))
    else:
        print(f"{out}: {curves.duration:.2f} s at {curves.fps:g} fps")
    return 0


def _check_usage(arguments: argparse.Namespace) -> None:
    """End with wrong usage where options do not go together."""
    lips = arguments.text or arguments.text_file or arguments.phones or arguments.lips != "auto"
    shaped = arguments.emotion or arguments.style or arguments.seed is not None or lips
    fail = arguments.parser.error
    if arguments.curves and arguments.drive:
        fail("--curves and --drive each hold a whole performance; give one of them")
    for option in ("curves", "drive"):
        if getattr(arguments, option) and shaped:
            fail(
                f"--{option} holds the performance already; "
                "leave out --emotion, --style, --seed, --text, --lips, --phones"
            )
    if arguments.landmarks and arguments.face:
        fail("--landmarks says where the face is; leave out --face")
    if arguments.output is not None and arguments.output.suffix.lower() == ".mp4" and not arguments.background:
        fail("an .mp4 cannot be transparent; write .webm or .png with --no-background")
    if arguments.neural and not arguments.background:
        fail("--neural draws the background too; leave out --no-background")
    if arguments.landmarks and arguments.write_landmarks:
        fail("--write-landmarks looks for the face itself; leave out --landmarks")


def _curves(arguments: argparse.Namespace) -> FaceCurves:
    """Return the performance: from the take, from the filmed face, or made for the recording."""
    from blendshape_rigs.formats import read_curves
    from model_server.audio.decode import open_audio

    drive: Path | None = arguments.drive
    if arguments.curves is None and drive is None:
        return perform(arguments, arguments.audio, _FPS)
    if arguments.audio is not None:
        open_audio(arguments.audio, maximum_seconds=arguments.max_hours * 3600)
    if drive is None:
        return read_curves(arguments.curves)
    from model_server.capture import capture_face
    from model_server.pipeline.driving import relative_to_median

    with progress_bar("Capturing", None) as progress:
        return relative_to_median(capture_face(drive, progress=progress).curves)


def _has_sound(video: Path) -> bool:
    import av

    with av.open(str(video)) as container:
        return bool(container.streams.audio)


def _options(arguments: argparse.Namespace) -> PortraitOptions:
    """Return what is chosen; a photograph that cannot be used and a wrong configuration are told before slow work."""
    from blendshape_rigs.avatar import load_proxy_avatar
    from model_server.pipeline.portrait_video import PortraitOptions
    from model_server.portrait.fit import FaceChoice, fit_portrait
    from model_server.portrait.landmark_file import read_landmarks
    from model_server.portrait.photo import read_photo
    from model_server.portrait.provenance import ContentSigner
    from model_server.portrait.rig import LandmarkRig
    from model_server.portrait.strengths import PortraitStrengths

    ContentSigner.from_environment()
    photo, rig = read_photo(arguments.image), LandmarkRig.from_avatar(load_proxy_avatar())
    choice = FaceChoice(None if arguments.face is None else arguments.face - 1)
    if arguments.landmarks is not None:
        choice = FaceChoice(landmarks=read_landmarks(arguments.landmarks, photo, rig))
    fit_portrait(photo, rig, choice)
    strengths = PortraitStrengths(**{name: getattr(arguments, name) for name in _STRENGTHS})
    return PortraitOptions(strengths, choice, arguments.badge, arguments.background, arguments.neural)


def _write_landmarks(arguments: argparse.Namespace) -> int:
    """Write the landmarks of the face that is found, or the avatar's where none is."""
    from model_server.portrait.landmark_file import write_found_landmarks
    from model_server.portrait.photo import read_photo

    out: Path = arguments.write_landmarks
    with finished_output(out, arguments.image) as scratch, spinner("Looking for the face"):
        found = write_found_landmarks(scratch, read_photo(arguments.image), arguments.face and arguments.face - 1)
    print(f"{out}: " + ("landmarks as found" if found else "no face was found; the points of an average face to move"))
    return 0


def _strength(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 2:
        raise argparse.ArgumentTypeError(f"'{text}' must be from 0 to 2")
    return number


def _face(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}': faces are counted from 1, the leftmost")
    return number
