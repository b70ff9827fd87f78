"""A machine that runs `ray start --address=…` becomes a node by itself; when it is gone, its pods are replaced."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.guestbook import images
from tests.support.cluster import TestCluster, podman_command, run, until
from tests.support.machine import Link, Machine

SERVER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 4
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 3
      tolerations:
        - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 3}
        - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 3}
      containers:
        - name: echo
          image: localhost/guestbook-frontend:v1
          command: [python3.11, -u, -c]
          args:
            - |
              import http.server, socket
              class Handler(http.server.BaseHTTPRequestHandler):
                  def do_GET(self):
                      body = (socket.gethostname() + " " + self.client_address[0]).encode()
                      self.send_response(200)
                      self.send_header("Content-Length", str(len(body)))
                      self.end_headers()
                      self.wfile.write(body)
              http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
          readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080}]
"""

GET = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"


@pytest.fixture
def second(cluster: TestCluster, link: Link) -> Iterator[Machine]:
    """A second machine, booted and a Ready node; gone afterwards, with its Node."""
    machine = Machine(link, Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp")))
    try:
        machine.make()
        machine.join(f"{link.address}:{cluster.settings['ray_port']}", machine.root / "ray")
        node = until(lambda: node_at(cluster, machine.address), timeout=60, what="the second node to be Ready")
        for image in images.ALL:
            archive = image.archive()
            assert archive.exists()
            image.ensure(podman_command_on(machine))
        yield machine
        machine.power_off()
        # Nobody is left to say that its pods have ended.
        left = ["pods", "-A", "--field-selector", f"spec.nodeName={node}", "--grace-period=0", "--force"]
        cluster.kubectl("delete", "node", node)
        cluster.kubectl("delete", *left)
    finally:
        machine.remove()


def podman_command_on(machine: Machine) -> list[str]:
    """podman on the second machine's storage, run inside that machine."""
    from kubeactors.actors.paths import Paths

    return [*machine.enter(), *podman_command(Paths(machine.root))]


def node_at(cluster: TestCluster, address: str) -> str | None:
    """The name of the Ready node with this address."""
    for node in cluster.get("nodes")["items"]:
        status = node.get("status", {})
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
        if ready and any(item["address"] == address for item in status.get("addresses", [])):
            name: str = node["metadata"]["name"]
            return name
    return None


def pods(cluster: TestCluster, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cluster.get("pods", "-n", namespace, "-l", "app=echo")["items"]
    return items


def get_from(cluster: TestCluster, pod: dict[str, Any], url: str) -> str:
    """What a GET from inside a pod's network namespace brings."""
    pid = cluster.inspect(pod["status"]["containerStatuses"][0]["containerID"].split("://")[1])["State"]["Pid"]
    return run(["nsenter", "-t", str(pid), "-n", "python3", "-c", GET, url]).stdout.strip()


def test_pods_of_two_machines_reach_each_other_and_move_when_one_is_gone(
    cluster: TestCluster, namespace: str, second: Machine
) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=SERVER)
    cluster.kubectl("rollout", "status", "deployment/echo", "-n", namespace, "--timeout=60s", timeout=90)
    there = [pod for pod in pods(cluster, namespace) if pod["status"]["hostIP"] == second.address]
    here = [pod for pod in pods(cluster, namespace) if pod["status"]["hostIP"] != second.address]
    assert there, "the new node is emptier and takes pods"
    assert here, "the first node takes its share"

    # By address, both ways, with the pod's own address kept.
    for target in there:
        answer = get_from(cluster, here[0], f"http://{target['status']['podIP']}:8080/")
        assert answer == f"{target['metadata']['name']} {here[0]['status']['podIP']}"

    # Through the Service, from a pod and from each machine.
    service = cluster.get("service", "echo", "-n", namespace)["spec"]["clusterIP"]
    every = {pod["metadata"]["name"] for pod in here + there}
    from_pod = {get_from(cluster, here[0], f"http://{service}/").split()[0] for _ in range(40)}
    from_here = {run(["python3", "-c", GET, f"http://{service}/"]).stdout.split()[0] for _ in range(40)}
    from_there = {second.run("python3", "-c", GET, f"http://{service}/").stdout.split()[0] for _ in range(40)}
    assert from_pod == from_here == from_there == every

    second.power_off()

    def replaced() -> bool:
        current = [pod for pod in pods(cluster, namespace) if "deletionTimestamp" not in pod["metadata"]]
        ready = [
            pod
            for pod in current
            if pod["status"].get("hostIP") == cluster.settings["advertise_address"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        ]
        return len(ready) == 4

    until(replaced, timeout=60, what="the pods of the dead machine to be replaced", period=0.5)
    answers = {run(["python3", "-c", GET, f"http://{service}/"]).stdout.split()[0] for _ in range(20)}
    assert answers.isdisjoint(pod["metadata"]["name"] for pod in there)
