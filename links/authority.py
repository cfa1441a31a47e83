"""The core's own certificate authority: it signs the message bus's certificate, and nothing else.

Made once and kept; edges know it by its public key. The server's certificate is renewed long before it ends.
Validity begins in 1970: a box without a clock battery starts there, and must reach the core to learn the
time. A certificate cannot be used before it was made anyway.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from links.secret_files import read_secret, write_secret
from links.trust import SERVER_NAME

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
NO_END: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, 4.1.2.5: no end is foreseen. Boxes keep the authority's certificate for good; trust in it ends
when it is replaced, and must not depend on what the core's clock said when it was made."""
SERVER_LIFE: Final = timedelta(days=365)
RENEW_BEFORE: Final = timedelta(days=120)
"""The server's certificate is made anew when less than this is left of it."""


class AuthorityUnusable(Exception):
    """The files of the authority are damaged or unreadable; the sentence says which. Stop."""


class WrongAuthority(Exception):
    """A certificate was not signed by the authority that was expected. Do not talk to whoever showed it."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What a TLS server needs, as files, and until when it is valid."""

    certificate: Path
    key: Path
    ends: datetime


class Authority:
    """The authority whose files are ``authority.pem`` and ``authority.key`` of a folder."""

    def __init__(self, key: Ed25519PrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def open(cls, folder: Path) -> "Authority":
        """Read it, or make it when there is none yet. Raises `AuthorityUnusable`, OSError."""
        key_file, certificate_file = folder / "authority.key", folder / "authority.pem"
        if not key_file.exists() and not certificate_file.exists():
            made = cls._make()
            write_secret(key_file, _private_pem(made._key))
            write_secret(certificate_file, made.pem)
            return made
        try:
            key = load_pem_private_key(read_secret(key_file).encode(), None)
            certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        except ValueError as error:
            raise AuthorityUnusable(
                f"{folder}: authority.key or authority.pem is damaged: {error}"
            ) from error
        if not isinstance(key, Ed25519PrivateKey) or key.public_key() != certificate.public_key():
            raise AuthorityUnusable(f"{folder}: authority.key does not belong to authority.pem")
        return cls(key, certificate)

    @classmethod
    def _make(cls) -> "Authority":
        key = Ed25519PrivateKey.generate()
        name = _name(f"GridWarden authority {_fingerprint(key.public_key())[:11]}")
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _certificate(name, name, key.public_key(), NO_END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, None)
        )
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        """Its certificate, for those who trust it."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    @property
    def public(self) -> bytes:
        """Its public key, 32 bytes: what an invitation carries."""
        return _raw(self._key.public_key())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its public key, for people to compare."""
        return _fingerprint(self._key.public_key())

    def server_certificate(self, folder: Path, names: Collection[str], now: datetime) -> ServerCertificate:
        """The certificate in ``server.pem`` and ``server.key`` of `folder`, made when there is no good one.

        It is valid for `SERVER_NAME`, by which edges ask for it, and for `names` (hosts, IP addresses).
        Raises OSError.
        """
        files = folder / "server.pem", folder / "server.key"
        wanted = _alternatives({SERVER_NAME, *names})
        found = self._usable(*files, wanted, now)
        if found is None:
            found = self._issue(*files, wanted, now)
        return ServerCertificate(*files, found.not_valid_after_utc)

    def _usable(
        self, certificate_file: Path, key_file: Path, wanted: x509.SubjectAlternativeName, now: datetime
    ) -> x509.Certificate | None:
        try:
            certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            key = load_pem_private_key(read_secret(key_file).encode(), None)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            check_signed(certificate.public_bytes(Encoding.PEM).decode(), self.public)
        except (FileNotFoundError, ValueError, x509.ExtensionNotFound, WrongAuthority):
            return None
        good = (
            certificate.not_valid_after_utc - now > RENEW_BEFORE
            and names == wanted
            and key.public_key() == certificate.public_key()
        )
        return certificate if good else None

    def _issue(
        self, certificate_file: Path, key_file: Path, wanted: x509.SubjectAlternativeName, now: datetime
    ) -> x509.Certificate:
        key = Ed25519PrivateKey.generate()
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _certificate(_name(SERVER_NAME), self._certificate.subject, key.public_key(), now + SERVER_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(wanted, critical=False)
            .add_extension(own, critical=False)
            .add_extension(by, critical=False)
            .sign(self._key, None)
        )
        # A server that starts between the two writes finds a pair that does not match, and makes it anew.
        write_secret(key_file, _private_pem(key))
        write_secret(certificate_file, certificate.public_bytes(Encoding.PEM).decode())
        return certificate


def certificate_end(file: Path) -> datetime:
    """Until when the certificate in the file is valid; raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc


def check_signed(certificate_pem: str, authority: bytes) -> None:
    """Check that the authority with this public key signed the certificate; raises `WrongAuthority`."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        Ed25519PublicKey.from_public_bytes(authority).verify(
            certificate.signature, certificate.tbs_certificate_bytes
        )
    except (InvalidSignature, ValueError) as error:
        raise WrongAuthority("signed by somebody else") from error


def check_is(authority_pem: str, authority: bytes) -> None:
    """Check that this is the certificate of the authority with this key; raises `WrongAuthority`."""
    try:
        key = x509.load_pem_x509_certificate(authority_pem.encode()).public_key()
    except ValueError as error:
        raise WrongAuthority("no certificate at all") from error
    if not isinstance(key, Ed25519PublicKey) or _raw(key) != authority:
        raise WrongAuthority("the certificate of another authority")


def fingerprint(authority: bytes) -> str:
    """SHA-256 of an authority's public key, for people to compare."""
    return _fingerprint(Ed25519PublicKey.from_public_bytes(authority))


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PublicKey, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINNING)
        .not_valid_after(ends.replace(microsecond=0))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Collection[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([*map(_alternative, sorted(names))])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _fingerprint(key: Ed25519PublicKey) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex(":")


def _private_pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
