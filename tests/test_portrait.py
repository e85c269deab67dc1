"""The portrait renderer: real photographs, real re-detection of what it rendered, real MP4 files."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from portrait_support import landmarks, weights

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves, Provenance
from model_server.errors import AudioError, Cancelled, ExportError
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.portrait.motion import eased, take_activity
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.renderer import PortraitRenderer

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def renderer(photo: Photo) -> PortraitRenderer:
    return PortraitRenderer(photo)


def eye_aperture(points: np.ndarray, upper: int, lower: int, outer: int, inner: int) -> float:
    gap = np.linalg.norm(points[upper, :2] - points[lower, :2])
    return float(gap / np.linalg.norm(points[outer, :2] - points[inner, :2]))


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


@pytest.mark.parametrize("degrees", [(10, 15, 10), (-10, -15, -10), (0, 15, 0), (-10, 0, 0)])
def test_no_holes_open_when_the_head_moves(photo: Photo, degrees: tuple[int, int, int]) -> None:
    # Without blacks in the photograph, a black pixel can only be a hole.
    bright = photo_from_array((70 + photo.pixels * 0.6).astype(np.uint8), "bright")
    frame = PortraitRenderer(bright).render(weights(browInnerUp=1), np.radians(degrees))
    assert frame.min() > 40


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
