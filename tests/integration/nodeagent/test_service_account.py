"""A pod with its account's token calls a real API server by the Service kubernetes."""

import asyncio
import contextlib
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import kubeactors
from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from nodeagent.agent import NodeAgent
from tests.support.control_plane import ControlPlane, control_plane, free_port
from tests.support.node_machine import Machine, container, is_ready, pod_object
from tests.support.ports import machine_address

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
#: What runs inside the pod: the SDK, with nothing but what every pod is given.
PROGRAM = """
import json
from kubeactors.client import Client

with Client.in_cluster() as client:
    me = client.create("selfsubjectreviews", {})["status"]["userInfo"]
    namespaces = [each["metadata"]["name"] for each in client.list("namespaces")]
print("answer", json.dumps({"me": me, "namespaces": namespaces, "own": client.default_namespace}), flush=True)
"""


class Node:
    """A control plane and a node agent on it."""

    def __init__(self, plane: ControlPlane, client: AsyncClient, machine: Machine) -> None:
        self.plane = plane
        self.client = client
        self.machine = machine

    async def run(self, name: str, *containers: Object, **spec: Any) -> Object:
        await self.client.create("pods", pod_object(name, self.machine.name, *containers, **spec))
        return await self.client.wait("pods", name, condition=lambda pod: bool(pod and is_ready(pod)), timeout=20)

    async def until_logged(self, name: str, text: str) -> str:
        """What the pod's container wrote, once it wrote `text`."""
        await self.machine.until(
            lambda: text in self.machine.log_text(name), text, tell=lambda: self.machine.log_text(name)
        )
        return self.machine.log_text(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Node]:
    root = Path(tempfile.mkdtemp(prefix="kubeactors-account-"))
    # A range of its own, so that two clusters on one machine do not share the Service's address.
    services = f"10.203.{secrets.randbelow(256)}"
    address = machine_address()
    # The Service leads to the port that is configured: none that the kernel chooses.
    options = {"advertise_address": address, "bind_address": "0.0.0.0", "https_port": free_port()}
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        plane = await stack.enter_async_context(
            control_plane(
                root, names=(f"{services}.1",), service_cidr=f"{services}.0/24", disable_admission_plugins=[], **options
            )
        )
        client = AsyncClient([plane.grpc_endpoint], plane.tls())
        stack.push_async_callback(client.close)
        machine = Machine(root / "node")
        machine.real = client
        machine.network_options = {"proxy_mode": "auto", "service_cidr": f"{services}.0/24"}
        stack.push_async_callback(machine.purge)
        await client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
        roots = {"ca.crt": plane.pki.ca.read_text()}
        await client.create("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": roots}, "default")
        agent = machine.agent = NodeAgent(client, machine.network(), machine.config())
        await agent.start()
        await client.wait("nodes", machine.name, condition=bool, timeout=20)
        ranges = {"podCIDR": machine.pod_cidr, "podCIDRs": [machine.pod_cidr]}
        await client.patch("nodes", machine.name, {"spec": ranges})
        await asyncio.to_thread(machine.import_image)
        yield Node(plane, client, machine)


async def test_the_sdk_in_a_pod_is_the_pods_account(node: Node) -> None:
    venv, source = Path(sys.prefix), Path(kubeactors.__file__).parents[1]
    places = {"/usr", "/lib", "/lib64", str(Path(sys.base_prefix)), str(venv), str(venv.resolve()), str(source)}
    mounts = [{"name": f"v{n}", "mountPath": place, "readOnly": True} for n, place in enumerate(sorted(places))]
    volumes = [{"name": f"v{n}", "hostPath": {"path": place}} for n, place in enumerate(sorted(places))]
    script = f"{sys.executable} -c '{PROGRAM}' || echo failed; exec sleep 1000"
    environment = [{"name": "PYTHONPATH", "value": str(source)}]
    pod = await node.run("sdk", container("c", script, volumeMounts=mounts, env=environment), volumes=volumes)
    written = await node.until_logged("sdk", "answer")
    line = next(each for each in written.splitlines() if each.startswith("answer"))
    answer = json.loads(line.removeprefix("answer "))
    account = await node.client.get("serviceaccounts", "default", "default")
    me = answer["me"]
    assert (me["username"], me["uid"]) == ("system:serviceaccount:default:default", account["metadata"]["uid"])
    assert me["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert me["extra"]["authentication.kubernetes.io/pod-uid"] == [pod["metadata"]["uid"]]
    assert me["extra"]["authentication.kubernetes.io/node-name"] == [node.machine.name]
    assert "kube-system" in answer["namespaces"]
    assert answer["own"] == "default"


async def test_the_files_are_as_kubelet_writes_them(node: Node) -> None:
    token = {"serviceAccountToken": {"path": "own/token", "audience": "vault", "expirationSeconds": 600}}
    script = f"cd {ACCOUNT_PATH}; ls; cat namespace; echo; stat -L -c '%a %u' token; readlink token; "
    script += "stat -L -c '%a %u %g' /t/own/token; echo end; exec sleep 1000"
    pod = await node.run(
        "files",
        container("c", script, volumeMounts=[{"name": "t", "mountPath": "/t"}]),
        volumes=[{"name": "t", "projected": {"sources": [token]}}],
        securityContext={"fsGroup": 2000, "runAsUser": 1000},
    )
    written = await node.until_logged("files", "end")
    inside = ["ca.crt", "namespace", "token", "default", "640", "1000", "..data/token"]
    assert written.split() == [*inside, "640", "1000", "2000", "end"]
    found = list((node.machine.root / "pods" / pod["metadata"]["uid"]).glob("volumes/*projected/t/own/token"))
    review = await node.client.create("tokenreviews", {"spec": {"token": found[0].read_text(), "audiences": ["vault"]}})
    assert review["status"]["audiences"] == ["vault"]
    assert review["status"]["user"]["username"] == "system:serviceaccount:default:default"
    await node.client.delete("pods", "files", "default", grace_period_seconds=0)
    review = await node.client.create(
        "tokenreviews", {"spec": {"token": review["spec"]["token"], "audiences": ["vault"]}}
    )
    assert review["status"]["error"] == "[invalid bearer token, service account token has been invalidated]"
