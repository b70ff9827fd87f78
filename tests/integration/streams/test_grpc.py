"""Logs, commands and ports over gRPC by the generated stub, on real pods; and the example without the SDK."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
import pytest_asyncio

from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager
from kubeactors.pb.api.v1 import api_pb2 as pb
from kubeactors.pb.api.v1 import api_pb2_grpc
from tests.support.control_plane import ROOT, ControlPlane
from tests.support.live_node import LiveNode
from tests.support.node_machine import IMAGE

pytestmark = pytest.mark.asyncio(loop_scope="package")

EXAMPLE = ROOT / "examples" / "grpc_client"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def stub(plane: ControlPlane, node: LiveNode) -> AsyncIterator[Any]:
    pki = plane.pki
    credentials = grpc.ssl_channel_credentials(
        pki.ca.read_bytes(), pki.key("admin").read_bytes(), pki.certificate("admin").read_bytes()
    )
    async with grpc.aio.secure_channel(plane.grpc_endpoint, credentials) as channel:
        yield api_pb2_grpc.ResourcesStub(channel)


class Command:
    """A command under way."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.stdout = self.stderr = b""
        self.ended: pb.CommandEnded | None = None

    async def begin(self, pod: str = "web", *command: str, **options: Any) -> None:
        start = pb.CommandStart(namespace="default", pod=pod, command=command, **options)
        await self.call.write(pb.CommandInput(start=start))
        assert (await self.call.read()).HasField("started")

    async def finish(self) -> None:
        async with asyncio.timeout(30):
            while (output := await self.call.read()) is not grpc.aio.EOF:
                assert self.ended is None
                self.stdout += output.stdout
                self.stderr += output.stderr
                if output.HasField("ended"):
                    self.ended = output.ended


async def test_commands(stub: Any) -> None:
    command = Command(stub.Exec())
    await command.begin("web", "sh", "-c", "cat; echo err >&2; exit 4", stdin=True, stdout=True, stderr=True)
    for _ in range(4):
        await command.call.write(pb.CommandInput(stdin=b"in" * 50_000))
    await command.call.write(pb.CommandInput(end_of_stdin=pb.Nothing()))
    await command.finish()
    assert (command.stdout, command.stderr, command.ended) == (b"in" * 200_000, b"err\n", pb.CommandEnded(exit_code=4))

    command = Command(stub.Exec())
    await command.begin("web", "sh", stdin=True, stdout=True, tty=True)
    await command.call.write(pb.CommandInput(resize=pb.TerminalSize(columns=91, rows=17)))
    await command.call.write(pb.CommandInput(stdin=b"stty size; exit 6\r"))
    await command.finish()
    assert b"17 91" in command.stdout
    assert command.ended == pb.CommandEnded(exit_code=6)

    # Ending one's side ends the command's input.
    command = Command(stub.Exec())
    await command.begin("web", "wc", "-c", stdin=True, stdout=True)
    await command.call.write(pb.CommandInput(stdin=b"12345"))
    await command.call.done_writing()
    await command.finish()
    assert (command.stdout.strip(), command.ended) == (b"5", pb.CommandEnded())

    command = Command(stub.Attach())
    await command.begin("web", stdout=True)
    command.call.cancel()


@pytest.mark.parametrize(
    ("start", "code", "words"),
    [
        ({"pod": "none", "command": ["true"], "stdout": True}, "NOT_FOUND", 'pods "none" not found'),
        ({"pod": "web", "command": ["true"]}, "INVALID_ARGUMENT", "at least 1 of stdin, stdout, stderr"),
        ({"pod": "two", "command": ["true"], "stdout": True}, "INVALID_ARGUMENT", "choose one of"),
        ({}, "INVALID_ARGUMENT", "a namespace and a pod"),
    ],
)
async def test_commands_that_do_not_begin(stub: Any, start: Any, code: str, words: str) -> None:
    call = stub.Exec()
    await call.write(pb.CommandInput(start=pb.CommandStart(**{"namespace": "default", **start})))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code().name == code
    assert words in (caught.value.details() or "")


async def test_a_command_that_cannot_run(stub: Any) -> None:
    command = Command(stub.Exec())
    await command.begin("web", "nope", stdout=True)
    await command.finish()
    assert command.ended is not None
    assert "executable file not found" in command.ended.failure.message


