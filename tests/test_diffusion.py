"""Noise mathematics, EmoDiff and LipRefiner on tiny configurations of the real classes."""

from pathlib import Path

import pytest
import torch

from blendshape_rigs.arkit import ARKIT_INDEX, LIP_CHANNELS
from model_server.errors import Cancelled
from model_server.models.checkpoint import load_checkpoint, save_checkpoint
from model_server.models.emodiff import FACE_CHANNELS, EmoDiff, EmoDiffCondition, EmoDiffConfig, Guidance
from model_server.models.lip_refiner import LipRefiner, LipRefinerConfig
from model_server.models.noise import MultistepSolver, NoiseSchedule

TINY = EmoDiffConfig(width=32, layers=2, heads=2, window=40, style_size=8)
TINY_LIPS = LipRefinerConfig(width=16, dilations=(1, 2), blur=5)


def tiny_emodiff() -> EmoDiff:
    torch.manual_seed(0)
    model = EmoDiff(TINY).eval()
    # A fresh head predicts zero whatever it sees; give it weights so that conditions matter.
    torch.nn.init.normal_(model.head.weight, std=0.2)
    for block in model.blocks:
        torch.nn.init.normal_(block.modulate.weight, std=0.05)
    return model


def condition(batch: int = 2, known_frames: int = 0) -> EmoDiffCondition:
    generator = torch.Generator().manual_seed(3)
    known = torch.randn(batch, 40, FACE_CHANNELS, generator=generator)
    mask = torch.zeros_like(known)
    mask[:, :known_frames] = 1
    return EmoDiffCondition(
        torch.randn(batch, 40, 45, generator=generator),
        torch.rand(batch, 40, 8, generator=generator),
        torch.randn(batch, 8, generator=generator),
        known,
        mask,
    )


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_every_prediction_leads_back_to_the_clean_data(prediction: str) -> None:
    schedule = NoiseSchedule(1000, prediction)  # type: ignore[arg-type]
    x0, epsilon = torch.randn(5, 7, 3), torch.randn(5, 7, 3)
    t = torch.tensor([0, 10, 300, 700, 900])
    x_t = schedule.add_noise(x0, epsilon, t)
    back = schedule.to_x0(schedule.target(x0, epsilon, t), x_t, t)
    torch.testing.assert_close(back, x0, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(schedule.to_epsilon(x0, x_t, t), epsilon, atol=2e-3, rtol=1e-3)


def test_schedule_runs_from_clean_to_noise() -> None:
    schedule = NoiseSchedule(1000, "v")
    assert schedule.signal[0] > 0.999
    assert schedule.signal[-1] < 0.01
    assert (schedule.signal.diff() < 0).all()
    steps = schedule.sampling_steps(4)
    assert steps[0] == 999
    for count in (1, 4, 8, 50):
        steps = schedule.sampling_steps(count)
        assert len(steps) == count
        assert steps == sorted(set(steps), reverse=True)
        assert steps[-1] >= 0
    with pytest.raises(ValueError, match="1 to 1000"):
        schedule.sampling_steps(0)


def test_the_solver_follows_the_exact_path_of_a_normal_distribution() -> None:
    """For data drawn from N(m, s²) the denoiser and where each noise must end are known in closed form."""
    schedule, mean, spread = NoiseSchedule(1000, "x0"), 0.7, 1.5
    noise = torch.linspace(-2, 2, 9).view(1, 9, 1)

    def solve(count: int) -> torch.Tensor:
        solver, x_t = MultistepSolver(schedule, count), noise
        for step in solver.steps:
            signal, sigma = schedule.signal[step], schedule.noise[step]
            gain = signal * spread**2 / (signal**2 * spread**2 + sigma**2)
            x_t = solver.advance(x_t, mean + gain * (x_t - signal * mean))
        return x_t

    exact = mean + spread * noise
    errors = [float((solve(count) - exact).abs().max()) for count in (4, 8, 32)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] < 0.15
    assert errors[2] < 0.02


def test_known_frames_come_back_exactly_and_the_rest_is_drawn() -> None:
    given = condition(known_frames=6)
    drawn = tiny_emodiff().sample(given, torch.randn(2, 40, FACE_CHANNELS), steps=3, guidance=Guidance(1.5, 1.2))
    assert torch.equal(drawn[:, :6], given.known[:, :6])
    assert not torch.equal(drawn[:, 6:], given.known[:, 6:])


def test_same_noise_same_bits_and_other_noise_other_take() -> None:
    model, given = tiny_emodiff(), condition()
    noise = torch.randn(2, 40, FACE_CHANNELS)
    first, again = (model.sample(given, noise, 4, Guidance(1.3, 1.3)) for _ in range(2))
    assert torch.equal(first, again)
    other = model.sample(given, torch.randn(2, 40, FACE_CHANNELS), 4, Guidance(1.3, 1.3))
    assert (first - other).abs().mean() > 0.01


def test_dropped_conditions_do_not_matter_and_kept_ones_do() -> None:
    model, given = tiny_emodiff(), condition()
    x_t, t = torch.randn(2, 40, FACE_CHANNELS), torch.tensor([100, 500])
    everything, nothing = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    other = EmoDiffCondition(given.audio + 1, given.emotion + 1, given.style + 1, given.known, given.known_mask)  # type: ignore[operator]
    dropped = [model(x_t, t, c, everything, everything, everything) for c in (given, other)]
    torch.testing.assert_close(dropped[0], dropped[1])
    for drops in [
        (nothing, everything, everything),
        (everything, nothing, everything),
        (everything, everything, nothing),
    ]:
        assert (model(x_t, t, given, *drops) - model(x_t, t, other, *drops)).abs().max() > 1e-3


def test_guidance_of_one_is_the_plain_condition() -> None:
    model, given = tiny_emodiff(), condition()
    noise = torch.randn(2, 40, FACE_CHANNELS)
    plain = model.sample(given, noise, 3)
    nearly = model.sample(given, noise, 3, Guidance(1.0 + 1e-6, 1.0))
    torch.testing.assert_close(plain, nearly, atol=1e-3, rtol=1e-3)
    for scale in (Guidance(emotion=3), Guidance(style=3)):
        assert (plain - model.sample(given, noise, 3, scale)).abs().max() > 1e-2


def test_sampling_stops_between_steps() -> None:
    steps = []

    def stop_at_third() -> None:
        steps.append(1)
        if len(steps) == 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        tiny_emodiff().sample(condition(), torch.randn(2, 40, FACE_CHANNELS), 8, before_step=stop_at_third)
    assert len(steps) == 3


def test_style_embedding_takes_any_length() -> None:
    model = tiny_emodiff()
    for frames in (20, 333):
        assert model.embed_clip(torch.rand(1, frames, FACE_CHANNELS)).shape == (1, 8)


def test_lip_refiner_leaves_every_other_channel_bit_for_bit() -> None:
    torch.manual_seed(0)
    refiner = LipRefiner(TINY_LIPS).eval()
    expression = torch.rand(1, 60, 52)
    refined = refiner(torch.randn(1, 60, 45), torch.rand(1, 60, 8), expression)
    context = TINY_LIPS.context
    others = [i for i in range(52) if i not in LIP_CHANNELS]
    assert refined.shape == (1, 60 - 2 * context, 52)
    assert torch.equal(refined[..., others], expression[:, context:-context][..., others])
    assert refined[..., list(LIP_CHANNELS)].min() >= 0
    assert refined[..., list(LIP_CHANNELS)].max() <= 1


def test_lip_refiner_is_not_told_where_the_lips_close() -> None:
    torch.manual_seed(0)
    refiner = LipRefiner(TINY_LIPS).eval()
    audio, emotion, expression = torch.randn(1, 60, 45), torch.rand(1, 60, 8), torch.rand(1, 60, 52)
    refined = refiner(audio, emotion, expression)
    for name, matters in (
        ("jawOpen", False),
        ("mouthClose", False),
        ("mouthPressLeft", False),
        ("mouthSmileLeft", True),
    ):
        other = expression.clone()
        other[..., ARKIT_INDEX[name]] = 0.5
        changed = not torch.equal(refiner(audio, emotion, other), refined)
        assert changed == matters, name


def test_lip_refiner_sees_no_further_than_its_context() -> None:
    torch.manual_seed(0)
    refiner = LipRefiner(TINY_LIPS)
    audio = torch.randn(1, 60, 45, requires_grad=True)
    expression = torch.rand(1, 60, 52, requires_grad=True)
    refined = refiner(audio, torch.rand(1, 60, 8), expression)
    refined[0, 20, list(LIP_CHANNELS)].sum().backward()
    frame, context = 20 + TINY_LIPS.context, TINY_LIPS.context
    for tensor in (audio, expression):
        assert tensor.grad is not None
        touched = tensor.grad[0].abs().sum(dim=1).nonzero().flatten()
        assert touched.min() >= frame - context
        assert touched.max() <= frame + context


@pytest.mark.parametrize(("model", "config"), [(EmoDiff, TINY), (LipRefiner, TINY_LIPS)])
def test_a_checkpoint_alone_rebuilds_the_model(model: type, config: object, tmp_path: Path) -> None:
    torch.manual_seed(1)
    original = model(config).eval()
    save_checkpoint(original, config, tmp_path / "model.safetensors")
    loaded = load_checkpoint(tmp_path / "model.safetensors", model)
    assert loaded.config == config
    for (name, value), (other_name, other) in zip(
        original.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        assert name == other_name
        assert torch.equal(value, other)
