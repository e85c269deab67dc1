"""``dreamtalk animate`` with an earlier take: a part is made again, the rest stays."""

from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves
from model_server.cli import main

SPEECH = Path(__file__).parent.parent / "model_server" / "assets" / "demo_speech.flac"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_range_of_a_take_is_made_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert run("animate", SPEECH, "-o", first, "--seed", 1) == 0
    assert (
        run("animate", SPEECH, "-o", second, "--emotion", "sad", "--keep", first, "--remake", "1-2.5", "--lock", "eye")
        == 0
    )
    old, new = read_curves(first), read_curves(second)
    inside = (old.times >= 1) & (old.times < 2.5)
    assert np.array_equal(old.stacked()[~inside], new.stacked()[~inside])
    assert np.array_equal(old.channel("eyeBlinkLeft"), new.channel("eyeBlinkLeft"))
    assert np.abs(old.channel("browInnerUp") - new.channel("browInnerUp"))[inside].max() > 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--remake", "1-2"], "name it with --keep"),
        (["--keep", "{take}"], "say what to make again"),
        (["--keep", "{take}", "--lock", "ears"], "'ears' is neither a channel nor a region"),
    ],
)
def test_options_that_do_not_fit_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    filled = [option.format(take=tmp_path / "take.npz") for option in options]
    write_curves(FaceCurves.zeros(60, 30), tmp_path / "take.npz")
    assert run("animate", SPEECH, "-o", tmp_path / "out.csv", *filled) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("wrong", [["--remake", "now"], ["--key", "browInnerUp"]])
def test_ranges_and_keys_are_usage(tmp_path: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("animate", SPEECH, "-o", tmp_path / "out.csv", "--keep", tmp_path / "take.csv", *wrong)
    assert stop.value.code == 2
