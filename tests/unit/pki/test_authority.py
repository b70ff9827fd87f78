"""Certificates name whom they should, are renewed in time, and keys are readable by their owner only."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from kubeactors.pki import authority, kubeconfig
from kubeactors.pki.authority import Authority, Identity
from kubeactors.pki.cluster import ClusterPki

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = Identity("kube-apiserver", names=("localhost", "10.0.0.1"), server=True)


def test_the_cluster_s_certificates_are_made_once(tmp_path: Path) -> None:
    pki = ClusterPki(tmp_path)
    pki.ensure(["10.0.0.1"], ["10.0.0.1"], NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    pki.ensure(["10.0.0.1"], ["10.0.0.1"], NOW + timedelta(days=1))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.rglob("*.key"))


def test_another_address_makes_a_new_server_certificate_and_no_other(tmp_path: Path) -> None:
    pki = ClusterPki(tmp_path)
    pki.ensure(["10.0.0.1"], ["10.0.0.1"], NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.crt")}
    pki.ensure(["10.0.0.2"], ["10.0.0.1"], NOW)
    changed = {path.name for path, data in before.items() if path.read_bytes() != data}
    assert changed == {"apiserver.crt"}


def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left() -> None:
    issued = Authority.create("ca", NOW).issue(SERVER, NOW).certificate
    assert not authority.needs_renewal(issued, SERVER, NOW + timedelta(days=240))
    assert authority.needs_renewal(issued, SERVER, NOW + timedelta(days=250))


def test_a_node_s_request_gets_the_node_s_name_whatever_it_asks_for(tmp_path: Path) -> None:
    pki = ClusterPki(tmp_path)
    request = authority.new_request(authority.new_key(), "kubernetes-admin")
    signed = x509.load_pem_x509_certificate(pki.sign_node(request, "worker", "10.0.0.2", NOW))
    assert signed.subject.rfc4514_string() == "CN=system:node:worker,O=system:nodes"


def test_a_request_with_a_broken_signature_is_refused() -> None:
    request = authority.new_request(authority.new_key(), "system:node:worker")
    lines = request.splitlines()
    body = bytearray(lines[3])
    body[10] = ord("A") if body[10] != ord("A") else ord("B")
    lines[3] = bytes(body)
    with pytest.raises(ValueError, match=r".*"):
        Authority.create("ca", NOW).sign_request(b"\n".join(lines), SERVER, NOW)


def test_another_authority_s_certificate_is_not_ours() -> None:
    ours, theirs = Authority.create("ca", NOW), Authority.create("ca", NOW)
    assert ours.issued(ours.issue(SERVER, NOW).certificate)
    assert not ours.issued(theirs.issue(SERVER, NOW).certificate)


def test_a_kubeconfig_is_written_once_and_privately(tmp_path: Path) -> None:
    document = kubeconfig.render("c", "https://10.0.0.1:6443", "admin", b"ca", b"cert", b"key")
    path = tmp_path / "admin.conf"
    assert kubeconfig.write(path, document)
    assert not kubeconfig.write(path, document)
    assert path.stat().st_mode & 0o777 == 0o600
