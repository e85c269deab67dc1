"""What says that a portrait video is synthetic: tags, the signed manifest, the badge."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from blendshape_rigs.curves import FaceCurves, Provenance
from model_server.errors import ConfigError
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.portrait.badge import Badge
from model_server.portrait.provenance import (
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    ContentSigner,
    provenance_tags,
)
from model_server.portrait.video import VideoWriter


def write_chain(folder: Path, curve: str = "SECP256R1") -> tuple[Path, Path]:
    """Write a certificate chain of our own (leaf, root) that C2PA accepts for signing, and the leaf's key."""
    pytest.importorskip("c2pa", reason="c2pa-python is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
        )

    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(getattr(ec, curve)()) for _ in range(2)]
    made = []
    for subject, issuer, key, parent in (("Root", "Root", keys[1], keys[1]), ("Signer", "Root", keys[0], keys[1])):
        is_root = subject == "Root"
        usage = x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(parent.public_key()), critical=False)
        )
        if not is_root:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, critical=True)
        made.append(builder.sign(parent, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret = keys[0].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate, key_file = folder / "chain.pem", folder / "key.pem"
    certificate.write_bytes(made[1] + made[0])
    key_file.write_bytes(secret)
    return certificate, key_file


def write_video(path: Path, frames: int = 5) -> None:
    curves = FaceCurves.zeros(frames, 25.0)
    with VideoWriter(path, (64, 64), 25.0, metadata=provenance_tags(curves)) as video:
        for i in range(frames):
            video.write(np.full((64, 64, 3), 20 * i, np.uint8))


def test_tags_say_what_the_video_is_and_where_it_comes_from() -> None:
    made = Provenance("speech", model_hash="abc", audio_hash="def", emotion="happy 0.80", seed=7)
    curves = FaceCurves(np.zeros((1, 52)), np.zeros((1, 3)), np.zeros((1, 3)), 25.0, 0.0, made)
    tags = provenance_tags(curves)
    assert "AI-generated" in tags["comment"]
    for fact in ("source=speech", "model=abc", "recording=def", "happy 0.80", "seed=7"):
        assert fact in tags["description"]
    assert tags["description"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert provenance_tags(curves, neural=True)["description"].endswith("/trainedAlgorithmicMedia")


def test_nothing_is_signed_without_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CERTIFICATE_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert ContentSigner.from_environment() is None


@pytest.mark.parametrize("curve", ["SECP256R1", "SECP384R1"])
@pytest.mark.parametrize("neural", [False, True])
def test_the_signed_manifest_says_that_it_is_ai_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curve: str, neural: bool
) -> None:
    c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
    certificate, key = write_chain(tmp_path, curve)
    monkeypatch.setenv(CERTIFICATE_VARIABLE, str(certificate))
    monkeypatch.setenv(KEY_VARIABLE, str(key))
    video = tmp_path / "video.mp4"
    write_video(video)
    signer = ContentSigner.from_environment()
    assert signer is not None
    signer.sign(video, neural=neural)

    with c2pa.Reader(str(video)) as reader:
        store = json.loads(reader.json())
    manifest = store["manifests"][store["active_manifest"]]
    actions = next(a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))["data"]["actions"]
    kind = "trainedAlgorithmicMedia" if neural else "compositeWithTrainedAlgorithmicMedia"
    assert actions[0]["action"] == "c2pa.created"
    assert actions[0]["digitalSourceType"].endswith("/" + kind)
    assert "not a recording" in actions[0]["description"]
    assert manifest["claim_generator_info"][0]["name"] == "DREAM-Talk"
    # Our own root is on no trust list; nothing else may be wrong.
    problems = {status["code"] for status in store.get("validation_status", [])}
    assert problems <= {"signingCredential.untrusted"}
    with av.open(str(video)) as file:
        assert len(list(file.decode(video=0))) == 5
        assert "AI-generated" in file.metadata["comment"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["chain.pem", "key.pem", "video.mp4"]


def test_a_portrait_video_is_signed_where_signing_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    certificate, key = write_chain(tmp_path)
    monkeypatch.setenv(CERTIFICATE_VARIABLE, str(certificate))
    monkeypatch.setenv(KEY_VARIABLE, str(key))
    Image.fromarray(skimage_data.astronaut()[:300, 60:360]).save(tmp_path / "me.png")
    make_portrait_video(tmp_path / "me.png", FaceCurves.zeros(2, 25), None, tmp_path / "video.mp4")
    with c2pa.Reader(str(tmp_path / "video.mp4")) as reader:
        assert "compositeWithTrainedAlgorithmicMedia" in reader.json()
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_a_changed_video_no_longer_matches_its_manifest(tmp_path: Path) -> None:
    c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
    certificate, key = write_chain(tmp_path)
    video = tmp_path / "video.mp4"
    write_video(video)
    ContentSigner(certificate.read_text(), key.read_text(), "es256").sign(video)
    data = bytearray(video.read_bytes())
    data[data.rindex(b"mdat") + 40] ^= 0xFF
    video.write_bytes(data)
    with c2pa.Reader(str(video)) as reader:
        store = json.loads(reader.json())
    assert any("hash" in status["code"].lower() for status in store["validation_status"])


@pytest.mark.parametrize(
    ("case", "words"),
    [("half", KEY_VARIABLE), ("missing", "cannot be read"), ("words", "no PEM"), ("other key", "does not belong")],
)
def test_half_a_configuration_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, words: str
) -> None:
    certificate, key = write_chain(tmp_path)
    if case == "words":
        key.write_text("This is no key.")
    if case == "other key":
        (tmp_path / "other").mkdir()
        key = write_chain(tmp_path / "other")[1]
    monkeypatch.setenv(CERTIFICATE_VARIABLE, str(certificate))
    monkeypatch.setenv(KEY_VARIABLE, "" if case == "half" else str(tmp_path / "none.pem" if case == "missing" else key))
    with pytest.raises(ConfigError, match=words) as caught:
        ContentSigner.from_environment()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(64, 64), (256, 256), (300, 200), (1080, 1920), (1920, 1080)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_badge_stands_out_in_the_corner_at_any_size(size: tuple[int, int], level: int) -> None:
    frame = np.full((size[1], size[0], 3), level, np.uint8)
    Badge(size).draw(frame)
    changed = np.abs(frame.astype(int) - level).max(axis=2) > 8
    rows, columns = np.nonzero(changed)
    assert rows.min() > size[1] / 2
    assert columns.min() > size[0] * 0.4
    assert changed.sum() < 0.07 * changed.size
    # White letters on a dark plate: a reader's minimum is a contrast of 3 to 1 (WCAG 2.1), here of linear light.
    light = (frame[changed] / 255.0) ** 2.2
    assert (np.quantile(light, 0.98) + 0.05) / (np.quantile(light, 0.3) + 0.05) > 3


def test_the_badge_is_opaque_on_a_clear_picture() -> None:
    frame = np.zeros((128, 256, 4), np.uint8)
    Badge((256, 128)).draw(frame)
    assert frame[:, :, 3].max() > 240
    assert frame[:, :, 3].mean() < 12
    assert frame[frame[:, :, 3] > 240][:, :3].min() > 200
