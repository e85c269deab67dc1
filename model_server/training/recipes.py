"""From settings to trained weights: one recipe a model, one folder a run.

A run's folder holds ``config.toml`` (its settings), ``log.csv`` and ``curves.png`` (its figures), ``last.pt`` (what it
needs to go on), ``best.safetensors`` and ``last.safetensors`` (averaged weights), ``samples.png`` of models that draw,
and ``tensorboard`` where that is installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import nn

from model_server.config_io import differences, merge_setting, parse_config, read_config, read_table, write_config
from model_server.errors import ConfigError
from model_server.models.checkpoint import load_checkpoint, save_checkpoint
from model_server.models.emodiff import EmoDiff
from model_server.models.face_vid2vid import FaceVid2Vid
from model_server.models.face_vid2vid.discriminator import Adversaries
from model_server.models.lip_refiner import LipRefiner
from model_server.models.speech_encoder import SpeechEncoder

from . import train_emodiff, train_lips
from .compute import choose_compute
from .configs import EmoDiffTraining, EncoderTraining, FaceVid2VidTraining, LipTraining
from .loop import Ending, Moment, read_checkpoint, train
from .performance_training import Prepared

_RUN_FILES = ("config.toml", "log.csv", "curves.png", "last.pt", "best.safetensors", "last.safetensors", "samples.png")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        weights: name of its weights file.
        settings: class of its settings.
        network: class of the network.
        prepare: makes the network, the loss and the validation from settings, start weights or None, a
            ``Compute`` and a progress callback or None.
        part: what of the network the weights file holds, by name; None for all of it.
    """

    weights: str
    settings: type[Any]
    network: type[nn.Module]
    prepare: Callable[..., Prepared]
    part: tuple[str, type[nn.Module]] | None = None

    def stored(self, network: nn.Module) -> nn.Module:
        """Return what of ``network`` the weights file holds."""
        return network if self.part is None else network.get_submodule(self.part[0])


def _prepare_encoder(*arguments: Any) -> Prepared:
    # The voices come with packages for sound that training faces does without.
    from .train_encoder import prepare

    return prepare(*arguments)


def _prepare_faces(*arguments: Any) -> Prepared:
    # Drawing faces needs packages for pictures that training curves does without.
    from .face_vid2vid.train import prepare

    return prepare(*arguments)


RECIPES: dict[str, Recipe] = {
    "encoder": Recipe("speech_encoder.safetensors", EncoderTraining, SpeechEncoder, _prepare_encoder),
    "emodiff": Recipe("emodiff.safetensors", EmoDiffTraining, EmoDiff, train_emodiff.prepare),
    "lips": Recipe("lip_refiner.safetensors", LipTraining, LipRefiner, train_lips.prepare),
    "face-vid2vid": Recipe(
        "face_vid2vid.safetensors", FaceVid2VidTraining, Adversaries, _prepare_faces, ("faces", FaceVid2Vid)
    ),
}
"""The models in the order in which they are trained."""


@dataclass(frozen=True)
class Order:
    """What to train, from what, and where to put it.

    Attributes:
        model: a name of ``RECIPES``.
        folder: of the run.
        config: settings file; None for the run's own, or the defaults for a new run.
        changes: settings such as ``loop.steps=400`` that go before the file's.
        data: folders of data instead of the settings'; empty for the settings'.
        start: weights to start from; None for fresh ones.
        out: where the best weights go besides the run's folder, or None.
        fresh: begin anew although the folder holds a run.
        minutes: stop after this much time; None for no limit.
    """

    model: str
    folder: Path
    config: Path | None = None
    changes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    start: Path | None = None
    out: Path | None = None
    fresh: bool = False
    minutes: float | None = None


