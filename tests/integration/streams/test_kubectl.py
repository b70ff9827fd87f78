"""kubectl's exec, attach, cp, port-forward and proxy on a real pod, over WebSocket and over SPDY."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import pty
import re
import struct
import tempfile
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.control_plane import KUBECTL, Completed, ControlPlane
from tests.support.live_node import LiveNode
from tests.support.node_machine import container

pytestmark = pytest.mark.asyncio(loop_scope="package")

SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
both = pytest.mark.parametrize("env", [{}, SPDY], ids=["websocket", "spdy"])


@both
async def test_exec(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    done = await plane.kubectl("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 3", env=env)
    assert (done.code, done.stdout) == (3, "out\n")
    assert done.stderr == "err\ncommand terminated with exit code 3\n"
    text = "".join(f"line {i}\n" for i in range(20_000))
    done = await plane.kubectl("exec", "-i", "web", "--", "cat", stdin=text, env=env)
    assert (done.code, done.stdout == text, done.stderr) == (0, True, "")
    done = await plane.kubectl("exec", "web", "--", "nope", env=env)
    assert done.code == 1
    assert done.stderr.startswith("error: Internal error occurred: error executing command in container: ")
    assert 'exec: "nope": executable file not found in $PATH' in done.stderr


@both
async def test_large_output_is_whole(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    done = await plane.kubectl("exec", "web", "--", "seq", "1", "300000", env=env)
    assert done.code == 0
    assert done.stdout == "".join(f"{i}\n" for i in range(1, 300_001))


@both
async def test_a_terminal(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    """Size, what is typed, the exit code: with a terminal of the test's own."""
    output, code = await _on_a_terminal(
        plane, env, ["exec", "-it", "web", "--", "sh"], ["stty size\n", "echo $((6*7))\n", "exit 5\n"]
    )
    assert "33 77" in output
    assert "42" in output
    assert code == 5


async def _on_a_terminal(
    plane: ControlPlane, env: dict[str, str], arguments: list[str], typed: list[str]
) -> tuple[str, int]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *arguments,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "KUBECONFIG": str(plane.kubeconfig), **env},
    )
    os.close(slave)
    os.set_blocking(master, False)
    output = b""

    async def until(mark: bytes) -> None:
        nonlocal output
        start = len(output)
        while not re.search(mark, output[start:]):
            with contextlib.suppress(BlockingIOError, OSError):
                output += os.read(master, 65536)
            if process.returncode is not None:
                return
            await asyncio.sleep(0.01)

    try:
        async with asyncio.timeout(30):
            for line in typed:
                await until(rb"# (\x1b\[[0-9]*[a-zA-Z])*$")
                os.write(master, line.encode())
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        os.close(master)
    return output.decode(errors="replace"), process.returncode or 0


