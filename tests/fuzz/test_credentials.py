"""Certificates, tokens and TLS that must not be taken for what they are not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fuzz.checks import check
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.plane import Plane
from tests.fuzz.raw import exchange, read
from tests.support.control_plane import HOST

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
DAY = timedelta(days=1)

# --- certificates


def _certificate(
    plane: Plane,
    directory: Path,
    *,
    names: tuple[str, ...] = ("mallory",),
    groups: tuple[str, ...] = ("system:masters",),
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
    usage: Any = ExtendedKeyUsageOID.CLIENT_AUTH,
    signer: str = "cluster",
    change: Callable[[x509.CertificateBuilder], x509.CertificateBuilder] = lambda builder: builder,
) -> ssl.SSLContext:
    """A client's context with a certificate of the cluster's authority, of another, or of nobody."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        + [x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False) for name in names]
    )
    authority = x509.load_pem_x509_certificate(plane.control.pki.ca.read_bytes())
    signing: Any = load_pem_private_key((plane.control.pki.directory / "ca.key").read_bytes(), None)
    issuer = authority.subject
    if signer == "other":
        signing = ec.generate_private_key(ec.SECP256R1())
    elif signer == "itself":
        signing, issuer = key, subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    made = change(builder).sign(signing, hashes.SHA256())
    pem = directory / "client.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(made.public_bytes(Encoding.PEM) + private)
    context = plane.control.ssl_context(None)
    context.load_cert_chain(pem)
    return context


REFUSED: dict[str, dict[str, Any]] = {
    "expired": {"begins": -2 * DAY, "ends": -DAY},
    "not valid yet": {"begins": DAY, "ends": 2 * DAY},
    "of another authority": {"signer": "other"},
    "self-signed": {"signer": "itself"},
    "a server's": {"usage": ExtendedKeyUsageOID.SERVER_AUTH},
    "for code": {"usage": ExtendedKeyUsageOID.CODE_SIGNING},
    "with an unknown critical extension": {
        "change": lambda builder: builder.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), critical=True
        )
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_certificates_that_are_refused(plane: Plane, tmp_path: Path, name: str) -> None:
    client = Client(HOST, plane.control.https_port, _certificate(plane, tmp_path, **REFUSED[name]))
    assert check(client.request("POST", WHO, b"{}")).status == 401
    client.close()


def test_a_certificate_without_a_name_is_nobody(plane: Plane, tmp_path: Path) -> None:
    client = Client(HOST, plane.control.https_port, _certificate(plane, tmp_path, names=()))
    answer = check(client.request("POST", WHO, b"{}"))
    assert answer.status in (401, 403), answer
    client.close()


@pytest.mark.filterwarnings("ignore:Attribute's length")
@pytest.mark.parametrize("name", ["a" * 60_000, "a\0b", "\u202e", "system:masters,x", "", " ", "é" * 1000])
def test_odd_names_are_names(plane: Plane, tmp_path: Path, name: str) -> None:
    context = _certificate(plane, tmp_path, names=(name,), groups=())
    client = Client(HOST, plane.control.https_port, context)
    try:
        answer = check(client.request("POST", WHO, b"{}"))
    except ssl.SSLError:
        return  # TLS bounds how long a certificate may be
    finally:
        client.close()
    if answer.status == 201:
        assert answer.json()["status"]["userInfo"]["username"] == name
        assert answer.json()["status"]["userInfo"]["groups"] == ["system:authenticated"]
    else:
        assert answer.status in (401, 403), answer


# --- TLS


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + b"\0" * 1000,
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x80\x2e\x01\x00\x02",
        b"\xff" * 20_000,
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
)
def test_what_is_no_tls(plane: Plane, sent: bytes) -> None:
    with socket.create_connection(plane.address) as connection:
        connection.sendall(sent)
        reply = read(connection, quiet=0.5)
    assert b"HTTP/1.1 2" not in reply.data
    assert exchange(plane, b"GET /livez HTTP/1.0\r\n\r\n").statuses == [200]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(plane: Plane) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(plane.address, 5) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


# --- tokens


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _hmac(header: dict[str, Any], claims: str, key: bytes) -> str:
    """A token whose "signature" anybody can make who knows the public key."""
    signed = f"{_part(header)}.{claims}"
    return f"{signed}.{_part(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


@pytest.fixture(scope="module")
def token(client: Client) -> str:
    accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    check(client.json("POST", accounts, {"metadata": {"name": "robot"}}))
    made = check(client.json("POST", f"{accounts}/robot/token", {"spec": {}}))
    text: str = made.json()["status"]["token"]
    return text


