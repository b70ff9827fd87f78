"""Secrets of type kubernetes.io/tls: whether certificate and key are a pair, in the words of Go's tls.X509KeyPair."""

import base64
from collections.abc import Mapping
from typing import Any

from kubeactors.api.validation.certificates import pem


def tls_secret_warnings(secret: Mapping[str, Any]) -> list[str]:
    """At most one text: why the pair cannot be used."""
    if secret.get("type") != "kubernetes.io/tls":
        return []
    data = secret.get("data") or {}
    problem = _pair_problem(*(base64.b64decode(data.get(field) or "") for field in ("tls.crt", "tls.key")))
    return [f"tls: {problem}"] if problem else []


def _pair_problem(certificate: bytes, key: bytes) -> str:
    found = _blocks(certificate)
    if pem.CERTIFICATE not in found:
        if not found:
            return "failed to find any PEM data in certificate input"
        if len(found) == 1 and found[0].endswith("PRIVATE KEY"):
            return (
                "failed to find certificate PEM data in certificate input, but did find a private key; "
                "PEM inputs may have been switched"
            )
        return (
            'failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following '
            f"types: [{' '.join(found)}]"
        )
    found = _blocks(key)
    if not any(name.endswith("PRIVATE KEY") for name in found):
        if not found:
            return "failed to find any PEM data in key input"
        if found == [pem.CERTIFICATE]:
            return "found a certificate rather than a key in the PEM for the private key"
        return (
            'failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the '
            f"following types: [{' '.join(found)}]"
        )
    return _key_problem(certificate, key)


def _blocks(text: bytes) -> list[str]:
    return [block.type for block in pem.blocks(text.decode(errors="replace"))]


def _key_problem(certificate: bytes, key: bytes) -> str:
    # Imported late: clients and controllers, which never come here, need not load it.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    unusable = (ValueError, TypeError, UnsupportedAlgorithm)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key().public_bytes(*form)
    except unusable as error:
        return f"failed to parse certificate: {error}"
    try:
        private = load_pem_private_key(key, None).public_key().public_bytes(*form)
    except unusable as error:
        return f"failed to parse private key: {error}"
    return "" if public == private else "private key does not match public key"
