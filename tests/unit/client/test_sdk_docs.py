"""Runs every example of docs/sdk.md as a program of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.fake_rest_server import FakeRestServer

ROOT = Path(__file__).parents[3]
EXAMPLES = re.findall(
    r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", (ROOT / "docs/sdk.md").read_text(), re.M | re.S
)


def test_every_example_is_found() -> None:
    names = [name for name, _ in EXAMPLES]
    assert names == ["Connect", "Read, write, wait", "Watch and logs", "Asynchronous", "A controller"]
    assert (ROOT / "docs/sdk.md").read_text().count("```python") == len(names)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeRestServer]:
    api = FakeApi()
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    metadata = {"name": "web", "namespace": "default", "labels": {"app": "web"}}
    api.seed({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
    api.seed({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": ready})
    api.set_log("default", "web", "", b"hello from web\n")
    server = FakeRestServer(api)
    await server.start()
    kubeconfig = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server.url}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig))
    yield server
    await server.stop()


async def start(source: str, directory: Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "KUBECONFIG": str(directory / "config"), "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        # Whoever started the tests in the background had them ignore Ctrl-C, and children inherit that.
        *("env", "--default-signal=INT"),
        sys.executable,
        "-c",
        source,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("Connect", "node-1\n"),
        ("Read, write, wait", "Running\n"),
        ("Watch and logs", "ADDED web\nhello from web\n"),
        ("Asynchronous", "1 0\n"),
    ],
)
async def test_example(server: FakeRestServer, tmp_path: Path, name: str, output: str) -> None:
    process = await start(dict(EXAMPLES)[name], tmp_path)
    printed, _ = await asyncio.wait_for(process.communicate(), 20)
    assert printed.decode() == output
    assert process.returncode == 0


async def test_the_controller(server: FakeRestServer, tmp_path: Path) -> None:
    process = await start(dict(EXAMPLES)["A controller"], tmp_path)
    try:
        metadata = {"name": "a", "namespace": "default", "labels": {"copy": "yes"}}
        original = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": "1"}}
        server.api.seed(original)
        await eventually(lambda: (server.api.get("configmaps", "a-copy") or {}).get("data") == {"x": "1"}, timeout=20)
        server.api.modify("configmaps", "a", lambda o: o["data"].update(x="2"))
        await eventually(lambda: (server.api.get("configmaps", "a-copy") or {}).get("data") == {"x": "2"})
        await eventually(lambda: [e["count"] for e in server.api.objects("events")] == [2])
        assert process.returncode is None
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 10)
        lease = server.api.get("leases", "copier")
        assert lease is not None and lease["spec"]["holderIdentity"] == ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
