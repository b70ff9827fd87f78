"""What is deleted or dies comes back without a hand."""

import os
import signal
from typing import Any

from tests.e2e.conftest import settle
from tests.support.cluster import TestCluster, until


def front_ends(cluster: TestCluster, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cluster.get("pods", "-n", namespace, "-l", "tier=frontend")["items"]
    return items


def test_a_deleted_pod_is_replaced(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    victim = front_ends(cluster, guestbook)[0]["metadata"]["name"]
    cluster.kubectl("delete", "pod", victim, "-n", guestbook)
    settle(cluster, guestbook)
    assert victim not in [pod["metadata"]["name"] for pod in front_ends(cluster, guestbook)]


def test_a_killed_container_restarts_in_its_pod(
    cluster: TestCluster, guestbook: str, frontend: tuple[str, int]
) -> None:
    pod = front_ends(cluster, guestbook)[0]
    name = pod["metadata"]["name"]
    web = next(status for status in pod["status"]["containerStatuses"] if status["name"] == "web")
    os.kill(cluster.inspect(web["containerID"].split("://")[1])["State"]["Pid"], signal.SIGKILL)

    def restarted() -> bool:
        statuses = cluster.get("pod", name, "-n", guestbook)["status"]["containerStatuses"]
        now = {status["name"]: status for status in statuses}
        return (
            now["web"]["restartCount"] == web["restartCount"] + 1
            and now["web"]["ready"]
            and now["web"]["lastState"]["terminated"]["exitCode"] == 137
            and now["access-log"]["restartCount"] == 0
        )

    until(restarted, timeout=60, what="the container's restart")
