"""Signing and verifying service accounts' tokens: JSON Web Signatures (RFC 7515) by named keys (RFC 7517)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM_END = b"-----END PUBLIC KEY-----"
#: Longer tokens are not looked at; Kubernetes' own have about a thousand characters.
MAX_TOKEN = 32 * 1024


class BadSignature(Exception):
    """A token that none of the keys has signed."""


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key with its id and the only algorithm that it is used with."""

    id: str
    algorithm: str
    key: PublicKey

    def jwk(self) -> dict[str, str]:
        """The key as a JSON Web Key."""
        document = (
            RSAAlgorithm.to_jwk(self.key, as_dict=True)
            if isinstance(self.key, rsa.RSAPublicKey)
            else ECAlgorithm.to_jwk(self.key, as_dict=True)
        )
        document.pop("key_ops", None)
        return {"use": "sig", **document, "kid": self.id, "alg": self.algorithm}


class Signer:
    """Signs with one private key (PEM). Raises ValueError for a key of a kind that Kubernetes does not use."""

    def __init__(self, pem: bytes) -> None:
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError("a signing key of service accounts is an RSA or elliptic-curve key")
        self._key: PrivateKey = key
        self.public = _named(key.public_key())

    def sign(self, claims: dict[str, Any]) -> str:
        """The claims as a signed token in compact form."""
        headers = {"kid": self.public.id, "typ": None}
        return jwt.api_jws.encode(orjson.dumps(claims), self._key, self.public.algorithm, headers)


class Verifier:
    """Knows every key whose tokens are valid."""

    def __init__(self, keys: Sequence[NamedKey]) -> None:
        self.keys = tuple({key.id: key for key in keys}.values())

    @classmethod
    def load(cls, pem: bytes) -> Verifier:
        """The public keys of a PEM file. Raises ValueError for one that holds none, or another kind of key."""
        parts = [part + _PEM_END for part in pem.split(_PEM_END)[:-1]]
        keys = [serialization.load_pem_public_key(part[part.index(b"-----BEGIN") :]) for part in parts]
        if not keys:
            raise ValueError("there is no public key of service accounts")
        return cls([_named(key) for key in keys])

    def claims(self, token: str) -> dict[str, Any]:
        """What a token says, once its signature is verified. Raises BadSignature."""
        try:
            wanted = jwt.get_unverified_header(token).get("kid") or ""
        except jwt.PyJWTError as error:
            raise BadSignature("the token cannot be read") from error
        for key in self.keys:
            if wanted not in ("", key.id):
                continue
            try:
                claims = orjson.loads(jwt.api_jws.decode(token, key.key, algorithms=[key.algorithm]))
            except (jwt.PyJWTError, ValueError):
                continue
            if isinstance(claims, dict):
                return claims
        raise BadSignature("invalid signature, no keys found")

    def jwks(self) -> bytes:
        """The keys as a JSON Web Key Set, for others who verify tokens."""
        return orjson.dumps({"keys": [key.jwk() for key in self.keys]})


def unverified_issuer(token: str) -> str:
    """Who a token says has made it; empty for what is no token. Nothing may be believed of it before it is verified."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3:
        return ""
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = orjson.loads(payload)
    except (ValueError, binascii.Error):
        return ""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else ""


def _named(key: object) -> NamedKey:
    if isinstance(key, rsa.RSAPublicKey):
        algorithm = "RS256"
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        algorithm = _CURVES[key.curve.name]
    else:
        raise ValueError("service accounts' tokens are signed with RSA, P-256, P-384 or P-521 keys")
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    # As Kubernetes derives it: nobody gets from the id to the key.
    identifier = base64.urlsafe_b64encode(hashlib.sha256(encoded).digest()).rstrip(b"=").decode()
    return NamedKey(identifier, algorithm, key)
