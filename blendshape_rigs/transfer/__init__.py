"""Carry the avatar's 52 shapes over to a head that has none. An approximation: see ``transfer_shapes``."""

from .guess import NoFaceError, guess_face_points
from .shapes import Transfer, TransferError, TransferReport, transfer_shapes
from .template import FACE_POINTS

__all__ = [
    "FACE_POINTS",
    "NoFaceError",
    "Transfer",
    "TransferError",
    "TransferReport",
    "guess_face_points",
    "transfer_shapes",
]
