"""From a file to a measured face: photographs of every kind, which face, its pose and expression, what is refused."""

from __future__ import annotations

import ctypes.util
import importlib.util
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.commands.files import run_blender
from model_server.errors import PortraitError
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.portrait.fit import (
    FaceChoice,
    PortraitFit,
    detect_faces,
    fit_portrait,
    rotation_angles,
    rotation_matrix,
)
from model_server.portrait.motion import YAW_LIMIT
from model_server.portrait.mouth_cover import COVERED_BELOW, lip_line_contrast
from model_server.portrait.photo import Photo, animated_size, photo_from_array, read_photo
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.rig import LandmarkRig

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def rig() -> LandmarkRig:
    return LandmarkRig.from_avatar(load_proxy_avatar())


@pytest.fixture(scope="module")
def fit(photo: Photo, rig: LandmarkRig) -> PortraitFit:
    return fit_portrait(photo, rig)


def weights(**channels: float) -> np.ndarray:
    """Return (52,) weights; a name without its side sets both sides."""
    values = np.zeros(52, np.float32)
    for name, value in channels.items():
        for full in [name] if name in ARKIT_INDEX else [name + "Left", name + "Right"]:
            values[ARKIT_INDEX[full]] = value
    return values


def side_by_side(photo: Photo, *sides: int) -> Photo:
    """Return the astronaut's head several times from left to right, at these sizes in pixels."""
    head = photo.pixels[:300, 60:360]
    row = np.full((max(sides), sum(sides), 3), 200, np.uint8)
    left = 0
    for side in sides:
        row[:side, left : left + side] = cv2.resize(head, (side, side))
        left += side
    return photo_from_array(row, "group")


# --- Photographs of every kind -----------------------------------------------------------------------------------


def test_the_exif_orientation_is_applied(tmp_path: Path, photo: Photo) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo.pixels).rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "turned.png").pixels, photo.pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pictures_keep_their_alpha(tmp_path: Path, photo: Photo, mode: str) -> None:
    clear = np.where(np.arange(512) < 256, 255, 0).astype(np.uint8)[None].repeat(512, 0)
    picture = Image.fromarray(photo.pixels)
    if mode == "PA":
        palette = picture.quantize(255)
        pixels = np.array(palette)
        pixels[:, 256:] = 255
        indexed = Image.fromarray(pixels, "P")
        indexed.putpalette([*palette.getpalette()[:765], 0, 255, 0])
        indexed.save(tmp_path / "alpha.png", transparency=255)
    else:
        picture = picture.convert(mode[:-1])
        layered = picture.copy()
        layered.putalpha(Image.fromarray(clear))
        layered.save(tmp_path / "alpha.png")
    read = read_photo(tmp_path / "alpha.png")
    assert read.opacity is not None
    assert np.array_equal(read.opacity, clear)
    assert (read.pixels[:, 256:] == 128).all()
    opaque = np.array(picture.convert("RGB"))[:, :256]
    assert np.abs(read.pixels[:, :256].astype(int) - opaque).mean() < 5


@pytest.mark.parametrize("kind", ["grey 8", "grey 16", "rgb 16", "float", "cmyk", "palette", "bilevel", "webp"])
def test_every_kind_of_picture_is_read_in_its_own_tones(tmp_path: Path, photo: Photo, kind: str) -> None:
    path = tmp_path / {"float": "p.tif", "cmyk": "p.jpg", "webp": "p.webp"}.get(kind, "p.png")
    picture, expected = Image.fromarray(photo.pixels), photo.pixels
    if kind.startswith("grey") or kind == "float":
        grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
        expected = np.repeat(grey[:, :, None], 3, axis=2)
        if kind == "grey 8":
            Image.fromarray(grey).save(path)
        elif kind == "grey 16":
            cv2.imwrite(str(path), grey.astype(np.uint16) * 257)
        else:
            Image.fromarray(grey.astype(np.float32) / 255).save(path)
    elif kind == "rgb 16":
        cv2.imwrite(str(path), photo.pixels[:, :, ::-1].astype(np.uint16) * 257)
    elif kind == "bilevel":
        picture.convert("1").save(path)
        expected = np.array(picture.convert("1").convert("RGB"))
    else:
        converted = {"cmyk": lambda: picture.convert("CMYK"), "palette": lambda: picture.quantize(256)}
        converted.get(kind, lambda: picture)().save(path, quality=95)
    read = read_photo(path)
    assert read.opacity is None
    assert np.abs(read.pixels.astype(int) - expected).mean() < {"cmyk": 2, "palette": 3, "webp": 3}.get(kind, 0.6)


