"""What says that a portrait video is synthetic: tags in the file, a signed C2PA manifest, a visible badge.

Tags are always written. The manifest (C2PA specification 2.1) is signed where ``c2pa-python`` is installed and two
environment variables name PEM files: ``DREAMTALK_C2PA_CERTIFICATE``, the certificate chain, its own certificate
first, and ``DREAMTALK_C2PA_KEY``, its private key without a password.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendshape_rigs.curves import FaceCurves
from model_server import __version__
from model_server.errors import ConfigError, ExportError

CERTIFICATE_VARIABLE, KEY_VARIABLE = "DREAMTALK_C2PA_CERTIFICATE", "DREAMTALK_C2PA_KEY"
SIGNED_SUFFIXES = (".mp4", ".png")
STATEMENT = "AI-generated: a photograph animated with DREAM-Talk. This is not a recording of the person shown."
_TITLE = "Synthetic portrait video"
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_MAXIMUM_PEM_BYTES = 2**20


def source_type(*, neural: bool) -> str:
    """Return the IPTC digital source type: made by a trained model, or a photograph composed with what one made."""
    return _SOURCE_TYPES + ("trainedAlgorithmicMedia" if neural else "compositeWithTrainedAlgorithmicMedia")


def provenance_tags(curves: FaceCurves, *, neural: bool = False) -> dict[str, str]:
    """Return container tags that say in words and hashes that the video is synthetic and where it came from."""
    made = curves.provenance
    facts = {
        "source": made.source,
        "emotion": made.emotion,
        "model": made.model_hash,
        "recording": made.audio_hash,
        "seed": str(made.seed),
        "digitalSourceType": source_type(neural=neural),
    }
    return {
        "title": _TITLE,
        "comment": STATEMENT,
        "description": "; ".join(f"{name}={value}" for name, value in facts.items() if value),
    }


@dataclass(frozen=True)
class ContentSigner:
    """Signs finished files with a C2PA manifest.

    Attributes:
        certificates: PEM text of the certificate chain.
        key: PEM text of the private key.
        algorithm: C2PA's name of the signature algorithm, such as ``es256``.
    """

    certificates: str
    key: str
    algorithm: str

    @classmethod
    def from_environment(cls) -> ContentSigner | None:
        """Return the signer that the environment configures, or None where it configures none.

        Raises:
            ConfigError: for half a configuration, files that cannot be used, or a missing ``c2pa-python``.
        """
        names = {variable: os.environ.get(variable, "") for variable in (CERTIFICATE_VARIABLE, KEY_VARIABLE)}
        missing = [variable for variable, path in names.items() if not path]
        if len(missing) == len(names):
            return None
        if missing:
            raise ConfigError(f"to sign videos set {missing[0]} too, or unset both {' and '.join(names)}")
        if importlib.util.find_spec("c2pa") is None:
            raise ConfigError(
                f"{CERTIFICATE_VARIABLE} is set, but signing needs c2pa-python: pip install 'dreamtalk[c2pa]'"
            )
        certificates, key = (_read_pem(variable, Path(path)) for variable, path in names.items())
        return cls(certificates, key, _algorithm(certificates, key))

    def sign(self, path: Path, *, neural: bool = False) -> None:
        """Put a signed manifest into the finished file ``path`` (.mp4 or .png), in its place.

        Raises:
            ConfigError: when the certificate is not fit for signing content.
            ExportError: when the file could not be signed.
        """
        c2pa: Any = importlib.import_module("c2pa")
        manifest = _manifest(path.suffix.lower(), source_type(neural=neural))
        signed = path.with_name(f"{path.stem}-signed{path.suffix}")
        try:
            information = c2pa.C2paSignerInfo(self.algorithm, self.certificates.encode(), self.key.encode(), None)
            with c2pa.Signer.from_info(information) as signer, c2pa.Builder(manifest) as builder:
                builder.sign_file(path, signed, signer)
            signed.replace(path)
        except c2pa.C2paError as error:
            # The library's own words say which rule the certificate breaks.
            raise ConfigError(f"the video could not be signed with {CERTIFICATE_VARIABLE}: {_line(error)}") from error
        except OSError as error:
            raise ExportError(f"'{path.name}' could not be signed: {error.strerror or error}") from error
        finally:
            signed.unlink(missing_ok=True)


def _manifest(suffix: str, source: str) -> dict[str, Any]:
    action = {
        "action": "c2pa.created",
        "digitalSourceType": source,
        "softwareAgent": {"name": "DREAM-Talk", "version": __version__},
        "description": STATEMENT,
    }
    return {
        "claim_generator_info": [{"name": "DREAM-Talk", "version": __version__}],
        "title": _TITLE,
        "format": {".mp4": "video/mp4", ".png": "image/png"}[suffix],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }


def _read_pem(variable: str, path: Path) -> str:
    try:
        if path.stat().st_size > _MAXIMUM_PEM_BYTES:
            raise ConfigError(f"{variable} names '{path}', which is too large for a PEM file")
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM text"
        raise ConfigError(f"{variable} names '{path}', which cannot be read: {reason}") from error
    if "-----BEGIN" not in text:
        raise ConfigError(f"{variable} names '{path}', which is no PEM file")
    return text


def _algorithm(certificates: str, key: str) -> str:
    """Return the C2PA algorithm of a private key; checks that the key belongs to the first certificate."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{KEY_VARIABLE} holds no private key without a password ({_line(error)})") from error
    try:
        certificate = load_pem_x509_certificate(certificates.encode())
    except ValueError as error:
        raise ConfigError(f"{CERTIFICATE_VARIABLE} holds no certificate ({_line(error)})") from error
    if certificate.public_key() != private.public_key():
        raise ConfigError(
            f"the key in {KEY_VARIABLE} does not belong to the first certificate in {CERTIFICATE_VARIABLE}"
        )
    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in curves:
        return curves[private.curve.name]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    raise ConfigError(f"{KEY_VARIABLE} holds a kind of key that C2PA does not know; use an ECDSA P-256 key")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
