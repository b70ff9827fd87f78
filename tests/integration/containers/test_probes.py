"""What probes do to containers, and what they leave alone."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from kubeactors.api.meta import Object
from tests.support.live_node import LiveNode
from tests.support.node_machine import container, is_ready, status_of, with_this_python

pytestmark = pytest.mark.asyncio(loop_scope="package")

#: Ends as soon as it is asked to.
FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
#: Healthy for a moment after each start; its server stays.
BRIEFLY = f"trap 'exit 0' TERM; mkdir /w; touch /w/ok; httpd -p 8080 -h /w; sleep 0.5; rm /w/ok; {FOREVER}"
HEALTH_SERVER = """
from concurrent.futures import ThreadPoolExecutor
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
server = grpc.server(ThreadPoolExecutor(2))
servicer = health.HealthServicer()
servicer.set("", health_pb2.HealthCheckResponse.SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port("0.0.0.0:5000")
server.start()
server.wait_for_termination()
"""


def restarts(pod: Object) -> int:
    return int(status_of(pod).get("restartCount", 0))


def often(**probe: Any) -> Object:
    return {"periodSeconds": 1, "failureThreshold": 1, **probe}


async def test_probes(node: LiveNode) -> None:
    """All pods at once: those that are to be left alone are watched while the others are restarted."""
    starting = {"startupProbe": {"grpc": {"port": 5000}, "periodSeconds": 1, "failureThreshold": 60}}
    healthy, volumes = with_this_python(HEALTH_SERVER, **starting, livenessProbe=often(grpc={"port": 5000}))
    wrong, _ = with_this_python(HEALTH_SERVER, **starting, livenessProbe=often(grpc={"port": 2333}))
    left_alone = {
        "grpc": healthy,
        "exec": container(
            "c", f"echo ok > /tmp/health; {FOREVER}", livenessProbe=often(exec={"command": ["cat", "/tmp/health"]})
        ),
        # The files go, the server stays.
        "tcp": container("c", BRIEFLY, livenessProbe=often(tcpSocket={"port": 8080}, initialDelaySeconds=1)),
        "http": container(
            "c",
            f"mkdir /w; touch /w/ok; httpd -p 8080 -h /w; {FOREVER}",
            livenessProbe=often(httpGet={"port": 8080, "path": "/ok"}, initialDelaySeconds=1),
        ),
        "unready": container("c", FOREVER, readinessProbe=often(exec={"command": ["false"]})),
    }
    restarted = {
        "grpc-wrong": wrong,
        "exec-fails": container(
            "c",
            f"echo ok > /tmp/health; sleep 0.5; rm /tmp/health; {FOREVER}",
            livenessProbe=often(exec={"command": ["cat", "/tmp/health"]}, initialDelaySeconds=1),
        ),
        "tcp-fails": container("c", FOREVER, livenessProbe=often(tcpSocket={"port": 8080})),
    }
    for name, spec in {**left_alone, **restarted}.items():
        more = {"volumes": volumes} if name.startswith("grpc") else {}
        await node.start_pod(f"probed-{name}", spec, **more)
    counts: list[int] = []
    await node.start_pod("loop", container("c", BRIEFLY, livenessProbe=often(httpGet={"port": 8080, "path": "/ok"})))

    def five_times(pod: Object) -> bool:
        counts.append(restarts(pod))
        return counts[-1] >= 5

    counting = asyncio.create_task(node.when("loop", five_times, timeout=60))
    delayed = container("c", FOREVER, readinessProbe=often(exec={"command": ["true"]}, initialDelaySeconds=3))
    await node.start_pod("delayed", delayed)
    pod = await node.when("delayed", is_ready)
    ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")["lastTransitionTime"]
    started = status_of(pod)["state"]["running"]["startedAt"]
    assert (datetime.fromisoformat(ready) - datetime.fromisoformat(started)).total_seconds() >= 2.9  # whole seconds
    assert restarts(pod) == 0
    await asyncio.gather(*(node.when(f"probed-{name}", lambda p: restarts(p) >= 1) for name in restarted))
    await counting
    assert counts == sorted(counts) and len(set(counts)) > 2, "restarts are counted one after the other"
    for name in left_alone:
        pod = await node.client.get("pods", f"probed-{name}", "default")
        assert restarts(pod) == 0, name
        assert is_ready(pod) == (name != "unready"), name
