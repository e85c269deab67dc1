"""What passes between the pipeline and its callers: recordings and style clips in, curves out."""

from __future__ import annotations

import io
import zipfile

from blendshape_rigs.formats import curves_from_npz, npz_bytes

from blendshape_rigs.curves import CurvesError, FaceCurves, concatenate
from model_server.audio.decode import MAXIMUM_SECONDS, AudioStream, open_audio
from model_server.errors import ConfigError

__all__ = [
    "MAXIMUM_SECONDS",
    "AudioStream",
    "FaceCurves",
    "concatenate",
    "npz_bytes",
    "open_audio",
    "style_clip",
]

_MAXIMUM_STYLE_BYTES = 256 * 2**20


def style_clip(data: bytes) -> FaceCurves:
    """Return the curves in the bytes of an NPZ file that someone else made.

    Raises:
        ConfigError: for bytes that are no such file, or unpack to more than 256 MiB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > _MAXIMUM_STYLE_BYTES:
            raise ConfigError("the style clip unpacks to more than 256 MiB; give a shorter clip")
        return curves_from_npz(data)
    except (zipfile.BadZipFile, CurvesError) as error:
        raise ConfigError(f"the style clip is no file of face curves: {error}") from error
