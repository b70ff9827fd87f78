"""One cluster for all end-to-end tests, on a link of its own that further machines can be plugged into."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.guestbook import images
from tests.support.cluster import TestCluster, run, until
from tests.support.machine import Link

GUESTBOOK = Path(__file__).resolve().parents[2] / "examples" / "guestbook" / "guestbook.yaml"


@pytest.fixture(scope="session")
def link() -> Iterator[Link]:
    """The link that the cluster's machines are on."""
    link = Link()
    link.make()
    yield link
    link.remove()


@pytest.fixture
def own_link() -> Iterator[Link]:
    """Another link, for another cluster beside the one of the other tests."""
    own = Link()
    own.make()
    yield own
    own.remove()


@pytest.fixture(scope="session")
def cluster(link: Link) -> Iterator[TestCluster]:
    """A running cluster of one machine, gone afterwards. Heartbeats are missed sooner than by default."""
    # Short, for Ray's sockets lie deep below it and a socket's path has 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="ka-", dir="/tmp"))
    cluster = TestCluster(root, advertise_address=link.address, node_monitor_grace_period=12)
    try:
        cluster.up()
        cluster.add_images(*images.ALL)
        run([*cluster.podman(), "tag", images.SIDECAR.name, "localhost/guestbook-sidecar:v2"])
        yield cluster
    except BaseException:
        _print_logs(cluster)
        raise
    finally:
        cluster.down()


@pytest.fixture
def namespace(cluster: TestCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test."""
    name = "e2e-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:40].strip("-")
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--timeout=60s", timeout=90)


@pytest.fixture(scope="session")
def guestbook(cluster: TestCluster) -> str:
    """The guestbook, running in a namespace; returns its name."""
    name = "guestbook"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "-n", name, "-f", str(GUESTBOOK))
    for deployment in ("redis", "frontend"):
        cluster.kubectl("rollout", "status", f"deployment/{deployment}", "-n", name, "--timeout=60s", timeout=90)
    return name


@pytest.fixture
def frontend(cluster: TestCluster, guestbook: str) -> Iterator[tuple[str, int]]:
    """Address and port of the guestbook's Service, with its three replicas ready before and after the test."""
    service = cluster.get("service", "frontend", "-n", guestbook)
    settle(cluster, guestbook)
    yield service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]
    settle(cluster, guestbook)


def settle(cluster: TestCluster, namespace: str, replicas: int = 3) -> None:
    """Until the front end has exactly so many pods, all ready, and none is ending."""

    def settled() -> bool:
        pods = cluster.get("pods", "-n", namespace, "-l", "tier=frontend")["items"]
        ready = [
            pod
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
        ]
        return len(ready) == len(pods) == replicas

    until(settled, timeout=60, what=f"{replicas} ready front ends", period=0.3)


def _print_logs(cluster: TestCluster) -> None:
    for log in sorted(cluster.paths.log.glob("*.log")) if cluster.paths.log.exists() else []:
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
    status = cluster.kubeactors("status", "--output", "json", check=False)
    print(json.dumps(status.stdout, indent=1) if status.stdout else status.stderr)
    print(shutil.disk_usage(cluster.root))
