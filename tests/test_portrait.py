"""The portrait renderer: real photographs, real re-detection of what it rendered, real MP4 files."""

from __future__ import annotations

import logging
import struct
import wave
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves, Provenance
from model_server.errors import AudioError, Cancelled, ExportError, PortraitError
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.portrait.fit import detect_faces, rotation_angles, rotation_matrix
from model_server.portrait.motion import eased, take_activity
from model_server.portrait.photo import Photo, photo_from_array, read_photo
from model_server.portrait.renderer import PortraitRenderer

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def renderer(photo: Photo) -> PortraitRenderer:
    return PortraitRenderer(photo)


def weights(**channels: float) -> np.ndarray:
    """Return (52,) weights; a name without its side sets both sides."""
    values = np.zeros(52, np.float32)
    for name, value in channels.items():
        for full in [name] if name in ARKIT_INDEX else [name + "Left", name + "Right"]:
            values[ARKIT_INDEX[full]] = value
    return values


def landmarks(frame: np.ndarray) -> np.ndarray:
    faces = detect_faces(frame)
    assert len(faces) == 1
    return faces[0]


def opening(points: np.ndarray) -> float:
    """Return the gap of the inner lips over the face's width."""
    return float(np.linalg.norm(points[13, :2] - points[14, :2]) / np.ptp(points[:, 0]))


def eye_aperture(points: np.ndarray, upper: int, lower: int, outer: int, inner: int) -> float:
    gap = np.linalg.norm(points[upper, :2] - points[lower, :2])
    return float(gap / np.linalg.norm(points[outer, :2] - points[inner, :2]))


def mouth_width(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[61, :2] - points[291, :2]) / np.ptp(points[:, 0]))


def nose_shift(points: np.ndarray) -> float:
    """Return where the nose lies between the cheeks, -1 to 1; it grows as the head turns to the subject's left."""
    left, right, nose = points[454, 0], points[234, 0], points[1, 0]
    return float((2 * nose - left - right) / (left - right))


def nose_height(points: np.ndarray) -> float:
    """Return how far the nose's tip lies below the eyes, in face widths; it grows as the head looks down."""
    return float((points[[33, 263], 1].mean() - points[1, 1]) / np.ptp(points[:, 0]))


# --- The photograph at rest -------------------------------------------------------------------------------------


def test_a_take_at_rest_leaves_the_photograph_unchanged(renderer: PortraitRenderer, photo: Photo) -> None:
    difference = np.abs(renderer.render(np.zeros(52)).astype(int) - photo.pixels)
    assert difference.max() <= 1


def test_the_expression_of_the_photograph_is_recognised(renderer: PortraitRenderer) -> None:
    smile = renderer.fit.expression[ARKIT_INDEX["mouthSmileLeft"]]
    frown = renderer.fit.expression[ARKIT_INDEX["mouthFrownLeft"]]
    assert smile > 0.3
    assert frown < 0.1
    assert np.abs(renderer.fit.pose_degrees[1:]).max() < 6


def test_the_same_input_gives_the_same_frame_whatever_came_before(renderer: PortraitRenderer) -> None:
    values, turn = weights(jawOpen=0.4, eyeBlink=0.6), np.array([0.05, 0.1, 0.02])
    first = renderer.render(values, turn)
    renderer.render(weights(jawOpen=1.0), -2 * turn)
    assert np.array_equal(first, renderer.render(values, turn))


def test_the_background_stays_still(renderer: PortraitRenderer, photo: Photo) -> None:
    frame = renderer.render(weights(jawOpen=0.5), np.array([0.1, 0.25, 0.1]))
    changed = np.abs(frame.astype(int) - photo.pixels).max(axis=2) > 0
    left, top, right, bottom = renderer.motion.mesh.roi
    outside = np.ones(changed.shape, bool)
    outside[top:bottom, left:right] = False
    assert not changed[outside].any()
    # The flag and the model shuttle are in the region's reach but no part of the person.
    assert not changed[:, 400:].any()
    assert changed.mean() > 0.05


# --- The closed loop: what the detector sees in the rendered frames ------------------------------------------------


def test_the_mouth_opens_with_the_jaw(renderer: PortraitRenderer) -> None:
    gaps = [opening(landmarks(renderer.render(weights(jawOpen=value)))) for value in (0.1, 0.4, 0.7, 1.0)]
    assert np.all(np.diff(gaps) > 0.02)
    assert gaps[-1] > 0.15


