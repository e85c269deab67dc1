"""The landmarks that are Face-vid2vid's keypoints where this project trains it on its own rendered heads."""

from __future__ import annotations

from typing import Final

KEYPOINT_LANDMARKS: Final = (105, 334, 159, 386, 145, 374, 61, 291, 13, 14, 152, 1, 234, 454, 10)
"""MediaPipe landmarks: brows, upper lids, lower lids, mouth corners, inner lips, chin, nose, cheeks, forehead."""
