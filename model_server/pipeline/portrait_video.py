"""A photograph and a take become a video with sound."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from blendshape_rigs.curves import FaceCurves
from model_server.audio.decode import open_audio
from model_server.errors import ConfigError, ExportError
from model_server.portrait.arrays import Bytes, Floats
from model_server.portrait.badge import Badge
from model_server.portrait.fit import FaceChoice
from model_server.portrait.motion import take_activity
from model_server.portrait.photo import read_photo
from model_server.portrait.picture_sequence import PictureSequence
from model_server.portrait.provenance import ContentSigner, provenance_tags
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.strengths import PortraitStrengths
from model_server.portrait.video import FrameQueue, VideoWriter, whole_file

from .request import Progress

if TYPE_CHECKING:
    from model_server.portrait.neural import NeuralRenderer

OUTPUT_SUFFIXES = (".mp4", ".webm", ".png")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PortraitOptions:
    """What can be chosen about a portrait video.

    Attributes:
        strengths: how strongly head, brows, eyes, mouth and blinks follow the take.
        choice: which face of the photograph, or where it is; None is the largest that is found.
        badge: True puts a small "AI-generated" mark in a corner of every frame.
        background: False leaves out what lies behind the person; the output is then transparent there.
        neural: a Face-vid2vid checkpoint to draw with instead; the background is then drawn too.
    """

    strengths: PortraitStrengths = field(default_factory=PortraitStrengths)
    choice: FaceChoice | None = None
    badge: bool = False
    background: bool = True
    neural: Path | None = None


def make_portrait_video(
    image_path: Path,
    curves: FaceCurves,
    audio_path: Path | None,
    out_path: Path,
    progress: Progress | None = None,
    *,
    options: PortraitOptions = PortraitOptions(),
) -> None:
    """Animate the face in a photograph and write a video with sound. Memory does not grow with length.

    Args:
        image_path: JPEG, PNG, WebP, TIFF or BMP with a face seen from the front.
        curves: the take; its second 0 is the recording's second 0. Head pose is relative to the photograph.
        audio_path: recording to lay under it, or None.
        out_path: ``.mp4`` (H.264, AAC), ``.webm`` (VP9, Opus) or ``.png``: a numbered sequence without sound, where
            ``shot_####.png`` is ``shot_0001.png`` and so on. Written only when all went well. Without the background
            it is ``.webm`` or ``.png``, whose pixels are transparent there.
        progress: called with the seconds done after each frame. May raise ``Cancelled`` to stop.
        options: choices that all have a default.

    Raises:
        PortraitError: for an image that cannot be used, or a person that cannot be told from what is to be left out.
        AudioError: for a recording that cannot be decoded.
        ExportError: for no frames, or an output that cannot be written.
        WeightsError: for a checkpoint that cannot be used.
        ConfigError: for half a configuration of signing, or a neural checkpoint without a background.
        Cancelled: from ``progress``.
    """
    # 1. Check what is asked before the slow work.
    if not len(curves):
        raise ExportError("the take has no frames")
    if audio_path is not None:
        open_audio(audio_path)
    signer = ContentSigner.from_environment()
    _check_output(out_path, options, signer is not None)
    curves = options.strengths.apply(curves)

    # 2. Read the photograph; find and measure its face.
    renderer = _renderer(image_path, options)
    for note in renderer.fit.notes:
        _log.warning(note)

    # 3. How far the mouth follows the take instead of the photograph's own expression.
    activity = take_activity(curves.values, curves.fps)

    # 4. Render frame by frame, encode in a thread beside it, sign the finished file.
    frames = _frames(renderer, curves, activity, options, progress)
    tags = provenance_tags(curves, neural=options.neural is not None)
    if out_path.suffix.lower() == ".png":
        with PictureSequence(out_path, tags) as pictures:
            _queue(frames, pictures.write)
        return
    sound = (audio_path, curves.start)
    with whole_file(out_path) as part:
        with VideoWriter(part, renderer.size, curves.fps, *sound, tags, alpha=not options.background) as video:
            _queue(frames, video.write)
        if signer is not None:
            signer.sign(part, neural=options.neural is not None)


def _queue(frames: Iterator[Bytes], write: Callable[[Bytes], None]) -> None:
    with FrameQueue(write) as queue:
        for frame in frames:
            queue.put(frame)


def _renderer(image_path: Path, options: PortraitOptions) -> PortraitRenderer | NeuralRenderer:
    photo = read_photo(image_path)
    if options.neural is None:
        return PortraitRenderer(photo, choice=options.choice)
    # Torch is loaded for this alone.
    from model_server.portrait.neural import NeuralRenderer

    return NeuralRenderer(photo, options.neural, choice=options.choice)


def _frames(
    renderer: PortraitRenderer | NeuralRenderer,
    curves: FaceCurves,
    activity: Floats,
    options: PortraitOptions,
    progress: Progress | None,
) -> Iterator[Bytes]:
    """Yield the finished frames (H, W, 3 or 4) of a take."""
    render = renderer.render
    if not options.background:
        assert isinstance(renderer, PortraitRenderer)  # checked before the slow work
        render = renderer.render_person
    badge = Badge(renderer.size) if options.badge else None
    for i in range(len(curves)):
        turn, move = curves.head_rotation[i], curves.head_translation[i]
        frame = render(curves.values[i], turn, move, float(activity[i]))
        if badge is not None:
            badge.draw(frame)
        yield frame
        if progress:
            progress((i + 1) / curves.fps)


def _check_output(out_path: Path, options: PortraitOptions, signed: bool) -> None:
    """Refuse what cannot be written.

    Raises:
        ExportError: for another suffix, an MP4 without a background, or a signed file that is no MP4.
        ConfigError: for a neural checkpoint without a background.
    """
    if options.neural is not None and not options.background:
        raise ConfigError("a neural checkpoint draws the background too; keep it, or leave the checkpoint out")
    suffix = out_path.suffix.lower()
    if suffix not in OUTPUT_SUFFIXES:
        raise ExportError(f"'{out_path.name}': portrait videos end in .mp4 or .webm, picture sequences in .png")
    if suffix == ".mp4" and not options.background:
        raise ExportError(
            f"'{out_path.name}': an MP4 cannot be transparent; write .webm or .png, or keep the background"
        )
    if suffix != ".mp4" and signed:
        raise ExportError(f"'{out_path.name}': only .mp4 is signed; write .mp4, or unset the certificate")