def test_lips_close_on_a_photograph_that_shows_teeth(renderer: PortraitRenderer) -> None:
    at_rest = opening(renderer.fit.landmarks)
    pressed = renderer.motion.expression(weights(mouthPress=0.6, mouthClose=0.1, jawOpen=0.1), 1.0)
    assert opening(pressed[:468]) < 0.12 * at_rest
    frame = renderer.render(weights(mouthPress=0.6, mouthClose=0.1, jawOpen=0.1))
    x, y = renderer.fit.points[[13, 14]].mean(axis=0).astype(int)
    # Bright enamel gives way to the lips' redder skin.
    assert _redness(frame[y - 2 : y + 3, x - 8 : x + 9]) > 1.05 * _redness(
        renderer.photo.pixels[y - 2 : y + 3, x - 8 : x + 9]
    )


def test_lips_never_cross(renderer: PortraitRenderer) -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        values = generator.uniform(0, 1, 52).astype(np.float32) * (generator.uniform(size=52) < 0.3)
        shaped = renderer.motion.expression(values, 1.0)
        up = renderer.fit.rotation[:2, 1]
        upper, lower = shaped[[81, 13, 311], :2] @ up, shaped[[178, 14, 402], :2] @ up
        assert (upper - lower > -0.05).all()


def test_a_smile_narrows_into_a_pucker(renderer: PortraitRenderer) -> None:
    widths = [
        mouth_width(landmarks(renderer.render(weights(**channels))))
        for channels in ({"mouthPucker": 1.0}, {"mouthPucker": 0.4}, {"mouthSmile": 1.0})
    ]
    assert np.all(np.diff(widths) > 0.02)


def test_a_blink_closes_the_eyes(renderer: PortraitRenderer) -> None:
    right, left = [], []
    for value in (0.0, 0.4, 0.7, 1.0):
        points = landmarks(renderer.render(weights(eyeBlink=value)))
        right.append(eye_aperture(points, 159, 145, 33, 133))
        left.append(eye_aperture(points, 386, 374, 263, 362))
    for apertures in (right, left):
        assert np.all(np.diff(apertures) < 0)
        assert apertures[-1] < 0.4 * apertures[0]


def test_one_eye_winks_alone(renderer: PortraitRenderer, photo: Photo) -> None:
    frame = renderer.render(weights(eyeBlinkLeft=1.0))
    right = renderer.fit.points[[33, 133, 159, 145]].astype(int)
    area = np.s_[right[:, 1].min() : right[:, 1].max(), right[:, 0].min() : right[:, 0].max()]
    assert np.abs(frame[area].astype(int) - photo.pixels[area]).max() <= 1
    assert eye_aperture(landmarks(frame), 386, 374, 263, 362) < 0.25


def test_brows_rise_and_fall(renderer: PortraitRenderer) -> None:
    heights = []
    for channels in ({"browDown": 1.0}, {}, {"browInnerUp": 1.0, "browOuterUp": 1.0}):
        points = landmarks(renderer.render(weights(**channels)))
        heights.append((points[[105, 334], 1].mean() - points[[33, 263], 1].mean()) / np.ptp(points[:, 0]))
    assert np.all(np.diff(heights) > 0.005)


def test_the_head_turns_nods_and_tilts(renderer: PortraitRenderer) -> None:
    def seen(pitch: float, yaw: float, roll: float) -> np.ndarray:
        return landmarks(renderer.render(np.zeros(52), np.radians([pitch, yaw, roll])))

    assert np.all(np.diff([nose_shift(seen(0, yaw, 0)) for yaw in (-15, -7, 0, 7, 15)]) > 0.03)
    assert np.all(np.diff([nose_height(seen(pitch, 0, 0)) for pitch in (-10, -5, 0, 4, 8)]) > 0.002)
    for roll in (-10, 10):
        eyes = seen(0, 0, roll)[[33, 263], :2]
        rest = renderer.fit.landmarks[[33, 263], :2]
        turn = np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1]) - np.arctan2(*(rest[1] - rest[0])[::-1]))
        # A tilt to the subject's left shoulder lowers the left eye, which is on the right of the picture.
        assert turn == pytest.approx(-roll, abs=2)


def test_turns_ease_into_their_limits() -> None:
    limit = np.radians(15)
    angles = np.array([eased(angle, limit) for angle in np.radians(np.arange(-60, 61, 2))])
    assert np.all(np.diff(angles) > -1e-9)
    assert np.abs(angles).max() < limit
    assert eased(np.radians(8), limit) == np.radians(8)


