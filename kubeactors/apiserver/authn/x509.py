"""Users by client certificate: the common name is the user, the organizations are the groups.

See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    ClientVerifier,
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from kubeactors.apiserver.request import UserInfo

AUTHENTICATED = "system:authenticated"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_CACHE_SIZE = 4096


class CertificateRefused(Exception):
    """The certificate proves nothing here: of another authority, not valid now, not for clients, or without a name."""


@dataclass(frozen=True, slots=True)
class CertificateUser:
    """Whom a certificate names, and until when (seconds since the epoch)."""

    user: UserInfo
    not_after: float


class X509Authenticator:
    """Judges certificates by the cluster's `authorities` and remembers each one's user.

    `now` returns seconds since 1970. That the client holds the certificate's key, the TLS handshake has proved.
    """

    def __init__(self, authorities: Sequence[x509.Certificate], now: Callable[[], float]) -> None:
        self._store = Store(list(authorities))
        self._now = now
        self._users: OrderedDict[tuple[bytes, ...], CertificateUser] = OrderedDict()

    def by_der(self, chain: Sequence[bytes]) -> UserInfo:
        """The user of DER certificates: the client's own first, then intermediates. Raises CertificateRefused."""
        return self._user(tuple(chain), x509.load_der_x509_certificate)

    def by_pem(self, certificate: bytes) -> UserInfo:
        """The user of one PEM certificate. Raises CertificateRefused."""
        return self._user((certificate,), x509.load_pem_x509_certificate)

    def _user(self, chain: tuple[bytes, ...], load: Callable[[bytes], x509.Certificate]) -> UserInfo:
        found = self._users.get(chain)
        if found is None:
            found = self._users[chain] = self._judge(chain, load)
            if len(self._users) > _CACHE_SIZE:
                self._users.popitem(last=False)
        if self._now() > found.not_after:
            raise CertificateRefused("the certificate has expired")
        return found.user

    def _judge(self, chain: tuple[bytes, ...], load: Callable[[bytes], x509.Certificate]) -> CertificateUser:
        try:
            leaf, *intermediates = (load(certificate) for certificate in chain)
            self._verifier().verify(leaf, intermediates)
        except (ValueError, VerificationError) as error:
            raise CertificateRefused(str(error)) from error
        not_after = min(certificate.not_valid_after_utc for certificate in (leaf, *intermediates))
        return CertificateUser(certificate_user(leaf), not_after.timestamp())

    def _verifier(self) -> ClientVerifier:
        now = datetime.fromtimestamp(self._now(), UTC)
        builder = PolicyBuilder().store(self._store).time(now)
        return builder.extension_policies(ca_policy=_AUTHORITIES, ee_policy=_CLIENTS).build_client_verifier()


def _for_clients(policy: Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    # A certificate that limits its use to nothing may be used for anything (RFC 5280, 4.2.1.12).
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("the certificate is not for clients")


def _signs(policy: Policy, certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("the issuer is not an authority")


# The web's rules ask for alternative names, which a client's certificate need not have.
_CLIENTS = ExtensionPolicy.permit_all().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_clients)
_AUTHORITIES = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _signs)


def certificate_user(certificate: x509.Certificate) -> UserInfo:
    """Whom the subject names. Raises CertificateRefused without a common name."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names or not names[0].value:
        raise CertificateRefused("the certificate has no common name")
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    groups = [str(each.value) for each in organizations]
    if AUTHENTICATED not in groups:
        groups.append(AUTHENTICATED)
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return UserInfo(str(names[0].value), tuple(groups), extra={CREDENTIAL_ID: (f"X509SHA256={fingerprint}",)})
