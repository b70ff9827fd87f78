"""Three machines, each a master, each with its Ray node: the loss of any one is felt by nobody for long.

The steps build on each other, as an operator's would: one master, then three; then one after the other is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from examples.guestbook import images
from kubeactors.actors.paths import Paths
from kubeactors.pki.cluster import SHARED
from tests.support.cluster import until
from tests.support.leftovers import processes_of
from tests.support.machine import Machine
from tests.support.machine_cluster import MachineCluster
from tests.support.request_loop import RequestLoop
from tests.support.write_loop import Writes

pytestmark = [pytest.mark.timeout(900), pytest.mark.own_cluster]

NODE_PORT = 31080
ECHO = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: echo}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: echo}}}}
  template:
    metadata: {{labels: {{app: echo}}}}
    spec:
      nodeName: NODE
      terminationGracePeriodSeconds: 1
      containers:
        - name: echo
          image: localhost/guestbook-frontend:v1
          command: [python3.11, -u, -c]
          args:
            - |
              import http.server, socket
              class Handler(http.server.BaseHTTPRequestHandler):
                  def do_GET(self):
                      body = socket.gethostname().encode()
                      self.send_response(200)
                      self.send_header("Content-Length", str(len(body)))
                      self.end_headers()
                      self.wfile.write(body)
                  def log_message(self, *arguments): pass
              http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
          readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: echo}}
spec:
  type: NodePort
  selector: {{app: echo}}
  ports: [{{port: 80, targetPort: 8080, nodePort: {NODE_PORT}}}]
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[MachineCluster]:
    """Three machines with Ray on them, a cluster of one master, and a workload on the second machine."""
    cluster = MachineCluster(3, node_monitor_grace_period=12)
    try:
        cluster.make()
        for machine in cluster.machines:
            cluster.ray_start(machine)
        cluster.up()
        yield cluster
    except BaseException:
        print(cluster.logs())
        raise
    finally:
        cluster.remove()


@pytest.fixture(scope="module")
def masters(cluster: MachineCluster) -> list[Machine]:
    """The machines, all masters, with two pods of a Service on the second."""
    first, second, _ = cluster.machines
    started = time.monotonic()
    cluster.up("--masters=3")
    told("one master became three", time.monotonic() - started)
    cluster.add_images(second, images.FRONTEND)
    cluster.kubectl(first, "apply", "-f", "-", stdin=ECHO.replace("NODE", name_of(cluster, second)))
    cluster.kubectl(first, "rollout", "status", "deployment/echo", "--timeout=60s")
    return cluster.machines


def told(what: str, seconds: float) -> None:
    """Print a time that was measured."""
    print(f"\n{what}: {seconds:.1f} s")


def name_of(cluster: MachineCluster, machine: Machine) -> str:
    """A machine's node name, from its own files."""
    node: dict[str, str] = json.loads(Paths(machine.root).node.read_text())
    return node["node_name"]


def containers(cluster: MachineCluster, machine: Machine) -> set[str]:
    """Ids and starts of the workload's containers, as a master knows them."""
    pods = cluster.get(machine, "pods", "-l", "app=echo")["items"]
    states = [status for pod in pods for status in pod["status"]["containerStatuses"]]
    return {f"{state['containerID']} {state['state']['running']['startedAt']}" for state in states}


def lose(cluster: MachineCluster, victim: Machine, witness: Machine, others: list[Machine]) -> None:
    """Kill everything on a machine at once, under writes and requests; then let `ray start` run there again."""
    before = containers(cluster, witness)
    with ExitStack() as stack:
        loops = [stack.enter_context(RequestLoop(machine.address, NODE_PORT, rate=20)) for machine in others]
        writer = cluster.spawn(witness, sys.executable, "-m", "tests.support.write_loop")
        Writes.wait_for_first(writer)
        for loop in loops:
            loop.wait_for(40)
        killed = time.time()
        victim.power_off()
        time.sleep(15)  # long enough for every time-out on the way
        for loop in loops:
            loop.wait_for(20)
        writes = Writes.end(writer)
        after = [when for when in writes.acknowledged.values() if when > killed]
        assert after, f"no write succeeded within 15 s: {writes.failures[:5]}"
        told("writes returned after", min(after) - killed)
        told("longest time without a write", writes.longest_gap)
        assert writes.longest_gap < 10
        started = time.monotonic()
        cluster.ray_start(victim)
        told("`ray start` took", time.monotonic() - started)
        told("the master took up its place after", cluster.wait_until_healthy(witness, timeout=240))
        for loop in loops:
            loop.wait_for(20)
    for loop in loops:
        loop.assert_none_lost(at_least=80)
    kept = {item["metadata"]["name"] for item in cluster.get(victim, "configmaps")["items"]}
    assert set(writes.acknowledged) <= kept, "an acknowledged write is lost"
    assert containers(cluster, witness) == before, "pods on another machine noticed"


