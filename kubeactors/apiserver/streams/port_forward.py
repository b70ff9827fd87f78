"""Port-forward: SPDY streams, raw or in a WebSocket, and the older WebSocket channels.

Each forwarded connection is a call to the node agent.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import grpc.aio
from aiohttp import WSMsgType, web

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.streams import channels, upgrade
from kubeactors.apiserver.streams.agent_call import AgentRefused, begin
from kubeactors.apiserver.streams.channels import Codec
from kubeactors.apiserver.streams.forward_streams import ForwardStreams
from kubeactors.apiserver.streams.idle import IdleTimeout
from kubeactors.apiserver.streams.spdy.connection import ByteStream
from kubeactors.apiserver.streams.tunnel import Tunnel
from kubeactors.pb.node.v1 import node_pb2
from kubeactors.pb.node.v1.node_pb2_grpc import NodeStub

logger = logging.getLogger(__name__)

SPDY_PROTOCOLS = ("portforward.k8s.io",)
_PIECE = 32 * 1024
#: Unread bytes of one port of a WebSocket's channels before the WebSocket waits.
_CHANNEL_BUFFER = 8
_HEADERS = (("Upgrade", upgrade.SPDY), ("X-Stream-Protocol-Version", "portforward.k8s.io"))


@dataclass(frozen=True, slots=True)
class PortForwardTarget:
    """The pod and its node. `connect` gives the agent at `address`."""

    namespace: str
    pod: str
    uid: str
    address: str
    connect: Callable[[str], Awaitable[NodeStub]]


class DataStream(Protocol):
    """The client's end of one forwarded connection."""

    async def read(self) -> bytes:
        """Some bytes; empty at the end of what the client sends."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits while the client is slow."""
        ...


