"""Runs every example of docs/sdk.md on a real control plane, over HTTPS and over gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import signal
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.sdk.conftest import Cluster
from tests.integration.sdk.programs import program
from tests.support.control_plane import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="package")

TEXT = (ROOT / "docs/sdk.md").read_text()
EXAMPLES = [
    (title, source)
    for title, section in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    for source in re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)
]
PRINTED = {
    "Connect": "n1\n",
    "Read and write": "",
    "Manifests": "Namespace shop\nDeployment web\n3\n{'ScalingReplicaSet'}\n",
    "Wait": "job\n",
    "List and watch": "page-0\npage-1\npage-2\nDELETED page-0\nDELETED page-1\nDELETED page-2\n",
    "Custom resources": (
        "{'spec.replicas': 'Invalid value: 0: spec.replicas in body should be greater than or equal to 1'}\n"
        "crontabs.stable.example.com stable.example.com/v1 True\n"
    ),
    "Errors": (
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\n"
        'namespaces "default" already exists\n'
    ),
    "Asynchronous": "1 1\nADDED kubernetes\n['n1']\n",
    "Underneath": "there is kubernetes\n",
}
OPERATORS = ["An operator", "An operator"]


async def test_every_example_is_found() -> None:
    assert sorted(title for title, _ in EXAMPLES) == sorted([*PRINTED, *OPERATORS])
    assert TEXT.count("```python") == len(EXAMPLES)


async def test_the_examples_are_well_typed(tmp_path: Path) -> None:
    """As a user's checker sees them: strictly, by the types that the package ships."""
    sources = re.findall(r"^```py(?:thon)?\n(.*?)^```", TEXT, re.M | re.S)
    for number, source in enumerate(sources):
        (tmp_path / f"example_{number}.py").write_text(source)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mypy", "--strict", "examples/operator/website.py"),
        *(str(path) for path in tmp_path.iterdir()),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()


def kubeconfig(cluster: Cluster, transport: str, directory: Path) -> Path:
    document = yaml.safe_load(cluster.plane.kubeconfig.read_text())
    if transport == "grpc":
        document["clusters"][0]["cluster"]["server"] = f"grpc://{cluster.plane.grpc_endpoint}"
    path = directory / f"{transport}.conf"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("transport", ["https", "grpc"])
@pytest.mark.parametrize(("title", "printed"), PRINTED.items(), ids=[*PRINTED])
async def test_example(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str, printed: str, transport: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(cluster, transport, tmp_path)))
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        # In a thread, where the example may block or have a loop of its own.
        code = compile(dict(EXAMPLES)[title], f"docs/sdk.md: {title}", "exec")
        await asyncio.wait_for(asyncio.to_thread(exec, code, {"__name__": "__main__"}), 120)
    assert output.getvalue() == printed


def operator(number: int, directory: Path) -> Path:
    sources = [source for title, source in EXAMPLES if title == OPERATORS[0]]
    path = directory / "operator_of_the_page.py"
    path.write_text(sources[number])
    return path


async def test_the_operator(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    client = cluster.client
    async with program(cluster, str(operator(0, tmp_path)), "--namespace", namespace) as process:
        original = {"metadata": {"name": "a", "namespace": namespace, "labels": {"copy": "yes"}}, "data": {"x": "1"}}
        await client.create("configmaps", original)
        await client.wait("secrets", "a-copy", namespace, condition="jsonpath={.data.x}=MQ==", timeout=20)
        await client.patch("configmaps", "a", {"data": {"x": "2"}}, namespace)
        await client.wait("secrets", "a-copy", namespace, condition="jsonpath={.data.x}=Mg==", timeout=10)
        await client.delete("secrets", "a-copy", namespace)
        await client.wait("secrets", "a-copy", namespace, condition="create", timeout=10)
        await client.delete("configmaps", "a", namespace)
        await client.wait("secrets", "a-copy", namespace, condition="delete", timeout=10)
        process.send_signal(signal.SIGINT)
        printed, _ = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0, printed.decode()
        told = {event["reason"] for event in await client.list("events", namespace)}
        assert {"Copied", "Forgotten"} <= told


async def test_the_operator_of_plain_functions(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    client = cluster.client
    pod = {"metadata": {"name": "p", "namespace": namespace}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await client.create("pods", pod)
    await client.wait("pods", "p", namespace, condition="condition=Ready", timeout=20)
    async with program(cluster, str(operator(1, tmp_path)), "--no-leader-election") as process:
        await client.label("namespaces", namespace, {"team": "a"})
        await client.wait("quota", "pods", namespace, condition="jsonpath={.spec.hard.pods}=10", timeout=20)
        await client.annotate("namespaces", namespace, {"size": "20"})
        await client.wait("quota", "pods", namespace, condition="jsonpath={.spec.hard.pods}=20", timeout=10)
        await client.patch("pods", "p", {"status": {"phase": "Failed"}}, namespace, subresource="status")
        await client.wait("pods", "p", namespace, condition="delete", timeout=10)
        process.send_signal(signal.SIGTERM)
        printed, _ = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0, printed.decode()
