"""A new master gets the keys and the state, and nobody else can use what travels."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeactors.actors.key_handover import Recipient, SealedError, pack, unpack
from kubeactors.actors.machines import Machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.pki.cluster import ClusterPki

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_new_master_has_what_the_old_one_has(tmp_path: Path) -> None:
    old, new = Paths(tmp_path / "old"), Paths(tmp_path / "new")
    ClusterPki(old.pki).ensure(["10.0.0.1"], ["10.0.0.1"], NOW)
    state = ClusterState.found(Machine("10.0.0.1", "vm"), 3, "10.0.0.1:6379")
    recipient = Recipient()
    message = pack(old, state, recipient.public_key, "10.0.0.2")
    for secret in (old.pki / "ca.key").read_bytes().splitlines():
        assert secret not in message
    with pytest.raises(SealedError):
        unpack(new, message, recipient, "10.0.0.3")
    assert not new.pki.exists()
    unpack(new, message, recipient, "10.0.0.2")
    assert StateFile(new.state).load() == state
    assert ClusterPki(new.pki).shared() == ClusterPki(old.pki).shared()
