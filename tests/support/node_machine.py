"""A real node agent on this machine for tests: real Podman in its own storage, real pod networks, an in-memory API."""

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from netplugin.config import NetworkConfig
from netplugin.plugin import BridgeNetwork
from nodeagent.agent import NodeAgent
from nodeagent.config import NodeAgentConfig
from tests.support.fake_api import FakeApi

IMAGE = "localhost/busybox:test"
_APPLETS = "sh sleep cat echo ls httpd wget nc true false id env sync stat mount kill head grep hostname touch test"
_APPLETS += " seq dd tail printf mkdir rm ln readlink date nproc expr yes md5sum trap umask ipcs tar stty tee wc"
_APPLETS += " chmod mv find sort awk cut od tr"


class Machine:
    """Directories, names and an address range of its own; `purge` leaves nothing behind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"t{secrets.token_hex(3)}"
        self.cluster = f"na-{secrets.token_hex(2)}"
        # A part of 10.201.0.0/16 by chance, so that two runs on one machine do not share addresses.
        self.pod_cidr = f"10.201.{secrets.randbelow(256)}.0/24"
        self.api = FakeApi()
        #: A real API server's client, in the place of the one in memory.
        self.real: AsyncClient | None = None
        self.network_options: dict[str, Any] = {"proxy_mode": "none"}
        self.agent: NodeAgent | None = None

    def config(self, **changes: Any) -> NodeAgentConfig:
        options: dict[str, Any] = {
            "node_name": self.name,
            "node_ip": "127.0.0.1",
            "cluster_name": self.cluster,
            "pods_dir": self.root / "pods",
            "run_dir": self.root / "run",
            "graphroot": self.root / "storage",
            "port": 0,
        }
        return NodeAgentConfig(**{**options, **changes})

    def network(self) -> BridgeNetwork:
        return BridgeNetwork(
            self.client(),
            NetworkConfig(
                node_name=self.name,
                node_ip="127.0.0.1",
                cluster_name=self.cluster,
                state_dir=self.root / "network",
                run_dir=self.root / "run" / "network",
                pod_cidr="10.201.0.0/16",
                **self.network_options,
            ),
        )

    def client(self) -> AsyncClient:
        """A client of the API server that the agent has."""
        return self.real or self.api.client()

    async def start_agent(self, **changes: Any) -> NodeAgent:
        """A new agent, as after a restart of the process."""
        client = self.api.client()
        self.agent = NodeAgent(client, self.network(), self.config(**changes))
        await self.agent.start()
        await self.until(lambda: self.api.get("nodes", self.name, None) is not None, "the node registers")
        if not (self.api.get("nodes", self.name, None) or {}).get("spec", {}).get("podCIDR"):

            def give(node: Object) -> None:
                node["spec"].update(podCIDR=self.pod_cidr, podCIDRs=[self.pod_cidr])

            self.api.modify("nodes", self.name, give, "")
        return self.agent

    async def stop_agent(self) -> None:
        agent, self.agent = self.agent, None
        if agent is not None:
            await agent.stop()

    async def purge(self) -> None:
        await self.stop_agent()
        await NodeAgent(self.client(), self.network(), self.config()).purge()

    def import_image(self) -> None:
        """Import busybox as IMAGE, with the configuration that the agent wrote."""
        tree = self.root / "image"
        (tree / "bin").mkdir(parents=True)
        (tree / "tmp").mkdir()
        (tree / "etc").mkdir()
        (tree / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        (tree / "etc" / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
        shutil.copy("/bin/busybox", tree / "bin" / "busybox")
        for applet in _APPLETS.split():
            (tree / "bin" / applet).symlink_to("busybox")
        archive = subprocess.run(["tar", "-C", str(tree), "-c", "."], capture_output=True, check=True).stdout
        self.podman("import", "-", IMAGE, input=archive)

    def import_greeter(self) -> str:
        """Import an image that has an entrypoint and arguments of its own; returns its name."""
        source = self.root / "greeter"
        source.mkdir()
        shutil.copy("/bin/busybox", source / "echo")
        archive = subprocess.run(["tar", "-C", str(source), "-c", "."], capture_output=True, check=True).stdout
        changes = ('ENTRYPOINT ["/echo", "entrypoint of the image,"]', 'CMD ["arguments of the image"]', "ENV PATH=/")
        name = "localhost/greeter:test"
        self.podman("import", *(word for change in changes for word in ("--change", change)), "-", name, input=archive)
        return name

    def podman(self, *arguments: str, input: bytes = b"") -> str:
        run = self.root / "run" / "podman"
        environment = {
            **os.environ,
            "CONTAINERS_CONF": str(run / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(run / "storage.conf"),
        }
        done = subprocess.run(
            ["podman", *arguments], input=input, capture_output=True, env=environment, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    # -- pods ------------------------------------------------------------------------------------------------------

    async def create(self, name: str, *containers: Object, namespace: str = "default", **spec: Any) -> Object:
        pod = pod_object(name, self.name, *containers, namespace=namespace, **spec)
        return await self.api.client().create("pods", pod, namespace)

    def pod(self, name: str, namespace: str = "default") -> Object | None:
        return self.api.get("pods", name, namespace)

    async def wait(self, name: str, condition: Callable[[Object], Any], what: str, *, timeout: float = 30.0) -> Object:
        def holds() -> bool:
            pod = self.pod(name)
            return pod is not None and bool(condition(pod))

        await self.until(holds, f"pod {name} {what}", timeout=timeout, tell=lambda: self.tell(name))
        pod = self.pod(name)
        assert pod is not None
        return pod

    async def wait_phase(self, name: str, phase: str, *, timeout: float = 30.0) -> Object:
        return await self.wait(name, lambda p: phase_of(p) == phase, f"is {phase}", timeout=timeout)

    async def wait_ready(self, name: str, *, timeout: float = 30.0) -> Object:
        return await self.wait(name, is_ready, "is ready", timeout=timeout)

    async def wait_gone(self, name: str, *, timeout: float = 30.0) -> None:
        await self.until(lambda: self.pod(name) is None, f"pod {name} is gone", timeout=timeout)

    async def until(
        self,
        holds: Callable[[], bool],
        what: str,
        *,
        timeout: float = 30.0,
        tell: Callable[[], str] | None = None,
    ) -> None:
        deadline = asyncio.get_running_loop().time() + timeout
        while not holds():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {timeout:g} s: {what}\n{tell() if tell else ''}")
            await asyncio.sleep(0.005)

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """(type, reason, message) of the pod's events, in order of creation."""
        return [
            (e["type"], e["reason"], e["message"])
            for e in self.api.objects("events")
            if e["involvedObject"]["name"] == name
        ]

    def tell(self, name: str) -> str:
        pod = self.pod(name)
        return f"status: {pod and pod.get('status')}\nevents: {self.events(name)}"

    def log_text(self, name: str, container: str = "c", attempt: int = 0, *, namespace: str = "default") -> str:
        """What a container wrote, from its log file."""
        assert self.agent is not None and self.agent._manager is not None
        worker = self.agent._manager.find(namespace, name)
        assert worker is not None
        lines = worker.paths.log(container, attempt).read_text().splitlines()
        return "".join(f"{line.split(' ', 3)[3]}\n" for line in lines)


