"""Face-vid2vid's networks, geometry, losses and checkpoints, at sizes that run in seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from face_vid2vid_support import TINY, public_tensors
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from model_server.errors import WeightsError
from model_server.models.checkpoint import load_checkpoint, save_checkpoint
from model_server.models.face_vid2vid import FaceVid2Vid, FaceVid2VidConfig, Pose
from model_server.models.face_vid2vid.discriminator import Adversaries, Discriminator
from model_server.models.face_vid2vid.geometry import (
    bins_to_degrees,
    coordinate_grid,
    degrees_to_bins,
    heat_maps,
    place_keypoints,
    rotation_degrees,
    rotation_matrix,
    sparse_flows,
    warp,
)
from model_server.models.face_vid2vid.public import load_public, own_name
from model_server.training.face_vid2vid import losses
from model_server.training.face_vid2vid.perceptual import FilterFeatures, VggFeatures, perceptual


@pytest.fixture
def faces() -> FaceVid2Vid:
    torch.manual_seed(0)
    return FaceVid2Vid(TINY).eval()


def test_sizes_of_the_paper_give_its_volumes() -> None:
    with torch.device("meta"):
        faces = FaceVid2Vid(FaceVid2VidConfig())
        picture = torch.empty(1, 3, 256, 256)
        assert faces.extractor(picture).shape == (1, 32, 16, 64, 64)
        assert faces.detector(picture).shape == (1, 15, 3)
        pose = faces.estimator(picture)
        assert (pose.bins.shape, pose.translation.shape, pose.expression.shape) == ((1, 3, 66), (1, 3), (1, 15, 3))
        assert faces.motion.mask.out_channels == 16
        # The numbers of weights that are published for these two networks at these sizes.
        counts = [sum(weights.numel() for weights in part.parameters()) for part in (faces.detector, faces.estimator)]
        assert counts == [41_940_047, 30_254_838]
        assert [len(features) for features in Discriminator(FaceVid2VidConfig())(picture)] == [5, 5]


def test_a_config_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="size must be a multiple of 128"):
        FaceVid2VidConfig(size=200)


def test_networks_draw_a_picture_and_say_how(faces: FaceVid2Vid) -> None:
    picture = torch.rand(2, 3, 32, 32)
    volume, canonical = faces.extractor(picture), faces.detector(picture)
    placed = faces.estimator(picture).place(canonical)
    drawn = faces.draw(volume, placed, placed.flip(0), torch.eye(3).expand(2, 3, 3))
    assert drawn.picture.shape == picture.shape
    assert drawn.flow.shape == (2, 4, 8, 8, 3)
    assert drawn.occlusion.shape == (2, 1, 8, 8)
    assert drawn.picture.min() >= 0 and drawn.picture.max() <= 1
    assert canonical.abs().max() <= 1


def test_rotations_and_angles_undo_each_other() -> None:
    degrees = torch.tensor([[10.0, -20.0, 30.0], [-35.0, 60.0, -80.0]])
    rotation = rotation_matrix(degrees)
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(rotation_degrees(rotation), degrees)
    # A turn about y alone takes what is to the right towards -z: nearer, as x, y and z are right-handed.
    turned = rotation_matrix(torch.tensor([[0.0, 90.0, 0.0]]))[0] @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([0.0, 0.0, -1.0]))


def test_bins_are_three_degrees_from_minus_99() -> None:
    sure = 50 * functional.one_hot(torch.tensor([0, 33, 65]), 66).float()
    torch.testing.assert_close(bins_to_degrees(sure), torch.tensor([-99.0, 0.0, 96.0]))
    assert degrees_to_bins(torch.tensor([-99.0, 1.0, 96.0, 500.0]), 66).tolist() == [0, 33, 65, 65]


def test_grids_count_centres_or_corners() -> None:
    like = torch.zeros(1)
    assert coordinate_grid((4,), False, like)[:, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert coordinate_grid((3,), True, like)[:, 0].tolist() == [-1.0, 0.0, 1.0]
    place = coordinate_grid((2, 3, 4), False, like)[1, 2, 0]
    torch.testing.assert_close(place, torch.tensor([-0.75, 2 / 3, 0.5]))


def test_heat_maps_are_gaussians_about_their_keypoints() -> None:
    keypoint = torch.tensor([[[0.25, -0.25, 0.5]]])
    heat = heat_maps(keypoint, (2, 4, 4), False)
    grid = coordinate_grid((2, 4, 4), False, keypoint)
    expected = torch.exp(-0.5 * (grid - keypoint[0, 0]).pow(2).sum(dim=3) / 0.01)
    torch.testing.assert_close(heat[0, 0], expected)
    assert float(heat[0, 0, 1, 1, 2]) == pytest.approx(1.0)


def test_a_turned_head_takes_every_cell_from_where_it_was() -> None:
    """For a rigid head each keypoint's flow is the same: back by the rotation and the move."""
    canonical, move = 0.4 * torch.randn(1, 3, 3), torch.tensor([[0.1, 0.0, -0.05]])
    turn = rotation_matrix(torch.tensor([[10.0, 20.0, -5.0]]))
    driving = place_keypoints(canonical, turn, move, torch.zeros(1, 3, 3))
    flows = sparse_flows(canonical, driving, turn.transpose(1, 2), (2, 3, 3), False)
    grid = coordinate_grid((2, 3, 3), False, canonical)
    torch.testing.assert_close(flows[:, 0], grid[None])
    for number in range(3):
        torch.testing.assert_close(flows[0, 1 + number], (grid - move[0]) @ turn[0])


