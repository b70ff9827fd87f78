"""A cluster whose store is an etcd that its user runs: `kubeactors up --store-endpoints`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.guestbook.images import SIDECAR
from kubeactors.pki.authority import Authority, Identity
from kubeactors.store.client import TlsFiles
from tests.support.cluster import CommandFailed, TestCluster
from tests.support.etcd_process import EtcdCluster
from tests.support.leftovers import names_of, traces
from tests.support.machine import Link

WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle}
spec:
  replicas: 2
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "localhost/guestbook-sidecar:v1", command: [sleep, "1000"]}]
"""


pytestmark = pytest.mark.own_cluster


@pytest.fixture
def certificates(tmp_path: Path) -> TlsFiles:
    """The etcd's own, which are not the cluster's; good for server and client."""
    authority = Authority.create("somebody's etcd", datetime.now(UTC))
    pair = authority.issue(Identity("etcd", names=("127.0.0.1",), server=True, client=True), datetime.now(UTC))
    for name, data in (("ca.crt", authority.certificate), ("etcd.crt", pair.certificate), ("etcd.key", pair.key)):
        (tmp_path / name).write_bytes(data)
    return TlsFiles(*(str(tmp_path / name) for name in ("ca.crt", "etcd.crt", "etcd.key")))


@pytest.fixture
def etcd(tmp_path: Path, certificates: TlsFiles) -> Iterator[EtcdCluster]:
    """Three members of a real etcd."""
    with EtcdCluster(tmp_path / "etcd", 3, server_tls=certificates) as etcd:
        yield etcd


def test_a_cluster_on_somebody_s_etcd(own_link: Link, etcd: EtcdCluster, certificates: TlsFiles) -> None:
    root = Path(tempfile.mkdtemp(prefix="kg-", dir="/tmp"))
    cluster = TestCluster(
        root,
        advertise_address=own_link.address,
        store_endpoints=",".join(etcd.urls),
        store_ca_file=certificates.ca,
        store_cert_file=certificates.cert,
        store_key_file=certificates.key,
    )
    try:
        cluster.up()
        names = names_of(cluster)
        status = cluster.status()
        assert "store" not in {component["component"] for component in status["components"]}
        assert not cluster.paths.store_data.exists()
        assert cluster.store_pid() is None
        cluster.add_images(SIDECAR)
        cluster.kubectl("apply", "-f", "-", stdin=WORKLOAD)
        cluster.kubectl("rollout", "status", "deployment/idle", "--timeout=60s", timeout=90)
        before = cluster.container_ids("default")
        # The loss of a member, of that which the API server talks to in the end, is etcd's business.
        for member in etcd.members:
            assert member.process is not None
            member.process.kill()
            member.process.wait(10)
            cluster.kubectl("annotate", "deployment/idle", f"without={member.name}", "--overwrite")
            etcd.start(member)
            etcd.wait()
        cluster.wait_until_healthy()
        assert cluster.container_ids("default") == before
        with pytest.raises(CommandFailed, match="another configuration"):
            cluster.kubeactors("up", "--store-endpoints=https://127.0.0.1:1")
        cluster.kubeactors("down")
        # What it holds is not the cluster's to delete: the same pods come back.
        cluster.up()
        cluster.kubectl("rollout", "status", "deployment/idle", "--timeout=60s", timeout=90)
    finally:
        cluster.down()
    assert traces(cluster, names) == []
