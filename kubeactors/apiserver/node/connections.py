"""gRPC connections to node agents, kept open and shared."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from kubeactors.api.meta import Object
from kubeactors.pb.node.v1.node_pb2_grpc import NodeStub

DEFAULT_PORT = 10250
# Connections that are kept; the one used longest ago goes first.
_MAX_OPEN = 64
_OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
]


@dataclass(frozen=True, slots=True)
class AgentTls:
    """PEM files: the CA that signs node agents, and what this server shows them."""

    ca: Path
    cert: Path
    key: Path


def agent_address(node: Object) -> str | None:
    """host:port of a node's agent, from the Node's status; None while the node has not told its address."""
    status = node.get("status") or {}
    found = {each.get("type"): each.get("address") for each in status.get("addresses") or ()}
    host = found.get("InternalIP") or found.get("Hostname")
    if not host:
        return None
    endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    port = endpoint.get("Port") or DEFAULT_PORT
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class NodeConnections:
    """`tls` None: plaintext, for tests."""

    def __init__(self, tls: AgentTls | None) -> None:
        self._tls = tls
        self._credentials: grpc.ChannelCredentials | None = None
        self._open: OrderedDict[str, grpc.aio.Channel] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def stub(self, address: str) -> NodeStub:
        """The agent at host:port. Raises OSError when the certificates cannot be read."""
        channel = self._open.get(address)
        if channel is None:
            channel = self._open[address] = await self._connect(address)
            if len(self._open) > _MAX_OPEN:
                _, oldest = self._open.popitem(last=False)
                # Calls under way on it go on until their end.
                task = asyncio.create_task(oldest.close(grace=3600))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        self._open.move_to_end(address)
        return NodeStub(channel)

    async def _connect(self, address: str) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(address, options=_OPTIONS)
        if self._credentials is None:
            self._credentials = await asyncio.to_thread(_credentials, self._tls)
        return grpc.aio.secure_channel(address, self._credentials, options=_OPTIONS)

    async def stop(self) -> None:
        channels = list(self._open.values())
        self._open.clear()
        for task in list(self._closing):
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await asyncio.gather(*(channel.close() for channel in channels))


def _credentials(tls: AgentTls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(tls.ca.read_bytes(), tls.key.read_bytes(), tls.cert.read_bytes())
