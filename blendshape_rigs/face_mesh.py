"""MediaPipe Face Mesh: the landmarks of its 468 that face parts are known by.

The proxy avatar's face has this topology, so a landmark's number is a vertex of the avatar. Source: the canonical face
model of MediaPipe's Face Mesh. Left and right are the subject's.
"""

from __future__ import annotations

from typing import Final

LANDMARKS: Final = 468

# From the top of the forehead to the subject's right, around the chin and back.
FACE_OVAL: Final = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
    152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)  # fmt: skip

# Lip rings from the line where the lips touch (0) out to the vermilion border (3), corner to corner.
UPPER_LIP_RINGS: Final = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
)
LOWER_LIP_RINGS: Final = (
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