def container(name: str = "c", *command: str, **fields: Any) -> Object:
    """A container that runs a shell script, or sleeps."""
    script = " ".join(command) or "trap 'exit 0' TERM; while true; do sleep 0.1; done"
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], **fields}


def with_this_python(script: str, **fields: Any) -> tuple[Object, list[Object]]:
    """A container that runs the script by the Python of this process, and the volumes that it needs for that."""
    needed = {str(Path(sys.prefix).resolve()), sys.base_prefix, "/lib", "/lib64", "/usr/lib"}
    volumes, mounts = [], []
    for number, path in enumerate(sorted(path for path in needed if Path(path).exists())):
        volumes.append({"name": f"host-{number}", "hostPath": {"path": path}})
        mounts.append({"name": f"host-{number}", "mountPath": path, "readOnly": True})
    python = str(Path(sys.prefix).resolve() / "bin" / Path(sys.executable).name)
    made = {**container("c", volumeMounts=mounts, **fields), "command": [python, "-c", script]}
    return made, volumes


def pod_object(name: str, node: str, *containers: Object, namespace: str = "default", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 2,
            "containers": list(containers) or [container()],
            **spec,
        },
    }


def phase_of(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase"))


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def status_of(pod: Object, name: str = "c") -> Object:
    """The status of one of the pod's containers; one with an empty state while there is none."""
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    found: Object = next((s for s in statuses if s["name"] == name), {"state": {}})
    return found


@contextlib.asynccontextmanager
async def node_machine(**changes: Any) -> AsyncIterator[Machine]:
    """A machine with a running agent and IMAGE; everything is removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="kubeactors-node-"))
    machine = Machine(root)
    try:
        await machine.start_agent(**changes)
        await asyncio.to_thread(machine.import_image)
        yield machine
    finally:
        try:
            await machine.purge()
        finally:
            shutil.rmtree(root, ignore_errors=True)