class PortForwardConnector:
    """Implements `Connector`. `ports` are those of a WebSocket's channels; `phase` is the pod's."""

    def __init__(self, target: PortForwardTarget, ports: tuple[int, ...], *, phase: str | None) -> None:
        self._target = target
        self._ports = ports
        self._phase = phase

    async def serve(self, http: web.BaseRequest) -> web.StreamResponse:
        return await upgrade.serve(http, self._serve)

    async def _serve(self, http: web.BaseRequest) -> web.StreamResponse:
        if not upgrade.wants_websocket(http):
            return await self._serve_spdy(http)
        wanted = upgrade.websocket_protocols(http)
        if channels.TUNNEL in wanted:
            return await self._serve_tunnel(http)
        return await self._serve_channels(http, wanted)

    async def serve_connection(self, data: DataStream, begun: Callable[[], Awaitable[None]]) -> str:
        """Serve one connection of a client that comes by another way than HTTP, to the first of the ports; what went
        wrong, or nothing. `begun` is awaited once there is a pod to connect to."""
        if self._ended:
            return self._not_found()
        await begun()
        async with IdleTimeout() as idle:
            return await self.forward(self._ports[0], data, idle)

    @property
    def _ended(self) -> bool:
        return self._phase in ("Succeeded", "Failed")

    def _not_found(self) -> str:
        return f'pod not found ("{self._target.pod}_{self._target.namespace}")'

    def _not_running(self) -> Answer | None:
        return upgrade.text_answer(500, self._not_found() + "\n") if self._ended else None

    async def _serve_spdy(self, http: web.BaseRequest) -> web.StreamResponse:
        protocol, refusal = upgrade.choose_stream_protocol(http, SPDY_PROTOCOLS)
        if refusal := refusal or self._not_running():
            return refusal
        if not upgrade.wants_spdy(http):
            return upgrade.missing_upgrade_headers(http)
        answer, raw = upgrade.switch_protocols(http, _HEADERS if protocol else _HEADERS[:1])
        await self._serve_streams(raw)
        return answer

    async def _serve_tunnel(self, http: web.BaseRequest) -> web.StreamResponse:
        if refusal := self._not_running():
            return refusal
        socket = upgrade.websocket(channels.TUNNEL)
        try:
            await socket.prepare(http)
        except web.HTTPException as error:
            return upgrade.text_answer(error.status, error.text or "")
        await self._serve_streams(Tunnel(socket))
        await socket.close()
        return socket

    async def _serve_streams(self, stream: ByteStream) -> None:
        async with IdleTimeout() as idle:
            await ForwardStreams(stream, lambda port, data: self.forward(port, data, idle)).run()

    async def _serve_channels(self, http: web.BaseRequest, wanted: list[str]) -> web.StreamResponse:
        """A pair of channels for each port: data, and errors. Each begins with the port, little endian."""
        if not self._ports:
            return upgrade.text_answer(400, 'query parameter "port" is required')
        protocol = channels.choose(wanted, channels.PORT_PROTOCOLS)
        if protocol is None:
            return upgrade.text_answer(403, "")
        if refusal := self._not_running():
            return refusal
        socket = upgrade.websocket(protocol)
        try:
            await socket.prepare(http)
        except web.HTTPException as error:
            return upgrade.text_answer(error.status, error.text or "")
        codec = Codec(protocol)
        pairs = [_ChannelStream(socket, codec, 2 * index) for index in range(len(self._ports))]
        async with IdleTimeout() as idle:
            for port, pair in zip(self._ports, pairs, strict=True):
                await pair.write(struct.pack("<H", port))
                await pair.write_error(struct.pack("<H", port))
            reading = asyncio.create_task(_read_channels(socket, codec, pairs), name="channels")
            serving = asyncio.create_task(self._serve_pairs(pairs, idle), name="port-forward")
            try:
                await asyncio.wait({reading, serving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                reading.cancel()
                serving.cancel()
                await asyncio.gather(reading, serving, return_exceptions=True)
        await socket.close()
        return socket

    async def _serve_pairs(self, pairs: list[_ChannelStream], idle: IdleTimeout) -> None:
        async with asyncio.TaskGroup() as group:
            for port, pair in zip(self._ports, pairs, strict=True):
                group.create_task(self._serve_channel(port, pair, idle))

    async def _serve_channel(self, port: int, pair: _ChannelStream, idle: IdleTimeout) -> None:
        if message := await self.forward(port, pair, idle):
            await pair.write_error(message.encode())

    async def forward(self, port: int, data: DataStream, idle: IdleTimeout) -> str:
        """Serve one connection until both sides have ended; what went wrong, in kubelet's words, or nothing."""
        target = self._target
        try:
            failure = await self._forward(port, data, idle)
        except AgentRefused as error:
            failure = str(error)
        except StatusError as error:
            failure = error.message
        if not failure:
            return ""
        return f"error forwarding port {port} to pod {target.pod}, uid {target.uid}: {failure}"

    async def _forward(self, port: int, data: DataStream, idle: IdleTimeout) -> str:
        target = self._target
        try:
            stub = await target.connect(target.address)
        except OSError as error:
            raise errors.internal(f"the certificates for node agents cannot be read: {error}") from error
        call = stub.PortForward()
        start = node_pb2.PortForwardStart(namespace=target.namespace, pod=target.pod, uid=target.uid, port=port)
        await begin(call, node_pb2.PortForwardInput(start=start), target.address)
        sending = asyncio.create_task(_send(call, data, idle), name="port-forward-input")
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                idle.touch()
                if message.HasField("failure"):
                    # A connection that broke is the client's to see, and no fault of the forwarding.
                    return "" if message.failure.reset else str(message.failure.message)
                if message.HasField("end_of_data"):
                    return ""
                await data.write(message.data)
        except grpc.aio.AioRpcError as error:
            return error.details() or "the connection to the node agent broke off"
        finally:
            sending.cancel()
            call.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return "the node agent ended the call"


async def _send(call: Any, data: DataStream, idle: IdleTimeout) -> None:
    try:
        while piece := await data.read():
            idle.touch()
            for start in range(0, len(piece), _PIECE):
                await call.write(node_pb2.PortForwardInput(data=piece[start : start + _PIECE]))
        await call.write(node_pb2.PortForwardInput(end_of_data=node_pb2.Empty()))
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        logger.debug("the pod's side of a forwarded connection has ended")


class _ChannelStream:
    """A port's pair of channels. Implements `DataStream`."""

    def __init__(self, socket: web.WebSocketResponse[bool], codec: Codec, channel: int) -> None:
        self._socket = socket
        self._codec = codec
        self._channel = channel
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue(_CHANNEL_BUFFER)

    async def read(self) -> bytes:
        return await self.pieces.get()

    async def write(self, data: bytes) -> None:
        await self._send(self._channel, data)

    async def write_error(self, data: bytes) -> None:
        await self._send(self._channel + 1, data)

    async def _send(self, channel: int, data: bytes) -> None:
        message = self._codec.encode(channel, data)
        if self._codec.base64:
            await self._socket.send_str(message.decode())
        else:
            await self._socket.send_bytes(message)


async def _read_channels(socket: web.WebSocketResponse[bool], codec: Codec, pairs: list[_ChannelStream]) -> None:
    """Give the messages to their channels until the client has gone."""
    while True:
        message = await socket.receive()
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            return
        decoded = codec.decode(message.data)
        if decoded is None or decoded[0] % 2 or decoded[0] >= 2 * len(pairs) or not decoded[1]:
            continue
        await pairs[decoded[0] // 2].pieces.put(decoded[1])
