"""Curve files: exact round trips, files as the app writes them, and clear errors that name the row."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.curves import FaceCurves, Provenance
from blendshape_rigs.formats import (
    READERS,
    WRITERS,
    FormatError,
    curves_from_npz,
    npz_bytes,
    npz_format,
    read_curves,
    read_livelink,
    write_curves,
)

RECORDINGS = {"S07-001": 67.6241, "alex_rom_3": 134.3818, "alex_rom_4": 126.9826, "facial": 63.7579}
"""Seconds from the first to the last timecode of each recording, which counts 60 frames a second."""


def random_curves(frames: int = 100, fps: float = 30.0, start: float = 0.0) -> FaceCurves:
    random = np.random.default_rng(frames)
    return FaceCurves(
        random.random((frames, 52)).astype(np.float32),
        random.uniform(-0.6, 0.6, (frames, 3)).astype(np.float32),
        random.uniform(-0.05, 0.05, (frames, 3)).astype(np.float32),
        fps,
        start,
        Provenance("speech", "ab" * 32, "cd" * 32, "happy 0.80", 7),
    )


def livelink_text(timecodes: list[str], columns: list[str] | None = None) -> str:
    """Return a file in which channel c of row r is (r + c) / 1000, rounded to three places."""
    columns = columns or [*ARKIT_NAMES]
    lines = [",".join(["Timecode", "BlendShapeCount", *columns])]
    for row, timecode in enumerate(timecodes):
        numbers = [f"{(row + ARKIT_NAMES.index(c)) / 1000 if c in ARKIT_NAMES else 0:.3f}" for c in columns]
        lines.append(",".join([timecode, str(len(columns)), *numbers]))
    return "\n".join(lines) + "\n"


def timecodes(rate: int, count: int, step: int = 1) -> list[str]:
    frames = [i * step for i in range(count)]
    return [f"10:00:{f // rate:02d}:{f % rate:02d}" for f in frames]


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "take.csv"
        path.write_text(text)
        return path

    return write


# ---- round trips


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_files_round_trip(suffix: str, tmp_path: Path) -> None:
    curves = random_curves()
    path = tmp_path / f"take{suffix.upper()}"
    write_curves(curves, path)
    back = read_curves(path)
    np.testing.assert_allclose(back.values, curves.values, atol=1e-7, rtol=0)
    np.testing.assert_allclose(back.head_rotation, curves.head_rotation, atol=1e-7, rtol=0)
    assert back.fps == 30.0
    if suffix != ".csv":  # Live Link Face files have no head translation, no start and no provenance
        np.testing.assert_allclose(back.head_translation, curves.head_translation, atol=1e-7, rtol=0)
        assert back.provenance == curves.provenance
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_start_survives(suffix: str, tmp_path: Path) -> None:
    write_curves(random_curves(start=-1.5), tmp_path / f"take{suffix}")
    assert read_curves(tmp_path / f"take{suffix}").start == -1.5


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_no_frames_round_trip(suffix: str, tmp_path: Path) -> None:
    write_curves(FaceCurves.zeros(0, 24.0), tmp_path / f"take{suffix}")
    assert len(read_curves(tmp_path / f"take{suffix}")) == 0


@pytest.mark.parametrize("fps", [12, 15, 23.976, 24, 25, 29.97, 30, 37.5, 48, 50, 59.94, 60, 100, 120, 240])
@pytest.mark.parametrize("start", [0.0, 86398.7, -0.35])
def test_livelink_frame_rates_round_trip(fps: float, start: float, tmp_path: Path) -> None:
    curves = random_curves(int(fps * 3), fps, start)
    write_curves(curves, tmp_path / "take.csv")
    back = read_curves(tmp_path / "take.csv")
    assert back.fps == pytest.approx(fps, rel=2e-5) and back.start == 0.0
    np.testing.assert_allclose(back.values, curves.values, atol=1e-7, rtol=0)


@pytest.mark.parametrize("frames", [2, 3, 5, 12])
@pytest.mark.parametrize("fps", [24, 30, 60])
def test_short_livelink_files_round_trip(fps: float, frames: int, tmp_path: Path) -> None:
    curves = random_curves(frames, fps)
    write_curves(curves, tmp_path / "take.csv")
    back = read_curves(tmp_path / "take.csv")
    assert back.fps == fps
    np.testing.assert_allclose(back.values, curves.values, atol=1e-7, rtol=0)


def test_unknown_suffixes_are_refused(tmp_path: Path) -> None:
    assert sorted(READERS) == sorted(WRITERS) == [".csv", ".json", ".npz"]
    with pytest.raises(FormatError, match=r"\.csv, \.json, \.npz"):
        read_curves(tmp_path / "take.bvh")
    with pytest.raises(FormatError, match=r"\.csv, \.json, \.npz"):
        write_curves(random_curves(), tmp_path / "take.bvh")


# ---- Live Link Face


def test_livelink_header_is_the_apps(shared_data: Path, tmp_path: Path) -> None:
    write_curves(random_curves(2), tmp_path / "take.csv")
    with gzip.open(shared_data / "livelink_alexdjulin" / "facial.csv.gz", "rt") as stream:
        header = stream.readline()
    assert (tmp_path / "take.csv").read_text().splitlines()[0] == header.strip()


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_real_recordings_keep_their_time(name: str, shared_data: Path, tmp_path: Path) -> None:
    """The recordings drop rows: the last row must still be at its timecode, and values at theirs."""
    text = gzip.decompress((shared_data / "livelink_alexdjulin" / f"{name}.csv.gz").read_bytes())
    path = tmp_path / f"{name}.csv"
    path.write_bytes(text)
    curves = read_curves(path)
    rows = [line.split(",") for line in text.decode().splitlines()]
    assert curves.fps == 30.0
    assert curves.times[-1] == pytest.approx(RECORDINGS[name], abs=1 / 30)
    assert len(curves) == int(RECORDINGS[name] * 30) + 1  # dropped rows are filled in
    for row in (rows[1], rows[len(rows) // 2], rows[-2]):
        clock = [float(part) for part in row[0].split(":")], [float(part) for part in rows[1][0].split(":")]
        seconds = [(c[0] * 60 + c[1]) * 60 + c[2] + c[3] / 60 for c in clock]
        for column in ("JawOpen", "JawLeft", "MouthRight", "EyeBlinkLeft"):  # the app's order is not Apple's
            curve = curves.channel(column[0].lower() + column[1:])
            value = np.interp(seconds[0] - seconds[1], curves.times, curve)
            assert value == pytest.approx(float(row[rows[0].index(column)]), abs=0.02)
    assert curves.values.min() >= 0


def test_real_eye_angles_are_those_we_write(shared_data: Path, tmp_path: Path) -> None:
    """Eye angles made from the look shapes must agree with the app's own, in sign and size."""
    text = gzip.decompress((shared_data / "livelink_alexdjulin" / "alex_rom_3.csv.gz").read_bytes()).decode()
    table = np.array([line.split(",")[2:] for line in text.splitlines()[1:]], np.float64)
    (tmp_path / "take.csv").write_text(text)
    write_curves(read_livelink(tmp_path / "take.csv", fps=30.0), tmp_path / "ours.csv")
    ours = np.loadtxt(tmp_path / "ours.csv", delimiter=",", skiprows=1, usecols=range(2, 63))
    for column in (55, 56, 58, 59):
        assert np.corrcoef(ours[:, column], table[:, column])[0, 1] > 0.95
        slope = np.polyfit(table[:, column], ours[:, column], 1)[0]
        assert 0.8 < slope < 1.25  # an eye at rest has a small angle of its own, so only the slope compares
    np.testing.assert_allclose(ours[:, :55], table[:, :55], atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "step", "fps"), [(60, 1, 60), (60, 2, 30), (30, 1, 30), (24, 1, 24), (25, 1, 25), (50, 2, 25)]
)
def test_livelink_timecode_rates(rate: int, step: int, fps: float, csv_file: Callable[[str], Path]) -> None:
    curves = read_curves(csv_file(livelink_text(timecodes(rate, 200, step))))
    assert curves.fps == fps and len(curves) == 200
    np.testing.assert_allclose(curves.values[:, 0], np.arange(200) / 1000, atol=1e-7)


