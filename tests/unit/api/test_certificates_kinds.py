"""Signing requests, trust bundles and pods' certificates."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.validation.certificates import pem
from kubeactors.api.validation.certificates.signer import signer_name_errors
from tests.support.api_samples import NOW, completed, create_errors, update_errors, updated

_KEY = ec.generate_private_key(ec.SECP256R1())
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CSRS = "certificatesigningrequests"
BUNDLES = "clustertrustbundles"
PODS = "podcertificaterequests"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def certificate(key: Any = _KEY, *, ca: bool = True, hours: int = 24) -> str:
    builder = x509.CertificateBuilder(_NAME, _NAME, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(_BEGIN).not_valid_after(_BEGIN + timedelta(hours=hours))
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def signing_request(key: Any = _KEY) -> x509.CertificateSigningRequest:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return x509.CertificateSigningRequestBuilder(_NAME).sign(key, algorithm)


REQUEST = b64(signing_request().public_bytes(Encoding.PEM))
CERTIFICATE = certificate()


def csr(**spec: Any) -> dict[str, Any]:
    made = {"request": REQUEST, "signerName": "example.com/s", "usages": ["client auth"], **spec}
    return {"metadata": {"name": "C: any name"}, "spec": made}


def condition(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": "R", "message": "m", **fields}


def bundle(text: str = CERTIFICATE, name: str = "b", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"trustBundle": text, **spec}}


def pod_request(**spec: Any) -> dict[str, Any]:
    made = {
        "signerName": "example.com/s",
        **{f"{owner}{field}": "a" for owner in ("pod", "node", "serviceAccount") for field in ("Name", "UID")},
        "stubPKCS10Request": b64(signing_request().public_bytes(Encoding.DER)),
        **spec,
    }
    return {"metadata": {"name": "r"}, "spec": made}


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({}, []),
        (
            {"request": b64(CERTIFICATE.encode())},
            [f'spec.request: Invalid value: "{b64(CERTIFICATE.encode())}": PEM block type must be CERTIFICATE REQUEST'],
        ),
        (
            {"signerName": "kubernetes.io/legacy-unknown", "expirationSeconds": 599},
            [
                'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed '
                "via this API version",
                "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds "
                "(10 minutes)",
            ],
        ),
    ],
)
def test_what_a_signing_request_refuses(spec: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(CSRS, csr(**spec)) == errors


def test_a_request_that_another_key_signed() -> None:
    other = signing_request(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.DER)
    mine = signing_request().public_bytes(Encoding.DER)
    forged = mine.replace(mine[-32:], other[-32:])
    text = "-----BEGIN CERTIFICATE REQUEST-----\n" + b64(forged) + "\n-----END CERTIFICATE REQUEST-----\n"
    assert len(create_errors(CSRS, csr(request=b64(text.encode())))) == 1


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("example.com/a.b", []),
        ("", ["Required value"]),
        (
            "a/b/c",
            [
                'Invalid value: "a/b/c": must be a fully qualified domain and path of the form '
                "'example.com/signer-name'"
            ],
        ),
        ("com/a", ['Invalid value: "com": should be a domain with at least two segments separated by dots']),
    ],
)
def test_names_of_signers(name: str, messages: list[str]) -> None:
    assert [e.body() for e in signer_name_errors(name, "p")] == messages


def test_the_spec_of_a_signing_request_is_kept() -> None:
    kind = registry.lookup(CSRS)
    old = completed(CSRS, csr())
    new = updated(kind, old, copy(old) | {"spec": {}, "status": {"certificate": "AAAA"}})
    assert new["spec"] == old["spec"] and new["status"] == {}


def test_a_decision_goes_through_approval_alone() -> None:
    kind = registry.lookup(CSRS)
    old = completed(CSRS, csr())
    approved = copy(old) | {"status": {"conditions": [condition("Approved")], "certificate": "AAAA"}}
    done = updated(kind, old, copy(approved), "approval")
    filled = condition("Approved", lastUpdateTime="2026-01-01T00:00:00Z", lastTransitionTime="2026-01-01T00:00:00Z")
    assert done["status"] == {"conditions": [filled]}
    assert update_errors(CSRS, old, copy(approved), "approval") == []
    del approved["status"]["certificate"]
    assert update_errors(CSRS, old, approved, "status") == [
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"'
    ]
    both = copy(done) | {"status": {"conditions": [filled, condition("Denied")]}}
    assert update_errors(CSRS, done, both, "approval") == [
        'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'
    ]
    assert update_errors(CSRS, done, copy(done) | {"status": {}}, "approval") == [
        'status.conditions: Forbidden: updates may not remove a condition of type "Approved"'
    ]
    changed = copy(done)
    changed["status"]["conditions"][0]["message"] = "other"
    assert updated(kind, done, changed, "status")["status"] == done["status"]


def test_a_certificate_goes_through_status_once() -> None:
    old = completed(CSRS, csr())
    issued = copy(old) | {"status": {"certificate": b64(CERTIFICATE.encode())}}
    assert update_errors(CSRS, old, copy(issued), "status") == []
    other = copy(old) | {"status": {"certificate": b64(certificate().encode())}}
    assert update_errors(CSRS, issued, other, "status") == [
        "status.certificate: Forbidden: updates may not modify existing certificate content"
    ]
    wrong = copy(old) | {"status": {"certificate": b64(base64.b64decode(REQUEST))}}
    assert update_errors(CSRS, old, wrong, "status") == [
        'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found '
        '"CERTIFICATE REQUEST"'
    ]


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (bundle(), []),
        (bundle(name="example.com:s:b", signerName="example.com/s"), []),
        (
            bundle(name="b", signerName="example.com/s"),
            [
                'metadata.name: Invalid value: "b": ClusterTrustBundle for signerName example.com/s must be named with '
                "prefix example.com:s:"
            ],
        ),
        (bundle(""), ["at least one trust anchor must be provided"]),
        (bundle(CERTIFICATE * 2), ["duplicate trust anchor (indices [0 1])"]),
        (bundle(certificate(ca=False)), ["entry 0 does not have the CA bit set"]),
        (
            bundle(CERTIFICATE + base64.b64decode(REQUEST).decode()),
            ["entry 1 has bad block type: CERTIFICATE REQUEST"],
        ),
        (
            bundle(CERTIFICATE.replace("-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nA: b\n\n")),
            ["entry 0 has PEM block headers"],
        ),
    ],
)
def test_what_a_trust_bundle_refuses(obj: dict[str, Any], errors: list[str]) -> None:
    found = create_errors(BUNDLES, obj)
    assert [e.removeprefix('spec.trustBundle: Invalid value: "<value omitted>": ') for e in found] == errors


def test_blocks_of_a_text() -> None:
    inner = "-----BEGIN A-----\nAAAA\n-----END A-----"
    text = f"noise\r\n{inner}\r\n-----BEGIN B-----\n{inner}\n-----BEGIN C-----\n!\n-----END C-----"
    kinds = [block.type for block in pem.blocks(text)]
    assert kinds == ["A", "A"]
    assert list(pem.blocks("")) == list(pem.blocks("-----BEGIN A-----")) == []
    # Neither many beginnings without an end nor with another's take more than one pass.
    many = "-----BEGIN A-----\n" * 60_000
    assert list(pem.blocks(many)) == list(pem.blocks(f"{many}-----END B-----\n")) == []


def test_the_signer_of_a_trust_bundle_is_fixed() -> None:
    old = completed(BUNDLES, bundle(name="example.com:s:b", signerName="example.com/s"))
    new = copy(old)
    new["spec"]["signerName"] = "example.com/t"
    assert update_errors(BUNDLES, old, new) == ['spec.signerName: Invalid value: "example.com/t": field is immutable']


def test_what_a_pod_certificate_request_is_given_and_refuses() -> None:
    assert completed(PODS, pod_request())["spec"]["maxExpirationSeconds"] == 86400
    assert create_errors(PODS, pod_request()) == []
    assert create_errors(
        PODS, pod_request(podUID="", maxExpirationSeconds=60, unverifiedUserAnnotations={"a": "b"})
    ) == [
        'spec.unverifiedUserAnnotations: Invalid value: "a": must be a domain-prefixed key (such as "acme.io/foo")',
        'spec.podUID: Invalid value: "": must not be empty',
        "spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]",
    ]
    assert create_errors(PODS, pod_request(stubPKCS10Request="AAAA")) == [
        'spec.stubPKCS10Request: Invalid value: "AAAA": must be a valid PKCS#10 CSR'
    ]
    weak = signing_request(ec.generate_private_key(ec.SECP256K1())).public_bytes(Encoding.DER)
    assert create_errors(PODS, pod_request(stubPKCS10Request=b64(weak))) == [
        'spec.stubPKCS10Request: Invalid value: "curve secp256k1": elliptic public keys must use curve P256, P384, or '
        "P521"
    ]
    edwards = signing_request(ed25519.Ed25519PrivateKey.generate()).public_bytes(Encoding.DER)
    assert create_errors(PODS, pod_request(stubPKCS10Request=b64(edwards))) == []


def issued(chain: str = CERTIFICATE, **fields: Any) -> dict[str, Any]:
    return {
        "conditions": [condition("Issued")],
        "certificateChain": chain,
        "notBefore": "2026-01-01T00:00:00Z",
        "notAfter": "2026-01-02T00:00:00Z",
        "beginRefreshAt": "2026-01-01T12:00:00Z",
        **fields,
    }


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (issued(), ""),
        ({"conditions": [condition("Denied")]}, ""),
        (
            {"conditions": [condition("Denied")], "certificateChain": "x"},
            "status: Invalid value: non-condition status fields must be empty when denying or failing the "
            "PodCertificateRequest",
        ),
        (
            {"certificateChain": "x"},
            'status: Invalid value: status is immutable unless transitioning to "Issued", "Denied", or "Failed"',
        ),
        (
            {"conditions": [condition("X")]},
            'status.conditions.[0].type: Unsupported value: "X": supported values: "Issued", "Denied", "Failed"',
        ),
        (
            issued(notAfter="2026-01-03T00:00:00Z"),
            'status.notAfter: Invalid value: "2026-01-03T00:00:00Z": must be set to the NotAfter time encoded in the '
            "leaf certificate",
        ),
        (
            issued(beginRefreshAt="2026-01-01T00:05:00Z"),
            'status.beginRefreshAt: Invalid value: "2026-01-01T00:05:00Z": must be at least 10 minutes after '
            "status.notBefore",
        ),
        (
            issued(beginRefreshAt=None),
            "status.beginRefreshAt: Required value: must be present and in the range [notbefore+10min, notafter-10min]",
        ),
    ],
)
def test_the_status_of_a_pod_certificate_request(status: dict[str, Any], error: str) -> None:
    old = completed(PODS, pod_request())
    assert update_errors(PODS, old, copy(old) | {"status": status}, "status") == ([error] if error else [])


def test_a_certificate_of_another_key_is_not_taken() -> None:
    old = completed(PODS, pod_request())
    chain = certificate(ec.generate_private_key(ec.SECP256R1()))
    found = update_errors(PODS, old, copy(old) | {"status": issued(chain)}, "status")
    assert [e.rpartition(": ")[2] for e in found] == ["leaf certificate was not issued to the requested public key"]


def test_an_issued_request_is_done() -> None:
    done = [condition("Issued", lastTransitionTime="2026-01-01T00:00:00Z")]
    old = completed(PODS, pod_request()) | {"status": issued(conditions=done)}
    assert update_errors(PODS, old, copy(old) | {"status": issued(conditions=done, notBefore=None)}, "status") == [
        "status: Invalid value: immutable after PodCertificateRequest is issued, denied, or failed"
    ]


def test_cells() -> None:
    def cells(resource: str, obj: dict[str, Any]) -> list[Any]:
        return table.cells(registry.lookup(resource), obj, NOW)

    made = completed(CSRS, csr(expirationSeconds=3600, username="jane"))
    assert cells(CSRS, made) == ["C: any name", "0s", "example.com/s", "jane", "60m", "Pending"]
    made["status"] = {"conditions": [condition("Approved"), condition("Failed")], "certificate": "AAAA"}
    assert cells(CSRS, made)[-1] == "Approved,Failed,Issued"
    assert cells(BUNDLES, completed(BUNDLES, bundle())) == ["b", "<none>"]
    assert cells(PODS, completed(PODS, pod_request())) == ["r", "a", "a", "a", "example.com/s", "Pending"]