@pytest.mark.parametrize(
    ("size", "expected"), [((501, 333), (500, 332)), ((4000, 3000), (1440, 1080)), ((900, 3000), (576, 1920))]
)
def test_sizes_are_even_and_bounded(size: tuple[int, int], expected: tuple[int, int]) -> None:
    read = photo_from_array(np.zeros((size[1], size[0], 3), np.uint8))
    assert read.pixels.shape[1::-1] == expected == animated_size(*size)
    assert read.source_size == size


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bad_photos(folder: Path, pixels: np.ndarray) -> dict[str, tuple[Path, str]]:
    """Write pictures that cannot be used; return each with words that its message must have."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    (folder / "empty.png").touch()
    (folder / "words.jpg").write_text("This is not a picture.")
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b""))
    (folder / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    Image.fromarray(noise).save(folder / "noise.png")
    Image.fromarray(pixels).resize((150, 150)).save(folder / "tiny.png")
    Image.fromarray(noise[:20, :20]).save(folder / "stamp.png")
    Image.fromarray(pixels).save(folder / "whole.jpg")
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:9000])
    return {
        "missing": (folder / "missing.png", "does not exist"),
        "folder": (folder, "no file"),
        "empty": (folder / "empty.png", "not a picture"),
        "words": (folder / "words.jpg", "not a picture"),
        "bomb": (folder / "bomb.png", "megapixels"),
        "heic": (folder / "phone.heic", "export it as JPEG"),
        "noise": (folder / "noise.png", "no face.*--landmarks"),
        "tiny": (folder / "tiny.png", "pixels wide"),
        "stamp": (folder / "stamp.png", "20 x 20"),
        "cut": (folder / "cut.jpg", "damaged"),
    }


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "empty", "words", "bomb", "heic", "noise", "tiny", "stamp", "cut"]
)
def test_unusable_photographs_say_why_and_leave_nothing(tmp_path: Path, photo: Photo, kind: str) -> None:
    (tmp_path / "in").mkdir()
    path, words = bad_photos(tmp_path / "in", photo.pixels)[kind]
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(PortraitError, match=words) as caught:
        make_portrait_video(path, FaceCurves.zeros(2, 30), None, out / "video.mp4")
    assert "\n" not in str(caught.value)
    assert not list(out.iterdir())


# --- Which face --------------------------------------------------------------------------------------------------


def test_of_several_faces_the_largest_is_taken_unless_one_is_chosen(photo: Photo, rig: LandmarkRig) -> None:
    group = side_by_side(photo, 300, 560, 400)
    chosen = {index: fit_portrait(group, rig, FaceChoice(index)) for index in (None, 0, 1, 2)}
    middles = {index: float(fit.points[:, 0].mean()) for index, fit in chosen.items()}
    assert middles[0] < 300 < middles[1] < 860 < middles[2]
    assert middles[None] == middles[1]
    assert all(fit.faces == 3 for fit in chosen.values())
    assert len(chosen[None].notes) == 1
    assert "3 faces; the largest is animated, number 2 from the left" in chosen[None].notes[0]
    assert not chosen[0].notes


@pytest.mark.parametrize("index", [-1, 2, 10**9])
def test_a_face_that_is_not_there_says_which_are(photo: Photo, rig: LandmarkRig, index: int) -> None:
    with pytest.raises(PortraitError, match=rf"no face number {index + 1}; .* 1 at 1\d\d\|\d+, 2 at 4\d\d\|\d+$"):
        fit_portrait(side_by_side(photo, 300, 300), rig, FaceChoice(index))


# --- Pose and expression -----------------------------------------------------------------------------------------

KNOWN = {
    "rest": (weights(), 0, 0),
    "jaw": (weights(jawOpen=0.5), 0, 0),
    "smile": (weights(mouthSmile=0.6), 0, 0),
    "wide smile": (weights(mouthSmile=1.0), 0, 0),
    "pucker": (weights(mouthPucker=1.0), 0, 0),
    "shut": (weights(eyeBlink=1.0), 0, 0),
    "brows up": (weights(browInnerUp=1.0, browOuterUp=1.0), 0, 0),
    "brows down": (weights(browDown=1.0), 0, 0),
    "left 15": (weights(), 0, 15),
    "right 28": (weights(), 0, -28),
    "left 28": (weights(mouthSmile=0.6), 0, 28),
    "left 42": (weights(), 0, 42),
    "down 15": (weights(), 15, 0),
    "up 15": (weights(), -15, 0),
}
"""Curves and pitch and yaw in degrees at which the proxy avatar is rendered."""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Photo]:
    """Return pictures of the proxy avatar whose pose and expression are known."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("the avatar is rendered by bpy, which is not installed")
    if not ctypes.util.find_library("EGL"):
        pytest.skip("rendering needs libEGL; on Debian: apt-get install libegl1 libgl1-mesa-dri")
    folder = tmp_path_factory.mktemp("known")
    values = np.stack([known[0] for known in KNOWN.values()])
    turns = np.radians([[pitch, yaw, 0] for _, pitch, yaw in KNOWN.values()])
    curves = FaceCurves(values, turns, np.zeros_like(turns), 1.0)
    write_curves(curves, folder / "known.npz")
    times = ",".join(str(float(time)) for time in curves.times)
    run_blender(
        "render", "--curves", str(folder / "known.npz"), "--times", times, "--size", "384", "-o", str(folder / "out")
    )
    pictures = sorted((folder / "out").glob("*.png"))
    return {name: read_photo(path) for name, path in zip(KNOWN, pictures, strict=True)}