def test_livelink_columns_match_by_name_in_any_order_and_case(csv_file: Callable[[str], Path]) -> None:
    names = [*ARKIT_NAMES]
    np.random.default_rng(0).shuffle(names)
    text = livelink_text(timecodes(60, 4), names)
    header, body = text.split("\n", 1)
    for changed in (header.upper(), header.lower(), header.replace(",", " , ")):
        curves = read_curves(csv_file(f"{changed}\n{body}"))
        np.testing.assert_allclose(curves.values[0], np.arange(52) / 1000, atol=1e-7)


def test_livelink_of_51_shapes_has_a_still_tongue(csv_file: Callable[[str], Path]) -> None:
    curves = read_curves(csv_file(livelink_text(timecodes(60, 4), [*ARKIT_NAMES[:-1]])))
    assert not curves.channel("tongueOut").any() and curves.values[3, 50] == np.float32(0.053)


def test_livelink_dropped_rows_are_filled_in(csv_file: Callable[[str], Path]) -> None:
    kept = [i for i in range(120) if i % 7 and i % 11]
    lines = livelink_text(timecodes(60, 120)).splitlines()
    text = "\n".join([lines[0], *(lines[i + 1] for i in kept)])
    curves = read_curves(csv_file(text))
    assert curves.fps == 60 and len(curves) == kept[-1] - kept[0] + 1
    np.testing.assert_allclose(curves.values[:, 0], np.arange(kept[0], kept[-1] + 1) / 1000, atol=1e-6)


