"""Users by certificate, and the chain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.authn.chain import AuthenticationChain
from kubeactors.apiserver.authn.x509 import X509Authenticator
from kubeactors.apiserver.request import ANONYMOUS, UserInfo
from kubeactors.pki.authority import CERTIFICATE_LIFETIME, Authority, Identity

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _certificate(identity: Identity) -> bytes:
    return Authority.create("test", NOW).issue(identity, NOW).certificate


def test_common_name_and_organizations() -> None:
    pem = _certificate(Identity("bob", ("a", "b"), client=True))
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    authenticator = X509Authenticator(NOW.timestamp)
    user = authenticator.by_pem(pem)
    assert user is not None
    assert (user.name, user.groups) == ("bob", ("a", "b", "system:authenticated"))
    assert authenticator.by_der(der) == user


def test_a_certificate_expires_though_its_connection_lives() -> None:
    pem = _certificate(Identity("bob", client=True))
    now = NOW
    authenticator = X509Authenticator(lambda: now.timestamp())
    assert authenticator.by_pem(pem) is not None
    now = NOW + CERTIFICATE_LIFETIME + timedelta(seconds=1)
    assert authenticator.by_pem(pem) is None


def test_a_certificate_without_a_name_is_nobody() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert X509Authenticator(NOW.timestamp).by_der(certificate.public_bytes(Encoding.DER)) is None


class _OneToken:
    async def authenticate(self, token: str) -> UserInfo | None:
        return UserInfo("robot") if token == "right" else None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi"])
async def test_no_credentials_are_anonymous(header: str) -> None:
    assert await AuthenticationChain([_OneToken()]).authenticate(None, header) is ANONYMOUS


async def test_tokens_and_certificates() -> None:
    chain = AuthenticationChain([_OneToken()])
    assert (await chain.authenticate(None, "bearer right")).name == "robot"
    assert (await chain.authenticate(UserInfo("bob"), "Bearer wrong")).name == "bob"
    with pytest.raises(StatusError) as caught:
        await chain.authenticate(None, "Bearer wrong")
    assert (caught.value.code, caught.value.message) == (401, "Unauthorized")
