"""A node keeps its certificate while it is of use, and asks for another when it is not."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from kubeactors.actors.node_certificate import NodeCertificate
from kubeactors.pki.cluster import ClusterPki


class Master:
    """Signs, and counts."""

    def __init__(self, directory: Path) -> None:
        self.pki = ClusterPki(directory)
        self.pki.ensure(["10.0.0.1"], ["10.0.0.1"], datetime.now(UTC))
        self.signed = 0

    async def sign(self, request: bytes, node_name: str, address: str) -> tuple[bytes, bytes]:
        self.signed += 1
        return self.pki.sign_node(request, node_name, address, datetime.now(UTC)), self.pki.ca.read_bytes()

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.pki.ca.read_bytes()).hexdigest()


async def test_it_is_asked_for_once_for_each_cluster(tmp_path: Path) -> None:
    old, new = Master(tmp_path / "old"), Master(tmp_path / "new")
    own = NodeCertificate(tmp_path / "ca.crt", tmp_path / "node.crt", tmp_path / "node.key")
    for _ in range(2):
        await own.ensure("n", "10.0.0.2", old.sign, old.hash)
        await own.ensure("n", "10.0.0.2", old.sign)
    assert old.signed == 1
    # The cluster is gone, and a new one has come.
    await own.ensure("n", "10.0.0.2", new.sign, new.hash)
    assert new.signed == 1
    assert own.ca.read_bytes() == new.pki.ca.read_bytes()
    # The node has another address.
    await own.ensure("n", "10.0.0.3", new.sign, new.hash)
    assert new.signed == 2
    assert own.key.stat().st_mode & 0o777 == 0o600
