"""Pods that a controller makes, with containers that answer."""

import asyncio

import aiohttp
import pytest

from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager
from tests.support.control_plane import ControlPlane
from tests.support.live_node import LiveNode
from tests.support.node_machine import container, is_ready, pod_object

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_every_replica_answers(plane: ControlPlane, node: LiveNode) -> None:
    serve = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"
    probe = {"httpGet": {"port": 8080, "path": "/index.html"}, "periodSeconds": 1}
    pod = pod_object("", node.name, container("c", serve, readinessProbe=probe), automountServiceAccountToken=False)
    labels = {"app": "answers"}
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    replica_set = {
        "metadata": {"name": "answers"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    client = AsyncClient([plane.grpc_endpoint], plane.tls("controller-manager"))
    # Its pods name their node: no scheduler is needed.
    config = ControllerManagerConfig(leader_elect=False, controllers=("replicaset",))
    manager = ControllerManager(client, config=config)
    await manager.start()
    try:
        await node.client.create("replicasets", replica_set, "default")

        def all_ready(found: dict | None) -> bool:
            return found is not None and (found.get("status") or {}).get("readyReplicas") == 2

        await node.client.wait("replicasets", "answers", "default", condition=all_ready, timeout=30)
        pods = (await node.client.list("pods", "default", label_selector="app=answers")).items
        assert len(pods) == 2 and all(is_ready(p) for p in pods)
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def answer(address: str) -> str:
                async with session.get(f"http://{address}:8080/index.html") as response:
                    return (await response.text()).strip()

            answers = await asyncio.gather(*(answer(p["status"]["podIP"]) for p in pods))
        assert answers == [p["metadata"]["name"] for p in pods]
        await node.client.delete("replicasets", "answers", "default")
    finally:
        await manager.stop()
        await client.close()
