"""Draws the inside of one portrait's mouth: the photograph's own teeth where they show, elsewhere the proxy avatar's.

The avatar's teeth, gums, tongue and cavity are drawn as the frame poses them, in the photograph's light, and finished
with its blur and grain. The lips only uncover them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats, Reals
from .layers import polygon_mask
from .mouth_light import LUMINANCE, MouthLight
from .mouth_model import MATERIALS, MouthModel, to_display
from .own_teeth import OwnTeeth
from .raster import Raster, rasterise

_DENSITY = (1.8, 3.6)  # pixels a millimetre at which the mouth is drawn
_TEETH_DEPTH = 7.0  # mm behind the lips: what lies no deeper is lit as the lips are
_LIGHT_REACH = (8.0, 0.6)  # mm in which light falls to a third behind the teeth: constant, and per mm of opening
_TONGUE_OUT = (0.5, 2.5)  # mm before the lips' line from where on to where the tongue is drawn over the lower lip
_GLOSS = {"teeth": (0.10, 14.0), "gums": (0.05, 24.0), "tongue": (0.025, 18.0), "mouth_cavity": (0.01, 10.0)}
_SHADOW_TINT = np.array([0.75, 1.0, 1.1], np.float32)  # flesh around a shadow keeps it warm
_LIP_SHADE = 0.45  # brightness that is left at the very edge of the lips
_INWARD_TINT = np.array([0.8, 1.12, 1.15], np.float32)  # light that has been through flesh is redder
_CAVITY = 0.55  # of the gums' brightness: cheeks and palate are as pink, the asset paints them in shade
_EMPTY = 0.1  # of the lit cheeks' brightness: what no mesh covers, deep between cheek and teeth
_FLESH = 1.2  # times the saturation of the asset's flesh, which is painted pale
_CONTACT = 0.5  # darkness of the line between lips that meet
_GRAIN_TILE = 128


@dataclass(frozen=True)
class MouthPose:
    """One frame's mouth. Points are pixels of the picture.

    Attributes:
        opening: (20, 2) the moved line of the inner lips, a closed loop that begins with the upper lip.
        points: (N, 2) the vertices of the mouth's model.
        depth: (N,) pixels towards the camera.
        behind: (N,) mm behind the line of the lips, along the head's own axis.
        normals: (N, 3) unit, camera axes.
        down: (2,) unit columns and rows of the head's downward direction.
        skull: (2, 3) resting to moved pixels for what is fixed to the skull at the teeth's depth.
        jaw: (2, 3) the same for what is fixed to the jaw.
        pixels_per_mm: the photograph's scale.
        change: mm by which the opening differs from the photograph's.
        tongue: 0..1, how far the tongue is out.
    """

    opening: Floats
    points: Floats
    depth: Floats
    behind: Floats
    normals: Floats
    down: Floats
    skull: Floats
    jaw: Floats
    pixels_per_mm: float
    change: float
    tongue: float

    @property
    def presence(self) -> float:
        """0..1, how much of the photograph's mouth gives way to the drawn one."""
        return float(np.clip((max(abs(self.change), 8 * self.tongue) - 0.25) / 0.9, 0, 1))


