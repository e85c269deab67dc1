"""What passes between the pipeline and its callers: recordings, style clips and phones in, curves out."""

from __future__ import annotations

from blendshape_rigs.curves import CurvesError, FaceCurves, concatenate
from blendshape_rigs.formats import curves_from_npz, npz_bytes
from model_server.audio.decode import MAXIMUM_SECONDS, AudioStream, open_audio
from model_server.audio.phone_files import phones_from_lists
from model_server.errors import ConfigError

__all__ = [
    "MAXIMUM_SECONDS",
    "AudioStream",
    "FaceCurves",
    "concatenate",
    "npz_bytes",
    "open_audio",
    "phones_from_lists",
    "sent_curves",
]


def sent_curves(data: bytes, name: str) -> FaceCurves:
    """Return the curves in the bytes of an NPZ file that someone else made; messages call it ``name``.

    Raises:
        ConfigError: for bytes that are no such file, or too large.
    """
    try:
        return curves_from_npz(data)
    except CurvesError as error:
        raise ConfigError(f"the {name} cannot be used: {error}") from error
