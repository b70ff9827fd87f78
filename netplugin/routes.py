"""Routes to other nodes' pods:

each node's ranges through its address, over the link that the nodes share (host routes).
"""

import asyncio
import ipaddress
import logging
from collections.abc import Iterable

from kubeactors.api import meta
from kubeactors.api.meta import Object
from kubeactors.client import InformerFactory
from netplugin import links
from netplugin.links import Route
from netplugin.netlink import NetlinkError
from netplugin.threads import NodeThreads

logger = logging.getLogger(__name__)

_RESYNC = 60.0  # seconds: a link that went down and came back has lost its routes


def desired_routes(nodes: Iterable[Object], node_name: str, pod_cidr: str) -> dict[str, str]:
    """Gateway (a node's InternalIP) by range, for all nodes but this one.

    Ranges outside the cluster's are left out, so that no Node object can draw the node's other traffic to itself.
    """
    cluster = ipaddress.IPv4Network(pod_cidr)
    wanted: dict[str, str] = {}
    for node in sorted(nodes, key=meta.name):
        if meta.name(node) == node_name:
            continue
        spec = node.get("spec") or {}
        gateway = _internal_ip(node)
        for cidr in spec.get("podCIDRs") or [spec.get("podCIDR") or ""]:
            try:
                node_range = ipaddress.IPv4Network(cidr)
            except ValueError:
                continue  # none yet, or IPv6
            if gateway is not None and node_range.subnet_of(cluster):
                wanted[str(node_range)] = gateway
    return wanted


def route_changes(present: Iterable[Route], wanted: dict[str, str], pod_cidr: str) -> tuple[list[Route], list[Route]]:
    """(routes to delete, routes to set). Only routes into the cluster's range through a gateway are ours to judge."""
    cluster = ipaddress.IPv4Network(pod_cidr)
    ours = [route for route in present if route.gateway and ipaddress.IPv4Network(route.destination).subnet_of(cluster)]
    right = {route.destination for route in ours if wanted.get(route.destination) == route.gateway}
    obsolete = [route for route in ours if route.destination not in wanted]
    missing = [Route(cidr, gateway, 0) for cidr, gateway in wanted.items() if cidr not in right]
    return obsolete, missing


class NodeRoutes:
    """Keeps the routes as the Nodes say."""

    def __init__(self, informers: InformerFactory, threads: NodeThreads, *, node_name: str, pod_cidr: str) -> None:
        self._nodes = informers.informer("nodes")
        self._threads = threads
        self._node_name = node_name
        self._pod_cidr = pod_cidr
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._problem = ""

    async def start(self) -> None:
        self._nodes.add_handler(self._on_node, lambda _, new: self._on_node(new), self._on_node)
        self._task = asyncio.create_task(self._run(), name="node routes")

    async def stop(self) -> None:
        """End the loop; routes stay."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def warnings(self) -> dict[str, str]:
        """What is impaired, by name: another node's wrong address is no fault of this one."""
        return {"routes to nodes": self._problem} if self._problem else {}

    def _on_node(self, node: Object) -> None:
        if meta.name(node) != self._node_name:
            self._wake.set()

    async def _run(self) -> None:
        applied: dict[str, str] | None = None
        while True:
            try:
                await self._nodes.wait_synced()
                self._wake.clear()
                wanted = desired_routes(self._nodes.lister.list(), self._node_name, self._pod_cidr)
                # Nodes' heartbeats change nothing here: the kernel is asked when something did, and now and then.
                if wanted != applied or self._problem:
                    self._problem = await self._threads.run(apply_routes, wanted, self._pod_cidr)
                    applied = wanted
            except TimeoutError as error:
                self._problem = str(error)
                continue
            except Exception as error:
                self._problem = repr(error)
                logger.exception("routes to nodes could not be set")
            try:
                async with asyncio.timeout(_RESYNC):
                    await self._wake.wait()
            except TimeoutError:
                applied = None


def apply_routes(wanted: dict[str, str], pod_cidr: str) -> str:
    """Set what is missing, delete what is obsolete; returns what could not be set, in words.

    Blocking. Raises OSError.
    """
    with links.open_route_socket() as sock:
        obsolete, missing = route_changes(links.list_routes(sock), wanted, pod_cidr)
        links.delete_routes(sock, obsolete)
        failures: list[str] = []
        for route in missing:
            try:
                sock.request(links.set_route(route))
            except NetlinkError as error:
                # Another node is refused when it is not on a link of this one: host routes need a shared link.
                failures.append(f"{route.destination} via {route.gateway}: {error}")
                logger.error("no route to a node's pods, %s via %s: %s", route.destination, route.gateway, error)
        return "; ".join(failures)


def _internal_ip(node: Object) -> str | None:
    for address in (node.get("status") or {}).get("addresses") or ():
        if address.get("type") == "InternalIP":
            try:
                return str(ipaddress.IPv4Address(address["address"]))
            except ValueError:
                continue
    return None