class MouthInterior:
    """Draws the inside of one portrait's mouth.

    Args:
        model: teeth, gums, tongue and cavity.
        light: the photograph's light and camera.
        own: the teeth that the photograph shows, if any.
        parted: whether the lips are apart in the photograph.
    """

    def __init__(self, model: MouthModel, light: MouthLight, own: OwnTeeth | None, parted: bool) -> None:
        self._model, self._light, self._own, self._parted = model, light, own, parted
        self._colours = _materials(model, light)
        self._white = light.white * 0.9
        self._shadow, self._inward = (1 + light.saturation * (tint - 1) for tint in (_SHADOW_TINT, _INWARD_TINT))
        self._gloss = np.array([_GLOSS[name] for name in MATERIALS], np.float32)[model.kind]
        self._is_tongue = (model.kind == MATERIALS.index("tongue")).astype(np.float32)
        self._dark = self._colours[model.kind == MATERIALS.index("mouth_cavity")].mean(axis=0)
        source = light.direction + np.array([0, 0.15, 0.5], np.float32)
        between = source / np.linalg.norm(source) + np.array([0, 0, 1], np.float32)
        self._half = between / np.linalg.norm(between)
        noise = np.random.default_rng(0).standard_normal((_GRAIN_TILE, _GRAIN_TILE)).astype(np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), max(0.5, 0.7 * light.blur), borderType=cv2.BORDER_REFLECT)
        self._grain = soft / soft.std() * light.grain

    def draw(self, frame: Bytes, pose: MouthPose) -> None:
        """Paint into ``frame`` (H, W, 3) uint8 what shows through the lips, and the tongue that is out over them."""
        if pose.presence == 0:
            return
        area = self._area(frame, pose)
        if area is None:
            return
        (top, bottom), (left, right) = area
        corner, size = np.array([left, top], np.float32), (bottom - top, right - left)
        gap = mean_height(pose.opening)
        # A polygon without area still covers its outline.
        opening = polygon_mask(rounded(pose.opening) - corner, size) * float(np.clip(gap / 0.5 - 0.3, 0, 1))
        colour, out = self._interior(pose, corner, size, gap / pose.pixels_per_mm)
        inside = 255 * to_display(colour)
        inside *= np.maximum(_lip_shade(opening, pose), out)[:, :, None] ** self._shadow
        if self._own is not None:
            self._own.lay(inside, pose.skull, pose.jaw, corner)
        rows = (np.arange(top, bottom) % _GRAIN_TILE)[:, None]
        inside += self._grain[rows, np.arange(left, right) % _GRAIN_TILE][:, :, None]
        soft = cv2.GaussianBlur(opening, (0, 0), max(0.3, 0.6 * self._light.blur))
        below = frame[top:bottom, left:right]
        shown = below.astype(np.float32)
        if pose.tongue > 0:
            out *= _below_upper_lip(pose, corner, size)
            shadow = cv2.GaussianBlur(out, (0, 0), 2 * pose.pixels_per_mm)
            shadow = _shifted(shadow, 1.5 * pose.pixels_per_mm * pose.down)
            shown *= 1 - 0.45 * shadow[:, :, None] * self._shadow
            soft = np.maximum(soft, out)
        cover = (soft * pose.presence)[:, :, None]
        shown += (inside - shown) * cover
        if self._parted:
            meeting = pose.presence * self._contact(pose, corner, size)
            # Where a gap is squeezed to nothing the warp leaves single stray pixels.
            clean = cv2.GaussianBlur(cv2.medianBlur(shown, 5), (0, 0), max(0.8, 0.4 * pose.pixels_per_mm))
            wide = cv2.GaussianBlur(cv2.dilate(meeting, np.ones((3, 3), np.uint8)), (0, 0), 0.7)
            shown += (clean - shown) * wide[:, :, None]
            shown *= 1 - _CONTACT * meeting[:, :, None] * self._shadow
        below[:] = np.clip(np.round(shown), 0, 255)

    def _contact(self, pose: MouthPose, corner: Floats, size: tuple[int, int]) -> Floats:
        """Return (h, w) 0..1, the line in which lips meet that were apart in the photograph."""
        half = len(pose.opening) // 2
        upper, lower = pose.opening[: half + 1], np.roll(pose.opening[::-1], 1, axis=0)[: half + 1]
        middle = (upper + lower) / 2
        near = 1 - np.clip(np.linalg.norm(upper - lower, axis=1) / pose.pixels_per_mm, 0, 1)
        line = np.zeros(size, np.float32)
        thick = max(1, round(0.5 * pose.pixels_per_mm))
        ends = np.round((middle - corner) * 16).astype(int).tolist()
        for first, second, dark in zip(ends, ends[1:], np.minimum(near[1:], near[:-1]).tolist(), strict=False):
            cv2.line(line, first, second, dark, thick, cv2.LINE_8, 4)
        soft = cv2.GaussianBlur(line, (0, 0), max(0.6, 0.35 * pose.pixels_per_mm, self._light.blur))
        return np.asarray(np.clip(1.8 * soft, 0, 1), np.float32)

    def _area(self, frame: Bytes, pose: MouthPose) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return first and last rows and columns of what may be painted."""
        seen = pose.opening
        if pose.tongue > 0:
            seen = np.concatenate([seen, pose.points[self._is_tongue > 0]])
        margin = 2 + int(3 * pose.pixels_per_mm)
        left, top = np.maximum(np.floor(seen.min(axis=0)).astype(int) - margin, 0).tolist()
        right, bottom = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + margin, frame.shape[1::-1]).tolist()
        return ((top, bottom), (left, right)) if right > left and bottom > top else None

    def _interior(self, pose: MouthPose, corner: Floats, size: tuple[int, int], gap: float) -> tuple[Floats, Floats]:
        """Return linear light (h, w, 3) and how much (h, w) of it is tongue before the lips, blurred as the photo."""
        mm = pose.pixels_per_mm
        zoom = float(np.clip(1.3 * mm, *_DENSITY)) / mm
        fine = (int(np.ceil(size[0] * zoom)), int(np.ceil(size[1] * zoom)))
        shaded = self._shaded(pose, gap)
        raster = rasterise((pose.points - corner + 0.5) * zoom - 0.5, pose.depth, self._model.triangles, fine)
        picture = _picture(raster, shaded, fine, self._dark * _EMPTY)
        if pose.tongue == 0:
            return self._finished(picture, zoom, size)[:, :, :3], np.zeros(size, np.float32)
        # The tongue before the lips has an edge of its own: the dark behind it must not blur into it.
        ahead = picture * picture[:, :, 3:]
        ahead[:, :, 3] = picture[:, :, 3]
        inside, ahead = self._finished(picture, zoom, size), self._finished(ahead, zoom, size)
        out = ahead[:, :, 3]
        pure = ahead[:, :, :3] / np.maximum(out, 1e-3)[:, :, None]
        return inside[:, :, :3] + (pure - inside[:, :, :3]) * np.minimum(3 * out, 1)[:, :, None], out

    def _finished(self, picture: Floats, zoom: float, size: tuple[int, int]) -> Floats:
        """Return a drawn picture (H, W, C) blurred as the photograph and at its resolution, ``size``."""
        sigma = self._light.blur * zoom
        if sigma > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), sigma)
        how = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, size[::-1], interpolation=how), np.float32)

    def _shaded(self, pose: MouthPose, gap: float) -> Floats:
        """Return (N, 4) linear light of the vertices, and how far each is tongue before the lips, 0..1."""
        reach = _LIGHT_REACH[0] + _LIGHT_REACH[1] * gap
        fall = np.exp(-np.maximum(pose.behind - _TEETH_DEPTH, 0) / reach)
        lit = self._light.irradiance(pose.normals)[:, None] * fall[:, None] ** self._inward
        strength, power = self._gloss.T
        shine = strength * np.maximum(pose.normals @ self._half, 0) ** power * fall
        near, far = _TONGUE_OUT
        out = self._is_tongue * np.clip((-pose.behind - near) / (far - near), 0, 1)
        colour = self._colours * lit + self._white * shine[:, None]
        return np.concatenate([colour, out[:, None]], axis=1)


def _materials(model: MouthModel, light: MouthLight) -> Floats:
    """Return (N, 3) linear light of the fully lit vertices: the avatar's colours in the photograph's exposure.

    Enamel is what the light makes of it; flesh keeps its relation to enamel, is greyed as far as the photograph is,
    and leans to the colour of the person's own lips.
    """
    teeth = model.kind == MATERIALS.index("teeth")
    enamel = model.colours[teeth].mean(axis=0)
    colours = model.colours / enamel * light.enamel
    # The avatar's flesh is painted for white light; the person's own lips show what the photograph's is like.
    colours[~teeth] = model.colours[~teeth] * float(light.white @ LUMINANCE) / float(enamel @ LUMINANCE)
    cavity = model.kind == MATERIALS.index("mouth_cavity")
    colours[cavity] = _CAVITY * colours[model.kind == MATERIALS.index("gums")].mean(axis=0)
    level = (colours @ LUMINANCE)[:, None]
    lips = light.lips / max(float(light.lips @ LUMINANCE), 1e-4)
    hue = (colours / np.maximum(level, 1e-5)) ** 0.6 * np.maximum(lips, 0.05) ** 0.4
    colours = np.where(~teeth[:, None], level * hue / np.maximum(hue @ LUMINANCE, 1e-5)[:, None], colours)
    grey = (colours @ LUMINANCE)[:, None]
    saturation = light.saturation * np.where(teeth, 1.0, _FLESH)[:, None]
    return np.asarray(np.clip(grey + saturation * (colours - grey), 0, 1), np.float32)


def _picture(raster: Raster, values: Floats, size: tuple[int, int], empty: Floats) -> Floats:
    """Return (h, w, 4): the vertices' values (N, 4) where the raster covers, ``empty`` (3,) elsewhere."""
    picture = np.empty((size[0] * size[1], 4), np.float32)
    picture[:] = (*empty, 0)
    picture[raster.pixels] = raster.blend(values)
    return picture.reshape(*size, 4)