def test_livelink_frame_rate_can_be_given(csv_file: Callable[[str], Path]) -> None:
    path = csv_file(livelink_text(["00:00:00:00"] * 5))
    curves = read_livelink(path, fps=24.0)
    assert curves.fps == 24.0 and len(curves) == 5
    with pytest.raises(FormatError, match="same timecode; say the frame rate"):
        read_livelink(path)


def test_livelink_over_midnight(csv_file: Callable[[str], Path]) -> None:
    codes = [f"23:59:59:{f:02d}" for f in range(30, 60)] + [f"00:00:00:{f:02d}" for f in range(30)]
    curves = read_curves(csv_file(livelink_text(codes)))
    assert curves.fps == 60.0 and len(curves) == 60


def test_livelink_byte_order_mark_blank_lines_and_windows_ends(tmp_path: Path) -> None:
    text = livelink_text(timecodes(60, 4)) + "\n\n"
    (tmp_path / "take.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert len(read_curves(tmp_path / "take.csv")) == 4


def _replaced(row: int, column: int, value: str) -> str:
    lines = [line.split(",") for line in livelink_text(timecodes(60, 4)).splitlines()]
    lines[row - 1][column] = value
    return "\n".join(",".join(line) for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (livelink_text([]), "no frames"),
        (_replaced(3, 5, "nan"), "row 3: nan is no weight"),
        (_replaced(4, 5, "inf"), "row 4: inf is no weight"),
        (_replaced(4, 5, "-1e300"), "row 4: -1e"),
        (_replaced(2, 19, "open"), "row 2: jawOpen is 'open', not a number"),
        (_replaced(2, 19, "1_0"), "row 2: jawOpen is '1_0', not a number"),
        (_replaced(2, 19, ""), "row 2: jawOpen is '', not a number"),
        (_replaced(5, 53, "0,1"), "row 5: 55 values where the header has 54"),
        (livelink_text(timecodes(60, 2)) + "10:00:01:00,52,0.1\n", "row 4: 3 values where the header has 54"),
        (_replaced(1, 5, "earWiggle"), "row 1: 'earWiggle' is not an ARKit blendshape"),
        (_replaced(1, 5, "jawopen"), "row 1: 'jawOpen' is there twice"),
        (livelink_text(timecodes(60, 2), [*ARKIT_NAMES[:40]]), "row 1: mouthUpperUpRight, browDownLeft"),
        (livelink_text(timecodes(60, 2)).replace(",", ";"), "row 1: columns are separated by semicolons"),
        (_replaced(3, 0, "yesterday"), "row 3: the timecode is 'yesterday'"),
        (_replaced(3, 0, "25:00:00:00"), "row 3: the timecode '25:00:00:00' is no time of day"),
        (_replaced(4, 0, "09:59:00:00"), "row 4: the timecode 09:59:00:00 goes back"),
        (_replaced(5, 0, "21:00:00:00"), "row 5: the timecode jumps"),
        (_replaced(3, 5, '"0.1'), "is not CSV"),
        (livelink_text(timecodes(60, 2)).replace("Timecode,", "").replace("10:00:00:0", ""), "row"),
    ],
)
def test_bad_livelink_files_name_the_row(text: str, message: str, csv_file: Callable[[str], Path]) -> None:
    with pytest.raises(FormatError, match=message):
        read_curves(csv_file(text))