def test_angles_undo_the_rotation_matrix() -> None:
    angles = np.array([7.0, -12.0, 20.0])
    assert rotation_angles(rotation_matrix(*np.radians(angles))) == pytest.approx(angles, abs=1e-3)


@pytest.mark.parametrize("degrees", [(10, 15, 10), (-10, -15, -10), (0, 15, 0), (-10, 0, 0)])
def test_no_holes_open_when_the_head_moves(photo: Photo, degrees: tuple[int, int, int]) -> None:
    # Without blacks in the photograph, a black pixel can only be a hole.
    bright = photo_from_array((70 + photo.pixels * 0.6).astype(np.uint8), "bright")
    frame = PortraitRenderer(bright).render(weights(browInnerUp=1), np.radians(degrees))
    assert frame.min() > 40


def test_the_mouth_is_dark_warm_and_not_flat(renderer: PortraitRenderer) -> None:
    frame = renderer.render(weights(jawOpen=0.8))
    points = landmarks(frame)
    loop = points[[78, 82, 13, 312, 308, 317, 14, 87], :2] * np.array([1, -1])
    mask = cv2.fillPoly(np.zeros(frame.shape[:2], np.uint8), [np.round(loop).astype(np.int32)], 1) > 0
    inside = frame[mask].astype(float)
    assert inside.mean() < 0.6 * renderer.photo.pixels[mask].mean()
    assert inside[:, 0].mean() > 1.1 * inside[:, 2].mean()
    assert inside.std(axis=0).mean() > 12


# --- Photographs of every kind -----------------------------------------------------------------------------------


def test_exif_orientation_alpha_greyscale_and_sixteen_bit(tmp_path: Path, photo: Photo) -> None:
    upright = Image.fromarray(photo.pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "turned.png").pixels, photo.pixels)

    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    deep = read_photo(tmp_path / "deep.png").pixels
    assert np.abs(deep[:, :, 0].astype(int) - grey).max() <= 1

    upright.putalpha(Image.fromarray(np.where(np.arange(512) < 256, 255, 0).astype(np.uint8)[None].repeat(512, 0)))
    upright.save(tmp_path / "alpha.png")
    clear = read_photo(tmp_path / "alpha.png")
    assert clear.opacity is not None
    assert np.array_equal(clear.pixels[:, :256], photo.pixels[:, :256])
    assert (clear.pixels[:, 256:] == 128).all()

    upright.convert("L").save(tmp_path / "grey.jpg")
    assert PortraitRenderer(read_photo(tmp_path / "grey.jpg")).render(weights(jawOpen=0.5)).shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("size", "expected"), [((501, 333), (500, 332)), ((4000, 3000), (1440, 1080)), ((900, 3000), (576, 1920))]
)
def test_sizes_are_even_and_bounded(size: tuple[int, int], expected: tuple[int, int]) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    assert photo_from_array(pixels).pixels.shape[1::-1] == expected


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bad_photos(folder: Path, pixels: np.ndarray) -> dict[str, tuple[Path, str]]:
    """Write pictures that cannot be used; return each with words that its message must have."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    (folder / "empty.png").touch()
    (folder / "words.jpg").write_text("This is not a picture.")
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b""))
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
        "noise": (folder / "noise.png", "no face"),
        "tiny": (folder / "tiny.png", "pixels wide"),
        "stamp": (folder / "stamp.png", "20 x 20"),
        "cut": (folder / "cut.jpg", "damaged"),
    }


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "words", "bomb", "noise", "tiny", "stamp", "cut"])
def test_unusable_photographs_say_why_and_leave_nothing(tmp_path: Path, photo: Photo, kind: str) -> None:
    (tmp_path / "in").mkdir()
    path, words = bad_photos(tmp_path / "in", photo.pixels)[kind]
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(PortraitError, match=words) as caught:
        make_portrait_video(path, FaceCurves.zeros(2, 30), None, out / "video.mp4")
    assert "\n" not in str(caught.value)
    assert not list(out.iterdir())


def test_of_several_faces_the_largest_is_taken(photo: Photo, caplog: pytest.LogCaptureFixture) -> None:
    small = cv2.resize(photo.pixels[:300, 60:360], (400, 400))
    large = cv2.resize(photo.pixels[:300, 60:360], (560, 560))
    both = np.full((560, 960, 3), 200, np.uint8)
    both[:400, :400], both[:, 400:] = small, large
    with caplog.at_level(logging.WARNING):
        fit = PortraitRenderer(photo_from_array(both, "pair")).fit
    assert fit.faces == 2
    assert fit.points[:, 0].min() > 400
    assert "2 faces" in caplog.text


# --- The video ---------------------------------------------------------------------------------------------------


def write_tone(path: Path, seconds: float, onset: float) -> None:
    """Write mono 16-bit sound that is silent up to ``onset`` seconds."""
    rate = 22_050
    times = np.arange(round(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * 440 * times) * (times >= onset) * 20_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def read_back(path: Path) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Return the pictures' times, the sound's sample times and the sound (N,)."""
    with av.open(str(path)) as file:
        pictures = [float(frame.time) for frame in file.decode(video=0)]
    times, samples = [], []
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            block = frame.to_ndarray()[0]
            times.append(frame.time + np.arange(len(block)) / frame.sample_rate)
            samples.append(block)
    return pictures, np.concatenate(times), np.concatenate(samples)


