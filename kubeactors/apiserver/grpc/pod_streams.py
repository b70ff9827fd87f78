"""Exec, Attach and PortForward: a client's call on one side, on the other `kubeactors/apiserver/streams`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.grpc.errors import status_message
from kubeactors.apiserver.streams.agent_call import AgentRefused
from kubeactors.apiserver.streams.command_clients import CommandInput
from kubeactors.apiserver.streams.commands import CommandConnector
from kubeactors.apiserver.streams.connector import Connector
from kubeactors.apiserver.streams.port_forward import PortForwardConnector
from kubeactors.apiserver.streams.statuses import Status
from kubeactors.pb.api.v1 import api_pb2 as pb

Write = Callable[[Any], Awaitable[Any]]

_REASONS = {400: "BadRequest", 404: "NotFound"}


async def start_of(inputs: AsyncIterator[Any]) -> Any:
    """The `start` with which a client begins. Raises StatusError (400)."""
    first = await anext(inputs, None)
    if first is None or not first.HasField("start"):
        raise errors.bad_request("the first message must be start")
    return first.start


async def serve_command(
    connector: Connector, start: pb.CommandStart, inputs: AsyncIterator[pb.CommandInput], write: Write
) -> None:
    """Run a command or attach until it has ended. Raises StatusError if it does not begin."""
    if not isinstance(connector, CommandConnector):
        raise TypeError("the handler answered a command with another connection")

    client = _Client(inputs, write, start)

    async def connected() -> _Client:
        await write(pb.CommandOutput(started=pb.Nothing()))
        return client

    try:
        await connector.serve_client(connected)
    except AgentRefused as refused:
        reason = _REASONS.get(refused.status, "InternalError")
        raise StatusError(errors.status_failure(refused.status, reason, str(refused).rstrip())) from refused
    if not client.finished:
        raise errors.internal("the command was given up: it was idle for too long, or its input could not be read")


async def serve_port(connector: Connector, inputs: AsyncIterator[pb.PortForwardInput], write: Write) -> None:
    """Pass a connection's bytes on until the pod has ended it. Raises StatusError if it was not made or broke."""
    if not isinstance(connector, PortForwardConnector):
        raise TypeError("the handler answered a port-forward with another connection")

    async def begun() -> None:
        await write(pb.PortForwardOutput(started=pb.Nothing()))

    problem = await connector.serve_connection(_Bytes(inputs, write), begun)
    if problem:
        raise errors.internal(problem)


class _Client:
    """Implements `CommandClient`."""

    def __init__(self, inputs: AsyncIterator[pb.CommandInput], write: Write, start: pb.CommandStart) -> None:
        self._inputs = inputs
        self._write = write
        self._stdin = start.stdin
        #: Whether it was told how the command ended.
        self.finished = False

    async def feed(self, sink: CommandInput) -> None:
        async for message in self._inputs:
            match message.WhichOneof("input"):
                case "stdin" if self._stdin:
                    await sink.stdin(message.stdin)
                case "end_of_stdin":
                    await sink.end_of_stdin()
                case "resize":
                    await sink.resize(message.resize.columns, message.resize.rows)
        if self._stdin:
            await sink.end_of_stdin()
        # The client still reads. When it goes the call is cancelled.
        await asyncio.get_running_loop().create_future()

    async def stdout(self, data: bytes) -> None:
        await self._write(pb.CommandOutput(stdout=data))

    async def stderr(self, data: bytes) -> None:
        await self._write(pb.CommandOutput(stderr=data))

    async def finish(self, status: Status) -> None:
        self.finished = True
        await self._write(pb.CommandOutput(ended=command_ended(status)))


def command_ended(status: Status) -> pb.CommandEnded:
    """How a command ended, from what the error channel of the REST API says."""
    if status.get("status") == "Success":
        return pb.CommandEnded()
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return pb.CommandEnded(exit_code=int(cause["message"]))
    return pb.CommandEnded(failure=status_message(status))


class _Bytes:
    """Implements `DataStream`."""

    def __init__(self, inputs: AsyncIterator[pb.PortForwardInput], write: Write) -> None:
        self._inputs = inputs
        self._write = write

    async def read(self) -> bytes:
        async for message in self._inputs:
            if message.data:
                return message.data
        return b""

    async def write(self, data: bytes) -> None:
        await self._write(pb.PortForwardOutput(data=data))