def test_binary_called_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "take.csv").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(FormatError):
        read_curves(tmp_path / "take.csv")


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_files_too_large_are_refused_unread(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"take{suffix}"
    with path.open("wb") as stream:
        stream.truncate(2**30)  # a sparse file: no gigabyte is written
    with pytest.raises(FormatError, match="1024 MiB"):
        read_curves(path)


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_damaged_files_give_a_format_error_or_curves(suffix: str, tmp_path: Path) -> None:
    """Whatever bytes are changed, cut or doubled, nothing but FormatError comes out."""
    path = tmp_path / f"take{suffix}"
    write_curves(random_curves(8), path)
    good = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(250):
        bad = bytearray(good)
        for _ in range(random.integers(1, 4)):
            at = int(random.integers(len(bad)))
            kind = random.integers(3)
            if kind == 0:
                bad[at] = int(random.integers(256))
            elif kind == 1:
                del bad[at : at + int(random.integers(1, 200))]
            else:
                bad[at:at] = bad[at : at + int(random.integers(1, 50))]
            if not bad:
                break
        path.write_bytes(bad)
        try:
            assert np.isfinite(read_curves(path).values).all()
        except FormatError as error:
            assert len(str(error)) < 400


# ---- JSON


@pytest.fixture
def json_record(tmp_path: Path) -> dict[str, object]:
    write_curves(random_curves(3), tmp_path / "good.json")
    record: dict[str, object] = json.loads((tmp_path / "good.json").read_text())
    return record


def test_json_may_leave_out_what_is_at_rest(json_record: dict[str, object], tmp_path: Path) -> None:
    for key in ("head_rotation", "head_translation", "start", "provenance"):
        del json_record[key]
    (tmp_path / "take.json").write_text(json.dumps(json_record))
    curves = read_curves(tmp_path / "take.json")
    assert not curves.head_rotation.any() and curves.provenance.source == "file"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "expected 'dreamtalk-face-curves' version 1"),
        ({"version": 2}, "version 2"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": "30"}, "fps must be a number"),
        ({"fps": True}, "fps must be a number"),
        ({"names": ["jawOpen"]}, "missing"),
        ({"names": [1]}, "list of texts"),
        ({"names": ["x"] * 52}, "'x' is not an ARKit blendshape"),
        ({"values": {}}, "must be a list"),
        ({"values": [[0.0] * 52, [0.0] * 51]}, "values, frame 1: 51 numbers where 52 belong"),
        ({"values": [[0.0] * 52, ["a"] * 52]}, "values, frame 1: something there is no number"),
        ({"values": [[0.0] * 52, [1e308] * 52]}, "values, frame 1"),
        ({"values": [[10**400] * 52]}, "values, frame 0"),
        ({"head_rotation": []}, "head_rotation has shape"),
        ({"provenance": {"seed": "a"}}, "'seed' must be a whole number"),
        ({"provenance": {"who": "a"}}, "unknown field 'who'"),
        ({"extra": 1}, "'extra' unknown"),
    ],
)
def test_bad_json_is_refused(
    change: dict[str, object], message: str, json_record: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "take.json").write_text(json.dumps(json_record | change))
    with pytest.raises(FormatError, match=message):
        read_curves(tmp_path / "take.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"format": NaN}', "\x00"])
def test_text_that_is_no_json_object_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "take.json").write_text(text)
    with pytest.raises(FormatError):
        read_curves(tmp_path / "take.json")


