"""PEM blocks and what is in them.

The library for it is imported late: clients and controllers, which never come here, need not load it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE: Final = "CERTIFICATE"
REQUEST: Final = "CERTIFICATE REQUEST"
_BEGIN: Final = "\n-----BEGIN "
_END: Final = "\n-----END "
_DASHES: Final = "-----"
_RSA_SIZES: Final = (3072, 4096)
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class Block:
    type: str
    headers: bool
    data: bytes


def blocks(text: str) -> Iterator[Block]:
    """The blocks in a text; what cannot be decoded is passed over, as Go's pem.Decode does. Linear in the text."""
    text = "\n" + text.replace("\r\n", "\n")
    place = end = 0
    while (begin := text.find(_BEGIN, place)) >= 0:
        place = text.find("\n", begin + 1)
        kind = text[begin + len(_BEGIN) : place].rstrip(" \t")
        if end < place:
            end = text.find(_END, place)
        if place < 0 or end < 0:
            return
        if not kind.endswith(_DASHES) or not text.startswith(kind, end + len(_END)):
            continue
        block = _block(kind.removesuffix(_DASHES), text[place + 1 : end + 1])
        place = end + 1
        if block is not None:
            yield block


def _block(kind: str, inner: str) -> Block | None:
    head, blank, body = inner.partition("\n\n")
    headers = bool(blank) and ":" in head
    try:
        data = base64.b64decode("".join((body if headers else inner).split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Block(kind, headers, data)


def certificate(data: bytes) -> x509.Certificate:
    """Of DER. Raises ValueError."""
    from cryptography import x509

    return x509.load_der_x509_certificate(data)


def request(data: bytes) -> x509.CertificateSigningRequest:
    """Of DER. Raises ValueError."""
    from cryptography import x509

    return x509.load_der_x509_csr(data)


def is_authority(found: x509.Certificate) -> bool:
    """Whether the basic constraints say that this is a CA's."""
    from cryptography import x509

    try:
        return found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def has_valid_signature(found: x509.CertificateSigningRequest) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return found.is_signature_valid
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False


def key_problem(key: Any) -> tuple[str, str]:
    """What a pod's key is and why it is not taken; two empty texts when it is."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PublicKey):
        return "", ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name in _CURVES:
            return "", ""
        return f"curve {key.curve.name}", "elliptic public keys must use curve P256, P384, or P521"
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in _RSA_SIZES:
            return "", ""
        return f"{key.key_size}-bit modulus", "RSA keys must have modulus size 3072 or 4096"
    return type(key).__name__, "unknown public key type; supported types are Ed25519, ECDSA, and RSA"


def same_key(first: Any, second: Any) -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bool(first.public_bytes(*form) == second.public_bytes(*form))
