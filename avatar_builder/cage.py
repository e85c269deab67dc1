"""The control cage: face, lid margins, mouth lining, skull and neck in one closed surface before subdivision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS

from .base_face import EYE_CENTRE_X, EYE_RADIUS, LID_THICKNESS, MIRROR, MOUTH_Y, MOUTH_Z, BaseFace
from .shoulders import COLLAR, bottom, bust_rings, neck_muscles
from .surface import graph_laplacian
from .topology import LIP_LOOP, RIGHT_LID_LOOP, Floats, Ints, facing_front

SKULL_RINGS = 8
NECK_RINGS = 3
LID_EDGE = 0.0009
"""Metres between the lids' inner edges and the eyeball: room for the cornea."""
EYE_CENTRE_RIGHT = np.array([-EYE_CENTRE_X, 0.0, 0.0])
EYE_CENTRE_LEFT = np.array([EYE_CENTRE_X, 0.0, 0.0])

SKULL_CENTRE = np.array([0.0, 0.018, -0.072])
SKULL_RADII = np.array([0.0735, 0.096, 0.094])
JAW_CENTRE = np.array([0.0, -0.052, -0.030])
JAW_RADII = np.array([0.064, 0.054, 0.058])
NECK_TOP = np.array([0.0, -0.030, -0.078])
NECK_BASE = np.array([0.0, -0.165, -0.104])
NECK_RADIUS_TOP = 0.046
NECK_RADIUS_BASE = 0.053


@dataclass(frozen=True)
class Cage:
    """Points (V, 3), triangles (F, 3), mirror permutation (V,), creases (C, 2) and named point groups.

    ``lid_inner`` (2, 16) and ``lid_hidden`` (2, 16) continue the right and left lid loops towards and into the eye;
    ``mouth_rings`` (4, 20) continue the lip loop backwards; ``throat`` closes the mouth; ``head_rings`` (R, 36)
    continue the face oval over skull, neck and shoulders, from ring ``collar`` on as cloth; ``floor`` closes the bust.
    """

    points: Floats
    triangles: Ints
    mirror: Ints
    creases: Ints
    lid_loops: Ints
    lid_inner: Ints
    lid_hidden: Ints
    lip_loop: Ints
    mouth_rings: Ints
    throat: int
    head_rings: Ints
    collar: int
    floor: int


def _ribbon(first: Ints, second: Ints, flipped: NDArray[np.bool_]) -> Ints:
    """Return the triangles (2 N, 3) of the closed band between two loops; ``flipped`` (N,) picks the other diagonal."""
    a, b = first, np.roll(first, -1)
    c, d = second, np.roll(second, -1)
    one = np.where(flipped[:, None], np.stack([a, b, d], axis=1), np.stack([a, b, c], axis=1))
    two = np.where(flipped[:, None], np.stack([a, d, c], axis=1), np.stack([b, d, c], axis=1))
    return np.concatenate([one, two])


def _fan(loop: Ints, centre: int) -> Ints:
    return np.stack([loop, np.roll(loop, -1), np.full(len(loop), centre)], axis=1)


def head_distance(points: Floats) -> Floats:
    """Return the signed distance-like value (N,) of skull, jaw and neck, smoothly joined; zero on the surface."""
    skull = _ellipsoid(points, SKULL_CENTRE, SKULL_RADII)
    jaw = _ellipsoid(points, JAW_CENTRE, JAW_RADII)
    axis = NECK_BASE - NECK_TOP
    along = np.clip((points - NECK_TOP) @ axis / (axis @ axis), 0.0, 1.2)
    radius = NECK_RADIUS_TOP + (NECK_RADIUS_BASE - NECK_RADIUS_TOP) * along**3
    neck = np.linalg.norm(points - NECK_TOP - along[:, None] * axis, axis=1) - radius
    return _smooth_min(_smooth_min(skull, jaw, 0.020), neck, 0.022)


def _ellipsoid(points: Floats, centre: Floats, radii: Floats) -> Floats:
    scaled = (points - centre) / radii
    length = np.linalg.norm(scaled, axis=1)
    gradient = np.linalg.norm(scaled / radii, axis=1)
    result: Floats = length * (length - 1) / np.maximum(gradient, 1e-9)
    return result


def _smooth_min(first: Floats, second: Floats, width: float) -> Floats:
    mix = np.clip(0.5 + 0.5 * (second - first) / width, 0.0, 1.0)
    result: Floats = second * (1 - mix) + first * mix - width * mix * (1 - mix)
    return result


