"""Users by certificate, and the chain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.authn.chain import AuthenticationChain
from kubeactors.apiserver.authn.tokens import Tokens
from kubeactors.apiserver.authn.x509 import CertificateRefused, X509Authenticator
from kubeactors.apiserver.request import ANONYMOUS
from kubeactors.pki.authority import CERTIFICATE_LIFETIME, Authority, Identity
from tests.unit.apiserver.conftest import OneToken

NOW = datetime(2026, 1, 1, tzinfo=UTC)


AUTHORITY = Authority.create("test", NOW)


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def _issue(identity: Identity, authority: Authority = AUTHORITY) -> bytes:
    return authority.issue(identity, NOW).certificate


def _authenticator(now: Callable[[], float] = NOW.timestamp) -> X509Authenticator:
    return X509Authenticator([x509.load_pem_x509_certificate(AUTHORITY.certificate)], now)


def _built(
    issuer: x509.Name,
    subject: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    authority: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(signer, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def test_common_name_and_organizations() -> None:
    pem = _issue(Identity("bob", ("a", "b"), client=True))
    authenticator = _authenticator()
    user = authenticator.by_pem(pem)
    assert (user.name, user.groups) == ("bob", ("a", "b", "system:authenticated"))
    assert authenticator.by_der([_der(pem)]) == user


def test_a_certificate_expires_though_its_connection_lives() -> None:
    pem = _issue(Identity("bob", client=True))
    now = NOW
    authenticator = _authenticator(lambda: now.timestamp())
    assert authenticator.by_pem(pem).name == "bob"
    now = NOW + CERTIFICATE_LIFETIME + timedelta(seconds=1)
    with pytest.raises(CertificateRefused, match="expired"):
        authenticator.by_pem(pem)


def test_an_intermediate_authority_is_followed() -> None:
    root_key, middle_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = _built(_name("root"), _name("root"), root_key, root_key, authority=True)
    middle = _built(_name("root"), _name("middle"), root_key, middle_key, authority=True)
    leaf = _built(_name("middle"), _name("bob"), middle_key, key)
    authenticator = X509Authenticator([root], NOW.timestamp)
    chain = [certificate.public_bytes(Encoding.DER) for certificate in (leaf, middle)]
    assert authenticator.by_der(chain).name == "bob"
    with pytest.raises(CertificateRefused):
        authenticator.by_der(chain[:1])


def test_a_leaf_cannot_sign() -> None:
    root_key, bob_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = _built(_name("root"), _name("root"), root_key, root_key, authority=True)
    bob = _built(_name("root"), _name("bob"), root_key, bob_key)
    forged = _built(_name("bob"), _name("admin"), bob_key, key)
    chain = [certificate.public_bytes(Encoding.DER) for certificate in (forged, bob)]
    with pytest.raises(CertificateRefused):
        X509Authenticator([root], NOW.timestamp).by_der(chain)


@pytest.mark.parametrize(
    "certificate",
    [
        _issue(Identity("bob", client=True), Authority.create("test", NOW)),
        _issue(Identity("bob", server=True)),
        AUTHORITY.issue(Identity("bob", client=True), NOW + timedelta(days=2)).certificate,
    ],
    ids=["another authority of the same name", "for servers only", "not valid yet"],
)
async def test_what_is_refused(certificate: bytes) -> None:
    with pytest.raises(CertificateRefused):
        _authenticator().by_pem(certificate)
    chain = AuthenticationChain(_authenticator(), Tokens([OneToken()]))
    with pytest.raises(StatusError) as caught:
        await chain.authenticate([_der(certificate)], "")
    assert (caught.value.code, caught.value.message) == (401, "Unauthorized")
    assert (await chain.authenticate([_der(certificate)], "Bearer right")).name == "robot"


def test_a_certificate_without_a_name_is_nobody() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    root = _built(_name("root"), _name("root"), key, key, authority=True)
    masters = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters")])
    nameless = _built(_name("root"), masters, key, key).public_bytes(Encoding.DER)
    with pytest.raises(CertificateRefused, match="no common name"):
        X509Authenticator([root], NOW.timestamp).by_der([nameless])


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(CertificateRefused):
        _authenticator().by_der([b"nothing"])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi"])
async def test_no_credentials_are_anonymous(header: str) -> None:
    assert await AuthenticationChain(_authenticator(), Tokens([OneToken()])).authenticate([], header) is ANONYMOUS


async def test_tokens_and_certificates() -> None:
    chain = AuthenticationChain(_authenticator(), Tokens([OneToken()]))
    bob = _der(_issue(Identity("bob", client=True)))
    assert (await chain.authenticate([], "bearer right")).name == "robot"
    assert (await chain.authenticate([bob], "Bearer wrong")).name == "bob"
    for wrong in ("Bearer wrong", "Bearer \udcff\udcfe.a.b"):
        with pytest.raises(StatusError) as caught:
            await chain.authenticate([], wrong)
        assert (caught.value.code, caught.value.message) == (401, "Unauthorized")
