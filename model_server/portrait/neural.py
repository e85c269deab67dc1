"""Animates a photograph with Face-vid2vid: the same interface as the portrait renderer, drawn by networks.

The curves drive keypoints relative to a neutral face. Where the networks were trained by this project the keypoints
are known landmarks and the proxy avatar says how each ARKit shape moves them. For other checkpoints, whose keypoints
were found without supervision, the avatar is drawn with each shape and the checkpoint's own estimator says how its
keypoints move and which way its angles count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from blendshape_rigs.arkit import ARKIT_COUNT
from blendshape_rigs.avatar import load_proxy_avatar
from model_server.models.checkpoint import FORMAT, load_checkpoint
from model_server.models.face_vid2vid import FaceVid2Vid
from model_server.models.face_vid2vid.geometry import place_keypoints, rotation_degrees
from model_server.models.face_vid2vid.geometry import rotation_matrix as picture_rotation
from model_server.models.face_vid2vid.public import load_public

from .arrays import Bytes, Floats, Reals
from .avatar_picture import HEAD_AXES, Appearance, AvatarPainter
from .fit import FaceChoice, fit_portrait, rotation_matrix
from .motion import PITCH_LIMIT, ROLL_LIMIT, YAW_LIMIT, eased, mouth_activity
from .neural_crop import CROP_CENTRE, CROP_SPAN, cut_square, head_square, square_matrix
from .neural_keypoints import KEYPOINT_LANDMARKS
from .photo import Photo
from .rig import LandmarkRig

_MASK_START, _MASK_END = 0.70, 0.98  # of half the crop's side: where the drawn face gives way to the photograph
_PROBE = float(np.radians(12.0))
_PROBE_SIZE = 128  # pixels; enlarged where the networks see more, since drawing takes longer than it gains
_PROBES_AT_ONCE = 4


@dataclass(frozen=True)
class Driving:
    """How curves move the keypoints of one checkpoint.

    Attributes:
        shapes: (52, K, 3) float32 movement by each full ARKit shape, picture units, for a head that faces the camera.
        signs: (3,) which way the checkpoint counts pitch, yaw and roll, against this project's picture axes.
        deep: whether its z is this project's, so that a head can move in depth.
    """

    shapes: Floats
    signs: Floats
    deep: bool


class NeuralRenderer:
    """Animates one photograph. ``render`` keeps nothing between frames: the same input gives the same picture.

    The face is drawn at the networks' size and laid into the photograph, whose rest stays as it is.

    Args:
        photo: the photograph.
        checkpoint: weights that ``dreamtalk train face-vid2vid`` wrote, or a public checkpoint.
        choice: which face, where there are several.

    Raises:
        PortraitError: when no usable face is in the photograph.
        WeightsError: for a checkpoint that is missing, broken or of another kind.
    """

    def __init__(self, photo: Photo, checkpoint: str | Path, *, choice: FaceChoice | None = None) -> None:
        rig = LandmarkRig.from_avatar(load_proxy_avatar())
        self.photo = photo
        self._faces, own = load_faces(Path(checkpoint))
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._faces.to(self._device)
        self.fit = fit_portrait(photo, rig, choice)
        side = self._faces.config.size
        square = head_square(self.fit)
        self._crop = square_matrix(*square, side)
        self._mask = _soft_mask(side)
        self._driving = _known_driving(rig) if own else _measured_driving(self._faces)
        pivot = self.fit.rotation @ (rig.neck_pivot - np.asarray(CROP_CENTRE, np.float32))
        self._pivot = np.asarray(HEAD_AXES @ pivot * (2 / CROP_SPAN), np.float32)
        face = cut_square(photo.pixels, *square, side)
        with torch.inference_mode():
            picture = torch.from_numpy(face).to(self._device).permute(2, 0, 1)[None] / 255
            self._volume, self._canonical = self._faces.extractor(picture), self._faces.detector(picture)
            self._pose = self._faces.estimator(picture)
            self._source = self._pose.place(self._canonical)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames in pixels; both even."""
        return self.photo.pixels.shape[1], self.photo.pixels.shape[0]

    def render(
        self,
        values: Reals,
        head_rotation: Reals | None = None,
        head_translation: Reals | None = None,
        activity: float | None = None,
    ) -> Bytes:
        """Return one frame (H, W, 3) uint8 RGB.

        Args:
            values: (52,) ARKit weights.
            head_rotation: (3,) pitch, yaw, roll rad relative to the photograph; eased into ±10°, ±15°, ±20°.
            head_translation: (3,) metres.
            activity: how far the mouth follows the curves instead of the photograph, see ``mouth_activity``.
        """
        values = np.clip(np.asarray(values, np.float32), 0, 1)
        angles = np.zeros(3, np.float32) if head_rotation is None else np.asarray(head_rotation, np.float32)
        move = np.zeros(3, np.float32) if head_translation is None else np.asarray(head_translation, np.float32)
        if activity is None:
            activity = float(mouth_activity(values[None])[0])
        limits = (PITCH_LIMIT, YAW_LIMIT, ROLL_LIMIT)
        angles = np.array([eased(float(a), float(limit)) for a, limit in zip(angles, limits, strict=True)])
        drawn = self._draw(self.fit.drive(values, activity), angles, move)
        frame = self.photo.pixels.copy()
        return _laid_in(frame, drawn, self._crop, self._mask)

    def _draw(self, drive: Reals, angles: Reals, move: Reals) -> Bytes:
        """Return the face (S, S, 3) uint8 with weights (52,) of change, turned (3,) rad and moved (3,) metres."""
        driving = self._driving
        turn = HEAD_AXES @ rotation_matrix(*(float(angle) for angle in angles)) @ HEAD_AXES
        shift = self._pivot - turn @ self._pivot + HEAD_AXES @ move * (2 / CROP_SPAN)
        shapes = np.tensordot(drive, driving.shapes, axes=1)
        if not driving.deep:
            shift[2] = 0
        with torch.inference_mode():
            source = picture_rotation(self._pose.degrees)
            relative = self._put(turn)
            if not driving.deep:
                # Its angles may count the other way round: turn by its own.
                relative = picture_rotation(rotation_degrees(relative) * self._put(driving.signs))
            wanted = relative @ source
            placed = place_keypoints(
                self._canonical,
                wanted,
                (relative @ self._pose.translation[..., None])[..., 0] + self._put(shift),
                self._pose.expression @ relative.transpose(1, 2) + self._put(shapes) @ wanted.transpose(1, 2),
            )
            drawn = self._faces.draw(self._volume, self._source, placed, source @ wanted.transpose(1, 2))
            pixels = (255 * drawn.picture[0].permute(1, 2, 0)).round().byte().cpu().numpy()
        return np.ascontiguousarray(pixels)

    def _put(self, array: Reals) -> Tensor:
        return torch.from_numpy(np.asarray(array, np.float32)).to(self._device)[None]