def carry_out(
    order: Order,
    say: Callable[[str], None],
    watch: Callable[[Moment], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Ending:
    """Train as ordered; a run that was interrupted goes on.

    Args:
        order: what to do.
        say: called with lines for whoever waits.
        watch: called after every step.
        progress: called with the number of performances invented before training.

    Raises:
        DreamTalkError: for settings, weights or data that do not fit.
    """
    recipe = RECIPES[order.model]
    config, start = _settings_and_start(order, recipe, say)
    compute, processes = choose_compute(config.loop)
    torch.manual_seed(config.loop.seed)
    prepared = recipe.prepare(config, start, compute, progress if processes.rank == 0 else None)
    if processes.rank == 0:
        if order.fresh:
            _clear(order.folder)
        order.folder.mkdir(parents=True, exist_ok=True)
        write_config(config, order.folder / "config.toml")
        facts = ", ".join(f"{name} {value}" for name, value in prepared.facts.items() if isinstance(value, int | float))
        precision = "bfloat16" if compute.half else "float32"
        size = sum(weights.numel() for weights in prepared.model.parameters()) / 1e6
        say(f"{order.model}: {size:.2f} million weights on {compute.device} in {precision}; data: {facts}")
    # Nobody looks for a checkpoint before the old one is gone.
    processes.any(False)

    def save(averaged: nn.Module, kind: Literal["best", "last"], figures: Mapping[str, float]) -> None:
        path = order.folder / f"{kind}.safetensors"
        trained = {name: round(value, 6) for name, value in figures.items()}
        save_checkpoint(recipe.stored(averaged), config.model, path, {**prepared.facts, "training": trained})
        if kind == "last" and prepared.picture is not None:
            Image.fromarray(prepared.picture(averaged)).save(order.folder / "samples.png")
        if kind == "best" and order.out is not None:
            order.out.parent.mkdir(parents=True, exist_ok=True)
            partial = order.out.with_suffix(".partial")
            shutil.copyfile(path, partial)
            partial.replace(order.out)

    return train(
        prepared.model,
        prepared.loss,
        prepared.validate,
        save,
        config.loop,
        order.folder,
        order.minutes,
        watch,
        compute,
        processes,
        prepared.decides,
    )


def _settings_and_start(order: Order, recipe: Recipe, say: Callable[[str], None]) -> tuple[Any, nn.Module | None]:
    """Return the settings of an order and the network that it goes on with or starts from, if any."""
    last = order.folder / "last.pt"
    resumed = last.exists() and not order.fresh
    config = _settings(order, recipe, resumed)
    if resumed:
        if order.start is not None:
            raise ConfigError(f"'{order.folder}' holds a run already; leave out --from to go on, or add --fresh")
        network = recipe.network(config.model)
        kept = read_checkpoint(last)
        _load(network, kept["model"], last)
        say(f"going on from step {kept['step']} of '{order.folder}'")
        return config, network
    if order.start is not None:
        say(f"starting from '{order.start}'")
        return _start_from(order.start, recipe, config)
    return config, None


def _settings(order: Order, recipe: Recipe, resumed: bool) -> Any:
    """Return the settings of an order; a run that goes on keeps its own, but for what is given."""
    own = order.folder / "config.toml"
    path = order.config or (own if resumed and own.exists() else None)
    table = {} if path is None else read_table(path)
    for change in order.changes:
        merge_setting(table, change)
    where = "settings" if path is None else path.name
    config = parse_config(recipe.settings, table, where)
    if order.data:
        config = replace(config, data=replace(config.data, folders=order.data))
    if resumed and own.exists():
        changed = differences(config.model, read_config(recipe.settings, own).model)
        if changed:
            raise ConfigError(
                f"the run in '{order.folder}' has another model.{changed[0]}; take another --folder, or add --fresh"
            )
    return config


def _start_from(path: Path, recipe: Recipe, config: Any) -> tuple[Any, nn.Module]:
    """Return settings with the sizes of the weights in ``path``, and the network, ready to be trained."""
    network = load_checkpoint(path, recipe.network if recipe.part is None else recipe.part[1])
    sizes: Any = network.config
    wanted = differences(config.model, type(config.model)())
    changed = [name for name in differences(config.model, sizes) if name in wanted]
    if changed:
        raise ConfigError(f"'{path}' has another model.{changed[0]} than the settings; leave it out of them")
    return replace(config, model=sizes), network.requires_grad_(True)


def _load(network: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"'{path}' is of another network; take another --folder, or add --fresh") from error


def _clear(folder: Path) -> None:
    """Remove the files of an earlier run, and nothing else."""
    for name in _RUN_FILES:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
