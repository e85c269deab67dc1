"""A photograph and a take become a video with sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blendshape_rigs.curves import FaceCurves
from model_server.audio.decode import open_audio
from model_server.errors import ExportError
from model_server.portrait.motion import take_activity
from model_server.portrait.photo import read_photo
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.video import VideoWriter, whole_file

from .request import Progress


@dataclass(frozen=True)
class PortraitOptions:
    """What can be chosen about a portrait video.

    Attributes:
        background: False leaves out what lies behind the person; the output is then transparent there.
    """

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
        Cancelled: from ``progress``.
    """
    # 1. Check what is asked before the slow work.
    if out_path.suffix.lower() != ".mp4":
        raise ExportError(f"'{out_path.name}': portrait videos end in .mp4")
    if not len(curves):
        raise ExportError("the take has no frames")
    if audio_path is not None:
        open_audio(audio_path)

    # 2. Read the photograph; find and measure its face.
    renderer = PortraitRenderer(read_photo(image_path))

    # 3. How far the mouth follows the take instead of the photograph's own expression.
    activity = take_activity(curves.values, curves.fps)

    # 4. Render and encode frame by frame.
    with (
        whole_file(out_path) as part,
        VideoWriter(part, renderer.size, curves.fps, audio_path, curves.start, _provenance(curves)) as video,
    ):
        for i in range(len(curves)):
            video.write(
                renderer.render(
                    curves.values[i], curves.head_rotation[i], curves.head_translation[i], float(activity[i])
                )
            )
            if progress:
                progress((i + 1) / curves.fps)


def _provenance(curves: FaceCurves) -> dict[str, str]:
    """Return MP4 tags that say in words and hashes that the video is synthetic and where it came from."""
    made = curves.provenance
    facts = {
        "source": made.source,
        "emotion": made.emotion,
        "model": made.model_hash,
        "recording": made.audio_hash,
        "seed": str(made.seed),
    }
    return {
        "title": "Synthetic portrait video",
        "comment": "AI-generated: a photograph animated with DREAM-Talk. This is not a recording of the person shown.",
        "description": "; ".join(f"{name}={value}" for name, value in facts.items() if value),
    }
