"""Who reaches whom: pods, their node, and the endpoints of a Service."""

import asyncio
import socket

import aiohttp
import pytest

from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager
from tests.support.control_plane import ControlPlane
from tests.support.live_node import LiveNode
from tests.support.node_machine import container, with_this_python

pytestmark = pytest.mark.asyncio(loop_scope="package")

#: Tells the pod's name to whoever asks, by HTTP on 8080 and by UDP on 8081.
NAME_SERVER = """
import http.server, socket, socketserver, threading
name = socket.gethostname().encode()
class Http(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(name)
class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(name, self.client_address)
threading.Thread(target=socketserver.UDPServer(("", 8081), Udp).serve_forever).start()
http.server.ThreadingHTTPServer(("", 8080), Http).serve_forever()
"""
PROBE = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}


async def test_pods_and_their_node_reach_pods(node: LiveNode) -> None:
    server, volumes = with_this_python(NAME_SERVER, **PROBE)
    names = ("net-one", "net-two")
    pods = await asyncio.gather(*(node.run_pod(name, server, volumes=volumes) for name in names))
    addresses = [pod["status"]["podIP"] for pod in pods]
    # From a pod, and from each to itself.
    script = "; ".join(f"wget -qO- http://{address}:8080/; echo" for address in addresses)
    await node.start_pod("net-client", container("c", script), restartPolicy="Never")
    assert (await node.output("net-client")).split() == list(names)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for name, address in zip(names, addresses, strict=True):
            async with session.get(f"http://{address}:8080/") as response:
                assert await response.text() == name
            assert await asyncio.to_thread(ask_by_udp, address) == name


def ask_by_udp(address: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(20)
        asking.sendto(b"who?", (address, 8081))
        return asking.recv(100).decode()


async def test_a_service_has_the_ports_of_its_pods(plane: ControlPlane, node: LiveNode) -> None:
    service = {
        "metadata": {"name": "endpoints"},
        "spec": {
            "selector": {"app": "served"},
            "ports": [
                {"name": "one", "port": 80, "targetPort": "first"},
                {"name": "two", "port": 81, "targetPort": "second"},
            ],
        },
    }

    def serving(port_name: str, port: int) -> Object:
        return container("c", ports=[{"name": port_name, "containerPort": port}])

    async def found() -> set[tuple[str, int, str]]:
        """(port's name, number, address) of every endpoint that is ready."""
        selector = "kubernetes.io/service-name=endpoints"
        slices = (await node.client.list("endpointslices.discovery.k8s.io", "default", label_selector=selector)).items
        return {
            (port["name"], port["port"], endpoint["addresses"][0])
            for part in slices
            for port in part.get("ports") or ()
            for endpoint in part.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
        }

    async def becomes(*wanted: tuple[str, int, str]) -> None:
        async def same() -> bool:
            return await found() == set(wanted)

        await node.eventually(same, f"the endpoints are {wanted}")

    async def run(name: str, spec: Object) -> str:
        await node.start_pod(name, spec)
        await node.client.patch("pods", name, {"metadata": {"labels": {"app": "served"}}}, "default")
        pod = await node.when(name, lambda p: p["status"].get("podIP"))
        return str(pod["status"]["podIP"])

    client = AsyncClient([plane.grpc_endpoint], plane.tls("controller-manager"))
    config = ControllerManagerConfig(leader_elect=False, controllers=("endpointslice",))
    manager = ControllerManager(client, config=config)
    await manager.start()
    try:
        await node.client.create("services", service, "default")
        await becomes()
        one = await run("served-one", serving("first", 8080))
        await becomes(("one", 8080, one))
        two = await run("served-two", serving("second", 9090))
        await becomes(("one", 8080, one), ("two", 9090, two))
        await node.client.delete("pods", "served-two", "default")
        await becomes(("one", 8080, one))
        await node.client.delete("pods", "served-one", "default")
        await becomes()
        await node.client.delete("services", "endpoints", "default")
    finally:
        await manager.stop()
        await client.close()