def onto_head(points: Floats) -> Floats:
    """Return the points moved along the gradient onto the head's surface."""
    result = points.copy()
    step = 1e-5
    for _ in range(12):
        value = head_distance(result)
        gradient = np.stack(
            [
                (head_distance(result + step * unit) - head_distance(result - step * unit)) / (2 * step)
                for unit in np.eye(3)
            ],
            axis=1,
        )
        gradient /= np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)
        result -= value[:, None] * gradient
    return result


def leave_head(directions: Floats) -> Floats:
    """Return where rays (N, 3) from the skull's centre first leave the head (N, 3)."""
    reach: Floats = np.linspace(0.02, 0.25, 231)
    arms: Floats = directions[:, None, :] * reach[:, None]
    samples: Floats = np.add(SKULL_CENTRE, arms)
    outside = head_distance(samples.reshape((-1, 3))).reshape(len(directions), -1) > 0
    first = np.argmax(outside, axis=1)
    return onto_head(samples[np.arange(len(directions)), first])


def _slerp(first: Floats, second: Floats, mix: Floats) -> Floats:
    """Return unit vectors (M, N, 3) between rows of two arrays of unit vectors (N, 3) for each mix in (M,)."""
    angle = np.arccos(np.clip((first * second).sum(axis=1), -1, 1))[None, :, None]
    at = mix[:, None, None]
    result: Floats = (np.sin((1 - at) * angle) * first + np.sin(at * angle) * second) / np.sin(angle)
    return result


def _unit(vectors: Floats) -> Floats:
    result: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return result


def _head_rings(oval: Floats) -> Floats:
    """Return rings (R, 36, 3) from the face oval over skull, jaw, neck and shoulders to the bust's end."""
    turn = np.arange(36) / 36 * 2 * np.pi  # 0 at the forehead, pi at the chin
    azimuth = np.pi - np.interp(turn, [0, 16 * np.pi / 36, np.pi, 2 * np.pi - 16 * np.pi / 36, 2 * np.pi],
                                [0, 1.40, np.pi, 2 * np.pi - 1.40, 2 * np.pi])  # fmt: skip
    # 0 is the front of the neck; the subject's right is negative x.
    outward = np.stack([-np.sin(azimuth), np.zeros(36), np.cos(azimuth)], axis=1)
    throat_height = np.interp(np.cos(azimuth), [-1, 0, 1], [-0.085, -0.098, -0.118])
    junction = NECK_TOP + outward * NECK_RADIUS_TOP
    junction[:, 1] = throat_height
    start, end = _unit(oval - SKULL_CENTRE), _unit(junction - SKULL_CENTRE)
    upper = np.maximum(np.cos(turn), 0.0)[:, None]
    middle = _unit(_unit(start + end) + upper * 2.0 * np.array([0.0, 0.70, -0.72]))
    at = np.arange(1, SKULL_RINGS + 1) / SKULL_RINGS
    direction = np.concatenate([_slerp(start, middle, at[at <= 0.5] * 2), _slerp(middle, end, at[at > 0.5] * 2 - 1)])
    surface = leave_head(direction.reshape(-1, 3)).reshape(SKULL_RINGS, 36, 3)
    residual = oval - onto_head(oval)
    fade = np.clip(1 - np.arange(1, SKULL_RINGS + 1) / 4.5, 0, 1)[:, None, None] ** 2
    bust = bust_rings(azimuth)
    down = np.arange(1, NECK_RINGS + 1) / (NECK_RINGS + 1)
    straight = surface[-1] + (bust[0] - surface[-1]) * down[:, None, None]
    neck = onto_head(straight.reshape(-1, 3)).reshape(straight.shape)
    neck += (straight - neck) * down[:, None, None] ** 3
    neck_and_base = neck_muscles(np.concatenate([neck, bust[:1]]), np.append(down, 1.0), azimuth)
    return np.concatenate([surface + residual * fade, neck_and_base, bust[1:]])


def _relaxed(points: Floats, triangles: Ints, movable: Ints) -> Floats:
    """Even out the head's rings along the surface."""
    result = points.copy()
    laplacian = graph_laplacian(triangles, len(points))[movable]
    for _ in range(12):
        moved = result[movable] - 0.5 * (laplacian @ result)
        result[movable] = onto_head(moved)
    return result


def _mouth_rings() -> Floats:
    """Return rings (4, 20, 3) of the mouth's lining from behind the lips to the throat."""
    across = np.cos(np.linspace(np.pi, 0, 11))
    across = np.concatenate([across, across[-2:0:-1]])
    side = np.concatenate([np.sin(np.linspace(0, np.pi, 11)), -np.sin(np.linspace(0, np.pi, 11))[-2:0:-1]])
    width = np.array([0.0234, 0.0252, 0.0280, 0.0200])
    height = np.array([0.0012, 0.0135, 0.0200, 0.0150])
    depth = np.array([0.0035, 0.0060, 0.0300, 0.0600])
    curve = np.array([0.0120, 0.0115, 0.0080, 0.0020])
    rings = []
    for k in range(4):
        y = MOUTH_Y + height[k] * np.sign(side) * np.abs(side) ** 0.7
        z = MOUTH_Z - depth[k] - curve[k] * np.abs(across) ** 2
        rings.append(np.stack([across * width[k], y, z], axis=1))
    return np.stack(rings)