@both
async def test_refusals(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    async def stderr(*arguments: str) -> str:
        done = await plane.kubectl(*arguments, env=env)
        assert done.code == 1
        return done.stderr

    assert await stderr("exec", "none", "--", "true") == 'Error from server (NotFound): pods "none" not found\n'
    url = "/api/v1/namespaces/default/pods/two/exec?command=true&stdout=1"
    assert "choose one of: [x y]" in await stderr("get", "--raw", url)
    assert "Upgrade request required" in await stderr("get", "--raw", f"{url}&container=x")
    assert "container zz is not valid for pod two" in await stderr("get", "--raw", f"{url}&container=zz")


@both
async def test_a_container_that_does_not_run(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    name = "ended-spdy" if env else "ended"
    ended = {**container("c", "exit 0")}
    await node.client.create("pods", _pod(node, name, ended))
    await node.client.wait(
        "pods", name, "default", condition=lambda p: bool(p) and p["status"].get("phase") == "Succeeded", timeout=30
    )
    done = await plane.kubectl("exec", name, "--", "true", env=env)
    assert done.code == 1
    assert "cannot exec into a container in a completed pod" in done.stderr


def _pod(node: LiveNode, name: str, *containers: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": node.name,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": list(containers),
        },
    }


@both
async def test_attach(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    name = "reads-spdy" if env else "reads"
    reads = {**container("c", "while read l; do echo got $l; done; echo end"), "stdin": True, "stdinOnce": True}
    await node.run_pod(name, reads, restartPolicy="Never")
    done = await plane.kubectl("attach", "-i", name, stdin="one\ntwo\n", env=env)
    assert done.code == 0
    assert done.stdout == "got one\ngot two\nend\n"


@both
async def test_cp_both_ways(plane: ControlPlane, node: LiveNode, env: dict[str, str], tmp_path: Path) -> None:
    data = os.urandom(1_500_000)
    (tmp_path / "there").write_bytes(data)
    for arguments in ((f"{tmp_path}/there", "web:/tmp/copied"), ("web:/tmp/copied", f"{tmp_path}/back")):
        done = await plane.kubectl("cp", *arguments, env=env)
        assert done.code == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == data


@both
async def test_the_command_ends_with_its_client(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    seconds = "7771" if env else "7772"
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *("exec", "web", "--", "sleep", seconds),
        env={**os.environ, "KUBECONFIG": str(plane.kubeconfig), **env},
    )
    try:
        await node.until(lambda: _runs(seconds), "the command runs")
    finally:
        process.kill()
        await process.wait()
    await node.until(lambda: not _runs(seconds), "the command was killed")


def _runs(seconds: str) -> bool:
    """Whether `sleep SECONDS` runs in a container: kubectl's own command line has more in it."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError):
                if (directory / "cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                    return True
    return False


@contextlib.asynccontextmanager
async def _forwarding(plane: ControlPlane, env: dict[str, str], *ports: str) -> AsyncIterator[list[int]]:
    """`kubectl port-forward` of pod web; the local ports."""
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *("port-forward", "pod/web", "--address", "127.0.0.1", *(f":{port}" for port in ports)),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "KUBECONFIG": str(plane.kubeconfig), **env},
        )
        assert process.stdout is not None
        try:
            local = []
            async with asyncio.timeout(30):
                while len(local) < len(ports):
                    line = (await process.stdout.readline()).decode()
                    assert line, "kubectl ended"
                    local.append(int(line.split(":")[1].split(" ")[0]))
            yield local
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@both
async def test_port_forward(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    done = await plane.kubectl("exec", "web", "--", "md5sum", "/www/big")
    expected = done.stdout.split()[0]
    async with _forwarding(plane, env, "8080") as (port,), aiohttp.ClientSession() as session:

        async def fetch(path: str) -> bytes:
            async with session.get(f"http://127.0.0.1:{port}/{path}", headers={"Connection": "close"}) as response:
                assert response.status == 200
                return await response.read()

        assert await asyncio.gather(*(fetch("index.html") for _ in range(30))) == [b"hello\n"] * 30
        for body in await asyncio.gather(fetch("big"), fetch("big")):
            assert hashlib.md5(body).hexdigest() == expected


@both
async def test_a_port_that_nobody_listens_on(plane: ControlPlane, node: LiveNode, env: dict[str, str]) -> None:
    async with _forwarding(plane, env, "81") as (port,):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(20):
                assert await reader.read() == b""
        finally:
            writer.close()


async def test_kubectl_proxy(plane: ControlPlane, node: LiveNode) -> None:
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *("proxy", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECONFIG": str(plane.kubeconfig)},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            address = (await process.stdout.readline()).decode().split()[-1]
        base = f"http://{address}/api/v1/namespaces/default/pods/web"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{base}/proxy?x=1", allow_redirects=False) as response:
                assert response.status == 301
                assert response.headers["Location"] == "/api/v1/namespaces/default/pods/web/proxy/?x=1"
            async with session.get(f"{base}/proxy/index.html") as response:
                assert (response.status, await response.read()) == (200, b"hello\n")
            async with session.get(f"{base}:8080/proxy/page.html") as response:
                link = '<a href="/api/v1/namespaces/default/pods/web:8080/proxy/next">next</a>\n'
                assert await response.text() == link
            async with session.get(f"{base}/proxy/big") as response:
                assert len(await response.read()) == 4 * 1024 * 1024
            async with session.post(f"{base}/proxy/x", data=b"body") as response:
                assert response.status == 501  # busybox's own answer
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _raw(plane: ControlPlane, path: str) -> Completed:
    return await plane.kubectl("get", "--raw", path)


async def test_proxy_to_services_and_what_is_refused(plane: ControlPlane, node: LiveNode) -> None:
    pod = await node.client.get("pods", "web")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
    await node.client.create("services", {**service, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}})
    services = "/api/v1/namespaces/default/services"
    assert 'no endpoints available for service "web"' in (await _raw(plane, f"{services}/web/proxy/")).stderr
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                # An address that is not its pod's is never connected to.
                "addresses": [address],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"},
            }
            for address in ("10.99.99.99", pod["status"]["podIP"])
        ],
    }
    await node.client.create("endpointslices", slice_)
    for name in ("web", "web:80", "http:web:80"):
        for _ in range(3):
            assert (await _raw(plane, f"{services}/{name}/proxy/index.html")).stdout == "hello\n"
    assert "no service port 81 found" in (await _raw(plane, f"{services}/web:81/proxy/")).stderr
    pods = "/api/v1/namespaces/default/pods"
    assert "connection refused" in (await _raw(plane, f"{pods}/web:81/proxy/")).stderr
    assert 'invalid pod request "x:web:80"' in (await _raw(plane, f"{pods}/x:web:80/proxy/")).stderr
    own = f"/api/v1/nodes/{node.name}/proxy"
    assert (await _raw(plane, f"{own}/healthz")).stdout == "ok"
    assert '"name":"web"' in (await _raw(plane, f"{own}/pods")).stdout
    assert (await _raw(plane, f"{own}/nothing")).code == 1
    assert "address not allowed" in (await _raw(plane, f"/api/v1/nodes/{node.name}:22/proxy/")).stderr
