"""Mappings on real characters: ICT-FaceKit, the MakeHuman units, and what a take looks like on them."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES
from blendshape_rigs.formats import read_curves
from blendshape_rigs.mapping import auto_map, profile
from blendshape_rigs.mapping.catalogue import mouth_shapes

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def performance(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> npt.NDArray[np.float32]:
    """Return (T, 52) of a recorded performance."""
    path = tmp_path_factory.mktemp("recording") / "take.csv"
    path.write_bytes(gzip.decompress((shared_data / "livelink_alexdjulin" / "S07-001.csv.gz").read_bytes()))
    return read_curves(path).values


@pytest.fixture(scope="module")
def ict_names(shared_data: Path) -> tuple[str, ...]:
    with np.load(shared_data / "characters" / "ict_facekit" / "ict_facekit_light.npz", allow_pickle=False) as archive:
        return tuple(str(name) for name in archive["expr_names"])


@pytest.fixture(scope="module")
def makehuman(shared_data: Path) -> dict[str, Array]:
    """Return the displacement (V, 3) of each MakeHuman unit, on the vertices that any of them moves."""
    units: dict[str, dict[int, list[float]]] = {}
    with zipfile.ZipFile(shared_data / "characters" / "makehuman_units" / "talkinghead-targets.zip") as archive:
        for name in archive.namelist():
            if name.startswith("final-talkinghead/") and name.endswith(".target"):
                rows = [line.split() for line in archive.read(name).decode().splitlines() if line and line[0] != "#"]
                units[Path(name).stem] = {int(row[0]): [float(x) for x in row[1:4]] for row in rows}
    vertices = {vertex: i for i, vertex in enumerate(sorted({v for unit in units.values() for v in unit}))}
    moved = {}
    for name, unit in units.items():
        moved[name] = np.zeros((len(vertices), 3))
        for vertex, offset in unit.items():
            moved[name][vertices[vertex]] = offset
    return moved


def test_ict_facekit_keeps_a_take_but_for_the_tongue(
    ict_names: tuple[str, ...], performance: npt.NDArray[np.float32]
) -> None:
    mapping = auto_map(ict_names)
    assert (mapping.profile, len(mapping.entries)) == ("ict_facekit", 53)
    assert mapping.missing == ("tongueOut",)
    assert set(ict_names) - set(mapping.targets) == {
        "PupilDilate_L",
        "PupilDilate_R",
        "cheekRaiser_L",
        "cheekRaiser_R",
    }
    keyed = mapping.apply(performance)
    brows = [mapping.targets.index(f"browInnerUp_{side}") for side in "LR"]
    assert np.array_equal(keyed[:, brows[0]], performance[:, ARKIT_INDEX["browInnerUp"]])
    assert np.array_equal(keyed[:, brows[0]], keyed[:, brows[1]])
    expected = performance.copy()
    expected[:, ARKIT_INDEX["tongueOut"]] = 0
    np.testing.assert_allclose(mapping.restore(keyed), expected, atol=1e-6)


def test_a_take_goes_from_family_to_family_without_loss(
    ict_names: tuple[str, ...], performance: npt.NDArray[np.float32]
) -> None:
    expected = performance.copy()
    expected[:, ARKIT_INDEX["tongueOut"]] = 0
    values = performance
    for names in (ict_names, profile("metahuman").targets, profile("character_creator").targets):
        mapping = auto_map(names)
        values = mapping.restore(mapping.apply(values))
    # MetaHuman's jaw cannot go above shut: where the recorded mouthClose is above jawOpen, that much is lost.
    above = np.maximum(performance[:, ARKIT_INDEX["mouthClose"]] - performance[:, ARKIT_INDEX["jawOpen"]], 0)
    np.testing.assert_allclose(
        np.delete(values, ARKIT_INDEX["jawOpen"], 1), np.delete(expected, ARKIT_INDEX["jawOpen"], 1), atol=1e-5
    )
    np.testing.assert_allclose(
        values[:, ARKIT_INDEX["jawOpen"]], expected[:, ARKIT_INDEX["jawOpen"]] + above, atol=1e-5
    )


def test_makehuman_units_are_driven_directly(makehuman: dict[str, Array]) -> None:
    mapping = auto_map(sorted(makehuman))
    assert sorted(mapping.targets) == sorted(ARKIT_NAMES)
    assert mapping.missing == ()


def _deform(makehuman: dict[str, Array], names: tuple[str, ...], weights: npt.NDArray[np.float32]) -> Array:
    return np.tensordot(weights, np.stack([makehuman[name] for name in names]), axes=1)


def test_a_mouth_of_visemes_opens_as_the_arkit_mouth_of_the_same_head(
    makehuman: dict[str, Array], performance: npt.NDArray[np.float32]
) -> None:
    visemes = [name for name in makehuman if name.startswith("viseme_")]
    by_visemes = auto_map(visemes)
    assert by_visemes.profile == "oculus_visemes"
    take = performance[::10].copy()
    silent = [name for name in ARKIT_NAMES if not name.startswith(("jaw", "mouth", "tongue"))]
    take[:, [ARKIT_INDEX[name] for name in silent]] = 0
    lower = np.argsort((makehuman["mouthLowerDownLeft"] + makehuman["mouthLowerDownRight"])[:, 1])[:40]
    upper = np.argsort(-(makehuman["mouthUpperUpLeft"] + makehuman["mouthUpperUpRight"])[:, 1])[:40]

    def gap(moved: Array) -> Array:
        return np.asarray(moved[:, upper, 1].mean(axis=1) - moved[:, lower, 1].mean(axis=1))

    direct = gap(_deform(makehuman, ARKIT_NAMES, take))
    made = gap(_deform(makehuman, by_visemes.targets, by_visemes.apply(take)))
    assert np.corrcoef(direct, made)[0, 1] > 0.9
    assert 0.6 < np.quantile(made, 0.95) / np.quantile(direct, 0.95) < 1.5


def test_the_poses_of_visemes_are_those_that_an_artist_made(makehuman: dict[str, Array]) -> None:
    agreement = {}
    for name in ("PP", "CH", "aa", "U", "I", "O", "DD", "SS"):
        ours = sum(weight * makehuman[channel] for channel, weight in mouth_shapes()[name])
        theirs = makehuman[f"viseme_{name}"]
        agreement[name] = float((ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs))
    assert agreement["aa"] > 0.95
    assert min(agreement[name] for name in ("PP", "CH", "U")) > 0.8
    assert min(agreement.values()) > 0.5


def test_every_family_keeps_what_it_says_that_it_keeps(performance: npt.NDArray[np.float32]) -> None:
    for name in ("arkit", "live_link", "daz_genesis8", "daz_genesis9", "ready_player_me", "unified_expressions"):
        mapping = auto_map(profile(name).targets)
        np.testing.assert_allclose(mapping.restore(mapping.apply(performance)), performance, atol=1e-5)
    mixamo = auto_map(profile("mixamo").targets)
    restored = mixamo.restore(mixamo.apply(performance))
    assert restored.shape == (len(performance), ARKIT_COUNT)
    for channel in ("eyeBlinkLeft", "browDownRight", "mouthLowerDownLeft"):
        column = ARKIT_INDEX[channel]
        assert np.corrcoef(restored[:, column], performance[:, column])[0, 1] > 0.9
