"""The SDK, the official Python client and bare WebSockets on a real pod."""

import asyncio
import base64
import contextlib
import os
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes
import orjson
import pytest
import pytest_asyncio
from kubernetes.stream import portforward, stream

from kubeactors.api.errors import StatusError
from kubeactors.client import AsyncClient, Client
from kubeactors.client.copying import CopyFailed
from tests.support.control_plane import ROOT, ControlPlane
from tests.support.live_node import LiveNode
from tests.support.node_machine import container

pytestmark = pytest.mark.asyncio(loop_scope="package")

POD = "/api/v1/namespaces/default/pods/web"


TRANSPORTS = ["https", "grpc"]


def endpoint(plane: ControlPlane, transport: str) -> str:
    return plane.url if transport == "https" else plane.grpc_endpoint


@pytest_asyncio.fixture(scope="module", loop_scope="package", params=TRANSPORTS)
async def client(request: pytest.FixtureRequest, plane: ControlPlane, node: LiveNode) -> AsyncIterator[AsyncClient]:
    async with AsyncClient([endpoint(plane, request.param)], plane.tls()) as made:
        yield made


async def test_the_sdk_runs_commands(client: AsyncClient) -> None:
    done = await client.exec("web", ["sh", "-c", "cat; echo err >&2; exit 4"], stdin=b"in" * 50_000)
    assert (done.exit_code, done.stdout, done.stderr) == (4, b"in" * 50_000, b"err\n")
    with pytest.raises(StatusError, match="executable file not found"):
        await client.exec("web", ["nope"])
    with pytest.raises(StatusError) as raised:
        await client.exec("none", ["true"])
    assert raised.value.reason == "NotFound"
    with pytest.raises(StatusError, match="choose one of"):
        await client.exec("two", ["true"])
    with pytest.raises(TimeoutError):
        await client.exec("web", ["sleep", "100"], timeout=0.3)


async def test_the_sdk_talks_to_commands(client: AsyncClient, node: LiveNode) -> None:
    async with client.exec_session("web", ["sh"], tty=True) as session:
        await session.resize(91, 17)
        await session.write(b"stty size; exit 6\r")
        text = b"".join([output.data async for output in session])
        assert b"17 91" in text
        assert session.exit_code == 6
    echoes = {**container("c", "while read l; do echo got $l; done; echo end"), "stdin": True, "stdinOnce": True}
    name = f"echoes-{'https' if 'Https' in type(client._transport).__name__ else 'grpc'}"
    await node.run_pod(name, echoes, restartPolicy="Never")
    async with client.attach(name, stdin=True) as session:
        await session.write(b"x\n")
        await session.close_stdin()
        assert b"".join([output.data async for output in session]) == b"got x\nend\n"
        assert session.exit_code == 0


async def test_the_sdk_forwards_ports(client: AsyncClient) -> None:
    async with client.port_forward("web", 8080) as forward, aiohttp.ClientSession() as session:
        for path, size in (("index.html", 6), ("big", 4 * 1024 * 1024)):
            async with session.get(f"{forward.url}/{path}") as response:
                assert len(await response.read()) == size
        async with client.port_forward("web", 81) as closed:
            reader, writer = await asyncio.open_connection(closed.address, closed.local_port)
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            writer.close()
            assert "refused" in closed.error
    with pytest.raises(StatusError, match='pods "none" not found'):
        async with client.port_forward("none", 80):
            pass


async def test_the_sdk_ends_its_half_of_a_connection(plane: ControlPlane, node: LiveNode) -> None:
    """Over gRPC, as a WebSocket cannot: the pod's side learns that nothing more comes and may still answer."""
    slow = "nc -l -p 9000 -e sh -c 'wc -c; sleep 2; echo late'"
    await node.run_pod("counts-input", container("c", f"while true; do {slow}; done"))
    async with (
        AsyncClient([plane.grpc_endpoint], plane.tls()) as client,
        asyncio.timeout(40),
        client.port_forward("counts-input", 9000) as forward,
    ):
        answer = b""
        while not answer:  # the first connection is that of `port_forward` itself
            reader, writer = await asyncio.open_connection(forward.address, forward.local_port)
            writer.write(b"x" * 100_000)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
        assert answer.split() == [b"100000", b"late"]


async def test_who_is_tired_of_waiting_for_a_command_may_go_on(client: AsyncClient) -> None:
    async with client.exec_session("web", ["sh"]) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                async for _ in session:
                    pass
        await session.write(b"echo there; exit 2\n")
        assert b"".join([output.data async for output in session]) == b"there\n"
        assert session.exit_code == 2


