"""A certificate authority: makes key pairs, signs certificates and requests (RFC 5280)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeactors.pki.files import PRIVATE, PUBLIC, write_atomically

AUTHORITY_LIFETIME = timedelta(days=3650)
CERTIFICATE_LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=120)
"""A certificate is made anew when less than this remains: a third of its life."""

CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Identity:
    """Whom a certificate names.

    `common_name` is the user's name to the API server, each of `organizations` a group. `names` are the DNS names and
    addresses that a server answers to. `server` and `client` choose the extended key usages.
    """

    common_name: str
    organizations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    server: bool = False
    client: bool = False


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A self-signed authority that can sign."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, common_name: str, now: datetime) -> Authority:
        """A new authority with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, certificate_path: Path, key_path: Path) -> Authority:
        """The authority kept in two PEM files. Raises OSError or ValueError when they cannot be used."""
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_path} does not hold an elliptic-curve key")
        return cls(x509.load_pem_x509_certificate(certificate_path.read_bytes()), key)

    @classmethod
    def ensure(cls, certificate_path: Path, key_path: Path, common_name: str, now: datetime) -> Authority:
        """The authority kept in two files, made first if neither exists."""
        if certificate_path.exists() or key_path.exists():
            return cls.load(certificate_path, key_path)
        authority = cls.create(common_name, now)
        write_atomically(key_path, key_to_pem(authority._key), PRIVATE)
        write_atomically(certificate_path, authority.certificate, PUBLIC)
        return authority

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, identity: Identity, now: datetime) -> KeyPair:
        """A new key and a certificate for it."""
        key = ec.generate_private_key(ec.SECP256R1())
        return KeyPair(self._sign(identity, key.public_key(), now), key_to_pem(key))

    def sign_request(self, request: bytes, identity: Identity, now: datetime) -> bytes:
        """A certificate for the public key of a PEM signing request.

        The names come from `identity`, never from the request. Raises ValueError for a request that is malformed or
        not signed by the key it holds.
        """
        parsed = x509.load_pem_x509_csr(request)
        if not parsed.is_signature_valid:
            raise ValueError("the signing request is not signed by the key it holds")
        key = parsed.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("the signing request does not hold an elliptic-curve key")
        return self._sign(identity, key, now)

    def _sign(self, identity: Identity, key: ec.EllipticCurvePublicKey, now: datetime) -> bytes:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] * identity.server + [
            ExtendedKeyUsageOID.CLIENT_AUTH
        ] * identity.client
        builder = (
            x509.CertificateBuilder()
            .subject_name(_subject(identity))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(min(now + CERTIFICATE_LIFETIME, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if identity.names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(_alternative_names(identity.names)), critical=False
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issued(self, certificate: bytes) -> bool:
        """Whether this authority signed a PEM certificate."""
        try:
            x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def needs_renewal(certificate: bytes, identity: Identity, now: datetime) -> bool:
    """Whether a PEM certificate ends soon or names somebody other than `identity`."""
    parsed = x509.load_pem_x509_certificate(certificate)
    if parsed.not_valid_after_utc - now < RENEW_BEFORE or parsed.subject != _subject(identity):
        return True
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return bool(identity.names)
    return set(names) != set(_alternative_names(identity.names))


def new_request(key: bytes, common_name: str) -> bytes:
    """A PEM signing request for a PEM private key (PKCS #10)."""
    private = serialization.load_pem_private_key(key, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic-curve key")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def new_key() -> bytes:
    """A new P-256 private key, PEM."""
    return key_to_pem(ec.generate_private_key(ec.SECP256R1()))


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8, not encrypted: the file's mode guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(identity: Identity) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in identity.organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)])


def _alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    result: list[x509.GeneralName] = []
    for name in names:
        try:
            result.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            result.append(x509.DNSName(name))
    return result


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