def test_a_resting_flow_leaves_a_volume_as_it_is() -> None:
    volume = torch.rand(1, 2, 3, 4, 5)
    flow = coordinate_grid((3, 4, 5), False, volume)[None]
    torch.testing.assert_close(warp(volume, flow), volume)


def test_hinge_losses_know_right_from_wrong() -> None:
    def seen(score: float) -> list[list[Tensor]]:
        return [[torch.zeros(1, 2, 2, 2), torch.full((1, 1, 2, 2), score)]]

    assert float(losses.hinge_discriminator(seen(1.5), seen(-1.5))) == 0
    assert float(losses.hinge_discriminator(seen(0.0), seen(0.0))) == 2
    assert float(losses.hinge_generator(seen(0.7))) == pytest.approx(-0.7)


def test_feature_matching_compares_features_not_scores() -> None:
    real = [[torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 1)]]
    drawn = [[torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 1, 1), 9.0)]]
    assert float(losses.feature_matching(real, drawn)) == 0.5


def test_keypoints_are_pushed_apart_and_to_their_depth() -> None:
    apart = torch.tensor([[[-1.0, 0.0, 0.33], [1.0, 0.0, 0.33]]])
    together = torch.tensor([[[0.1, 0.0, 0.33], [0.1, 0.0, 0.33]]])
    assert float(losses.keypoint_prior(apart)) == pytest.approx(0.0, abs=1e-6)
    assert float(losses.keypoint_prior(together)) == pytest.approx(0.1)
    assert float(losses.keypoint_prior(apart + torch.tensor([0.0, 0.0, 0.5]))) == pytest.approx(0.5, abs=1e-6)


def test_pose_loss_is_least_at_the_truth() -> None:
    truth = torch.tensor([[0.0, 30.0, -60.0]])
    right = 40 * functional.one_hot(degrees_to_bins(truth, 66), 66).float()
    wrong = 40 * functional.one_hot(degrees_to_bins(truth + 15, 66), 66).float()
    assert float(losses.head_pose(right, bins_to_degrees(right), truth)) == pytest.approx(0.0, abs=1e-5)
    assert float(losses.head_pose(wrong, bins_to_degrees(wrong), truth)) > 5


def test_expressions_are_kept_small() -> None:
    assert float(losses.deformation_prior(torch.tensor([[[0.1, -0.2, 0.3]]]))) == pytest.approx(0.2)


def test_flow_error_reads_the_flow_where_points_are() -> None:
    grid = coordinate_grid((4, 8, 8), False, torch.zeros(1))[None]
    driving = 0.5 * torch.rand(1, 20, 3)
    move = torch.tensor([0.1, -0.2, 0.05])
    known = torch.ones(1, 20, dtype=torch.bool)
    assert float(losses.flow_error(grid + move, driving, driving + move, known)) == pytest.approx(0.0, abs=1e-6)
    assert float(losses.flow_error(grid, driving, driving + move, known)) == pytest.approx(0.35 / 3, abs=1e-6)
    assert float(losses.flow_error(grid, driving, driving + move, ~known)) == 0


