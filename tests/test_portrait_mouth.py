"""The mouth of the portrait renderer: lips, teeth, tongue, light and the rasteriser that draws what is inside."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from portrait_support import landmarks, mouth_width, opening, weights

from model_server.portrait.arrays import Floats
from model_server.portrait.fit import fit_portrait
from model_server.portrait.layers import polygon_mask
from model_server.portrait.lip_line import with_lip_line
from model_server.portrait.motion import in_picture
from model_server.portrait.mouth import MouthPose
from model_server.portrait.mouth_light import LUMINANCE, edge_blur, grain, measure_light
from model_server.portrait.mouth_model import MATERIALS, load_mouth_model, to_display
from model_server.portrait.own_teeth import find_own_teeth
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.raster import rasterise
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.topology import INNER_MOUTH

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")

CLOSED = weights(mouthPress=0.3, mouthClose=0.05, jawOpen=0.05)


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def smiling(photo: Photo) -> PortraitRenderer:
    """A photograph that shows teeth."""
    return PortraitRenderer(photo)


@pytest.fixture(scope="module")
def shut(smiling: PortraitRenderer) -> PortraitRenderer:
    """The same face with closed lips, large enough to see what is behind them."""
    closed = smiling.render(CLOSED)[20:320, 80:380]
    return PortraitRenderer(photo_from_array(cv2.resize(closed, (600, 600), interpolation=cv2.INTER_CUBIC), "shut"))


def posed(
    renderer: PortraitRenderer, values: np.ndarray, turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> MouthPose:
    """Return the mouth of one frame."""
    rotation, still = np.radians(turn).astype(np.float32), np.zeros(3, np.float32)
    shaped = renderer.motion.expression(values, 1.0)
    points = in_picture(renderer.motion.turn(shaped, rotation, still))
    return renderer._mouth.pose(values, 1.0, shaped, points, rotation, still)


def inside_lips(renderer: PortraitRenderer, values: np.ndarray, shrink: float = 0.8) -> np.ndarray:
    """Return (H, W) bool, the opening drawn in by a share."""
    loop = posed(renderer, values).opening
    middle = loop.mean(axis=0)
    return polygon_mask(middle + shrink * (loop - middle), renderer.photo.pixels.shape[:2]) > 0.5


def redness(pixels: np.ndarray) -> float:
    return float(pixels[..., 0].mean() / pixels[..., 1:].mean())


# --- Lips -------------------------------------------------------------------------------------------------------


def test_the_mouth_opens_with_the_jaw(smiling: PortraitRenderer) -> None:
    gaps = [opening(landmarks(smiling.render(weights(jawOpen=value)))) for value in (0.1, 0.4, 0.7, 1.0)]
    assert np.all(np.diff(gaps) > 0.02)
    assert gaps[-1] > 0.15


def test_lips_close_on_a_photograph_that_shows_teeth(smiling: PortraitRenderer) -> None:
    at_rest = opening(smiling.fit.landmarks)
    pressed = smiling.motion.expression(weights(mouthPress=0.6, mouthClose=0.1, jawOpen=0.1), 1.0)
    assert opening(pressed[:468]) < 0.12 * at_rest
    frame = smiling.render(weights(mouthPress=0.6, mouthClose=0.1, jawOpen=0.1))
    x, y = smiling.fit.points[[13, 14]].mean(axis=0).astype(int)
    # Bright enamel gives way to the lips' redder skin.
    area = np.s_[y - 2 : y + 3, x - 8 : x + 9]
    assert redness(frame[area]) > 1.05 * redness(smiling.photo.pixels[area])


def test_no_teeth_are_left_on_closed_lips(smiling: PortraitRenderer) -> None:
    frame = smiling.render(CLOSED).astype(float) @ LUMINANCE
    loop = in_picture(smiling.motion.expression(CLOSED, 1.0)[list(INNER_MOUTH)])
    places = np.linspace(loop[2], loop[8], 40)
    middle = np.interp(places[:, 0], loop[:11, 0], loop[:11, 1])
    bright = smiling.photo.pixels @ LUMINANCE
    mouth = polygon_mask(smiling.fit.points[list(INNER_MOUTH)], bright.shape) > 0.5
    seam = frame[np.round(middle).astype(int), np.round(places[:, 0]).astype(int)]
    assert seam.max() < np.quantile(bright[mouth], 0.5)
    # Stray pixels would stand out from their neighbours.
    assert np.abs(np.diff(seam)).max() < 35


def test_lips_never_cross(smiling: PortraitRenderer) -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        values = generator.uniform(0, 1, 52).astype(np.float32) * (generator.uniform(size=52) < 0.3)
        shaped = smiling.motion.expression(values, 1.0)
        up = smiling.fit.rotation[:2, 1]
        upper, lower = shaped[[81, 13, 311], :2] @ up, shaped[[178, 14, 402], :2] @ up
        assert (upper - lower > -0.05).all()


def test_a_smile_narrows_into_a_pucker(smiling: PortraitRenderer) -> None:
    widths = [
        mouth_width(landmarks(smiling.render(weights(**channels))))
        for channels in ({"mouthPucker": 1.0}, {"mouthPucker": 0.4}, {"mouthSmile": 1.0})
    ]
    assert np.all(np.diff(widths) > 0.02)


def test_the_line_between_closed_lips_is_found_again(shut: PortraitRenderer) -> None:
    fit, pixels = shut.fit, shut.photo.pixels
    lips = sorted({n for n in INNER_MOUTH if n not in (78, 308)})
    mm = fit.scale / 1000
    for off in (-1.0, 1.0):
        fit.landmarks[lips, 1] += off * mm
        found = with_lip_line(pixels, fit).landmarks[[13, 14], 1].mean()
        fit.landmarks[lips, 1] -= off * mm
        assert abs(found - fit.landmarks[[13, 14], 1].mean()) < 0.5 * mm


# --- What is inside --------------------------------------------------------------------------------------------------


def test_the_mouth_is_dark_warm_and_not_flat(smiling: PortraitRenderer, shut: PortraitRenderer) -> None:
    for renderer in (smiling, shut):
        values = weights(jawOpen=0.8)
        inside = renderer.render(values)[inside_lips(renderer, values)].astype(float)
        skin = renderer.photo.pixels[
            renderer.fit.points[[50, 280]].astype(int)[:, 1], renderer.fit.points[[50, 280]].astype(int)[:, 0]
        ]
        assert inside.mean() < 0.65 * skin.mean()
        assert inside[:, 0].mean() > 1.1 * inside[:, 2].mean()
        assert inside.std(axis=0).mean() > 12
        assert np.quantile(inside.mean(axis=1), 0.1) < 0.35 * skin.mean()


def test_it_grows_darker_with_depth(shut: PortraitRenderer) -> None:
    pose = posed(shut, weights(jawOpen=0.6))
    interior = shut._mouth._interior
    bright = interior._shaded(pose, 12.0)[:, :3] @ LUMINANCE
    tongue = load_mouth_model().kind == MATERIALS.index("tongue")
    order = np.argsort(pose.behind[tongue])
    near, far = np.array_split(bright[tongue][order], 4)[::3]
    assert far.mean() < 0.35 * near.mean()


def test_teeth_are_as_bright_as_the_photograph_makes_them(shut: PortraitRenderer) -> None:
    values = weights(mouthUpperUp=1.0, mouthSmile=0.4, jawOpen=0.3)
    frame = shut.render(values)
    white = float(255 * to_display(measure_light(shut.photo.pixels, shut.fit).white) @ LUMINANCE)
    teeth = np.quantile(frame[inside_lips(shut, values)] @ LUMINANCE, 0.9)
    assert 0.6 * white < teeth < 1.15 * white


def test_upper_teeth_stay_with_the_skull_and_lower_ones_drop(smiling: PortraitRenderer) -> None:
    model = load_mouth_model()
    teeth = model.kind == MATERIALS.index("teeth")
    little, far = (posed(smiling, weights(jawOpen=value)) for value in (0.2, 0.8))
    assert np.array_equal(little.points[model.on_skull], far.points[model.on_skull])
    assert np.allclose(little.skull, far.skull)
    assert (far.points - little.points)[teeth & ~model.on_skull, 1].min() > 3 * little.pixels_per_mm
    # On the frame: the photograph's own upper teeth look alike at both.
    x, y = (smiling.fit.points[13] + [0, 3]).astype(int)
    area = np.s_[y - 1 : y + 2, x - 6 : x + 7]
    frames = [smiling.render(weights(jawOpen=value))[area].astype(int) for value in (0.5, 0.9)]
    assert np.abs(frames[0] - frames[1]).mean() < 6


def test_no_tooth_looks_out_from_under_the_photographs_own(smiling: PortraitRenderer) -> None:
    own = smiling._mouth._interior._own
    assert own is not None
    assert np.ptp(own.line[:, 0]) > 25 * smiling.fit.scale / 1000
    model = load_mouth_model()
    drawn = posed(smiling, np.zeros(52, np.float32)).points[model.on_skull & (model.kind == MATERIALS.index("teeth"))]
    front = (drawn[:, 0] > own.line[:, 0].min()) & (drawn[:, 0] < own.line[:, 0].max())
    edge = np.interp(drawn[front, 0], own.line[:, 0], own.line[:, 1])
    assert (drawn[front, 1] - edge).max() < 1.0


def test_shut_lips_show_no_teeth_of_their_own(shut: PortraitRenderer) -> None:
    fit = shut.fit
    axes = np.array([[1, 0], [0, 1]], np.float32)
    assert find_own_teeth(shut.photo.pixels, fit.points[list(INNER_MOUTH)], axes, fit.scale / 1000) is None


def test_the_tongue_shows_and_comes_out(shut: PortraitRenderer) -> None:
    without, between = (shut.render(weights(jawOpen=0.25, tongueOut=value)).astype(int) for value in (0.0, 0.3))
    assert np.abs(between - without)[inside_lips(shut, weights(jawOpen=0.25))].mean() > 6
    out = weights(jawOpen=0.4, tongueOut=1.0)
    frame, closed = shut.render(out), shut.render(weights(jawOpen=0.4))
    tongue = posed(shut, out)
    is_tongue = load_mouth_model().kind == MATERIALS.index("tongue")
    tip = tongue.points[is_tongue][tongue.behind[is_tongue] < -4]
    lip = tongue.opening[:, 1].max()
    assert tip[:, 1].max() > lip + 3 * tongue.pixels_per_mm
    x, y = int(tip[:, 0].mean()), int(lip + 1.5 * tongue.pixels_per_mm)
    patch = np.s_[y - 1 : y + 2, x - 4 : x + 5]
    assert np.abs(frame[patch].astype(int) - closed[patch]).mean() > 10
    assert redness(frame[patch]) > 1.2


@pytest.mark.parametrize("turn", [(0, 0, 0), (0, 15, 0), (0, -15, 0), (10, 0, 0), (-10, 0, 15)])
def test_nothing_is_drawn_beyond_the_lips(shut: PortraitRenderer, turn: tuple[float, float, float]) -> None:
    pose = posed(shut, weights(jawOpen=0.5, mouthSmile=0.5), turn)
    blank = np.full_like(shut.photo.pixels, 255)
    shut._mouth.draw(blank, pose)
    drawn = (blank < 250).any(axis=2)
    reach = round(3 * pose.pixels_per_mm)
    near = cv2.dilate(polygon_mask(pose.opening, drawn.shape), np.ones((2 * reach + 1, 2 * reach + 1)))
    assert drawn.any()
    assert not drawn[near == 0].any()
    loop = pose.opening.mean(axis=0) + 0.8 * (pose.opening - pose.opening.mean(axis=0))
    assert drawn[polygon_mask(loop, drawn.shape) > 0.9].all()


def test_a_grey_photograph_gets_a_grey_mouth(photo: Photo) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    renderer = PortraitRenderer(photo_from_array(grey, "grey"))
    values = weights(jawOpen=0.6)
    inside = renderer.render(values)[inside_lips(renderer, values)].astype(int)
    assert np.abs(inside[:, 0] - inside[:, 2]).max() < 12


# --- The photograph's light ------------------------------------------------------------------------------------------


def test_light_comes_from_where_it_does_in_the_photograph(photo: Photo, smiling: PortraitRenderer) -> None:
    mirrored = photo_from_array(np.ascontiguousarray(photo.pixels[:, ::-1]), "mirrored")
    light = measure_light(photo.pixels, smiling.fit).direction
    other = measure_light(mirrored.pixels, fit_portrait(mirrored, smiling._rig)).direction
    assert abs(light[0]) > 0.1
    assert other[0] == pytest.approx(-light[0], abs=0.1)
    assert other[1:] == pytest.approx(light[1:], abs=0.1)


def test_blur_and_grain_are_measured() -> None:
    generator = np.random.default_rng(1)
    steps = np.kron(generator.uniform(40, 220, (12, 12)), np.ones((16, 16))).astype(np.float32)
    for sigma in (0.8, 1.5, 2.5):
        assert edge_blur(cv2.GaussianBlur(steps, (0, 0), sigma)) == pytest.approx(sigma, rel=0.25)
    noise = generator.normal(0, 4, (120, 120)).astype(np.float32)
    assert grain(100 + noise) == pytest.approx(4, rel=0.25)
    assert grain(np.full((60, 60), 90, np.float32)) == 0


# --- The rasteriser and its model -----------------------------------------------------------------------------------


def test_a_triangle_covers_its_pixels_and_blends_its_corners() -> None:
    points: Floats = np.array([[2, 2], [5, 30], [37, 8]], np.float32)
    raster = rasterise(points, np.zeros(3, np.float32), np.array([[0, 1, 2]], np.int32), (40, 50))
    assert len(raster.pixels) == len(np.unique(raster.pixels))
    (a, b), (c, d) = points[1:] - points[0]
    assert len(raster.pixels) == pytest.approx(abs(a * d - b * c) / 2, rel=0.04)
    places = np.stack([raster.pixels % 50, raster.pixels // 50], axis=1)
    assert np.allclose(raster.blend(points), places, atol=1e-3)
    assert len(rasterise(points, np.zeros(3, np.float32), np.array([[0, 2, 1]], np.int32), (40, 50)).pixels) == 0


def test_the_nearer_triangle_is_seen() -> None:
    points: Floats = np.array([[0, 0], [0, 20], [20, 0], [0, 0], [0, 20], [20, 0]], np.float32)
    depth = np.array([1, 1, 1, 0, 0, 5], np.float32)
    both = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    for triangles in (both, both[::-1].copy()):
        raster = rasterise(points, depth, triangles, (21, 21))
        tilted = raster.corners.min(axis=1) == 3
        assert np.array_equal(tilted, raster.pixels % 21 > 4) or (tilted != (raster.pixels % 21 > 4)).sum() <= 21
    assert len(rasterise(points + 100, depth, both, (21, 21)).pixels) == 0


def test_the_model_shows_teeth_before_tongue_before_cavity() -> None:
    model = load_mouth_model()
    depths = [model.vertices[model.kind == number, 2].max() for number in range(len(MATERIALS))]
    assert depths[0] > depths[2]
    assert model.on_skull.sum() > 300
    assert (model.kind[model.on_skull] <= 1).all()
    moved = model.moved(weights(jawOpen=1.0))
    assert np.abs(moved[model.on_skull]).max() < 1e-4
    normals = model.turned(weights(jawOpen=0.7, tongueOut=0.5))
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)
