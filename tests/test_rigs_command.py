"""``dreamtalk rigs list`` and ``rigs match``: names from files, and what is printed of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.mapping import Mapping, profiles
from model_server.cli import main

ROOT = Path(__file__).parents[1]


def gltf_document(names: list[str], where: str = "mesh") -> dict[str, object]:
    """Return a glTF of one triangle with a morph target for each name, and a skeleton of two bones."""
    extras = {"targetNames": names} if where else {}
    part = {"attributes": {"POSITION": 0}, "targets": [{"POSITION": 0}] * len(names)}
    if where == "part":
        part["extras"] = extras
    mesh = {"name": "Head", "primitives": [part]} | ({"extras": extras} if where == "mesh" else {})
    return {
        "asset": {"version": "2.0"},
        "meshes": [mesh, {"name": "Hat", "primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"name": "root", "children": [1]}, {"name": "head"}, {"mesh": 0, "skin": 0}],
        "skins": [{"name": "Armature", "joints": [0, 1]}],
        "accessors": [{"componentType": 5126, "count": 3, "type": "VEC3", "bufferView": 0}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }


def write_glb(path: Path, document: dict[str, object]) -> Path:
    """Write a GLB with ``document`` and one triangle."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    data = np.eye(3, dtype="<f4").tobytes()
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


def match(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, object]:
    assert main(["rigs", "match", "--json", str(path)]) == 0
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_the_list_names_every_family_and_what_it_carries(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rigs", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {family.name for family in profiles()}
    assert rows["ict_facekit"] == {
        "name": "ict_facekit",
        "title": "ICT-FaceKit",
        "direct": 51,
        "mouth_shapes": 0,
        "replaced": 0,
        "missing": 1,
    }
    for row in rows.values():
        assert row["direct"] + row["mouth_shapes"] + row["replaced"] + row["missing"] == 52


def test_the_documented_table_is_the_printed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rigs", "list"]) == 0
    printed = capsys.readouterr().out.strip()
    text = (ROOT / "docs" / "characters.md").read_text("utf-8")
    assert printed in text
    assert all(f"`{family.name}`" in text and family.reference in text for family in profiles())


@pytest.mark.parametrize("where", ["mesh", "part"])
@pytest.mark.parametrize("suffix", [".glb", ".vrm", ".gltf"])
def test_morph_targets_of_gltf_are_matched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, where: str
) -> None:
    path = tmp_path / f"character{suffix}"
    document = gltf_document([*ARKIT_NAMES, "Elf_Ears"], where)
    if suffix == ".gltf":
        path.write_text(json.dumps(document))
    else:
        write_glb(path, document)
    result = match(capsys, path)
    assert result["profile"] == "arkit"
    assert result["unused"] == ["Elf_Ears"]
    assert len(result["entries"]) == 52
    assert result["report"]["missing"] == []


def test_the_json_is_a_mapping_that_can_be_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = match(capsys, write_glb(tmp_path / "small.glb", gltf_document(["Jaw_Drop", "Smile_L", "Smile_R"])))
    mapping = Mapping.from_json(json.dumps({key: result[key] for key in ("format", "version", "profile", "entries")}))
    assert set(mapping.targets) == {"Jaw_Drop", "Smile_L", "Smile_R"}
    assert result["report"]["replaced"]["mouthClose"] == ["Jaw_Drop"]


def test_a_list_of_names_is_matched_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\ufeff" + "\r\n".join(["A", "I", "U", "E", "O", "Blink_L", "Blink_R", "Joy", "Hat"]), "utf-8")
    assert main(["rigs", "match", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "names.txt: 9 shapes in 1 meshes, 0 bones; recognised as VRM 0.x"
    assert any(line.split()[:5] == ["Blink_L", "100%", "channel", "eyeBlinkLeft", "1,"] for line in lines)
    assert "1 shapes stay as they are: Hat" in lines


def test_bones_of_a_face_are_matched_where_there_are_no_shapes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rigify = next(family for family in profiles() if family.name == "rigify")
    bones = list(dict.fromkeys(target.rsplit(":", 2)[0] for target in rigify.targets))
    document = gltf_document([])
    document["nodes"] = [{"name": bone} for bone in bones]
    document["skins"] = [{"joints": list(range(len(bones)))}]
    result = match(capsys, write_glb(tmp_path / "rig.glb", document))
    assert result["profile"] == "rigify"
    assert {entry["kind"] for entry in result["entries"]} == {"bone"}


def test_a_character_without_any_face_is_a_failure_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_glb(tmp_path / "crate.glb", gltf_document(["Dent", "Rust"]))
    assert main(["rigs", "match", str(path)]) == 1
    out = capsys.readouterr().out
    assert "no known family" in out
    assert "2 shapes stay as they are: Dent, Rust" in out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.glb", None, "there is no character file"),
        ("song.mp3", b"x", "song.mp3 is no character file; use one of .glb .gltf .vrm .blend"),
        ("cut.glb", b"glTF\x02\x00", "cut.glb ends within its header"),
        ("old.glb", struct.pack("<4sIIII", b"glTF", 1, 20, 0, 0), "glTF version 1; expected version 2"),
        ("empty.gltf", b"", "empty.gltf is not glTF"),
        ("list.gltf", b"[1]", "list.gltf is not glTF: expected one object"),
        ("odd.gltf", b'{"meshes": [3]}', "odd.gltf breaks the form of glTF"),
        ("bones.gltf", b'{"skins": [{"joints": [7]}]}', "bones.gltf breaks the form of glTF"),
    ],
)
def test_files_that_cannot_be_read_fail_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert main(["rigs", "match", str(path)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_other_formats_are_read_by_blender(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("bpy", reason="Blender's Python module is not installed")
    from blendshape_rigs.curves import FaceCurves
    from model_server.commands.files import write_take

    path = tmp_path / "avatar.fbx"
    write_take(FaceCurves.zeros(2, 30.0), path)
    result = match(capsys, path)
    assert result["profile"] == "arkit"
    assert len(result["entries"]) == 52
