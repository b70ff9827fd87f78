"""Users by client certificate: the common name is the user, the organizations are the groups.

The TLS layer has verified the certificate against the cluster's CA before this is asked. See
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kubeactors.apiserver.request import UserInfo

AUTHENTICATED = "system:authenticated"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class CertificateUser:
    """Whom a certificate names, and until when (seconds since the epoch)."""

    user: UserInfo
    not_after: float


class X509Authenticator:
    """Turns verified certificates into users; remembers each certificate's user. `now` returns seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._users: OrderedDict[bytes, CertificateUser | None] = OrderedDict()

    def by_der(self, certificate: bytes) -> UserInfo | None:
        """The user of a DER certificate; None if it names nobody or has expired since the handshake."""
        return self._valid(self._lookup(certificate, x509.load_der_x509_certificate))

    def by_pem(self, certificate: bytes) -> UserInfo | None:
        """The user of a PEM certificate; None if it names nobody or has expired since the handshake."""
        return self._valid(self._lookup(certificate, x509.load_pem_x509_certificate))

    def _valid(self, found: CertificateUser | None) -> UserInfo | None:
        return found.user if found is not None and self._now() <= found.not_after else None

    def _lookup(self, certificate: bytes, load: Callable[[bytes], x509.Certificate]) -> CertificateUser | None:
        try:
            found = self._users[certificate]
        except KeyError:
            found = self._users[certificate] = certificate_user(load(certificate))
            if len(self._users) > _CACHE_SIZE:
                self._users.popitem(last=False)
        return found


def certificate_user(certificate: x509.Certificate) -> CertificateUser | None:
    """Whom the subject names; None without a common name."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names or not names[0].value:
        return None
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    groups = [str(each.value) for each in organizations]
    if AUTHENTICATED not in groups:
        groups.append(AUTHENTICATED)
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    user = UserInfo(str(names[0].value), tuple(groups), extra={CREDENTIAL_ID: (f"X509SHA256={fingerprint}",)})
    return CertificateUser(user, certificate.not_valid_after_utc.timestamp())
