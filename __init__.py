"""The DREAM-Talk extension: forwards Blender's calls, so that importing this package does no work."""

from __future__ import annotations


def register() -> None:
    """Add DREAM-Talk's panels, operators and properties to Blender."""
    from .dream_blender import registration

    registration.register()


def unregister() -> None:
    """Remove everything that :func:`register` added."""
    from .dream_blender import registration

    registration.unregister()
