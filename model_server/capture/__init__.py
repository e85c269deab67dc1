"""Video capture: the face in a video as curves."""

from .capture import METHODS, CapturedFace, Method, capture_face, capture_video, video_seconds

__all__ = ["METHODS", "CapturedFace", "Method", "capture_face", "capture_video", "video_seconds"]
