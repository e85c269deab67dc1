"""Face-vid2vid: Wang, Mallya and Liu 2021, "One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing".

Written from the paper. One picture gives a volume of appearance and canonical 3D keypoints; head pose, translation and
expression place the keypoints; from two sets of placed keypoints comes a 3D flow that warps the volume, and a
generator draws the warped volume.
"""

from .config import FaceVid2VidConfig
from .model import Drawn, FaceVid2Vid, Pose

__all__ = ["Drawn", "FaceVid2Vid", "FaceVid2VidConfig", "Pose"]
