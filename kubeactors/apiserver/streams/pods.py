"""exec, attach and portforward of pods: which container on which node is meant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from kubeactors.api import errors
from kubeactors.api.meta import Object
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.authz.authorizer import check
from kubeactors.apiserver.node.connections import NodeConnections, agent_address
from kubeactors.apiserver.node.containers import choose_container
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import ConnectOptions, Request, Response
from kubeactors.apiserver.streams.commands import CommandConnector, CommandTarget
from kubeactors.apiserver.streams.options import command_options, forwarded_ports
from kubeactors.apiserver.streams.port_forward import PortForwardConnector, PortForwardTarget

Find = Callable[[str, str], Awaitable[Object]]


class PodStreams:
    """`find_pod(namespace, name)` and `find_node("", name)` give objects or raise StatusError (404)."""

    def __init__(self, connections: NodeConnections, find_pod: Find, find_node: Find, authorizer: Authorizer) -> None:
        self._connections = connections
        self._authorizer = authorizer
        self._find_pod = find_pod
        self._find_node = find_node

    async def exec(self, resource: Resource, request: Request) -> Response:
        """Run a command in a container."""
        return await self._command(request, "exec")

    async def attach(self, resource: Resource, request: Request) -> Response:
        """Connect to a container's first process."""
        return await self._command(request, "attach")

    async def port_forward(self, resource: Resource, request: Request) -> Response:
        """Connect to ports of a pod."""
        await self._may_create(request)
        ports = forwarded_ports(_connect(request).query)
        pod = await self._find_pod(request.namespace, request.name)
        address = await self._address(pod)
        target = PortForwardTarget(
            request.namespace, request.name, pod["metadata"].get("uid") or "", address, self._connections.stub
        )
        return Response(101, connect=PortForwardConnector(target, ports, phase=(pod.get("status") or {}).get("phase")))

    async def _command(self, request: Request, kind: Literal["exec", "attach"]) -> Response:
        await self._may_create(request)
        options = command_options(_connect(request).query)
        pod = await self._find_pod(request.namespace, request.name)
        container = choose_container(pod, options.container)
        address = await self._address(pod)
        uid = pod["metadata"].get("uid") or ""
        target = CommandTarget(kind, request.namespace, request.name, uid, container, address, self._connections.stub)
        return Response(101, connect=CommandConnector(target, options))

    async def _may_create(self, request: Request) -> None:
        """A WebSocket begins with a GET, but who may only read must not run commands (Kubernetes 1.35 and later)."""
        if request.verb != "create":
            await check(self._authorizer, Attributes.of(request).with_verb("create"))

    async def _address(self, pod: Object) -> str:
        """host:port of the agent that has the pod. Raises StatusError."""
        node_name = (pod.get("spec") or {}).get("nodeName")
        if not node_name:
            raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
        address = agent_address(await self._find_node("", node_name))
        if address is None:
            raise errors.unknown(f"no preferred addresses found; known addresses: [] of node {node_name}")
        return address


def _connect(request: Request) -> ConnectOptions:
    if request.connect is None:
        # The gRPC front has no connections to give away.
        raise errors.bad_request("Upgrade request required")
    return request.connect