def test_tokens_that_are_refused(plane: Plane, client: Client, token: str) -> None:
    stranger = plane.client(None)
    header, claims, signature = token.split(".")
    headers = jwt.get_unverified_header(token)
    said = jwt.decode(token, options={"verify_signature": False})
    private, public = plane.control.pki.service_account_key.read_bytes(), plane.control.pki.service_account_public_key
    now = int(time.time())

    def signed(changes: dict[str, Any], more: dict[str, Any] | None = None) -> str:
        return jwt.encode({**said, **changes}, private.decode(), headers["alg"], headers={**headers, **(more or {})})

    of = said["kubernetes.io"]
    refused: dict[str, str | bytes] = {
        "nothing": "x",
        "dots": "....",
        "empty parts": "..",
        "no base64": "a.b.c",
        "no UTF-8": b"\xff\xfe.\xff.\xff",
        "other letters": "é.é.é",
        "long": "a" * 60_000,
        "long claims": f"{header}.{'A' * 50_000}.{signature}",
        "deep claims": f"{header}.{_part(b'[' * 20_000)}.{signature}",
        "lists": f"{_part([])}.{_part([])}.{signature}",
        "nulls": f"{_part(None)}.{_part(None)}.{signature}",
        "no algorithm": f"{_part({'alg': 'none'})}.{claims}.",
        "no algorithm, with a key's name": f"{_part({**headers, 'alg': 'None'})}.{claims}.{signature}",
        "a list of algorithms": f"{_part({'alg': ['RS256']})}.{claims}.{signature}",
        "a key's name that is none": f"{_part({**headers, 'kid': {}})}.{claims}.{signature}",
        "the public key as a secret": _hmac({**headers, "alg": "HS256"}, claims, public.read_bytes()),
        "the public key as a secret, without its end": _hmac(
            {**headers, "alg": "HS256"}, claims, public.read_bytes().strip()
        ),
        "another signature": f"{header}.{claims}.{signature[:-8]}AAAAAAAA",
        "no signature": f"{header}.{claims}.",
        "other claims": f"{header}.{_part({**said, 'sub': 'system:admin'})}.{signature}",
        "an unknown key": signed({}, {"kid": "../../x"}),
        "a critical header": signed({}, {"crit": ["x"]}),
        "another audience": signed({"aud": ["x"]}),
        "an audience that is none": signed({"aud": [5, None]}),
        "another issuer": signed({"iss": "https://other.example"}),
        "expired": signed({"exp": now - 100}),
        "no expiry that can be read": signed({"exp": "x"}),
        "before its time": signed({"nbf": now + 1000}),
        "no claims of ours": signed({"kubernetes.io": None}),
        "claims that are text": signed({"kubernetes.io": "x"}),
        "no account": signed({"kubernetes.io": {**of, "serviceaccount": None}}),
        "another account's uid": signed({"kubernetes.io": {**of, "serviceaccount": {"name": "robot", "uid": "x"}}}),
        "another namespace": signed({"kubernetes.io": {**of, "namespace": "../default"}}),
        "a pod that is none": signed({"kubernetes.io": {**of, "pod": "x"}}),
        "a pod that is not there": signed({"kubernetes.io": {**of, "pod": {"name": "p", "uid": "u"}}}),
    }
    assert check(stranger.request("POST", WHO, b"{}", [("Authorization", f"Bearer {token}")])).status == 201
    for name, text in refused.items():
        raw = text if isinstance(text, bytes) else text.encode()
        answer = check(stranger.request("POST", WHO, b"{}", [("Authorization", b"Bearer " + raw)]), name)
        assert answer.status == 401, f"{name}: {answer}"
        review = {"spec": {"token": raw.decode("utf-8", "replace")}}
        answer = check(client.json("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review), name)
        assert answer.status == 201 and not answer.json()["status"].get("authenticated"), f"{name}: {answer}"
    stranger.close()


@pytest.mark.parametrize(
    "headers",
    [
        [("Impersonate-User", b"\xff\xfe")],
        [("Impersonate-User", "u"), ("Impersonate-Extra-%zz", b"\xff")],
        [("Impersonate-User", "u"), ("Impersonate-Extra-", "x")],
        [("Impersonate-User", "a" * 60_000)],
        [("Impersonate-Group", "g")],
        [("Impersonate-User", "system:serviceaccount:::")],
        [("Impersonate-User", "u"), *(("Impersonate-Group", f"g{i}") for i in range(800))],
        [("Authorization", "Basic ÿ")],
        [("Authorization", b"\xff")],
        [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")],
    ],
    ids=str,
)
def test_headers_that_say_who_asks(client: Client, headers: list[tuple[str, str | bytes]]) -> None:
    check(client.request("POST", WHO, b"{}", headers), headers)


def test_front_proxy_headers_are_not_believed(plane: Plane) -> None:
    stranger = plane.client(None)
    headers = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")]
    assert check(stranger.request("POST", WHO, b"{}", headers)).status in (401, 403)
    stranger.close()
