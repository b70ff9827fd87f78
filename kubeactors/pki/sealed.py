"""Secrets on their way from one master to another: only the holder of a fresh private key can read them.

An X25519 agreement with a key pair made for this one message, HKDF-SHA256, AES-256-GCM: the construction of ECIES and
of HPKE's base mode (RFC 9180), from the primitives that `cryptography` has.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PURPOSE = b"kubeactors sealed message, version 1"


class SealedError(ValueError):
    """A message that was not sealed to this recipient for this purpose, or was changed on its way."""


class Recipient:
    """Has a private key that exists only in this process, and only as long as this object."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()

    @property
    def public_key(self) -> bytes:
        """What a sender seals to: 32 bytes, no secret."""
        return self._key.public_key().public_bytes_raw()

    def open(self, message: bytes, context: bytes) -> bytes:
        """The text of a message that `seal` made with the same `context`. Raises SealedError."""
        sender, nonce, sealed = (
            message[:_KEY_BYTES],
            message[_KEY_BYTES : _KEY_BYTES + _NONCE_BYTES],
            message[_KEY_BYTES + _NONCE_BYTES :],
        )
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(sender))
            return AESGCM(_derive(shared, sender, self.public_key, context)).decrypt(nonce, sealed, context)
        except (ValueError, InvalidTag) as error:
            raise SealedError(
                "the message cannot be opened: it is for another key or purpose, or was changed"
            ) from error


def seal(public_key: bytes, text: bytes, context: bytes) -> bytes:
    """`text` for the holder of `public_key` alone; `context` says what it is for and must be named to open it.

    Raises ValueError for a public key that is none.
    """
    ephemeral = X25519PrivateKey.generate()
    sender = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    nonce = os.urandom(_NONCE_BYTES)
    return sender + nonce + AESGCM(_derive(shared, sender, public_key, context)).encrypt(nonce, text, context)


def _derive(shared: bytes, sender: bytes, recipient: bytes, context: bytes) -> bytes:
    """The key depends on both public keys and the purpose, so that a message fits nowhere else."""
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=sender + recipient, info=_PURPOSE + b"\0" + context)
    return kdf.derive(shared)