def test_keypoints_that_follow_a_distortion_cost_nothing() -> None:
    distortion = losses.Distortion.random(2, torch.Generator().manual_seed(3), torch.device("cpu"))
    after = torch.rand(2, 5, 3) - 0.5
    before = torch.cat([distortion(after[..., :2]), after[..., 2:]], dim=2)
    assert float(losses.equivariance(before, after, distortion)) == 0
    assert float(losses.equivariance(before + 0.2, after, distortion)) == pytest.approx(0.2, abs=1e-6)


def test_a_distorted_picture_shows_what_was_at_the_distorted_place() -> None:
    distortion = losses.Distortion.random(1, torch.Generator().manual_seed(3), torch.device("cpu"))
    ramp = coordinate_grid((64, 64), False, torch.zeros(1)).permute(2, 0, 1)[None]
    shown = distortion.picture(ramp)
    at = torch.tensor([[[0.25, -0.25]]])
    read = functional.grid_sample(shown, at[:, None], align_corners=False)[0, :, 0, 0]
    torch.testing.assert_close(read, distortion(at)[0, 0], atol=5e-3, rtol=0)


def test_pictures_alike_in_colour_and_edges_cost_little() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = functional.interpolate(torch.rand(1, 3, 8, 8, generator=generator), size=32, mode="bilinear")
    blurred = functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)
    features = FilterFeatures()
    same, near = (float(perceptual(features, picture, other, 3)) for other in (picture, blurred))
    far = float(perceptual(features, picture, picture.flip(3), 3))
    assert same == 0 and 0 < near < far / 2


def test_vgg_is_read_from_a_file_of_torchvisions_layout(tmp_path: Path) -> None:
    tensors = {}
    inputs = 3
    numbers = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
    widths = (64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512)
    for number, width in zip(numbers, widths, strict=True):
        tensors[f"features.{number}.weight"] = torch.randn(width, inputs, 3, 3) / (3 * inputs**0.5)
        tensors[f"features.{number}.bias"] = torch.zeros(width)
        inputs = width
    tensors["classifier.0.bias"] = torch.zeros(8)
    torch.save(tensors, tmp_path / "vgg.pth")
    features = VggFeatures(tmp_path / "vgg.pth")
    seen = features(torch.rand(1, 3, 32, 32))
    assert [tuple(layer.shape[1:]) for layer in seen] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2),
    ]  # fmt: skip
    del tensors["features.10.weight"]
    save_file(tensors, tmp_path / "vgg.safetensors")
    with pytest.raises(WeightsError, match="holds no VGG19"):
        VggFeatures(tmp_path / "vgg.safetensors")


def test_the_two_sides_do_not_get_each_others_gradients() -> None:
    torch.manual_seed(0)
    model = Adversaries(TINY)
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    losses.hinge_generator(model.judge(picture, learns=False)).backward()
    assert picture.grad is not None and float(picture.grad.abs().sum()) > 0
    assert all(weights.grad is None for weights in model.discriminator.parameters())
    losses.hinge_generator(model.judge(picture.detach(), learns=True)).backward()
    assert all(weights.grad is not None for weights in model.discriminator.parameters())


def test_weights_come_back_from_their_own_file(faces: FaceVid2Vid, tmp_path: Path) -> None:
    save_checkpoint(faces, TINY, tmp_path / "faces.safetensors")
    again = load_checkpoint(tmp_path / "faces.safetensors", FaceVid2Vid)
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(again.estimator(picture).expression, faces.estimator(picture).expression)
        torch.testing.assert_close(again.extractor(picture), faces.extractor(picture))
    assert again.config == TINY