def test_angles_undo_the_rotation_matrix() -> None:
    angles = np.array([7.0, -12.0, 20.0])
    assert rotation_angles(rotation_matrix(*np.radians(angles))) == pytest.approx(angles, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in KNOWN if "42" not in name])
def test_the_pose_of_known_heads_is_measured(rendered: dict[str, Photo], rig: LandmarkRig, name: str) -> None:
    _, pitch, yaw = KNOWN[name]
    seen = fit_portrait(rendered[name], rig).pose_degrees
    assert seen[1] == pytest.approx(yaw, abs=3)
    assert seen[0] == pytest.approx(pitch, abs=5)


def test_the_expression_of_known_faces_is_measured(rendered: dict[str, Photo], rig: LandmarkRig) -> None:
    expressions = {name: fit_portrait(rendered[name], rig).expression for name in KNOWN if "42" not in name}

    def seen(name: str, *channels: str) -> float:
        return float(np.mean([expressions[name][ARKIT_INDEX[channel]] for channel in channels]))

    smile, brows = ("mouthSmileLeft", "mouthSmileRight"), ("browOuterUpLeft", "browOuterUpRight", "browInnerUp")
    assert seen("jaw", "jawOpen") == pytest.approx(0.5, abs=0.12)
    assert seen("smile", *smile) == pytest.approx(0.6, abs=0.15)
    assert seen("wide smile", *smile) == pytest.approx(1.0, abs=0.3)
    assert seen("left 28", *smile) == pytest.approx(0.6, abs=0.25)
    assert seen("pucker", "mouthPucker") > 0.5
    assert seen("shut", "eyeBlinkLeft", "eyeBlinkRight") > 0.9
    assert seen("brows up", *brows) > 0.6
    # What a face does not do is not found in it.
    for name in ("rest", "brows down", "right 28", "left 15", "down 15"):
        assert expressions[name].max() < 0.3
    assert seen("smile", "jawOpen") < 0.1
    assert max(seen(name, "eyeBlinkLeft", "eyeBlinkRight") for name in expressions if name != "shut") < 0.1
    assert max(seen(name, *brows) for name in expressions if name != "brows up") < 0.2


def test_the_expression_of_a_photograph_is_measured(fit: PortraitFit) -> None:
    smile = fit.expression[[ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]]
    assert (smile > 0.5).all()
    assert 0.15 < fit.expression[ARKIT_INDEX["jawOpen"]] < 0.5
    assert fit.expression[ARKIT_INDEX["mouthFrownLeft"]] < 0.05
    assert np.abs(fit.pose_degrees).max() < 7


