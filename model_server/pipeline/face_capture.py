"""What passes between video capture and its callers: a video in, the curves of its face out."""

from __future__ import annotations

from model_server.capture import CapturedFace, Method, capture_face, video_seconds

__all__ = ["CapturedFace", "Method", "capture_face", "video_seconds"]