def load_faces(path: Path) -> tuple[FaceVid2Vid, bool]:
    """Return the networks in a file, and whether this project trained them.

    Raises:
        WeightsError: for a file that is missing, broken or of another kind.
    """
    if path.suffix == ".safetensors" and path.is_file():
        try:
            with safe_open(path, framework="pt") as file:
                own = (file.metadata() or {}).get("format") == FORMAT
        except SafetensorError:
            own = False
        if own:
            return load_checkpoint(path, FaceVid2Vid), True
    return load_public(path), False


def _known_driving(rig: LandmarkRig) -> Driving:
    shapes = rig.deltas[:, list(KEYPOINT_LANDMARKS)] @ HEAD_AXES * np.float32(2 / CROP_SPAN)
    return Driving(np.asarray(shapes, np.float32), np.ones(3, np.float32), True)


def _measured_driving(faces: FaceVid2Vid) -> Driving:
    """Ask a checkpoint how it sees the proxy avatar: at rest, with each shape, and turned each way."""
    painter = AvatarPainter(load_proxy_avatar(), Appearance(span=CROP_SPAN, centre=CROP_CENTRE))
    poses = [(np.zeros(ARKIT_COUNT), np.zeros(3))]
    poses += [(values, np.zeros(3)) for values in np.eye(ARKIT_COUNT)]
    poses += [(np.zeros(ARKIT_COUNT), turn) for turn in _PROBE * np.eye(3)]
    size = faces.config.size
    drawn = [painter.draw(painter.vertices(values, turn), min(size, _PROBE_SIZE))[0] for values, turn in poses]
    pictures = [cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR) for picture in drawn]
    expressions, degrees = [], []
    device = next(faces.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(pictures), _PROBES_AT_ONCE):
            batch = torch.from_numpy(np.stack(pictures[start : start + _PROBES_AT_ONCE])).to(device)
            pose = faces.estimator(batch.permute(0, 3, 1, 2) / 255)
            expressions.append(pose.expression.cpu())
            degrees.append(pose.degrees.cpu())
    moved, angles = torch.cat(expressions).numpy(), torch.cat(degrees).numpy()
    return Driving(moved[1 : 1 + ARKIT_COUNT] - moved[0], _signs(angles[-3:] - angles[0]), False)


def _signs(seen: Reals) -> Floats:
    """Return (3,) 1 or -1: whether the angles (3, 3) seen for a turn about each axis have the sign that they should."""
    turned = [HEAD_AXES @ rotation_matrix(*(float(a) for a in turn)) @ HEAD_AXES for turn in _PROBE * np.eye(3)]
    wanted = rotation_degrees(torch.from_numpy(np.stack(turned)).float()).numpy()
    return np.where(np.diag(np.asarray(seen)) * np.diag(wanted) < 0, -1.0, 1.0).astype(np.float32)


def _soft_mask(side: int) -> Floats:
    """Return (S, S) float32 in 0..1: 1 on the head, falling smoothly to 0 before the border, with round corners."""
    line = np.abs((2 * np.arange(side) + 1) / side - 1)
    away = (line[:, None] ** 3 + line[None] ** 3) ** (1 / 3)
    inside = np.clip((_MASK_END - away) / (_MASK_END - _MASK_START), 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), np.float32)


def _laid_in(frame: Bytes, face: Bytes, crop: Floats, mask: Floats) -> Bytes:
    """Lay the drawn ``face`` (S, S, 3) over ``frame`` where the crop was, softly at its edge."""
    height, width = frame.shape[:2]
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
    placed = cv2.warpAffine(face, crop, (width, height), flags=back, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask, crop, (width, height), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)[:, :, None]
    mixed = frame + share * (placed.astype(np.float32) - frame)
    return np.asarray(np.round(np.clip(mixed, 0, 255)), np.uint8)