async def test_the_sdk_reads_logs(client: AsyncClient) -> None:
    async with asyncio.timeout(20):
        async for line in client.logs("web", tail_lines=1, follow=True):
            assert line == "serving"
            break
    assert [line async for line in client.logs("web")] == ["serving"]
    with pytest.raises(StatusError, match="choose one of"):
        [line async for line in client.logs("two")]


async def test_the_sdk_copies_files(client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "site/deep").mkdir(parents=True)
    (tmp_path / "site/deep/page").write_bytes(os.urandom(1 << 20))
    await client.copy_to("web", tmp_path / "site", "/tmp/there")
    await client.copy_from("web", "/tmp/there", tmp_path / "back")
    assert (tmp_path / "back/deep/page").read_bytes() == (tmp_path / "site/deep/page").read_bytes()
    await client.copy_from("web", "/www/index.html", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "hello\n", "in place of the directory that was there"
    with pytest.raises(CopyFailed, match="none"):
        await client.copy_from("web", "/none", tmp_path / "none")
    with pytest.raises(CopyFailed, match="nowhere"):
        await client.copy_to("web", tmp_path / "back", "/nowhere/file")
    with pytest.raises(FileNotFoundError):
        await client.copy_to("web", tmp_path / "none", "/tmp/file")
    await client.exec("web", ["sh", "-c", "mkdir -p /tmp/bad && ln -s ../../outside /tmp/bad/link"])
    with pytest.raises(CopyFailed, match=r"not taken.*outside"):
        await client.copy_from("web", "/tmp/bad", tmp_path / "bad")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "site"], "nothing half done is left"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_synchronous_sdk(plane: ControlPlane, node: LiveNode, transport: str) -> None:
    def work() -> None:
        with Client([endpoint(plane, transport)], plane.tls()) as sync:
            assert sync.exec("web", ["cat"], stdin=b"hello").text == "hello"
            with sync.exec_session("web", ["cat"]) as session:
                session.write(b"a")
                session.close_stdin()
                assert [output.data for output in session] == [b"a"]
                assert session.exit_code == 0
            with (
                sync.port_forward("web", 8080) as forward,
                socket.create_connection((forward.address, forward.local_port), timeout=5) as local,
            ):
                local.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                answer = b""
                while data := local.recv(65536):
                    answer += data
                assert answer.endswith(b"hello\n")

    await asyncio.to_thread(work)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_example_of_the_documentation(
    plane: ControlPlane, node: LiveNode, tmp_path: Path, transport: str
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    server = plane.url if transport == "https" else f"grpc://{plane.grpc_endpoint}"
    kubeconfig.write_text(plane.kubeconfig.read_text().replace(plane.url, server))
    (source,) = re.findall(r"^```py\n(.*?)^```", (ROOT / "docs/sdk.md").read_text(), re.M | re.S)
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", source),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "40 120" in output.decode()
    assert output.decode().endswith("hello\n\nserving\ncopied\n\n")


async def test_the_official_python_client(plane: ControlPlane, node: LiveNode) -> None:
    def work() -> None:
        api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(plane.kubeconfig)))
        pods: Any = api.connect_get_namespaced_pod_exec
        command = ["sh", "-c", "read l; echo got $l; echo e >&2; exit 7"]
        options = {"stdin": True, "stdout": True, "stderr": True, "tty": False, "_preload_content": False}
        session = stream(pods, "web", "default", command=command, **options)
        session.write_stdin("me\n")
        session.run_forever(timeout=10)
        assert session.read_stdout() == "got me\n"
        assert session.read_stderr() == "e\n"
        assert session.returncode == 7
        assert stream(pods, "web", "default", command=["echo", "hi"], stderr=True, stdout=True) == "hi\n"
        forward = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports="8080")
        local = forward.socket(8080)
        local.settimeout(5)
        local.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
        answer = b""
        while data := local.recv(65536):
            answer += data
        assert answer.endswith(b"hello\n")
        assert forward.error(8080) is None

    await asyncio.to_thread(work)


@contextlib.asynccontextmanager
async def _websocket(plane: ControlPlane, path: str, *protocols: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(plane.url + path, protocols=protocols, ssl=plane.ssl_context()) as socket,
    ):
        yield socket


