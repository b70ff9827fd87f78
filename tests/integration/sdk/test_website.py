"""The example operator as its users run it: a program of its own, with a kubeconfig, on a real control plane."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from kubeactors import AsyncClient, NotFound, load_manifests
from tests.integration.sdk.conftest import Cluster
from tests.integration.sdk.programs import program
from tests.support.control_plane import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="package")

EXAMPLE = ROOT / "examples/operator"


async def test_the_life_of_a_website(cluster: Cluster, namespace: str) -> None:
    client, port = cluster.client, free_port()
    async with program(cluster, str(EXAMPLE / "website.py"), "--health-port", str(port)) as operator:
        await client.wait("crd", "websites.example.com", condition="condition=Established", timeout=20)
        [site] = load_manifests(EXAMPLE / "website.yaml")
        site["metadata"]["namespace"] = namespace
        await client.apply(site)
        ready = await client.wait("websites", "hello", namespace, condition="condition=Ready", timeout=20)
        assert ready is not None and ready["status"]["url"] == f"http://hello.{namespace}"
        assert ready["metadata"]["finalizers"] == ["example.com/website"]

        # A change of the object reaches its children; a Service that is no longer wanted goes.
        changed = {"spec": {"page": "<p>New</p>", "replicas": 1, "public": False}}
        await client.patch("websites", "hello", changed, namespace)
        await client.wait("services", "hello", namespace, condition="delete", timeout=10)
        settled = await client.wait(
            "site", "hello", namespace, condition="jsonpath={.status.readyReplicas}=1", timeout=10
        )
        assert settled is not None and "url" not in settled["status"]
        assert (await client.get("configmaps", "hello", namespace))["data"] == {"index.html": "<p>New</p>"}

        # What somebody changes or deletes is put right.
        await client.patch("configmaps", "hello", {"data": {"index.html": "defaced"}}, namespace)
        await client.wait(
            "configmaps", "hello", namespace, condition="jsonpath={.data['index.html']}=<p>New</p>", timeout=10
        )
        old = await client.get("deployments", "hello", namespace)
        await client.delete("deployments", "hello", namespace)
        await client.wait(
            "deployments",
            "hello",
            namespace,
            condition=lambda d: d is not None and d["metadata"]["uid"] != old["metadata"]["uid"],
            timeout=10,
        )

        table = await cluster.kubectl("get", "websites", "-n", namespace)
        assert [line.split()[0] for line in table.splitlines()] == ["NAME", "hello"] and "READY" in table
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as web:
            for path, expected in (
                ("healthz", "ok"),
                ("readyz", "informer websites.example.com: ok"),
                ("metrics", "_sum"),
            ):
                async with web.get(f"/{path}") as answer:
                    assert answer.status == 200 and expected in await answer.text()

        await client.delete("websites", "hello", namespace)
        for kind in ("websites", "deployments", "configmaps"):
            await client.wait(kind, "hello", namespace, condition="delete", timeout=10)
        reasons = {each["reason"] for each in await client.list("events", namespace)}
        assert "Retired" in reasons
        operator.send_signal(signal.SIGTERM)
        printed, _ = await asyncio.wait_for(operator.communicate(), 10)
        assert operator.returncode == 0, printed.decode()
        lease = await client.get("leases", "website", "default")
        assert lease["spec"]["holderIdentity"] == "", "the next copy need not wait"


async def test_what_keeps_an_operator_from_beginning(cluster: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(
        "from kubeactors import controller\n"
        "@controller('nothings.example.com')\n"
        "def broken(obj, ctx): ...\n"
        "broken.run()\n"
    )
    async with program(cluster, str(script), "--no-leader-election") as process:
        printed, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert printed.decode().splitlines()[-1] == "broken: this server has no resource 'nothings.example.com'"
    with pytest.raises(NotFound):
        async with AsyncClient.from_kubeconfig(cluster.plane.kubeconfig) as client:
            await client.get("leases", "broken", "default")
