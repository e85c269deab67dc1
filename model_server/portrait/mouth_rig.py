"""Places the inside of a portrait's mouth: what it was in the photograph and where a frame moves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX

from .arrays import Bytes, Floats
from .fit import PortraitFit
from .layers import skin_patch
from .motion import PortraitMotion, in_picture
from .mouth import MouthInterior, MouthPose
from .mouth_light import measure_light
from .mouth_model import MATERIALS, load_mouth_model
from .own_teeth import OwnTeeth, find_own_teeth
from .photo import Photo
from .rig import LandmarkRig
from .topology import INNER_MOUTH

_WIDTHS = (0.85, 1.2)  # of the avatar's mouth: teeth do not grow with every smile
_UPPER_LIP = (82, 13, 312)
_CORNERS = (78, 308)
_LOWER_LIP = 14  # the front teeth behind it drop with it
_TONGUE_BEGIN = 0.004  # metres behind the lips from where on the tongue hangs down over the lower lip
_TONGUE_BEND, _TONGUE_TURN = 0.013, 1.3  # the radius in metres and the angle by which it does
_EDGE_STEP = 0.002  # metres along the row in which a biting edge is found
_PARTED = 1.0  # mm
_OWN_SHIFT = 0.009  # metres: how far the drawn teeth move to continue the photograph's own
_JAW_CHANNELS = [ARKIT_INDEX[name] for name in ("jawOpen", "jawForward", "jawLeft", "jawRight")]
_TONGUE_OUT = ARKIT_INDEX["tongueOut"]


class MouthRig:
    """The mouth of one portrait.

    Args:
        photo: the photograph.
        fit: its measured face.
        motion: what moves the portrait's mesh.
        rig: how ARKit shapes move a face.
    """

    def __init__(self, photo: Photo, fit: PortraitFit, motion: PortraitMotion, rig: LandmarkRig) -> None:
        self._fit, self._motion, self._rig = fit, motion, rig
        self._model = load_mouth_model()
        opening = fit.points[list(INNER_MOUTH)]
        axes = np.stack([fit.rotation[:2, 0], -fit.rotation[:2, 1]]) * np.array([1, -1], np.float32)
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        mm = fit.scale / 1000
        own = find_own_teeth(photo.pixels, opening, axes, mm)
        light = measure_light(photo.pixels, fit)
        self._rest, self._lip_depth = self._placed_model(own)
        self._anchor = fit.to_camera(self._rest[self._front_teeth()].mean(axis=0))
        self._lips = skin_patch(photo.pixels, opening, max(0.6 * mm, 1.2))
        if own is not None:
            faces = self._front_teeth() & (self._model.normals[:, 2] > 0.7)
            lit = light.irradiance(self._model.normals[faces] @ fit.rotation.T).mean()
            light = replace(light, enamel=own.enamel / lit)
        self._interior = MouthInterior(self._model, light, own, float(motion.rest_gap.max()) > _PARTED * mm)

    def _front_teeth(self) -> npt.NDArray[np.bool_]:
        """Return (N,) bool, the vertices of the upper middle incisors."""
        teeth = self._model.on_skull & (self._model.kind == MATERIALS.index("teeth"))
        return np.asarray(teeth & (np.abs(self._model.vertices[:, 0]) < 0.008), np.bool_)

    def _placed_model(self, own: OwnTeeth | None) -> tuple[Floats, float]:
        """Return the resting model (N, 3) in the portrait's head axes, metres, and the depth of the lips' line."""
        fit, model = self._fit, self._model
        seen = (fit.landmarks[:468] - fit.origin) @ fit.rotation / fit.scale
        avatar = self._rig.shape(fit.expression)
        width = np.ptp(seen[list(_CORNERS), 0]) / np.ptp(avatar[list(_CORNERS), 0])
        width = float(np.clip(width, *_WIDTHS))
        line = list(INNER_MOUTH)
        middle = [
            np.array([p[line, 0].mean(), p[list(_UPPER_LIP), 1].mean(), p[line, 2].mean()]) for p in (seen, avatar)
        ]
        placed = (model.vertices - middle[1]) * width + middle[0]
        if own is not None:
            placed[:, 1] += self._off_own(placed, own)
        return np.asarray(placed, np.float32), float(seen[[13, 14], 2].mean())

    def _off_own(self, placed: Floats, own: OwnTeeth) -> Floats:
        """Return (N,) metres upwards that lay the drawn upper teeth's edges on those of the photograph's own."""
        fit, model = self._fit, self._model
        down = -fit.rotation[:2, 1] * np.array([1, -1], np.float32)
        right = np.array([-down[1], down[0]]) / np.linalg.norm(down)
        right *= np.sign(right @ (fit.rotation[:2, 0] * np.array([1, -1])))
        seen = in_picture(fit.to_camera(placed))
        teeth = model.on_skull & (model.kind == MATERIALS.index("teeth"))
        across, low = seen @ right, seen @ down / (down @ down)
        step = _EDGE_STEP * fit.scale
        slot = np.round(across[teeth] / step).astype(int)
        edges = np.full(int(np.ptp(slot)) + 1, -np.inf)
        np.maximum.at(edges, slot - slot.min(), low[teeth])
        known = np.isfinite(edges)
        drawn = np.interp(own.line @ right, (np.flatnonzero(known) + slot.min()) * step, edges[known])
        # Half a millimetre shorter, they cannot look out from under their own.
        off = np.clip((drawn - own.line @ down / (down @ down)) / fit.scale + 0.0005, -_OWN_SHIFT, _OWN_SHIFT)
        order = np.argsort(own.line @ right)
        return np.asarray(np.interp(across, (own.line @ right)[order], off[order]) * model.on_skull, np.float32)

    def pose(
        self, values: Floats, activity: float, shaped: Floats, points: Floats, rotation: Floats, move: Floats
    ) -> MouthPose:
        """Return one frame's mouth.

        Args:
            values: (52,) ARKit weights.
            activity: 0..1, see ``mouth_activity``.
            shaped: (V, 3) pixels in camera axes, the mesh with the expression alone.
            points: (V, 2) pixels of the picture, the mesh moved and turned.
            rotation: (3,) pitch, yaw, roll rad.
            move: (3,) metres.
        """
        fit, motion = self._fit, self._motion
        worn = values + (1 - activity) * fit.expression
        head, normals = self._drooping(self._rest + self._model.moved(worn), self._model.turned(worn))
        origin = motion.turn_rigid(fit.origin[None], rotation, move)
        turn = motion.turn_rigid(fit.origin + fit.rotation.T, rotation, move) - origin
        moved = head @ (fit.scale * turn) + origin
        jaw = np.zeros_like(values)
        jaw[_JAW_CHANNELS] = (values - activity * fit.expression)[_JAW_CHANNELS]
        drop = fit.scale * self._rig.move(jaw)[_LOWER_LIP] @ fit.rotation.T
        down = -turn[1, :2] * np.array([1, -1], np.float32)
        return MouthPose(
            opening=points[list(INNER_MOUTH)],
            points=in_picture(moved),
            depth=moved[:, 2],
            behind=1000 * (self._lip_depth - head[:, 2]),
            normals=normals @ turn,
            down=down / np.linalg.norm(down),
            skull=motion.rigid(self._anchor, rotation, move),
            jaw=motion.rigid(self._anchor, rotation, move, drop),
            pixels_per_mm=fit.scale / 1000,
            change=1000 * motion.gap_change(shaped) / fit.scale,
            tongue=float(values[_TONGUE_OUT]),
        )

    def _drooping(self, head: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """Return points and normals with the tongue bent down over the lower lip where it is out of the mouth."""
        forward = (head[:, 2] - self._lip_depth + _TONGUE_BEGIN) * (self._model.kind == MATERIALS.index("tongue"))
        out = np.flatnonzero(forward > 0)
        if not len(out):
            return head, normals
        length = forward[out]
        angle = np.minimum(length / _TONGUE_BEND, _TONGUE_TURN)
        straight = length - angle * _TONGUE_BEND
        cos, sin = np.cos(angle), np.sin(angle)
        middle = head[out, 1].mean()
        above = head[out, 1] - middle
        head[out, 1] = middle - _TONGUE_BEND * (1 - cos) - straight * sin + above * cos
        head[out, 2] = self._lip_depth - _TONGUE_BEGIN + _TONGUE_BEND * sin + straight * cos + above * sin
        up, ahead = normals[out, 1], normals[out, 2]
        normals[out, 1] = up * cos - ahead * sin
        normals[out, 2] = up * sin + ahead * cos
        return head, normals

    def prepare(self, picture: Bytes, pose: MouthPose) -> None:
        """Paint lip skin over what shows between the resting lips in ``picture`` (H, W, 3 or 4)."""
        if pose.presence > 0:
            self._lips.lay(picture, pose.presence)

    def draw(self, frame: Bytes, pose: MouthPose) -> None:
        """Paint into ``frame`` (H, W, 3) uint8 what shows through the lips."""
        self._interior.draw(frame, pose)
