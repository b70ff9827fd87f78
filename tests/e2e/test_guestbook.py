"""The demo application: real Redis, real web servers, a sidecar on a shared volume, through the Service."""

import urllib.parse
import urllib.request

from tests.support.cluster import TestCluster, until


def fetch(address: tuple[str, int], path: str = "/", data: bytes | None = None) -> str:
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", data=data, timeout=60) as answer:
        body: str = answer.read().decode()
        return body


def test_what_one_visitor_writes_all_replicas_show(frontend: tuple[str, int]) -> None:
    fetch(frontend, data=urllib.parse.urlencode({"entry": "was here"}).encode())
    pages = [fetch(frontend) for _ in range(30)]
    assert all("was here" in page for page in pages)
    assert len({page.split("served by ")[1] for page in pages}) == 3


def test_the_sidecar_prints_what_the_web_server_logs(
    cluster: TestCluster, guestbook: str, frontend: tuple[str, int]
) -> None:
    fetch(frontend, "/entries")
    pods = cluster.get("pods", "-n", guestbook, "-l", "tier=frontend")["items"]

    def logged() -> bool:
        logs = [
            cluster.kubectl("logs", pod["metadata"]["name"], "-c", "access-log", "-n", guestbook).stdout for pod in pods
        ]
        return any('"GET /entries' in log for log in logs)

    until(logged, timeout=60, what="the access log")


def test_the_node_port_answers_on_the_node(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    port = cluster.get("service", "frontend", "-n", guestbook)["spec"]["ports"][0]["nodePort"]
    address = cluster.settings["advertise_address"]
    assert "Guestbook" in fetch((address, port))


def test_limits_are_the_kernel_s(cluster: TestCluster, guestbook: str) -> None:
    pod = cluster.get("pods", "-n", guestbook, "-l", "tier=backend")["items"][0]
    container = pod["status"]["containerStatuses"][0]["containerID"].split("://")[1]
    inspected = cluster.inspect(container)
    assert inspected["HostConfig"]["Memory"] == 128 * 1024 * 1024
    assert cluster.memory_limit(inspected["State"]["Pid"]) == 128 * 1024 * 1024
