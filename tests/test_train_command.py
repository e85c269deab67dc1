"""``dreamtalk train`` on tiny networks: the real path from data files to a weights file, in seconds."""

import csv
import dataclasses
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from model_server.cli import main
from model_server.config_io import config_text, differences, merge_setting, parse_config, read_config
from model_server.errors import ConfigError
from model_server.models.checkpoint import load_checkpoint, read_extra
from model_server.models.emodiff import EmoDiff
from model_server.models.lip_refiner import LipRefiner
from model_server.models.speech_encoder import SpeechEncoder
from model_server.training.configs import EmoDiffTraining, EncoderTraining, LipTraining
from model_server.training.performance_corpus import invent_performances
from model_server.training.performances import save_performances

ROOT = Path(__file__).resolve().parents[1]
LOOP = "[loop]\nsteps = 4\nbatch = 2\nwarm_up = 2\nvalidate_every = 2\n"
EMODIFF = f"{LOOP}[model]\nwidth = 32\nheads = 2\nlayers = 1\nwindow = 40\n[data]\ninvented = 2\n"
LIPS = f"window = 40\n{LOOP}[model]\nwidth = 16\ndilations = [1, 2]\nblur = 5\n[data]\ninvented = 2\n"
ENCODER = f"{LOOP}[model]\nchannels = 16\ncentred = [1]\ncausal = [2]\n[data]\ncrop = 40\n"


@dataclasses.dataclass(frozen=True)
class Inner:
    """Inside.

    Attributes:
        size: how large,
            in metres.
        kind: of what.
    """

    size: float = 1.5
    kind: Literal["red", "blue"] = "red"


@dataclasses.dataclass(frozen=True)
class Outer:
    """Outside."""

    count: int = 3
    names: tuple[str, ...] = ()
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    quick: bool = False
    inner: Inner = dataclasses.field(default_factory=lambda: Inner(size=9.0))


@pytest.fixture(scope="module")
def performances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("performances")
    made = [dataclasses.replace(item, actor="anna") for item in invent_performances(3, 4, seed=7)]
    save_performances(folder / "some.npz", made[:2])
    save_performances(folder / "more.held_out.npz", made[2:])
    return folder


