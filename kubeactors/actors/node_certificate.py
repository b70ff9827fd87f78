"""The certificate of this machine's node agent. The key is made here and never leaves; the cluster signs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kubeactors.pki.authority import needs_renewal, new_key, new_request
from kubeactors.pki.cluster import node_identity
from kubeactors.pki.files import PRIVATE, PUBLIC, write_atomically

Sign = Callable[[bytes, str, str], Awaitable[tuple[bytes, bytes]]]
"""Takes a PEM request, the node's name and its address; gives the certificate and the authority's, PEM."""


@dataclass(frozen=True)
class NodeCertificate:
    """Paths of the agent's certificate, its key, and the authority that it trusts."""

    ca: Path
    certificate: Path
    key: Path

    async def ensure(self, node_name: str, address: str, sign: Sign, ca: str = "") -> None:
        """Have a certificate that is valid for a while; asks `sign` only when there is none.

        `ca` is the SHA-256 of the authority's certificate, if it is known: one of another authority is no use.
        """
        identity = node_identity(node_name, address)
        if self.certificate.exists() and self.key.exists() and self._trusts(ca):
            current = await asyncio.to_thread(self.certificate.read_bytes)
            if not needs_renewal(current, identity, datetime.now(UTC)):
                return
        key = new_key()
        certificate, authority = await sign(new_request(key, identity.common_name), node_name, address)
        await asyncio.to_thread(self._write, key, certificate, authority)

    def _trusts(self, ca: str) -> bool:
        return self.ca.exists() and ca in ("", hashlib.sha256(self.ca.read_bytes()).hexdigest())

    def _write(self, key: bytes, certificate: bytes, ca: bytes) -> None:
        write_atomically(self.key, key, PRIVATE)
        write_atomically(self.certificate, certificate, PUBLIC)
        write_atomically(self.ca, ca, PUBLIC)
