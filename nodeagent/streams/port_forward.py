"""PortForward of kubeactors.node.v1.Node: a connection to a port, made inside the pod's network namespace."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from kubeactors.api.meta import key
from kubeactors.pb.node.v1 import node_pb2
from netplugin import netns
from nodeagent.pods.manager import PodManager
from nodeagent.streams.refusal import Refusal

_PIECE = 32 * 1024
_START_DEADLINE = 30.0
_CONNECT_DEADLINE = 30.0
#: Seconds that a caller has to end the call after the last message.
_END_DEADLINE = 30.0

Inputs = AsyncIterator[node_pb2.PortForwardInput]
Write = Callable[[node_pb2.PortForwardOutput], Awaitable[None]]


class PortForwarder:
    """Serves connections to the pods of `pods`."""

    def __init__(self, pods: PodManager) -> None:
        self._pods = pods

    async def forward(self, inputs: Inputs, write: Write) -> None:
        """Serve one connection. Raises Refusal."""
        start = await _first(inputs)
        namespace = self._namespace(start)
        await write(node_pb2.PortForwardOutput(ready=node_pb2.Empty()))
        try:
            connection = await _connect(namespace, start.port)
        except OSError as error:
            await write(_failure(str(error), reset=False))
            return
        reader, writer = await asyncio.open_connection(sock=connection, limit=_PIECE)
        sending = asyncio.create_task(_send(writer, inputs), name="port-forward-input")
        try:
            try:
                while data := await reader.read(_PIECE):
                    await write(node_pb2.PortForwardOutput(data=data))
                await write(node_pb2.PortForwardOutput(end_of_data=node_pb2.Empty()))
            except OSError as error:
                await write(_failure(f"read tcp: {error.strerror or error}", reset=True))
            # A call that ends while its caller still sends fails for the caller.
            writer.transport.abort()
            await asyncio.wait({sending}, timeout=_END_DEADLINE)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.transport.abort()

    def _namespace(self, start: node_pb2.PortForwardStart) -> str:
        """The path of the pod's network namespace."""
        if not 0 < start.port < 65536:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{start.port} is not a port")
        worker = self._pods.find(start.namespace, start.pod, start.uid)
        if worker is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "pod does not exist")
        if not worker.state.any_running:
            raise Refusal(grpc.StatusCode.UNKNOWN, f'pod not found ("{start.pod}_{start.namespace}")')
        path = str(worker.paths.netns)
        if not os.path.exists(path):
            raise Refusal(grpc.StatusCode.UNKNOWN, f"the network of pod {key(worker.pod)} is not ready")
        return path


async def _first(inputs: Inputs) -> node_pb2.PortForwardStart:
    try:
        async with asyncio.timeout(_START_DEADLINE):
            async for message in inputs:
                if message.HasField("start"):
                    return message.start
                break
    except TimeoutError as error:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "nothing was sent") from error
    raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be `start`")


async def _connect(namespace: str, port: int) -> socket.socket:
    """A connection to the port on the pod's loopback, by IPv4 or else IPv6. Raises OSError."""
    failures = []
    for family, version, host in ((socket.AF_INET, "IPv4", "127.0.0.1"), (socket.AF_INET6, "IPv6", "::1")):
        try:
            return await _connect_to(namespace, family, host, port)
        except OSError as error:  # TimeoutError is one, without a number
            reason = os.strerror(error.errno).lower() if error.errno else "i/o timeout"
            where = f"[{host}]" if ":" in host else host
            failures.append(f"{version}: dial tcp{version[-1]} {where}:{port}: connect: {reason}")
    raise ConnectionRefusedError(
        f'failed to connect to localhost:{port} inside namespace "{namespace}", {" ".join(failures)}'
    )


async def _connect_to(namespace: str, family: int, host: str, port: int) -> socket.socket:
    # A socket stays in the network namespace that it was made in, whoever uses it.
    made = await asyncio.to_thread(netns.run, namespace, lambda: socket.socket(family, socket.SOCK_STREAM))
    try:
        made.setblocking(False)
        async with asyncio.timeout(_CONNECT_DEADLINE):
            await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


async def _send(writer: asyncio.StreamWriter, inputs: Inputs) -> None:
    """Pass on what the client sends, until its end; then end that half of the connection."""
    async for message in inputs:
        if writer.transport.is_closing():
            continue
        with contextlib.suppress(OSError):  # whoever reads the connection tells
            match message.WhichOneof("input"):
                case "data":
                    writer.write(message.data)
                    await writer.drain()
                case "end_of_data":
                    writer.write_eof()


def _failure(message: str, *, reset: bool) -> node_pb2.PortForwardOutput:
    return node_pb2.PortForwardOutput(failure=node_pb2.PortForwardFailure(message=message, reset=reset))