@pytest.mark.parametrize(
    ("protocol", "status"),
    [
        ("v5.channel.k8s.io", True),
        ("v4.channel.k8s.io", True),
        ("v4.base64.channel.k8s.io", True),
        ("base64.channel.k8s.io", False),
        ("channel.k8s.io", False),
        ("", False),
    ],
)
async def test_every_channel_protocol(plane: ControlPlane, node: LiveNode, protocol: str, status: bool) -> None:
    path = f"{POD}/exec?command=sh&command=-c&command=echo+out%3Bexit+2&stdout=1&stderr=1"
    async with _websocket(plane, path, *([protocol] if protocol else [])) as socket:
        assert (socket.protocol or "") == protocol
        messages = [message async for message in socket]
    if "base64" in protocol:
        found = [(int(m.data[0]), base64.b64decode(m.data[1:])) for m in messages]
    else:
        found = [(m.data[0], m.data[1:]) for m in messages]
    assert found[0] == (1, b"")
    assert b"".join(data for channel, data in found if channel == 1) == b"out\n"
    error = b"".join(data for channel, data in found if channel == 3)
    if status:
        assert orjson.loads(error)["details"]["causes"] == [{"reason": "ExitCode", "message": "2"}]
    else:
        assert error.startswith(b"command terminated with non-zero exit code")


async def test_refused_upgrades(plane: ControlPlane, node: LiveNode) -> None:
    async def refusal(path: str, **headers: str) -> tuple[int, str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(plane.url + path, headers=headers, ssl=plane.ssl_context()) as response,
        ):
            return response.status, await response.text(), response.headers

    spdy = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    code, text, _ = await refusal(f"{POD}/exec?command=true&stdout=false&stderr=false", **spdy)
    assert (code, text) == (400, "you must specify at least 1 of stdin, stdout, stderr")
    code, text, headers = await refusal(f"{POD}/exec?command=true", **spdy, **{"X-Stream-Protocol-Version": "v9"})
    assert code == 403 and "client supports [v9]" in text
    assert headers.getall("X-Accepted-Stream-Protocol-Versions")[0] == "v4.channel.k8s.io"
    code, text, _ = await refusal(f"{POD}/exec?command=true", Connection="Upgrade", Upgrade="else")
    assert code == 400 and "missing upgrade headers" in text
    code, text, _ = await refusal(f"{POD}/portforward?ports=x", **spdy)
    assert code == 400 and "unable to parse" in text
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        async with _websocket(plane, f"{POD}/exec?command=true", "v9.channel.k8s.io"):
            pass
    assert raised.value.status == 403


async def test_ports_over_channels(plane: ControlPlane, node: LiveNode) -> None:
    async with _websocket(plane, f"{POD}/portforward?ports=8080&ports=81", "v4.channel.k8s.io") as socket:
        opened = [(await socket.receive()).data for _ in range(4)]
        port, closed = struct.pack("<H", 8080), struct.pack("<H", 81)
        assert opened == [b"\0" + port, b"\1" + port, b"\2" + closed, b"\3" + closed]
        await socket.send_bytes(b"\0GET /index.html HTTP/1.0\r\n\r\n")
        found: dict[int, bytes] = {}
        async for message in socket:
            found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    assert found[0].endswith(b"hello\n")
    assert b"connection refused" in found[3]


async def test_logs_and_watches_over_websockets(plane: ControlPlane, node: LiveNode) -> None:
    await node.run_pod("talks", container("c", "echo one; echo two; exec sleep 1000"))
    path = "/api/v1/namespaces/default/pods/talks/log"
    async with _websocket(plane, path, "binary.k8s.io") as socket:
        assert b"".join([message.data async for message in socket]) == b"one\ntwo\n"
    path = "/api/v1/namespaces/default/pods?watch=1&fieldSelector=metadata.name%3Dtalks"
    async with _websocket(plane, path) as socket:
        event = orjson.loads((await socket.receive(timeout=5)).data)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "talks")


async def test_a_slow_reader_slows_the_command(plane: ControlPlane, node: LiveNode) -> None:
    """What a command writes that nobody reads waits in the command, not in memory."""
    path = f"{POD}/exec?command=sh&command=-c&command=dd+if%3D/dev/zero+bs%3D64k+count%3D1000%3Becho+done+%3E/tmp/done"
    async with _websocket(plane, path + "&stdout=1&stderr=1", "v4.channel.k8s.io") as socket:
        await socket.receive()
        before = _memory(plane.pid("apiserver"))
        await asyncio.sleep(1.5)  # the only way to see that nothing happens
        assert (await _exec(plane, "test -e /tmp/done || echo missing")) == "missing\n"
        assert _memory(plane.pid("apiserver")) - before < 40_000
        size = 0
        async for message in socket:
            size += len(message.data) - 1 if message.data[0] == 1 else 0
        assert size == 1000 * 65536


def _memory(pid: int) -> int:
    """Resident memory in kilobytes."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


async def _exec(plane: ControlPlane, script: str) -> str:
    return (await plane.kubectl("exec", "web", "--", "sh", "-c", script)).stdout