def _lip_shade(opening: Floats, pose: MouthPose) -> Floats:
    """Return (h, w) brightness: dark by the lips, darker under the upper one, so that slits are nearly black."""
    mm = pose.pixels_per_mm
    soft = cv2.GaussianBlur(opening, (0, 0), 1.4 * mm, borderType=cv2.BORDER_CONSTANT)
    soft = _shifted(soft, 0.9 * mm * pose.down)
    return np.asarray(_LIP_SHADE + (1 - _LIP_SHADE) * np.clip((soft - 0.25) / 0.6, 0, 1), np.float32)


def _shifted(image: Floats, step: Reals) -> Floats:
    move = np.array([[1, 0, step[0]], [0, 1, step[1]]], np.float32)
    return np.asarray(cv2.warpAffine(image, move, image.shape[1::-1]), np.float32)


def _below_upper_lip(pose: MouthPose, corner: Floats, size: tuple[int, int]) -> Floats:
    """Return (h, w) coverage of everything below the line of the upper lip."""
    upper = pose.opening[: len(pose.opening) // 2 + 1]
    far = 80 * pose.pixels_per_mm * pose.down
    return polygon_mask(np.concatenate([upper, [upper[-1] + far, upper[0] + far]]) - corner, size)


def rounded(loop: Floats) -> Floats:
    """Return (4 N, 2) points of a smooth closed curve through a loop (N, 2) with sharp corners of the mouth.

    Method: Catmull and Rom's spline (1974).
    """
    before, after = np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0)
    slope = (after - before) / 2
    # The corners of the mouth, the first point and the one opposite, are sharp until the mouth opens wide.
    slope[[0, len(loop) // 2]] *= np.clip(2.2 * mean_height(loop) / max(float(np.ptp(loop[:, 0])), 1e-3) - 0.3, 0, 1)
    t = (np.arange(4, dtype=np.float32) / 4)[None, :, None]
    start, end = loop[:, None], after[:, None]
    leave, arrive = slope[:, None], np.roll(slope, -1, axis=0)[:, None]
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * leave
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * arrive
    )
    return np.asarray(curve.reshape(-1, 2), np.float32)


def mean_height(loop: Floats) -> float:
    """Return the mean height in pixels of a closed loop (N, 2) over its width."""
    area = 0.5 * abs(float(np.cross(loop, np.roll(loop, -1, axis=0)).sum()))
    return area / max(float(np.ptp(loop[:, 0])), 1e-3)
