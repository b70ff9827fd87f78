"""Where proxied requests go: addresses of pods, of a service's endpoints, of nodes."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kubeactors.api import errors
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.meta import Object
from kubeactors.apiserver.node.connections import NodeConnections, agent_address
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import Request, Response
from kubeactors.apiserver.streams.proxy.agent import AgentConnector
from kubeactors.apiserver.streams.proxy.connector import ProxyConnector
from kubeactors.apiserver.streams.proxy.http import Backends
from kubeactors.apiserver.streams.proxy.urls import Location, ProxyName, is_proxyable, parse_name

Find = Callable[[str, str], Awaitable[Object]]
#: The EndpointSlices of a service, by namespace and name.
Slices = Callable[[str, str], Awaitable[Sequence[Object]]]


class ProxyTargets:
    """Finders give objects or raise StatusError (404)."""

    def __init__(
        self,
        backends: Backends,
        connections: NodeConnections,
        find_pod: Find,
        find_service: Find,
        find_node: Find,
        slices_of: Slices,
    ) -> None:
        self._backends = backends
        self._connections = connections
        self._find_pod = find_pod
        self._find_service = find_service
        self._find_node = find_node
        self._slices_of = slices_of

    async def pod(self, resource: Resource, request: Request) -> Response:
        """To a port of a pod, by default its first."""
        name = _name(request, "pod")
        pod = await self._find_pod(request.namespace, name.name)
        port = name.port or _first_port(pod)
        address = _pod_ips(pod)[:1]
        if not address or not is_proxyable(address[0]):
            raise errors.bad_request("address not allowed")
        return self._answer(request, Location(name.scheme or "http", address[0], _number(port)))

    async def service(self, resource: Resource, request: Request) -> Response:
        """To a ready endpoint of a service, by chance."""
        name = _name(request, "service")
        service = await self._find_service(request.namespace, name.name)
        port = _port_name(service, name)
        choices = _endpoints(await self._slices_of(request.namespace, name.name), port)
        random.shuffle(choices)
        for endpoint, address, number in choices:
            if await self._is_of_its_pod(request.namespace, endpoint, address):
                return self._answer(request, Location(name.scheme or "http", address, number))
        raise errors.service_unavailable(f"no endpoints available for service {go_quote(name.name)}")

    async def node(self, resource: Resource, request: Request) -> Response:
        """To a port of a node."""
        name = _name(request, "node")
        node = await self._find_node("", name.name)
        address = agent_address(node)
        if address is None:
            raise errors.unknown(f"no preferred addresses found; known addresses: [] of node {name.name}")
        host, _, agent_port = address.rpartition(":")
        if not name.port or name.port == agent_port:
            below = request.connect.path if request.connect is not None else ""
            return Response(200, connect=AgentConnector(address, below, self._connections.stub))
        host = host.strip("[]")
        if not is_proxyable(host):
            raise errors.bad_request("address not allowed")
        return self._answer(request, Location(name.scheme or "http", host, _number(name.port)))

    def _answer(self, request: Request, location: Location) -> Response:
        below = request.connect.path if request.connect is not None else ""
        return Response(200, connect=ProxyConnector(self._backends, location, below))

    async def _is_of_its_pod(self, namespace: str, endpoint: Object, address: str) -> bool:
        """Who may write endpoints must not reach whatever the API server reaches: only pods of the same namespace."""
        target = endpoint.get("targetRef") or {}
        if target.get("kind") != "Pod" or (target.get("namespace") or namespace) != namespace:
            return False
        try:
            pod = await self._find_pod(namespace, target.get("name") or "")
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return False
        return address in _pod_ips(pod) and is_proxyable(address)


def _name(request: Request, what: str) -> ProxyName:
    if request.connect is None:
        raise errors.bad_request("a proxy is served by HTTP only")
    name = parse_name(request.name)
    if name is None:
        raise errors.bad_request(f"invalid {what} request {go_quote(request.name)}")
    return name


def _number(port: str) -> int:
    if not port:
        return 0
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        # Go's dialer says this of a port that is none.
        raise errors.service_unavailable(f"error trying to reach service: dial tcp: address tcp/{port}: unknown port")
    return int(port)


def _first_port(pod: Object) -> str:
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            return str(port.get("containerPort") or "")
    return ""


def _pod_ips(pod: Object) -> list[str]:
    return [each.get("ip") or "" for each in (pod.get("status") or {}).get("podIPs") or ()]


def _port_name(service: Object, name: ProxyName) -> str:
    """The name of the service's port that is meant; endpoints have names, not the service's numbers."""
    if not (name.port.isascii() and name.port.isdigit()):
        return name.port
    for port in (service.get("spec") or {}).get("ports") or ():
        if port.get("port") == int(name.port[:6]):
            return str(port.get("name") or "")
    raise errors.service_unavailable(f"no service port {int(name.port[:20])} found for service {go_quote(name.name)}")


def _endpoints(slices: Sequence[Object], port_name: str) -> list[tuple[dict[str, Any], str, int]]:
    """The ready endpoints that have the port, with an address and the port's number."""
    return [
        (endpoint, endpoint["addresses"][0], int(port["port"]))
        for each in slices
        for port in each.get("ports") or ()
        if (port.get("name") or "") == port_name and port.get("port")
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("addresses")
    ]