@pytest.mark.parametrize(("start", "fps"), [(0.0, 30.0), (0.4, 25.0), (-0.3, 24.0)])
def test_the_video_has_every_frame_and_sound_in_step(tmp_path: Path, photo: Photo, start: float, fps: float) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    write_tone(tmp_path / "tone.wav", 3.0, onset=0.9)
    made = Provenance("speech", model_hash="abc123", emotion="happy 0.80", seed=7)
    curves = FaceCurves(np.tile(weights(jawOpen=0.3), (40, 1)), np.zeros((40, 3)), np.zeros((40, 3)), fps, start, made)
    seconds: list[float] = []
    out = tmp_path / "video.mp4"
    make_portrait_video(tmp_path / "photo.png", curves, tmp_path / "tone.wav", out, seconds.append)

    pictures, times, sound = read_back(out)
    assert len(pictures) == 40
    assert pictures == pytest.approx(np.arange(40) / fps, abs=1e-3)
    assert times[-1] == pytest.approx(40 / fps, abs=0.05)
    onset = times[np.argmax(np.abs(sound) > 0.1)]
    assert onset == pytest.approx(0.9 - start, abs=0.025)
    assert len(seconds) == 40
    assert seconds[-1] == pytest.approx(40 / fps)
    with av.open(str(out)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert float(file.streams.video[0].average_rate) == pytest.approx(fps)
        assert "AI-generated" in file.metadata["comment"]
        assert "model=abc123" in file.metadata["description"]
        assert "happy 0.80" in file.metadata["description"]


def test_without_sound_the_video_is_silent(tmp_path: Path, photo: Photo) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    make_portrait_video(tmp_path / "photo.png", FaceCurves.zeros(3, 30), None, tmp_path / "video.mp4")
    with av.open(str(tmp_path / "video.mp4")) as file:
        assert not file.streams.audio
        assert len(list(file.decode(video=0))) == 3


def test_stopping_leaves_the_old_file_and_no_other(tmp_path: Path, photo: Photo) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "video.mp4").write_text("the one before")

    def stop(seconds: float) -> None:
        if seconds > 0.05:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        make_portrait_video(tmp_path / "photo.png", FaceCurves.zeros(4, 30), None, out / "video.mp4", stop)
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("video.mp4", "the one before")]


def test_wrong_outputs_and_recordings_are_refused(tmp_path: Path, photo: Photo) -> None:
    image, curves = tmp_path / "photo.png", FaceCurves.zeros(2, 30)
    Image.fromarray(photo.pixels[:300, 60:360]).save(image)
    with pytest.raises(ExportError, match=r"\.mp4"):
        make_portrait_video(image, curves, None, tmp_path / "video.avi")
    with pytest.raises(ExportError, match="no frames"):
        make_portrait_video(image, FaceCurves.zeros(0, 30), None, tmp_path / "video.mp4")
    with pytest.raises(ExportError, match="cannot be written"):
        make_portrait_video(image, curves, None, tmp_path / "nowhere" / "video.mp4")
    with pytest.raises(AudioError, match="not audio"):
        make_portrait_video(image, curves, image, tmp_path / "video.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["photo.png"]


def test_the_mouth_follows_the_take_only_while_it_speaks() -> None:
    values = np.zeros((90, 52), np.float32)
    assert not take_activity(values, 30).any()
    values[30:50, ARKIT_INDEX["jawOpen"]] = 0.5
    activity = take_activity(values, 30)
    assert (activity[30:50] > 0.99).all()
    assert activity[0] == activity[-1] == 0
    assert np.abs(np.diff(activity)).max() < 0.15
    assert np.ptp(take_activity(np.tile(values[40], (30, 1)), 30)) == 0


def _redness(pixels: np.ndarray) -> float:
    return float(pixels[..., 0].mean() / pixels[..., 1:].mean())
