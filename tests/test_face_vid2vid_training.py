"""Face-vid2vid's training, from rendered heads and videos to weights, and the renderer that uses them; tiny sizes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from face_vid2vid_support import TINY, public_tensors
from PIL import Image
from safetensors.torch import save_file

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from model_server.cli import main
from model_server.config_io import config_text
from model_server.errors import ConfigError, WeightsError
from model_server.models.checkpoint import load_checkpoint, read_extra, save_checkpoint
from model_server.models.face_vid2vid import FaceVid2Vid
from model_server.models.face_vid2vid.discriminator import Adversaries
from model_server.portrait.avatar_picture import Appearance, AvatarPainter, rasterise, visible
from model_server.portrait.neural import NeuralRenderer
from model_server.portrait.neural_crop import cut_square
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.video import VideoWriter
from model_server.training.compute import PROCESSOR, Compute
from model_server.training.configs import FaceData, FaceVid2VidTraining, LoopConfig, LossWeights
from model_server.training.face_vid2vid.clips import Faces, Pairs, find_faces, read_clip
from model_server.training.face_vid2vid.heads import make_heads, render_person
from model_server.training.face_vid2vid.perceptual import FilterFeatures
from model_server.training.face_vid2vid.train import FaceLoss, sample_grid
from model_server.training.face_vid2vid.videos import cut_videos, is_held_out, person

SIZE = TINY.size


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    for _ in make_heads(folder, 3, 3, SIZE, seed=1, jobs=1):
        pass
    (folder / "person_0002.npz").rename(folder / "person_0002.held_out.npz")
    return folder


@pytest.fixture(scope="module")
def portrait() -> Photo:
    """The avatar, drawn large enough for a face detector."""
    painter = AvatarPainter(load_proxy_avatar(), Appearance(span=0.45, centre=(0.02, -0.03, 0)))
    return photo_from_array(painter.draw(painter.vertices(np.zeros(ARKIT_COUNT)), 320)[0])


def test_the_nearer_triangle_hides_the_farther() -> None:
    points = np.array([[0, 0, 1], [8, 0, 1], [0, 8, 1], [0, 0, 0], [4, 0, 0], [0, 4, 0]], np.float32)
    pixels, faces, shares, depth = rasterise(points, np.array([[0, 1, 2], [3, 4, 5]]), 8)
    seen = dict(zip(pixels.tolist(), faces.tolist(), strict=True))
    assert seen[0] == 1 and seen[5] == 0 and 63 not in seen
    assert depth[0, 0] == 0 and depth[0, 5] == 1 and np.isinf(depth[7, 7])
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert visible(np.array([[-0.9, -0.9, 0.0], [-0.9, -0.9, 1.0]], np.float32), depth).tolist() == [True, False]


def test_what_is_known_of_a_rendered_head_is_true() -> None:
    arrays = render_person(load_proxy_avatar(), np.random.default_rng(5), 3, 48)
    still = np.einsum("nij,kj->nki", arrays["rotation"], arrays["canonical"]) + arrays["translation"][:, None]
    moved = arrays["keypoints"] - still
    np.testing.assert_allclose(arrays["keypoints"][0], arrays["canonical"], atol=1e-6)
    # Nose and cheeks hardly move with an expression; mouth, lids and chin do.
    assert np.abs(moved[:, [11, 12, 13]]).max() < 0.05
    assert np.abs(arrays["rotation"] @ arrays["rotation"].transpose(0, 2, 1) - np.eye(3)).max() < 1e-5
    assert 0.3 < arrays["seen"].mean() < 0.95
    assert arrays["frames"].shape == (3, 48, 48, 3) and arrays["frames"].std() > 20


def test_the_same_seed_gives_the_same_person_and_what_is_there_stays(heads: Path, tmp_path: Path) -> None:
    made = list(make_heads(tmp_path, 1, 3, SIZE, seed=1, jobs=1))
    again, first = read_clip(made[0]), read_clip(heads / "person_0000.npz")
    assert all(np.array_equal(again[name], first[name]) for name in first)
    assert list(make_heads(tmp_path, 1, 3, SIZE, seed=1, jobs=1)) == []


def test_flow_between_pictures_leads_to_the_same_colours(heads: Path) -> None:
    """Points of the surface that both pictures show have nearly the same colour where they are in each."""
    arrays = render_person(load_proxy_avatar(), np.random.default_rng(6), 2, 128)
    both = arrays["seen"].all(axis=0)
    colours = []
    for frame, points in zip(arrays["frames"], arrays["points"].astype(np.float32), strict=True):
        column, row = np.clip(((points[both, :2] + 1) * 64).astype(int), 0, 127).T
        colours.append(frame[row, column].astype(np.float32))
    assert both.sum() > 200
    assert np.abs(colours[0] - colours[1]).mean() < 0.5 * np.abs(colours[0] - np.roll(colours[1], 97, axis=0)).mean()


class OneBatch(Faces):
    """Always the same pairs."""

    def pairs(self, batch: int, share: float, generator: torch.Generator, compute: object) -> Pairs:
        return super().pairs(batch, share, torch.Generator().manual_seed(0), PROCESSOR)


def test_a_repeated_batch_is_learned(heads: Path) -> None:
    training, _ = find_faces((str(heads),), SIZE)
    loss = FaceLoss(OneBatch(training.rendered, None), LossWeights(sizes=2, more_poses=2), FilterFeatures())
    torch.manual_seed(0)
    model = Adversaries(TINY)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    totals, keypoints = [], []
    for _ in range(6):
        total, figures = loss(model, 2, torch.Generator().manual_seed(0))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(float(total.detach()))
        keypoints.append(figures["keypoints"])
    assert totals[2] < totals[0] and totals[5] < 0.9 * totals[0]
    assert keypoints[5] < keypoints[0]
    assert all(weights.grad is not None for weights in model.parameters())
    assert {"perceptual", "adversarial", "matching", "equivariance", "pose", "expression", "flow"} <= figures.keys()


def test_half_precision_gives_nearly_the_same_losses(heads: Path) -> None:
    training, _ = find_faces((str(heads),), SIZE)
    figures = []
    for half in (False, True):
        torch.manual_seed(0)
        loss = FaceLoss(training, LossWeights(sizes=2), FilterFeatures(), Compute(torch.device("cpu"), half))
        total, parts = loss(Adversaries(TINY), 2, torch.Generator().manual_seed(0))
        total.backward()
        figures.append(parts)
    exact, rough = figures
    assert rough == pytest.approx(exact, rel=0.25, abs=0.02) and rough != exact


def _settings(folder: Path, **loop: int) -> str:
    config = FaceVid2VidTraining(
        TINY,
        LoopConfig(**{"steps": 4, "batch": 2, "warm_up": 2, "validate_every": 2, **loop}),
        FaceData((str(folder),)),
        LossWeights(sizes=2),
    )
    return config_text(config)


def _train(heads: Path, run: Path, *more: str) -> int:
    settings = run.parent / "settings.toml"
    settings.write_text(_settings(heads))
    return main(["train", "face-vid2vid", "--config", str(settings), "--folder", str(run), "--threads", "1", *more])


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(
    heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A schedule's length is part of the settings: to stop at a step, it must not depend on the steps.
    constant = ("--set", "loop.schedule=constant")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert _train(heads, whole, *constant) == 0
    assert _train(heads, parts, *constant, "--set", "loop.steps=2") == 0
    assert _train(heads, parts, *constant) == 0
    one, other = (torch.load(folder / "last.pt", weights_only=True) for folder in (whole, parts))
    assert one["step"] == other["step"] == 4
    for kind in ("model", "averaged"):
        for name, value in one[kind].items():
            assert torch.equal(value, other[kind][name]), name
    with (whole / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert float(rows[-1]["validation_flow"]) > 0
    with Image.open(whole / "samples.png") as picture:
        assert picture.size == (3 * SIZE, 5 * SIZE)
    assert load_checkpoint(whole / "best.safetensors", FaceVid2Vid).config == TINY
    assert read_extra(whole / "best.safetensors")["perceptual"] == "filters"
    capsys.readouterr()


def test_weights_are_trained_further(heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(4)
    save_checkpoint(FaceVid2Vid(TINY), TINY, tmp_path / "start.safetensors")
    assert _train(heads, tmp_path / "run", "--from", str(tmp_path / "start.safetensors"), "--minutes", "0") == 0
    trained = load_checkpoint(tmp_path / "run" / "last.safetensors", FaceVid2Vid)
    start = load_checkpoint(tmp_path / "start.safetensors", FaceVid2Vid)
    for name, value in start.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name
    capsys.readouterr()


def test_folders_without_clips_are_refused(heads: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make them with 'dreamtalk corpus heads'"):
        find_faces((str(tmp_path),), SIZE)
    with pytest.raises(ConfigError, match=r"set model\.size=32"):
        training, _ = find_faces((str(heads),), 64)
        training.pairs(1, 1.0, torch.Generator(), PROCESSOR)
    (tmp_path / "one.npz").write_bytes((heads / "person_0000.npz").read_bytes())
    with pytest.raises(ConfigError, match="are for training; name some of them"):
        find_faces((str(tmp_path),), SIZE)
    (tmp_path / "one.npz").write_bytes(b"no archive")
    (tmp_path / "two.held_out.npz").write_bytes((heads / "person_0000.npz").read_bytes())
    with pytest.raises(ConfigError, match="is no file of clips"):
        find_faces((str(tmp_path),), SIZE)


def test_people_of_videos_are_told_apart() -> None:
    assert person("id10001/7w0IBEWc9Qw/00001") == "id10001"
    assert person("RD_Radio1_000") == person("RD_Radio1_001") == "RD_Radio"
    assert person("clip") == "clip"
    shares = np.mean([is_held_out(f"id{number}") for number in range(4000)])
    assert shares == pytest.approx(1 / 8, abs=0.02)


def test_faces_are_cut_out_of_videos_and_learned_from(
    heads: Path, portrait: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, clips = tmp_path / "videos", tmp_path / "clips"
    (videos / "id1").mkdir(parents=True)
    painter = AvatarPainter(load_proxy_avatar(), Appearance(span=0.45))
    with VideoWriter(videos / "id1" / "a.mp4", (320, 320), 5.0, None, 0.0, {}) as video:
        for number in range(6):
            turn = np.radians([0, 5 * number - 12, 0])
            video.write(painter.draw(painter.vertices(np.zeros(ARKIT_COUNT), turn), 320)[0])
    (videos / "id2.mp4").write_bytes(b"no video")
    cuts = [cut for _, cut in cut_videos(videos, clips, 6, SIZE)]
    assert [cut.clip is not None for cut in cuts] == [True, False]
    assert "is no video that can be decoded" in cuts[1].reason
    assert cuts[0].clip is not None
    written = cuts[0].clip.stat().st_mtime_ns
    command = ["corpus", "faces", str(videos), "--frames", "6", "--size", str(SIZE), "--out", str(clips)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "refused id2: " in said and "clips of 1 of 2 videos" in said
    assert cuts[0].clip.stat().st_mtime_ns == written
    arrays = read_clip(cuts[0].clip)
    assert arrays["frames"].shape == (6, SIZE, SIZE, 3)
    yaw = np.degrees(np.arctan2(arrays["rotation"][:, 0, 2], arrays["rotation"][:, 2, 2]))
    assert np.ptp(yaw) > 10 and (np.sign(np.diff(yaw)) == np.sign(yaw[-1] - yaw[0])).all()
    # Clips of videos, of which only the head's turn is known, are trained on as well.
    side = int(cuts[0].clip.name.endswith(".held_out.npz"))
    filmed = find_faces((str(clips), str(heads)), SIZE)[side].filmed
    total, figures = FaceLoss(Faces(None, filmed), LossWeights(sizes=2), FilterFeatures())(
        Adversaries(TINY), 2, torch.Generator().manual_seed(0)
    )
    assert torch.isfinite(total) and "keypoint_prior" in figures and "flow" not in figures


def test_the_command_makes_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["corpus", "heads", "--people", "1", "--frames", "2", "--size", "32", "--jobs", "1"]
    assert main([*command, "--out", str(tmp_path / "heads")]) == 0
    assert "1 new people" in capsys.readouterr().out
    assert read_clip(tmp_path / "heads" / "person_0000.npz")["frames"].shape == (2, 32, 32, 3)


def test_clips_of_too_few_or_too_many_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="heads need 2 --frames"):
        list(make_heads(tmp_path, 1, 1, SIZE, seed=0, jobs=1))
    with pytest.raises(ConfigError, match="4 to 128 pictures, not 1000"):
        list(cut_videos(tmp_path, tmp_path, 1000, SIZE))
    with pytest.raises(ConfigError, match="no videos"):
        list(cut_videos(tmp_path, tmp_path, 8, SIZE))


def test_samples_show_source_wanted_and_drawn(heads: Path) -> None:
    training, _ = find_faces((str(heads),), SIZE)
    assert sample_grid(Adversaries(TINY).eval(), training).shape == (5 * SIZE, 3 * SIZE, 3)


def test_a_square_is_cut_and_what_lies_outside_is_continued() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 30:] = 200
    square = cut_square(pixels, np.array([30.0, 20.0], np.float32), 40.0, 20)
    assert square[:, :9].max() == 0 and square[:, 11:].min() == 200
    outside = cut_square(pixels, np.array([0.0, 0.0], np.float32), 40.0, 20)
    assert outside[:, :9].max() == 0


@pytest.fixture
def own_checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(FaceVid2Vid(TINY).eval(), TINY, tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def test_a_photograph_is_animated_where_the_face_is(portrait: Photo, own_checkpoint: Path) -> None:
    renderer = NeuralRenderer(portrait, own_checkpoint)
    values = np.zeros(ARKIT_COUNT, np.float32)
    values[ARKIT_INDEX["jawOpen"]] = 1.0
    assert renderer.size == (320, 320)
    rest, still, spoken = (renderer.render(v) for v in (0 * values, 0 * values, values))
    turned = renderer.render(0 * values, np.array([0, 0.2, 0.1]), np.array([0.01, 0, 0]))
    assert rest.dtype == np.uint8 and rest.shape == portrait.pixels.shape
    assert np.array_equal(rest, still)
    changed = np.abs(rest.astype(int) - portrait.pixels).max(axis=2)
    middle = np.round(renderer.fit.points.mean(axis=0)).astype(int)
    # The corners are the photograph's own, and no edge shows where the drawn face ends.
    assert changed[:20].max() == 0 and changed[middle[1], middle[0]] > 0
    assert not np.array_equal(rest, spoken) and not np.array_equal(rest, turned)


def test_known_keypoints_move_as_the_avatars_landmarks_do(portrait: Photo, own_checkpoint: Path) -> None:
    renderer = NeuralRenderer(portrait, own_checkpoint)
    opened = renderer._driving.shapes[ARKIT_INDEX["jawOpen"]]
    assert opened[10, 1] > 0.1, "the chin goes down, and down is positive in a picture"
    assert np.abs(opened[[11, 12, 13]]).max() < 0.02, "nose and cheeks stay"


def test_a_public_checkpoint_is_asked_how_it_sees_the_avatar(portrait: Photo, tmp_path: Path) -> None:
    tensors, _ = public_tensors()
    save_file(tensors, tmp_path / "public.safetensors")
    renderer = NeuralRenderer(portrait, tmp_path / "public.safetensors")
    driving = renderer._driving
    assert driving.shapes.shape == (ARKIT_COUNT, 15, 3) and np.abs(driving.shapes).max() > 0
    assert set(np.abs(driving.signs).tolist()) == {1.0} and not driving.deep
    assert renderer.render(np.full(ARKIT_COUNT, 0.3), np.array([0.1, 0.2, 0])).shape == portrait.pixels.shape
    torch.save({"generator": {"a": torch.zeros(1)}}, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match="lacks kp_detector, he_estimator"):
        NeuralRenderer(portrait, tmp_path / "part.pth")
