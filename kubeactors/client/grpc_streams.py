"""Commands and ports of pods over gRPC: Exec, Attach and PortForward of protos/kubeactors/api/v1/api.proto."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from kubeactors.api.errors import StatusError
from kubeactors.client.errors import ApiUnavailable
from kubeactors.client.grpc_messages import failure, status_error
from kubeactors.client.grpc_session import cancelled_by_caller
from kubeactors.client.streams import CommandCall, Ended, Output, PortCall
from kubeactors.client.transport import ConnectionLost
from kubeactors.pb.api.v1 import api_pb2 as pb

Rpc = Any  # grpc.aio.StreamStreamCall; grpcio has no type information


class _Messages:
    """Messages of one call, both ways.

    gRPC breaks the whole call off when a read or write of it is cancelled, and takes one write at a time. Here each is
    a task of its own that outlives who waits for it, so that a caller's timeout costs nothing but the wait.
    """

    def __init__(self, rpc: Rpc, endpoint: str) -> None:
        self._rpc = rpc
        self._endpoint = endpoint
        self._reading: asyncio.Task[Any] | None = None
        self._writing: asyncio.Task[Any] | None = None
        self._turn = asyncio.Lock()

    async def begin(self, start: Any) -> None:
        """Sends the first message. Raises ConnectionLost that says whether the server may have seen it."""
        try:
            await self._rpc.wait_for_connection()
        except grpc.aio.AioRpcError as error:
            raise _lost(failure(error, self._endpoint), sent=False) from error
        except asyncio.CancelledError:
            if cancelled_by_caller():
                raise
            raise ConnectionLost(f"{self._endpoint}: the connection was closed", sent=False) from None
        await self.write(start)

    async def read(self) -> Any:
        """A message, or grpc.aio.EOF. Raises StatusError or ConnectionLost."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._translated(self._rpc.read(), sent=True))
        message = await asyncio.shield(self._reading)
        if message is not grpc.aio.EOF:  # at the end it is for every reader
            self._reading = None
        return message

    async def write(self, message: Any) -> None:
        """Raises ConnectionLost. A caller that is cancelled does not know whether the message goes."""
        async with self._turn:
            if self._writing is not None:
                await asyncio.shield(self._writing)
            self._writing = asyncio.create_task(self._translated(self._rpc.write(message), sent=True))
            await asyncio.shield(self._writing)

    async def end(self) -> None:
        """Our side has no more messages."""
        async with self._turn:
            if self._writing is not None:
                await asyncio.shield(self._writing)
            self._writing = asyncio.create_task(self._translated(self._rpc.done_writing(), sent=True))
            await asyncio.shield(self._writing)

    async def close(self) -> None:
        self._rpc.cancel()
        tasks = [task for task in (self._reading, self._writing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _translated(self, work: Any, *, sent: bool) -> Any:
        try:
            return await work
        except grpc.aio.AioRpcError as error:
            raise failure(error, self._endpoint) from error
        except asyncio.InvalidStateError:  # a write to a call that is over
            raise ConnectionLost(f"{self._endpoint}: the call is over", sent=sent) from None
        except asyncio.CancelledError:
            if cancelled_by_caller():
                raise
            raise ConnectionLost(f"{self._endpoint}: the connection was closed", sent=sent) from None


class GrpcCommand:
    """Implements `CommandStream`. Use `open`."""

    def __init__(self, messages: _Messages) -> None:
        self._messages = messages

    @classmethod
    async def open(cls, rpc: Rpc, endpoint: str, call: CommandCall) -> GrpcCommand:
        """Returns when the command runs. Raises StatusError or ConnectionLost when it does not."""
        messages = _Messages(rpc, endpoint)
        start = pb.CommandStart(
            namespace=call.namespace,
            pod=call.pod,
            container=call.container,
            command=call.command,
            stdin=call.stdin,
            stdout=True,
            stderr=not call.tty,
            tty=call.tty,
        )
        try:
            await messages.begin(pb.CommandInput(start=start))
            first = await messages.read()
            if first is grpc.aio.EOF or not first.HasField("started"):
                raise ConnectionLost(f"{endpoint}: the command did not begin", sent=True)
        except BaseException:
            await messages.close()
            raise
        return cls(messages)

    async def send(self, data: bytes) -> None:
        await self._write(pb.CommandInput(stdin=data))

    async def end_input(self) -> None:
        await self._write(pb.CommandInput(end_of_stdin=pb.Nothing()))

    async def resize(self, width: int, height: int) -> None:
        await self._write(pb.CommandInput(resize=pb.TerminalSize(columns=width, rows=height)))

    async def receive(self) -> Output | Ended:
        while True:
            try:
                message = await self._messages.read()
            except ConnectionLost as error:
                raise ApiUnavailable(f"the connection ended before the command did: {error.message}") from error
            if message is grpc.aio.EOF:
                raise ApiUnavailable("the connection ended before the command did")
            match message.WhichOneof("output"):
                case "stdout":
                    return Output("stdout", message.stdout)
                case "stderr":
                    return Output("stderr", message.stderr)
                case "ended" if message.ended.HasField("failure"):
                    return Ended(-1, status_error(message.ended.failure))
                case "ended":
                    return Ended(message.ended.exit_code)

    async def close(self) -> None:
        await self._messages.close()

    async def _write(self, message: pb.CommandInput) -> None:
        try:
            await self._messages.write(message)
        except ConnectionLost as error:
            raise ApiUnavailable(f"the connection to the pod is gone: {error.message}") from error


class GrpcPort:
    """Implements `PortStream`. Use `open`."""

    def __init__(self, messages: _Messages) -> None:
        self._messages = messages

    @classmethod
    async def open(cls, rpc: Rpc, endpoint: str, call: PortCall) -> GrpcPort:
        """Returns when the pod is found. Raises StatusError or ConnectionLost when it is not."""
        messages = _Messages(rpc, endpoint)
        start = pb.PortForwardStart(namespace=call.namespace, pod=call.pod, port=call.port)
        try:
            await messages.begin(pb.PortForwardInput(start=start))
            first = await messages.read()
            if first is grpc.aio.EOF:
                raise ConnectionLost(f"{endpoint}: the connection did not begin", sent=True)
        except BaseException:
            await messages.close()
            raise
        return cls(messages)

    async def send(self, data: bytes) -> None:
        try:
            await self._messages.write(pb.PortForwardInput(data=data))
        except ConnectionLost as error:
            raise ApiUnavailable(f"the connection to the pod is gone: {error.message}") from error

    async def end_input(self) -> bool:
        try:
            await self._messages.end()
        except ConnectionLost as error:
            raise ApiUnavailable(f"the connection to the pod is gone: {error.message}") from error
        return True

    async def receive(self) -> bytes:
        while True:
            try:
                message = await self._messages.read()
            except ConnectionLost as error:
                raise ApiUnavailable(f"the connection to the pod is gone: {error.message}") from error
            if message is grpc.aio.EOF:
                return b""
            if message.data:
                return bytes(message.data)

    async def close(self) -> None:
        await self._messages.close()


def _lost(error: StatusError | ConnectionLost, *, sent: bool) -> StatusError | ConnectionLost:
    """The same failure of a call whose first message did not go."""
    return ConnectionLost(error.message, sent=sent) if isinstance(error, ConnectionLost) else error