@pytest.mark.parametrize(
    ("public", "own"),
    [
        ("generator.resblocks_3d.3dr4.norm2.running_var", "extractor.blocks.4.norm2.running_var"),
        (
            "generator.decoder.G_middle_5.conv_0.weight_orig",
            "generator.middle.5.conv1.parametrizations.weight.original",
        ),
        ("generator.decoder.up_1.norm_s.mlp_gamma.bias", "generator.up.1.skip_norm.scale.bias"),
        ("generator.dense_motion_network.hourglass.decoder.up_blocks.4.conv.bias", "motion.hourglass.up.4.conv.bias"),
        ("kp_detector.predictor.up_blocks.up0.norm.weight", "detector.up.0.norm.weight"),
        ("he_estimator.fc_roll.weight", "estimator.yaw.weight"),
        ("he_estimator.fc_yaw.weight", "estimator.roll.weight"),
        ("he_estimator.block7.b7_1.conv2.weight", "estimator.stages.3.1.conv2.weight"),
        ("he_estimator.block4.skip.bias", "estimator.halve.1.skip.bias"),
        ("he_estimator.norm5.bias", "estimator.norms.3.bias"),
    ],
)
def test_public_names_are_understood(public: str, own: str) -> None:
    assert own_name(public) == own


def test_a_public_checkpoint_draws_as_it_did(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tensors, original = public_tensors()
    tables: dict[str, object] = {table: {} for table in ("generator", "kp_detector", "he_estimator")}
    for name, value in tensors.items():
        table, _, rest = name.partition(".")
        tables[table][rest] = value  # type: ignore[index]
    torch.save({**tables, "discriminator": {"x": torch.zeros(1)}, "epoch": 3}, tmp_path / "public.pth.tar")
    with caplog.at_level(logging.WARNING):
        loaded = load_public(tmp_path / "public.pth.tar", size=32)
    assert "may not be used commercially" in caplog.text
    assert loaded.config == original.config
    assert not loaded.config.turned_flow and loaded.config.corner_grid
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for model in (loaded, original):
            model.eval()
        pictures = [_drawn(model, picture) for model in (loaded, original)]
    torch.testing.assert_close(*pictures)


def _drawn(model: FaceVid2Vid, picture: Tensor) -> Tensor:
    placed = model.estimator(picture).place(model.detector(picture))
    return model.draw(model.extractor(picture), placed, placed + 0.1, torch.eye(3)[None]).picture


def test_yaw_and_roll_are_swapped_in_public_estimators(tmp_path: Path) -> None:
    tensors, _ = public_tensors()
    for name in ("fc_roll", "fc_pitch", "fc_yaw"):
        tensors[f"he_estimator.{name}.weight"].zero_()
        tensors[f"he_estimator.{name}.bias"].zero_()
    tensors["he_estimator.fc_roll.bias"][43] = 50.0
    save_file(tensors, tmp_path / "public.safetensors")
    with torch.no_grad():
        pose: Pose = load_public(tmp_path / "public.safetensors", size=32).estimator(torch.rand(1, 3, 32, 32))
    pitch, yaw, roll = pose.degrees[0].tolist()
    assert yaw == pytest.approx(30.0, abs=1e-3)
    assert (pitch, roll) == (pytest.approx(-1.5, abs=1e-3), pytest.approx(-1.5, abs=1e-3))


def _without(prefix: str) -> Callable[[dict[str, Tensor]], None]:
    def change(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.startswith(prefix)]:
            del tensors[name]

    return change


def _strange(tensors: dict[str, Tensor]) -> None:
    tensors["generator.mystery.weight"] = torch.zeros(1)


def _resized(tensors: dict[str, Tensor]) -> None:
    tensors["generator.decoder.fc.bias"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("he_estimator."), "lacks he_estimator; give one file with"),
        (_without("generator.decoder."), "no Face-vid2vid with a SPADE generator"),
        (_without("kp_detector.kp.bias"), r"tensors 1 missing \(such as detector.score.bias\)"),
        (_strange, r"tensors 1 unknown \(such as generator.mystery.weight\)"),
        (_resized, r"tensors 1 of another size \(such as generator.enter.bias\)"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_line(
    change: Callable[[dict[str, Tensor]], None], message: str, tmp_path: Path
) -> None:
    tensors, _ = public_tensors()
    change(tensors)
    save_file(tensors, tmp_path / "public.safetensors")
    with pytest.raises(WeightsError, match=message) as caught:
        load_public(tmp_path / "public.safetensors", size=32)
    assert "\n" not in str(caught.value)


def test_nothing_but_tensors_is_read(tmp_path: Path) -> None:
    torch.save({"generator": np.random.default_rng(0)}, tmp_path / "public.pth")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        load_public(tmp_path / "public.pth")
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="is broken"):
        load_public(tmp_path / "broken.pth")
    with pytest.raises(WeightsError, match="is missing"):
        load_public(tmp_path / "none.pth")