# ---- NPZ


def archive(**changes: object) -> bytes:
    """Return an archive like a good one with members changed; ``None`` leaves one out."""
    members = dict(np.load(io.BytesIO(npz_bytes(random_curves(3)))))
    members |= changes
    stream = io.BytesIO()
    np.savez(stream, **{name: array for name, array in members.items() if array is not None})  # type: ignore[arg-type]
    return stream.getvalue()


def test_npz_bytes_round_trip_exactly() -> None:
    curves = random_curves(fps=59.94)
    back = curves_from_npz(npz_bytes(curves))
    np.testing.assert_array_equal(back.stacked(), curves.stacked())
    assert (back.fps, back.start, back.provenance) == (curves.fps, curves.start, curves.provenance)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no archive"),
        (b"PK\x03\x04 not really", "no archive"),
        (archive(values=None), "'values' missing"),
        (archive(extra=np.zeros(3)), "'extra' unknown"),
        (archive(values=np.array([{"a": 1}], dtype=object)), "does not belong"),
        (archive(values=np.zeros((3, 52), complex)), "does not belong"),
        (archive(values=np.zeros((3, 51))), "do not fit"),
        (archive(values=np.full((3, 52), np.inf)), "values, frame 0: inf"),
        (archive(values=np.full((3, 52), 1e300)), "values, frame 0: 1e"),
        (archive(head_rotation=np.zeros((2, 3))), "head_rotation has shape"),
        (archive(fps=np.zeros(3)), "fps has shape"),
        (archive(fps=np.float64(-1)), "fps is -1"),
        (archive(version=np.int64(2)), "version 2"),
        (archive(provenance=np.array("{")), "provenance is not JSON"),
        (archive(names=np.array(["x"] * 52)), "'x' is not an ARKit"),
    ],
)
def test_bad_archives_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        curves_from_npz(data)


def test_archives_that_claim_more_than_they_hold_are_refused() -> None:
    """A header of a few bytes must not make NumPy allocate terabytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 52)})
    source = zipfile.ZipFile(io.BytesIO(archive()))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, header.getvalue() if info.filename == "values.npy" else source.read(info))
    with pytest.raises(FormatError, match="size that its header claims"):
        curves_from_npz(stream.getvalue())


def test_archives_that_unpack_to_gigabytes_are_refused() -> None:
    stream = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(archive()))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for info in source.infolist():
            if info.filename != "values.npy":
                target.writestr(info.filename, source.read(info))
        with target.open("values.npy", "w") as member:
            for _ in range(npz_format.MAX_BYTES // 2**24 + 1):
                member.write(bytes(2**24))
    assert len(stream.getvalue()) < 4 * 2**20
    with pytest.raises(FormatError, match="unpacks to"):
        curves_from_npz(stream.getvalue())
