"""Video capture: the face in a video as curves."""

from .capture import CapturedFace, capture_face, capture_video

__all__ = ["CapturedFace", "capture_face", "capture_video"]