def test_masters_can_be_raised_on_a_running_cluster(cluster: MachineCluster, masters: list[Machine]) -> None:
    for machine in masters:
        status = cluster.status(machine)
        assert [master["apiserver"] for master in status["masters"]] == ["ok"] * 3, status["masters"]
        stores = [master["store"] for master in status["masters"]]
        assert sum(store["leader"] for store in stores) == 1, stores
        assert len({store["term"] for store in stores}) == 1, stores
        assert all(status["leaders"].values()), status["leaders"]
    endpoints = cluster.get(masters[0], "endpoints", "kubernetes")["subsets"][0]["addresses"]
    assert {endpoint["ip"] for endpoint in endpoints} == {machine.address for machine in masters}
    with pytest.raises(AssertionError, match="cannot go back to 1"):
        cluster.up("--masters=1")


def test_masters_share_authorities_and_nothing_else(cluster: MachineCluster, masters: list[Machine]) -> None:
    directories = [Paths(machine.root).pki for machine in masters]
    for name in SHARED:
        assert len({(directory / name).read_bytes() for directory in directories}) == 1, name
    for directory in directories:
        keys = list(directory.rglob("*.key"))
        assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    for name in ("apiserver", "etcd/server", "etcd/peer"):
        assert len({(directory / f"{name}.key").read_bytes() for directory in directories}) == 3, name
    # What travelled by Ray was sealed: no key is in its logs, its sessions or its storage.
    secrets = [line for line in (directories[0] / "ca.key").read_bytes().splitlines() if len(line) > 40]
    assert secrets
    for machine in masters:
        read = 0
        # Path.rglob would fail where Ray removes a directory meanwhile.
        for top in ("ray", "gcs"):
            for directory, _, names in os.walk(machine.root / top):
                for path in (Path(directory, name) for name in names):
                    with contextlib.suppress(FileNotFoundError):
                        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                        assert not any(secret in data for secret in secrets), path
                        read += len(data)
        assert read, f"{machine.root} holds nothing of Ray's: this looked in the wrong place"


@pytest.mark.long
def test_the_loss_of_a_master(cluster: MachineCluster, masters: list[Machine]) -> None:
    first, second, third = masters
    lose(cluster, third, witness=second, others=[first, second])


def test_the_loss_of_the_master_with_ray_s_head(cluster: MachineCluster, masters: list[Machine]) -> None:
    first, second, third = masters
    lose(cluster, first, witness=second, others=[second, third])


def test_the_status_is_told_with_ray_s_head_away(cluster: MachineCluster, masters: list[Machine]) -> None:
    first, second, third = masters
    first.power_off()
    try:
        for machine in (second, third):
            started = time.monotonic()
            status = cluster.status(machine)
            told("`kubeactors status` without Ray's head took", time.monotonic() - started)
            assert f"Ray's head at {cluster.ray_address} does not answer" in status["failure"]
            answers = {master["address"]: master["apiserver"] for master in status["masters"]}
            assert answers.pop(first.address) != "ok"
            assert set(answers.values()) == {"ok"}
            assert len(status["nodes"]) == 3
    finally:
        cluster.ray_start(first)
    cluster.wait_until_healthy(second, timeout=240)


@pytest.mark.long
def test_a_master_that_lost_its_disk_is_replaced(cluster: MachineCluster, masters: list[Machine]) -> None:
    first, _, third = masters
    before = {master["address"]: master["store"]["member"] for master in cluster.status(first)["masters"]}
    third.power_off()
    paths = Paths(third.root)
    for directory in (paths.lib, paths.etc, paths.run):
        shutil.rmtree(directory)
    cluster.ray_start(third)
    told("a master without a disk took up its place after", cluster.wait_until_healthy(first, timeout=240))
    after = {master["address"]: master["store"]["member"] for master in cluster.status(first)["masters"]}
    assert after[third.address] != before[third.address]
    assert after[first.address] == before[first.address]
    kept = {item["metadata"]["name"] for item in cluster.get(third, "deployments")["items"]}
    assert kept == {"echo"}


def test_down_takes_everything_down_on_all_machines(cluster: MachineCluster, masters: list[Machine]) -> None:
    cluster.kubeactors(masters[1], "down", "--delete-data")
    for machine in masters:
        paths = Paths(machine.root)
        left = [directory for directory in (paths.lib, paths.etc, paths.run, paths.log) if directory.exists()]
        assert left == []
        until(lambda machine=machine: not ours(machine), timeout=20, what=f"processes to end: {ours(machine)}")


def ours(machine: Machine) -> list[str]:
    """Processes of the cluster on a machine, Ray's own left aside."""
    words = ("kubeactors.store", "conmon", "ComponentActor", "ray::Cluster", "podman")
    return [line for line in processes_of(machine.root) if any(word in line for word in words)]
