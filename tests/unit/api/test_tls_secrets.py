"""Warnings about secrets of type kubernetes.io/tls."""

import base64
from datetime import UTC, datetime

import pytest

from kubeactors.api.kinds import registry
from kubeactors.pki.authority import Authority, Identity

NOW = datetime(2026, 1, 2, tzinfo=UTC)
JUNK = b"-----BEGIN JUNK-----\nAAAA\n-----END JUNK-----\n"


def warnings(certificate: bytes, key: bytes, kind: str = "kubernetes.io/tls") -> list[str]:
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    return registry.lookup("secrets").strategy.warnings_on_create({"metadata": {}, "type": kind, "data": data})


def test_pairs_and_what_is_none() -> None:
    authority = Authority.create("test", NOW)
    one, other = (authority.issue(Identity(name, (), client=True), NOW) for name in ("a", "b"))
    assert warnings(one.certificate, one.key) == []
    assert warnings(one.certificate, other.key) == ["tls: private key does not match public key"]
    assert warnings(b"", b"", kind="Opaque") == []
    (switched,) = warnings(one.key, one.certificate)
    assert switched.endswith("but did find a private key; PEM inputs may have been switched")
    assert warnings(one.certificate, one.certificate) == [
        "tls: found a certificate rather than a key in the PEM for the private key"
    ]
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (unreadable,) = warnings(broken, one.key)
    assert unreadable.startswith("tls: failed to parse certificate: ")


@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        (b"", "failed to find any PEM data in certificate input"),
        (b"xyz", "failed to find any PEM data in certificate input"),
        (
            JUNK,
            'failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following '
            "types: [JUNK]",
        ),
    ],
)
def test_what_is_no_certificate(certificate: bytes, text: str) -> None:
    assert warnings(certificate, b"") == [f"tls: {text}"]
