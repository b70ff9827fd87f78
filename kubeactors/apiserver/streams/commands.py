"""Exec and attach: a client's WebSocket or SPDY connection on one side, the node agent's call on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import grpc.aio
from aiohttp import web

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.streams import channels, statuses, upgrade
from kubeactors.apiserver.streams.agent_call import AgentRefused, begin
from kubeactors.apiserver.streams.channels import Codec
from kubeactors.apiserver.streams.command_clients import ChannelClient, CommandClient, SpdyClient
from kubeactors.apiserver.streams.idle import IdleTimeout
from kubeactors.apiserver.streams.options import CommandOptions
from kubeactors.apiserver.streams.spdy.connection import SpdyConnection
from kubeactors.apiserver.streams.statuses import Status
from kubeactors.pb.node.v1 import node_pb2
from kubeactors.pb.node.v1.node_pb2_grpc import NodeStub

logger = logging.getLogger(__name__)

SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
#: A message to the agent has at most so many bytes of input.
_PIECE = 32 * 1024


@dataclass(frozen=True, slots=True)
class CommandTarget:
    """The container that is meant and the node that has it. `connect` gives the agent at `address`."""

    kind: Literal["exec", "attach"]
    namespace: str
    pod: str
    uid: str
    container: str
    address: str
    connect: Callable[[str], Awaitable[NodeStub]]


class CommandConnector:
    """Implements `Connector`."""

    def __init__(self, target: CommandTarget, options: CommandOptions) -> None:
        self._target = target
        self._options = options

    async def serve(self, http: web.BaseRequest) -> web.StreamResponse:
        return await upgrade.serve(http, self._serve)

    async def serve_client(self, connected: Callable[[], Awaitable[CommandClient]]) -> None:
        """Serve a client that comes by another way than HTTP; `connected` gives it when the command has begun.

        Raises AgentRefused or StatusError if it does not begin.
        """
        call = await self._begin()
        try:
            await self._bridge(call, await connected(), translated=False)
        finally:
            call.cancel()

    async def _serve(self, http: web.BaseRequest) -> web.StreamResponse:
        if not upgrade.wants_websocket(http):
            return await self._serve_spdy(http)
        wanted = upgrade.websocket_protocols(http)
        if channels.V5 in wanted:
            return await self._serve_v5(http)
        return await self._serve_channels(http, wanted)

    async def _serve_v5(self, http: web.BaseRequest) -> web.StreamResponse:
        """The connection stands before the node is asked; what it refuses comes through the error channel."""
        socket = upgrade.websocket(channels.V5)
        try:
            await socket.prepare(http)
        except web.HTTPException as error:
            return upgrade.text_answer(error.status, error.text or "")
        client = ChannelClient(socket, Codec(channels.V5), self._options)
        await client.greet()
        try:
            call = await self._begin()
        except AgentRefused as refused:
            await client.finish(statuses.internal(f"unable to upgrade connection: {str(refused).rstrip()}"))
        except StatusError as error:
            await client.finish(statuses.internal(error.message))
        else:
            await self._bridge(call, client, translated=True)
        return socket

    async def _serve_channels(self, http: web.BaseRequest, wanted: list[str]) -> web.StreamResponse:
        protocol = channels.choose(wanted, channels.COMMAND_PROTOCOLS)
        if protocol is None:
            return upgrade.text_answer(403, "")
        try:
            call = await self._begin()
        except AgentRefused as refused:
            return refused.answer()
        try:
            socket = upgrade.websocket(protocol)
            try:
                await socket.prepare(http)
            except web.HTTPException as error:
                return upgrade.text_answer(error.status, error.text or "")
            client = ChannelClient(socket, Codec(protocol), self._options)
            await client.greet()
            await self._bridge(call, client, translated=False)
            return socket
        finally:
            call.cancel()

    async def _serve_spdy(self, http: web.BaseRequest) -> web.StreamResponse:
        protocol, refusal = upgrade.choose_stream_protocol(http, SPDY_PROTOCOLS)
        if refusal is not None:
            return refusal
        if not upgrade.wants_spdy(http):
            return upgrade.missing_upgrade_headers(http)
        try:
            call = await self._begin()
        except AgentRefused as refused:
            return refused.answer()
        try:
            headers: tuple[tuple[str, str], ...] = (("Upgrade", upgrade.SPDY),)
            if protocol:
                headers = (*headers, ("X-Stream-Protocol-Version", protocol))
            answer, raw = upgrade.switch_protocols(http, headers)
            client = SpdyClient(SpdyConnection(raw), protocol, self._options)
            try:
                if await client.open():
                    await self._bridge(call, client, translated=False)
            finally:
                await client.close()
            return answer
        finally:
            call.cancel()

    async def _begin(self) -> Any:
        """The agent's call, which serves. Raises AgentRefused or StatusError."""
        target, options = self._target, self._options
        if not options.any_stream:
            raise AgentRefused(400, "you must specify at least 1 of stdin, stdout, stderr")
        try:
            stub = await target.connect(target.address)
        except OSError as error:
            raise errors.internal(f"the certificates for node agents cannot be read: {error}") from error
        call = stub.Exec() if target.kind == "exec" else stub.Attach()
        start = node_pb2.CommandStart(
            namespace=target.namespace,
            pod=target.pod,
            uid=target.uid,
            container=target.container,
            command=options.command,
            stdin=options.stdin,
            stdout=options.stdout,
            stderr=options.stderr,
            tty=options.tty,
        )
        await begin(call, node_pb2.CommandInput(start=start), target.address)
        return call

    async def _bridge(self, call: Any, client: CommandClient, *, translated: bool) -> None:
        """Pass everything on until the command has ended or the client has gone."""
        try:
            async with IdleTimeout() as idle:
                status = await self._run(call, client, idle, translated)
                if status is not None:
                    await client.finish(status)
        except TimeoutError:
            logger.info(
                "%s in %s/%s was idle for too long", self._target.kind, self._target.namespace, self._target.pod
            )
        except ConnectionError:
            logger.debug("the client of %s in %s went", self._target.kind, self._target.pod)
        finally:
            call.cancel()

    async def _run(self, call: Any, client: CommandClient, idle: IdleTimeout, translated: bool) -> Status | None:
        """How it ended; None when the client has gone first."""
        feeding = asyncio.create_task(client.feed(_AgentInput(call, idle)), name="command-input")
        reading = asyncio.create_task(self._read(call, client, idle), name="command-output")
        try:
            await asyncio.wait({feeding, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                if not feeding.cancelled() and (error := feeding.exception()) is not None:
                    logger.info("the input of a command failed: %s", error)
                return None
            result = reading.result()
        finally:
            for task in (feeding, reading):
                task.cancel()
            await asyncio.gather(feeding, reading, return_exceptions=True)
        verb = "executing command" if self._target.kind == "exec" else "attaching to container"
        return statuses.of_result(result.exit_code, result.error, verb, self._options.command, translated=translated)

    async def _read(self, call: Any, client: CommandClient, idle: IdleTimeout) -> node_pb2.CommandResult:
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                idle.touch()
                match message.WhichOneof("output"):
                    case "stdout":
                        await client.stdout(message.stdout)
                    case "stderr":
                        await client.stderr(message.stderr)
                    case "result":
                        found: node_pb2.CommandResult = message.result
                        return found
            details = "the node agent ended the call"
        except grpc.aio.AioRpcError as error:
            details = error.details() or "the connection to the node agent broke off"
        return node_pb2.CommandResult(error=details)


class _AgentInput:
    """Sends a client's input to the agent. Implements `CommandInput`."""

    def __init__(self, call: Any, idle: IdleTimeout) -> None:
        self._call = call
        self._idle = idle
        self._lock = asyncio.Lock()
        self._ended = False

    async def stdin(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            await self._write(node_pb2.CommandInput(stdin=data[start : start + _PIECE]))

    async def end_of_stdin(self) -> None:
        await self._write(node_pb2.CommandInput(end_of_stdin=node_pb2.Empty()))

    async def resize(self, width: int, height: int) -> None:
        await self._write(node_pb2.CommandInput(resize=node_pb2.TerminalSize(width=width, height=height)))

    async def _write(self, message: node_pb2.CommandInput) -> None:
        self._idle.touch()
        async with self._lock:
            if self._ended:
                return
            try:
                await self._call.write(message)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                # The command has ended: what reads its output tells how. Input goes nowhere from now on.
                self._ended = True
