"""A photograph and a take become a video with sound."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from blendshape_rigs.curves import FaceCurves
from model_server.audio.decode import open_audio
from model_server.errors import ExportError
from model_server.portrait.badge import Badge
from model_server.portrait.fit import FaceChoice
from model_server.portrait.motion import take_activity
from model_server.portrait.photo import read_photo
from model_server.portrait.provenance import ContentSigner, provenance_tags
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.strengths import PortraitStrengths
from model_server.portrait.video import VideoWriter, whole_file

from .request import Progress

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PortraitOptions:
    """What can be chosen about a portrait video.

    Attributes:
        strengths: how strongly head, brows, eyes, mouth and blinks follow the take.
        choice: which face of the photograph, or where it is; None is the largest that is found.
        badge: True puts a small "AI-generated" mark in a corner of every frame.
        background: False leaves out what lies behind the person; the output is then transparent there.
    """

    strengths: PortraitStrengths = field(default_factory=PortraitStrengths)
    choice: FaceChoice | None = None
    badge: bool = False
    background: bool = True


def make_portrait_video(
    image_path: Path,
    curves: FaceCurves,
    audio_path: Path | None,
    out_path: Path,
    progress: Progress | None = None,
    *,
    options: PortraitOptions = PortraitOptions(),
) -> None:
    """Animate the face in a photograph and write an MP4 (H.264, AAC). Memory does not grow with length.

    Args:
        image_path: JPEG, PNG, WebP, TIFF or BMP with a face seen from the front.
        curves: the take; its second 0 is the recording's second 0. Head pose is relative to the photograph.
        audio_path: recording to lay under it, or None.
        out_path: ends in ``.mp4``; written only when all went well.
        progress: called with the seconds done after each frame. May raise ``Cancelled`` to stop.
        options: choices that all have a default.

    Raises:
        PortraitError: for an image that cannot be used.
        AudioError: for a recording that cannot be decoded.
        ExportError: for no frames, or an output that cannot be written.
        ConfigError: for half a configuration of signing, see ``model_server.portrait.provenance``.
        Cancelled: from ``progress``.
    """
    # 1. Check what is asked before the slow work.
    if out_path.suffix.lower() != ".mp4":
        raise ExportError(f"'{out_path.name}': portrait videos end in .mp4")
    if not len(curves):
        raise ExportError("the take has no frames")
    if audio_path is not None:
        open_audio(audio_path)
    signer = ContentSigner.from_environment()
    curves = options.strengths.apply(curves)

    # 2. Read the photograph; find and measure its face.
    renderer = PortraitRenderer(read_photo(image_path), choice=options.choice)
    for note in renderer.fit.notes:
        _log.warning(note)
    badge = Badge(renderer.size) if options.badge else None

    # 3. How far the mouth follows the take instead of the photograph's own expression.
    activity = take_activity(curves.values, curves.fps)

    # 4. Render and encode frame by frame.
    with whole_file(out_path) as part:
        tags = provenance_tags(curves)
        with VideoWriter(part, renderer.size, curves.fps, audio_path, curves.start, tags) as video:
            for i in range(len(curves)):
                turn, move = curves.head_rotation[i], curves.head_translation[i]
                frame = renderer.render(curves.values[i], turn, move, float(activity[i]))
                if badge is not None:
                    badge.draw(frame)
                video.write(frame)
                if progress:
                    progress((i + 1) / curves.fps)

        # 5. Sign the finished file before it takes its place.
        if signer is not None:
            signer.sign(part)