def lid_rings(margin: Floats) -> tuple[Floats, Floats]:
    """Return the inner edge and the hidden ring of the right lids (16, 3) each, from the margin (16, 3)."""
    outward = margin - EYE_CENTRE_RIGHT
    distance = np.linalg.norm(outward, axis=1, keepdims=True)
    depth = np.maximum(EYE_RADIUS + LID_EDGE, distance - 1.3 * LID_THICKNESS)
    inner = EYE_CENTRE_RIGHT + outward / distance * np.minimum(depth, distance - 0.0005)
    # Up behind the upper lid, down behind the lower, outwards at the corners, wherever the lids are.
    arch = np.sin(np.linspace(0.0, np.pi, 9))
    behind = np.concatenate([arch, -arch[-2:0:-1]])[:, None] * np.array([0.0, 0.0015, 0.0])
    hidden_direction = _unit(outward * np.array([1.06, 1.0, 0.94]) + behind)
    return inner, EYE_CENTRE_RIGHT + hidden_direction * (EYE_RADIUS - 0.0012)


def build_cage(face: BaseFace) -> Cage:
    """Return the cage around the resting face."""
    lip_loop, right_lids, oval = np.array(LIP_LOOP), np.array(RIGHT_LID_LOOP), np.array(FACE_OVAL)
    left_lids = face.mirror[right_lids]
    number = LANDMARKS

    def take(count: int) -> Ints:
        nonlocal number
        number += count
        return np.arange(number - count, number)

    inner, hidden = np.stack([take(16), take(16)]), np.stack([take(16), take(16)])
    mouth = np.stack([take(20) for _ in range(4)])
    mouth_points, ring_points = _mouth_rings(), _head_rings(face.points[oval])
    throat = int(take(1)[0])
    rings = np.stack([take(36) for _ in ring_points])
    floor = int(take(1)[0])

    inner_points, hidden_points = lid_rings(face.points[right_lids])
    points = np.concatenate([
        face.points, inner_points, inner_points * MIRROR, hidden_points, hidden_points * MIRROR,
        mouth_points.reshape(-1, 3), [[0.0, MOUTH_Y - 0.004, MOUTH_Z - 0.072]],
        ring_points.reshape(-1, 3), [bottom(ring_points)],
    ])  # fmt: skip

    same = np.zeros(16, dtype=bool)
    lids = np.concatenate([_ribbon(right_lids, inner[0], same), _ribbon(inner[0], hidden[0], same)])
    triangles = [face.triangles, lids, _fan(mouth[-1], throat), _fan(rings[-1], floor)]
    quarter = np.arange(20) // 5
    for first, second in zip([lip_loop, *mouth[:-1]], mouth, strict=True):
        triangles.append(_ribbon(first, second, (quarter == 0) | (quarter == 3)))
    for first, second in zip([oval, *rings[:-1]], rings, strict=True):
        triangles.append(_ribbon(first, second, np.arange(36) < 18))

    mirror = np.arange(number)
    mirror[:LANDMARKS] = face.mirror
    mirror[inner] = inner[::-1]
    mirror[hidden] = hidden[::-1]
    swap_mouth = np.concatenate([np.arange(10, -1, -1), np.arange(19, 10, -1)])
    mirror[mouth] = mouth[:, swap_mouth]
    mirror[rings] = rings[:, (36 - np.arange(36)) % 36]
    creases = np.concatenate(
        [np.stack([loop, np.roll(loop, -1)], axis=1) for loop in (lip_loop, right_lids, left_lids, *inner)]
    )
    all_triangles = facing_front(points, np.concatenate([*triangles, mirror[lids]]))
    if not np.array_equal(all_triangles[0], face.triangles[0]):
        # The most frontal triangle was one of the back.
        all_triangles = all_triangles[:, ::-1]
    points = _relaxed(points, all_triangles, rings[2:SKULL_RINGS].ravel())
    points = (points + points[mirror] * MIRROR) / 2
    return Cage(points, all_triangles, mirror, creases, np.stack([right_lids, left_lids]), inner, hidden,
                lip_loop, mouth, throat, rings, SKULL_RINGS + NECK_RINGS + COLLAR, floor)  # fmt: skip