async def test_input_that_is_no_message_ends_the_command(plane: ControlPlane, node: LiveNode) -> None:
    pki = plane.pki
    credentials = grpc.ssl_channel_credentials(
        pki.ca.read_bytes(), pki.key("admin").read_bytes(), pki.certificate("admin").read_bytes()
    )
    start = pb.CommandStart(namespace="default", pod="web", command=["cat"], stdin=True, stdout=True)
    async with grpc.aio.secure_channel(plane.grpc_endpoint, credentials) as channel:
        call = channel.stream_stream("/kubeactors.api.v1.Resources/Exec")()
        await call.write(pb.CommandInput(start=start).SerializeToString())
        await call.read()
        await call.write(b"\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError, match="was given up"):
            async with asyncio.timeout(30):
                await call.read()


async def test_ports(stub: Any) -> None:
    for path, size in (("index.html", 6), ("big", 4 * 1024 * 1024)):
        call = stub.PortForward()
        start = pb.PortForwardStart(namespace="default", pod="web", port=8080)
        await call.write(pb.PortForwardInput(start=start))
        await call.write(pb.PortForwardInput(data=f"GET /{path} HTTP/1.0\r\n\r\n".encode()))
        async with asyncio.timeout(30):
            assert (await call.read()).HasField("started")
            answer = b""
            while (output := await call.read()) is not grpc.aio.EOF:
                answer += output.data
        assert len(answer.partition(b"\r\n\r\n")[2]) == size
        assert await call.code() is grpc.StatusCode.OK
    for port, words in ((81, "refused"), (0, "must be > 0")):
        call = stub.PortForward()
        start = pb.PortForwardStart(namespace="default", pod="web", port=port)
        await call.write(pb.PortForwardInput(start=start))
        with pytest.raises(grpc.aio.AioRpcError, match=words):
            [output async for output in call]


async def test_logs(stub: Any, node: LiveNode) -> None:
    await node.run_pod(
        "counts", {"name": "c", "image": IMAGE, "command": ["sh", "-c", "for i in 1 2 3; do echo $i; done; sleep 1000"]}
    )
    call = stub.Logs(pb.LogsRequest(namespace="default", pod="counts", tail_lines=2, follow=True))
    text = b""
    async with asyncio.timeout(30):
        while text != b"2\n3\n":
            text += (await call.read()).data
    call.cancel()
    call = stub.Logs(pb.LogsRequest(namespace="default", pod="counts", tail_lines=-1))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_example_without_the_sdk(plane: ControlPlane, node: LiveNode, tmp_path: Path) -> None:
    deployment = json.loads((EXAMPLE / "deployment.json").read_text())
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0] |= {"image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    # There is no scheduler here, and nobody makes tokens.
    pod |= {"nodeName": node.name, "automountServiceAccountToken": False}
    manifest = tmp_path / "deployment.json"
    manifest.write_bytes(orjson.dumps(deployment))
    names = ("deployment", "replicaset", "garbage-collector")
    async with AsyncClient([plane.grpc_endpoint], plane.tls()) as client:
        manager = ControllerManager(client, config=ControllerManagerConfig(leader_elect=False, controllers=names))
        await manager.start()
        try:
            code, stdout, stderr = await _run_example(plane, manifest)
        finally:
            await manager.stop()
    assert code == 0, (stdout, stderr)
    assert "MODIFIED deployments/greeter: 2 of 2 ready" in stdout
    assert stdout.count(": hello from greeter-") == 2
    assert stdout.endswith("deleted\n")


async def test_the_example_tells_why_it_was_refused(plane: ControlPlane, node: LiveNode, tmp_path: Path) -> None:
    deployment = json.loads((EXAMPLE / "deployment.json").read_text())
    deployment["spec"]["replicas"] = -1
    manifest = tmp_path / "deployment.json"
    manifest.write_bytes(orjson.dumps(deployment))
    code, _, stderr = await _run_example(plane, manifest)
    assert (code, "422 Invalid" in stderr, "spec.replicas" in stderr) == (1, True, True)


async def _run_example(plane: ControlPlane, manifest: Path) -> tuple[int | None, str, str]:
    pki = plane.pki
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", EXAMPLE / "client.py", "--endpoint", plane.grpc_endpoint, "--ca", pki.ca),
        *("--cert", pki.certificate("admin"), "--key", pki.key("admin"), "--manifest", manifest),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(40):
            stdout, stderr = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return program.returncode, stdout.decode(), stderr.decode()
