"""Teeth and tongue: inside the mouth in every shape, seen when the mouth opens, and out over the lip without a cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from avatar_support import (
    Floats,
    Ints,
    built_avatar,
    closed_face,
    deepest,
    distance_to,
    head_skin,
    in_front,
    inside,
    posed,
    triangles_of,
)

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES
from blendshape_rigs.avatar import ProxyAvatar

pytest.importorskip("avatar_builder.build", reason="the builder needs the repository's root")
MM = 0.001


@dataclass(frozen=True)
class Mouth:
    """The built avatar and the surfaces that this file measures."""

    avatar: ProxyAvatar
    skin: Ints
    face: Ints
    teeth: Ints
    gums: Ints
    tongue: Ints

    def outside(self, vertices: Floats, *surfaces: Ints) -> float:
        """Return how far in metres the furthest vertex of the surfaces is outside the shut face."""
        points = vertices[np.unique(np.concatenate(surfaces))]
        out = points[~inside(vertices, self.face, points)]
        return float(distance_to(vertices, self.face, out).max(initial=0.0))

    def upper_teeth(self) -> Ints:
        """Return the vertices of the upper teeth."""
        used = np.unique(self.teeth)
        return used[self.avatar.deltas[ARKIT_INDEX["jawOpen"], used, 1] == 0]


@pytest.fixture(scope="module")
def mouth(tmp_path_factory: pytest.TempPathFactory) -> Mouth:
    avatar = built_avatar(tmp_path_factory.mktemp("avatar"))
    own = (triangles_of(avatar, name) for name in ("teeth", "gums", "tongue"))
    return Mouth(avatar, head_skin(avatar), closed_face(avatar), *own)


def test_teeth_and_tongue_have_enough_vertices(mouth: Mouth) -> None:
    assert 500 <= len(np.unique(mouth.tongue)) <= 700
    assert 24 * 50 <= len(np.unique(mouth.teeth)) <= 24 * 72


def test_everything_is_inside_at_rest(mouth: Mouth) -> None:
    assert mouth.outside(posed(mouth.avatar), mouth.teeth, mouth.gums, mouth.tongue) == 0


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_no_shape_pushes_teeth_or_tongue_through_the_skin(mouth: Mouth, name: str) -> None:
    own = (mouth.teeth, mouth.gums) if name == "tongueOut" else (mouth.teeth, mouth.gums, mouth.tongue)
    assert mouth.outside(posed(mouth.avatar, **{name: 1.0}), *own) < 0.1 * MM


@pytest.mark.parametrize("jaw", [0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("close", [0.0, 0.5, 1.0])
def test_jaw_and_closed_lips_keep_teeth_and_tongue_inside(mouth: Mouth, jaw: float, close: float) -> None:
    vertices = posed(mouth.avatar, jawOpen=jaw, mouthClose=jaw * close)
    assert mouth.outside(vertices, mouth.teeth, mouth.gums, mouth.tongue) < 0.1 * MM


def test_teeth_never_cut_the_lips(mouth: Mouth) -> None:
    lips = np.unique(triangles_of(mouth.avatar, "lips"))
    for name in ARKIT_NAMES:
        vertices = posed(mouth.avatar, **{name: 1.0})
        assert deepest(vertices, mouth.teeth, vertices[lips]) < 0.3 * MM, name


@pytest.mark.parametrize("jaw", [0.15, 0.2, 0.3])
def test_upper_incisors_show_in_a_smile(mouth: Mouth, jaw: float) -> None:
    vertices = posed(mouth.avatar, jawOpen=jaw, mouthSmile=0.6)
    teeth = mouth.upper_teeth()
    middle = teeth[np.abs(vertices[teeth, 0]) < 8 * MM]
    seen = in_front(vertices, mouth.skin, vertices[middle]) == 0
    assert seen.any(), "nothing of the upper incisors is seen"
    edge = vertices[middle[seen], 1].min()
    lip = vertices[mouth.avatar.upper_lip[len(mouth.avatar.upper_lip) // 2], 1]
    assert 1.0 * MM < lip - edge < 6.0 * MM


@pytest.mark.parametrize(("jaw", "out"), [(0.4, 0.0), (0.7, 0.0), (1.0, 0.0), (0.5, 0.3), (0.3, 0.5)])
def test_the_tongue_is_seen_in_the_open_mouth(mouth: Mouth, jaw: float, out: float) -> None:
    vertices = posed(mouth.avatar, jawOpen=jaw, tongueOut=out)
    tongue = np.unique(mouth.tongue)
    others = np.concatenate([mouth.skin, mouth.teeth, mouth.gums])
    assert (in_front(vertices, others, vertices[tongue]) == 0).mean() > 0.08


@pytest.mark.parametrize(("jaw", "first"), [(0.0, 1.0), (0.3, 0), (0.4, 0), (0.55, 0), (0.7, 0), (0.85, 0), (1.0, 0)])
def test_the_tongue_comes_out_without_cutting(mouth: Mouth, jaw: float, first: float) -> None:
    lips = np.unique(triangles_of(mouth.avatar, "lips"))
    tongue = np.unique(mouth.tongue)
    for out in np.linspace(first, 1.0, 11 if first < 1 else 1):
        vertices = posed(mouth.avatar, jawOpen=jaw, tongueOut=float(out))
        lip = vertices[mouth.avatar.landmark_vertices[14], 2]
        front = tongue[vertices[tongue, 2] > lip - 12 * MM]
        assert deepest(vertices, mouth.skin, vertices[front]) < 0.2 * MM, f"tongue in the lips at {out:.1f}"
        assert deepest(vertices, mouth.tongue, vertices[lips]) < 0.2 * MM, f"lips in the tongue at {out:.1f}"
        assert deepest(vertices, mouth.teeth, vertices[tongue]) < 0.3 * MM, f"tongue in the teeth at {out:.1f}"
        teeth = vertices[np.unique(mouth.teeth)]
        assert deepest(vertices, mouth.tongue, teeth) < 0.3 * MM, f"teeth in the tongue at {out:.1f}"


def test_the_tongue_lies_free_of_the_teeth_when_the_jaw_is_shut(mouth: Mouth) -> None:
    vertices = posed(mouth.avatar)
    assert deepest(vertices, mouth.teeth, vertices[np.unique(mouth.tongue)]) == 0
    assert deepest(vertices, mouth.tongue, vertices[np.unique(mouth.teeth)]) == 0


@pytest.mark.parametrize("jaw", [0.3, 0.6, 1.0])
def test_the_tongue_reaches_well_past_the_lower_lip(mouth: Mouth, jaw: float) -> None:
    vertices = posed(mouth.avatar, jawOpen=jaw, tongueOut=1.0)
    tongue = vertices[np.unique(mouth.tongue)]
    lip = vertices[mouth.avatar.landmark_vertices[17]]
    assert tongue[:, 2].max() > lip[2] + 12 * MM
    past = tongue[tongue[:, 2] > lip[2]]
    assert np.ptp(past[:, 0]) > 15 * MM, "the tongue is a spike"
