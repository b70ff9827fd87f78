"""The key pair that signs service accounts' tokens, by kubeadm's names: `sa.key` and `sa.pub`."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kubeactors.pki.files import PRIVATE, PUBLIC, write_atomically

_BITS = 2048


def ensure_signing_keys(private: Path, public: Path) -> None:
    """Make the pair where there is none; a lost public key is made of the private one.

    Raises OSError, and ValueError for a private key that cannot be used.
    """
    if not private.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(private, encoded, PRIVATE)
        public.unlink(missing_ok=True)
    if not public.exists():
        loaded = serialization.load_pem_private_key(private.read_bytes(), password=None)
        encoded = loaded.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_atomically(public, encoded, PUBLIC)