def written(folder: Path, text: str) -> str:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def logged(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_settings_come_back_from_their_file_and_say_what_they_mean(tmp_path: Path) -> None:
    changed = Outer(5, ('a "b"', "ö"), {"x*": 2.0}, True, Inner(0.25, "blue"))
    text = config_text(changed)
    assert parse_config(Outer, tomllib.loads(text), "file") == changed
    assert "# how large, in metres.\nsize = 0.25" in text
    assert differences(changed, Outer()) == ["count", "names", "weights", "quick", "inner.size", "inner.kind"]
    for kind in (EmoDiffTraining, LipTraining, EncoderTraining):
        assert parse_config(kind, tomllib.loads(config_text(kind())), "file") == kind()


def test_what_a_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    config = read_config(Outer, Path(written(tmp_path, "[inner]\nkind = 'blue'\n")))
    assert config == Outer(inner=Inner(9.0, "blue"))
    table: dict[str, object] = {}
    for change in ("inner.size=2", "inner.kind=blue", 'names=["a"]'):
        merge_setting(table, change)
    assert parse_config(Outer, table, "settings") == Outer(names=("a",), inner=Inner(2.0, "blue"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cuont = 3", "unknown setting 'cuont'; there are count, names, weights, quick, inner"),
        ("inner.kind = 'green'", "inner: kind is 'green'; choose from red, blue"),
        ("count = 1.5", "count is 1.5; it must be a whole number"),
        ("count = true", "count is True; it must be a whole number"),
        ("names = [1]", "names is 1; it must be a word in quotes"),
        ("inner = 3", "inner is 3; it must be a table"),
        ("count = ", "no valid TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(Outer, Path(written(tmp_path, text)))


def test_a_model_is_trained_goes_on_and_is_trained_further(
    performances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = tmp_path / "run", tmp_path / "out" / "emodiff.safetensors"
    command = ["train", "emodiff", "--data", str(performances), "--folder", str(run), "--threads", "1"]
    assert main([*command, "--config", written(tmp_path, EMODIFF), "-o", str(out)]) == 0
    assert load_checkpoint(out, EmoDiff).config.width == 32
    assert read_extra(out)["training"]["step"] in (2, 4)
    assert [row["step"] for row in logged(run)] == ["2", "4"]
    assert float(logged(run)[-1]["validation_loss"]) > 0
    assert (run / "curves.png").stat().st_size > 10_000
    # The run goes on with its own settings, but for what is given.
    assert main([*command, "--set", "loop.steps=6"]) == 0
    assert "going on from step 4" in capsys.readouterr().out
    assert [row["step"] for row in logged(run)] == ["2", "4", "6"]
    assert main([*command, "--set", "model.width=64"]) == 1
    assert "another model.width" in capsys.readouterr().err
    # Weights bring their own sizes and channel statistics along.
    further = tmp_path / "further"
    more = ["train", "emodiff", "--set", "data.invented=1", "--set", "loop.steps=1", "--folder", str(further)]
    assert main([*more, "--from", str(out), "--data", str(performances)]) == 0
    first, second = load_checkpoint(out, EmoDiff), load_checkpoint(further / "last.safetensors", EmoDiff)
    assert second.config == first.config
    assert torch.equal(first.channel_scale, second.channel_scale)
    assert main([*more, "--from", str(out)]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert main([*more, "--from", str(out), "--fresh", "--minutes", "0"]) == 0
    assert [row["step"] for row in logged(further)] == ["0"]


def test_lips_and_encoder_are_trained_by_the_same_command(performances: Path, tmp_path: Path) -> None:
    command = ["train", "lips", "--data", str(performances), "--folder", str(tmp_path / "lips")]
    assert main([*command, "--config", written(tmp_path, LIPS)]) == 0
    assert load_checkpoint(tmp_path / "lips" / "best.safetensors", LipRefiner).config.dilations == (1, 2)
    generator = np.random.default_rng(0)
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    for name in ("flite_slt.0", "flite_awb.-1"):
        arrays = {"mel": generator.normal(-5, 2, (400, 64)).astype(np.float16), "counts": np.array([200])}
        np.savez(sessions / f"{name}.npz", phones=generator.integers(0, 42, 200).astype(np.uint8), **arrays)
    command = ["train", "encoder", "--data", str(sessions), "--folder", str(tmp_path / "encoder")]
    assert main([*command, "--config", written(tmp_path, ENCODER)]) == 0
    encoder = load_checkpoint(tmp_path / "encoder" / "best.safetensors", SpeechEncoder)
    assert -6 < float(encoder.mel_mean.mean()) < -4
    row = logged(tmp_path / "encoder")[-1]
    assert float(row["validation_wrong_classes"]) == pytest.approx(
        1 - float(row["validation_flite_awb_class_accuracy"]), abs=1e-5
    )
    assert "flite_awb" not in read_extra(tmp_path / "encoder" / "best.safetensors")["voices"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["emodiff", "--config", "nowhere.toml"], "'nowhere.toml' is missing"),
        (["emodiff", "--set", "loop.setps=3"], "unknown setting 'setps'"),
        (["emodiff", "--set", "loop"], "'loop' is no setting"),
        (["lips", "--from", "nowhere.safetensors"], "nowhere.safetensors is missing"),
        (["encoder", "--data", "nowhere"], "no speech sessions in nowhere"),
        (["all", "--data", "nowhere"], "are for one model"),
        (["emodiff", "--set", "loop.device=cuda"], "no CUDA GPU"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    if "loop.device=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    assert main(["train", *arguments, "--folder", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="accelerate is not installed")
def test_two_processes_train_one_model_on_examples_of_their_own(performances: Path, tmp_path: Path) -> None:
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "model_server.cli"]
    train = ["train", "emodiff", "--config", written(tmp_path, EMODIFF), "--data", str(performances), "--threads", "1"]
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, *launch, *train, "--folder", str(run)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("all steps are done") == 1
    first, second = torch.load(run / "last.pt", weights_only=True)["chances"]
    assert not torch.equal(first[0], second[0])
    assert [row["step"] for row in logged(run)] == ["2", "4"]