def test_only_what_differs_from_the_photograph_is_driven(fit: PortraitFit) -> None:
    assert fit.drive(fit.expression, 1.0)[list(range(14, 41))] == pytest.approx(0, abs=1e-6)
    assert fit.drive(np.zeros(52), 0.0) == pytest.approx(0)
    assert fit.drive(np.zeros(52), 1.0)[ARKIT_INDEX["mouthSmileLeft"]] < -0.5


# --- What is refused, and what is only told ---------------------------------------------------------------------


def test_profiles_are_refused_with_their_angle(rendered: dict[str, Photo], rig: LandmarkRig) -> None:
    with pytest.raises(PortraitError, match=r"turned (3[89]|4[0-6])° to the side"):
        fit_portrait(rendered["left 42"], rig)


def test_heads_that_look_aside_turn_back_less(rendered: dict[str, Photo], photo: Photo) -> None:
    assert PortraitRenderer(photo).motion.yaw_limit(0.1) == pytest.approx(YAW_LIMIT)
    aside = PortraitRenderer(rendered["left 28"]).motion
    assert 0.1 * YAW_LIMIT < aside.yaw_limit(-0.1) < 0.3 * YAW_LIMIT
    assert 0.3 * YAW_LIMIT < aside.yaw_limit(0.1) < 0.8 * YAW_LIMIT


def test_shut_eyes_are_told(rendered: dict[str, Photo], rig: LandmarkRig) -> None:
    notes = fit_portrait(rendered["shut"], rig).notes
    assert len(notes) == 1
    assert "are shut and stay shut" in notes[0]
    assert not fit_portrait(rendered["rest"], rig).notes


def covered(photo: Photo, fit: PortraitFit, kind: str) -> Photo:
    """Return ``photo`` with something before the mouth."""
    pixels = photo.pixels.copy()
    middle, width = fit.points[[13, 14]].mean(axis=0), float(np.linalg.norm(fit.points[61] - fit.points[291]))
    if kind == "microphone":
        centre = (round(float(middle[0])), round(float(middle[1] + 0.15 * width)))
        ball = cv2.circle(np.zeros(pixels.shape[:2], np.uint8), centre, round(0.62 * width), 1, -1) > 0
        grain = np.random.default_rng(0).integers(20, 50, (*pixels.shape[:2], 1)).astype(np.uint8)
        pixels[ball] = np.repeat(grain, 3, axis=2)[ball]
    else:
        outline = fit.points[[93, 2, 323, 397, 172]] + [[0, 0], [0, 0.05 * width], [0, 0], [9, 60], [-9, 60]]
        cv2.fillPoly(pixels, [outline.astype(np.int32)], (150, 60, 60))
    return Photo("covered", pixels)


@pytest.mark.parametrize("kind", ["microphone", "scarf"])
def test_covered_mouths_are_refused(photo: Photo, fit: PortraitFit, rig: LandmarkRig, kind: str) -> None:
    hidden = covered(photo, fit, kind)
    with pytest.raises(PortraitError, match=r"covered.*--landmarks"):
        fit_portrait(hidden, rig)
    # Who places the landmarks has seen the mouth.
    placed = FaceChoice(landmarks=fit.landmarks[:, :2] * [1, -1])
    assert fit_portrait(hidden, rig, placed).points == pytest.approx(fit.points, abs=0.01)


def test_free_mouths_are_not_taken_for_covered(photo: Photo, rendered: dict[str, Photo]) -> None:
    pictures = [photo.pixels, *(known.pixels for known in rendered.values())]
    pictures += [(photo.pixels * 0.25).astype(np.uint8), (photo.pixels * 0.4 + 140).astype(np.uint8)]
    pictures += [cv2.GaussianBlur(photo.pixels, (0, 0), 1.2), cv2.resize(photo.pixels, (256, 256))]
    for pixels in pictures:
        face = detect_faces(np.ascontiguousarray(pixels))[0]
        assert lip_line_contrast(pixels, face[:468, :2] * [1, -1]) > 1.4 * COVERED_BELOW
