"""Finish USD files: Blender leaves ``framesPerSecond`` at 24 whatever the scene's frame rate."""

from __future__ import annotations

from pathlib import Path

from . import compat


def set_frames_per_second(path: Path, fps: float) -> bool:
    """Author ``framesPerSecond`` and ``timeCodesPerSecond`` in the USD layer at ``path``.

    Time codes are frames, so playback is right even when only ``timeCodesPerSecond`` is; ``framesPerSecond``
    is what other programs show and import at. Returns whether this build of Blender has the library to do it.

    Args:
        path: a .usd, .usda or .usdc file.
        fps: the scene's true frame rate, Hz.
    """
    if not compat.expose_usd_library():
        return False
    from pxr import Sdf

    layer = Sdf.Layer.FindOrOpen(str(path))
    layer.framesPerSecond = fps
    layer.timeCodesPerSecond = fps
    layer.Save()
    return True


def write_usdz(layer: Path, package: Path) -> None:
    """Pack the USD layer at ``layer`` into the USDZ file ``package``.

    Raises:
        RuntimeError: when this build has no USD library, or packing fails.
    """
    if not compat.expose_usd_library():
        raise RuntimeError("this build has no USD library to pack a .usdz with; write a .usdc instead")
    from pxr import UsdUtils

    if not UsdUtils.CreateNewUsdzPackage(str(layer), str(package)):
        raise RuntimeError("the USDZ package could not be made")
