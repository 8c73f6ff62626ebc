"""The sandbox's own certificate authority: what ElastiCache's certificates are signed by on this machine."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID = timedelta(days=3650)
_BEFORE = timedelta(minutes=5)
"""Clocks of virtual machines jump."""


class Authority:
    """An authority in a folder; made on first use, kept until the sandbox forgets its data.

    Attributes:
        certificate: What it is known by.
        trusted: That, and what this machine trusts anyway: for the environment variable SSL_CERT_FILE.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet."""
        self.certificate, self.trusted = folder / "ca.pem", folder / "trusted.pem"
        self._key = folder / "ca.key"

    def make(self) -> None:
        """Make it, where it is not there."""
        if self.certificate.exists() and self._key.exists() and self.trusted.exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Quintet sandbox")
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._key, _private(key))
        _write(self.certificate, _public(certificate))
        _write(self.trusted, _public(certificate) + _machine())

    def sign(self, address: str, certificate: Path, key: Path) -> None:
        """Write a certificate of a server at an address, and its key."""
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signing = serialization.load_pem_private_key(self._key.read_bytes(), None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)  # noqa: S101  we have made it
        own = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        signed = (
            _builder(_name(address), authority.subject, own.public_key())
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(signing, hashes.SHA256())
        )
        _write(key, _private(own))
        _write(certificate, _public(signed))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _VALID)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _machine() -> bytes:
    """What this machine trusts."""
    path = ssl.get_default_verify_paths().cafile
    return Path(path).read_bytes() if path and Path(path).exists() else b""


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
