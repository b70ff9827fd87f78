"""An operator that unmodified kopf runs: handlers, a timer, kopf's finalizer and its marks on objects and in status."""

from __future__ import annotations

import asyncio
import signal

import pytest

from kubeactors import load_manifests
from tests.integration.sdk.conftest import Cluster
from tests.integration.sdk.programs import program
from tests.support.control_plane import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="package")

EXAMPLE = ROOT / "examples/kopf_operator"


async def test_the_life_of_a_pulse(cluster: Cluster, namespace: str) -> None:
    client = cluster.client
    await client.apply_all(load_manifests(EXAMPLE / "definition.yaml"))
    run = ("-m", "kopf", "run", "--all-namespaces", "--standalone", str(EXAMPLE / "pulse.py"))
    async with program(cluster, *run) as operator:
        [pulse] = load_manifests(EXAMPLE / "pulse.yaml")
        pulse["metadata"]["namespace"] = namespace
        await client.apply(pulse)
        beating = await client.wait(
            "pulses",
            "hello",
            namespace,
            condition=lambda p: bool(p and p.get("status", {}).get("beats", 0) > 1),
            timeout=20,
        )
        assert beating is not None and beating["status"]["phase"] == "Beating"
        assert beating["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
        said = await client.get("configmaps", "hello", namespace)
        assert said["data"] == {"message": "still here"}
        assert said["metadata"]["ownerReferences"][0]["uid"] == beating["metadata"]["uid"]

        await client.patch("pulses", "hello", {"spec": {"message": "and now?"}}, namespace)
        await client.wait("pulses", "hello", namespace, condition="jsonpath={.status.before}=still here", timeout=10)
        assert (await client.get("configmaps", "hello", namespace))["data"] == {"message": "and now?"}

        await client.delete("pulses", "hello", namespace)
        await client.wait("pulses", "hello", namespace, condition="delete", timeout=10)
        await client.wait("configmaps", "hello", namespace, condition="delete", timeout=10)
        async for event in client.watch("events", namespace, timeout_seconds=10):
            if event.object["reason"] == "Stopped":
                break
        else:
            pytest.fail("there is no event of its end")
        operator.send_signal(signal.SIGTERM)
        printed, _ = await asyncio.wait_for(operator.communicate(), 15)
        assert operator.returncode == 0, printed.decode()
    assert "Traceback" not in printed.decode()
