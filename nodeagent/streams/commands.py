"""Exec and Attach of kubeactors.node.v1.Node: a session of the runtime on one side, a gRPC stream on the other.

gRPC's flow control reaches through: output is read from the command when the message before it has left, and input is
taken from the stream when the command has read what came before.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from kubeactors.api.meta import Object
from kubeactors.pb.node.v1 import node_pb2
from nodeagent.pods.manager import PodManager
from nodeagent.pods.spec import all_containers
from nodeagent.pods.state import Run
from nodeagent.runtime.interface import OutputName, Runtime, RuntimeFailure, Session
from nodeagent.streams.refusal import Refusal

logger = logging.getLogger(__name__)

#: Seconds in which the first message must come.
_START_DEADLINE = 30.0
#: Seconds that a caller has to end the call after the last message.
_END_DEADLINE = 30.0

Inputs = AsyncIterator[node_pb2.CommandInput]
Write = Callable[[node_pb2.CommandOutput], Awaitable[None]]


class Commands:
    """Serves commands in the pods of `pods`."""

    def __init__(self, runtime: Runtime, pods: PodManager) -> None:
        self._runtime = runtime
        self._pods = pods

    async def exec(self, inputs: Inputs, write: Write) -> None:
        """Run a command. Raises Refusal. Cancellation kills it."""
        start = await _first(inputs)
        _, run = self._find(start)
        await write(node_pb2.CommandOutput(ready=node_pb2.Empty()))
        try:
            session = await self._runtime.open_exec(run.id, tuple(start.command), stdin=start.stdin, tty=start.tty)
        except (RuntimeFailure, OSError) as error:
            await write(_result(0, f"failed to exec in container: {error}"))
            return
        await _serve(session, start, inputs, write)

    async def attach(self, inputs: Inputs, write: Write) -> None:
        """Connect to a container's first process. Raises Refusal."""
        start = await _first(inputs)
        container, run = self._find(start)
        await write(node_pb2.CommandOutput(ready=node_pb2.Empty()))
        stdin, tty = bool(container.get("stdin")), bool(container.get("tty"))
        try:
            session = await self._runtime.open_attach(run.id, stdin=stdin and start.stdin, tty=tty)
        except (RuntimeFailure, OSError) as error:
            await write(_result(0, f"failed to attach to container: {error}"))
            return
        await _serve(session, start, inputs, write)

    def _find(self, start: node_pb2.CommandStart) -> tuple[Object, Run]:
        """The container in the pod's spec and its run."""
        worker = self._pods.find(start.namespace, start.pod, start.uid)
        if worker is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "pod does not exist")
        found = worker.state.containers.get(start.container)
        if found is None or found.run is None or found.run.status != "running":
            raise Refusal(grpc.StatusCode.UNKNOWN, f'container not found ("{start.container}")')
        for container in all_containers(worker.pod):
            if container["name"] == start.container:
                return container, found.run
        raise Refusal(grpc.StatusCode.UNKNOWN, f'container not found ("{start.container}")')


async def _first(inputs: Inputs) -> node_pb2.CommandStart:
    try:
        async with asyncio.timeout(_START_DEADLINE):
            async for message in inputs:
                if message.HasField("start"):
                    return message.start
                break
    except TimeoutError as error:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "nothing was sent") from error
    raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be `start`")


async def _serve(session: Session, start: node_pb2.CommandStart, inputs: Inputs, write: Write) -> None:
    one_at_a_time = asyncio.Lock()

    async def emit(output: OutputName, data: bytes) -> None:
        if output == "stdout" and start.stdout:
            message = node_pb2.CommandOutput(stdout=data)
        elif output == "stderr" and start.stderr:
            message = node_pb2.CommandOutput(stderr=data)
        else:
            return
        async with one_at_a_time:
            await write(message)

    ended = asyncio.Event()
    feeding = asyncio.create_task(_feed(session, inputs, ended), name="command-input")
    try:
        try:
            await session.pump(emit)
            result = await session.result()
        finally:
            ended.set()
            await session.close()
        await write(_result(result.exit_code, result.error))
        # A call that ends while its caller still sends fails for the caller, who would not learn the result.
        await asyncio.wait({feeding}, timeout=_END_DEADLINE)
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _feed(session: Session, inputs: Inputs, ended: asyncio.Event) -> None:
    try:
        async for message in inputs:
            if ended.is_set():
                continue
            match message.WhichOneof("input"):
                case "stdin":
                    await session.write(message.stdin)
                case "end_of_stdin":
                    await session.close_stdin()
                case "resize":
                    await session.resize(min(message.resize.width, 65535), min(message.resize.height, 65535))
        if not ended.is_set():
            await session.close_stdin()
    except OSError as error:
        logger.info("the input of a command broke off: %s", error)


def _result(code: int, error: str) -> node_pb2.CommandOutput:
    return node_pb2.CommandOutput(result=node_pb2.CommandResult(exit_code=code, error=error))
