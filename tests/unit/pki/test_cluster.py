"""Masters share authorities and nothing else; what they share arrives whole and guarded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeactors.pki.authority import Authority
from kubeactors.pki.cluster import SHARED, ClusterPki

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_second_master_makes_its_own_certificates_under_the_same_authorities(tmp_path: Path) -> None:
    first, second = ClusterPki(tmp_path / "first"), ClusterPki(tmp_path / "second")
    first.ensure(["10.0.0.1"], ["10.0.0.1"], NOW)
    assert first.complete
    assert not second.complete
    shared = first.shared()
    assert set(shared) == {*SHARED, "front-proxy-ca.crt", "front-proxy-ca.key"}
    second.take_shared(shared)
    assert second.complete
    second.ensure(["10.0.0.2"], ["10.0.0.2"], NOW)
    for name, authority in (
        ("apiserver", "ca"),
        ("etcd/server", "etcd/ca"),
        ("etcd/peer", "etcd/ca"),
        ("front-proxy-client", "front-proxy-ca"),
    ):
        signer = Authority.load(first.directory / f"{authority}.crt", first.directory / f"{authority}.key")
        assert signer.issued(second.certificate(name).read_bytes())
        assert second.key(name).read_bytes() != first.key(name).read_bytes()
    modes = {path.name: path.stat().st_mode & 0o777 for path in second.directory.rglob("*.key")}
    assert modes
    assert set(modes.values()) == {0o600}


def test_other_files_than_the_shared_ones_are_refused(tmp_path: Path) -> None:
    pki = ClusterPki(tmp_path / "pki")
    pki.ensure(["10.0.0.1"], ["10.0.0.1"], NOW)
    shared = pki.shared()
    other = ClusterPki(tmp_path / "other")
    with pytest.raises(ValueError, match=r"\.\./evil"):
        other.take_shared({**shared, "../evil": b""})
    del shared["ca.key"]
    with pytest.raises(ValueError, match="not a master's shared keys"):
        other.take_shared(shared)
    assert not other.complete
