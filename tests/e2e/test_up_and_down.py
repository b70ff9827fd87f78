"""`kubeactors up` on a Ray that the user runs, and what `kubeactors down` leaves: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.guestbook.images import SIDECAR
from tests.support.cluster import TestCluster, until
from tests.support.leftovers import names_of, traces
from tests.support.machine import Link
from tests.support.ports import free_ports

pytestmark = pytest.mark.own_cluster

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
---
apiVersion: v1
kind: Service
metadata: {name: idle}
spec:
  type: NodePort
  selector: {app: idle}
  ports: [{port: 80}]
"""


@pytest.fixture
def users_ray(own_link: Link) -> Iterator[str]:
    """A Ray head that a user started; returns its address."""
    port, client_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="kr-", dir="/tmp", ignore_cleanup_errors=True) as temp:
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--include-dashboard=false"),
            *(f"--node-ip-address={own_link.address}", f"--port={port}", f"--temp-dir={temp}", "--disable-usage-stats"),
            *("--object-store-memory=80000000", f"--ray-client-server-port={client_port}"),
            *("--min-worker-port=0", "--max-worker-port=0"),
        ]
        with open(Path(temp) / "ray.log", "wb") as log:
            head = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            text = Path(temp) / "ray.log"
            until(lambda: "Ray runtime started" in text.read_text(), timeout=60, what="the user's Ray")
            yield f"{own_link.address}:{port}"
            assert head.poll() is None, "the user's Ray must outlive the cluster"
        finally:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait(timeout=10)


def test_a_cluster_on_the_user_s_ray_leaves_nothing_but_that_ray(own_link: Link, users_ray: str) -> None:
    root = Path(tempfile.mkdtemp(prefix="kc-", dir="/tmp"))
    cluster = TestCluster(root, advertise_address=own_link.address, ray_address=users_ray)
    try:
        cluster.up()
        names = names_of(cluster)
        assert not cluster.paths.ray_pid.exists(), "it must not start a Ray of its own"
        start_workload(cluster)
        assert_something_of_each_kind(traces(cluster, names))
        cluster.kubeactors("down")
        assert traces(cluster, names) == []
        # The data stays: the same pods come back.
        assert cluster.paths.store_data.exists()
        cluster.up()
        cluster.kubectl("rollout", "status", "deployment/idle", "--timeout=60s", timeout=90)
    finally:
        cluster.down()
    assert traces(cluster, names) == []
    assert not root.exists()


def test_down_works_where_ray_is_dead(own_link: Link) -> None:
    root = Path(tempfile.mkdtemp(prefix="kd-", dir="/tmp"))
    cluster = TestCluster(root, advertise_address=own_link.address)
    try:
        cluster.up()
        names = names_of(cluster)
        start_workload(cluster)
        cluster.kill_ray()
        assert_something_of_each_kind(traces(cluster, names))
    finally:
        cluster.down()
    assert traces(cluster, names) == []


def start_workload(cluster: TestCluster) -> None:
    """Two pods and a Service."""
    cluster.add_images(SIDECAR)
    cluster.kubectl("apply", "-f", "-", stdin=WORKLOAD)
    cluster.kubectl("rollout", "status", "deployment/idle", "--timeout=60s", timeout=90)


def assert_something_of_each_kind(found: list[str]) -> None:
    """That the search for traces finds what it must not find later."""
    for kind in ("br0", "ka-", "table ip", "overlay", "/sys/fs/cgroup", "conmon", "kubeactors.store"):
        assert any(kind in trace for trace in found), (kind, found)
