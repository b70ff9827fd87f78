"""Pods on a real node: containers, sharing, environment, limits, security."""

import os
from pathlib import Path

import pytest

from tests.support.node_machine import Machine, container, status_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = "exec sleep 1000"


async def test_a_pod_from_creation_to_deletion(node: Machine) -> None:
    await node.create("p")
    pod = await node.wait_ready("p")
    status = status_of(pod)
    assert status["imageID"].startswith("localhost/busybox@sha256:")
    assert status["containerID"].startswith("podman://")
    assert pod["status"]["podIP"].startswith("10.201.")
    assert [e[1:] for e in node.events("p")] == [
        (
            "Pulled",
            'Container image "localhost/busybox:test" already present on machine and can be accessed by the pod',
        ),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]
    await node.api.client().delete("pods", "p", "default")
    await node.wait_gone("p")
    await node.until(lambda: node.agent is not None and not node.agent._manager.workers, "everything is removed")  # type: ignore[union-attr]
    assert node.podman("ps", "-aq") == ""
    assert list((node.root / "pods").iterdir()) == []
    assert list((node.root / "run" / "pods").iterdir()) == []
    assert not [m for m in Path("/proc/mounts").read_text().splitlines() if pod["metadata"]["uid"] in m]
    assert ("Normal", "Killing", "Stopping container c") in node.events("p")


async def test_containers_share_network_volumes_names_and_memory(node: Machine) -> None:
    volume = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    serve = "hostname > /v/name; echo x > /dev/shm/x; exec httpd -f -p 8080 -h /v"
    ask = "until [ -e /v/name ] && wget -qO- http://127.0.0.1:8080/name 2>/dev/null; "
    ask += "do sleep 0.05; done; ls /dev/shm; "
    ask += "cat /proc/sys/kernel/hostname; readlink /proc/self/ns/ipc; readlink /proc/self/ns/net; exec sleep 1000"
    await node.create(
        "share",
        container("a", serve + "", **volume),
        container("b", ask, **volume),
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    await node.wait_ready("share")
    await node.until(lambda: "net:[" in node.log_text("share", "b"), "b has asked a")
    lines = node.log_text("share", "b").splitlines()
    assert lines[:3] == ["share", "x", "share"]
    await node.create(
        "lonely", container("c", "readlink /proc/self/ns/ipc; readlink /proc/self/ns/net; exec sleep 1000")
    )
    await node.wait_ready("lonely")
    await node.until(lambda: "net:[" in node.log_text("lonely"), "it has written")
    assert not set(lines[3:]) & set(node.log_text("lonely").splitlines())


async def test_init_containers_run_in_order_before_the_others(node: Machine) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    await node.create(
        "init",
        container("main", f"echo main >> /v/order; {SLEEP}", **mount),
        initContainers=[
            container("one", "sleep 0.2; echo one >> /v/order", **mount),
            container("side", f"echo side >> /v/order; {SLEEP}", restartPolicy="Always", **mount),
            container("two", "echo two >> /v/order", **mount),
        ],
        volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}],
    )
    pod = await node.wait_ready("init")
    order = next((node.root / "pods" / pod["metadata"]["uid"]).glob("volumes/*empty-dir/v/order"))
    await node.until(lambda: len(order.read_text().split()) == 4, "all have written")
    assert order.read_text().split() == ["one", "side", "two", "main"]
    assert status_of(pod, "one")["state"]["terminated"]["reason"] == "Completed"
    assert status_of(pod, "side")["started"]


async def test_environment_and_commands(node: Machine) -> None:
    api = node.api.client()
    await api.create("configmaps", {"metadata": {"name": "cm"}, "data": {"K": "from-map"}}, "default")
    await api.create(
        "services",
        {"metadata": {"name": "web"}, "spec": {"clusterIP": "10.96.7.7", "ports": [{"port": 80}]}},
        "default",
    )
    env = [
        {"name": "PLAIN", "value": "x"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "K"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
    ]
    spec = container("c", env=env, workingDir="/tmp", resources={"limits": {"cpu": "250m"}})
    spec["command"] = ["sh", "-c", "pwd; env; echo arg=$0; exec sleep 1000"]
    spec["args"] = ["$(PLAIN)-$$(PLAIN)"]
    await node.create("env", spec)
    pod = await node.wait_ready("env")
    await node.until(lambda: "arg=" in node.log_text("env"), "it has written")
    lines = node.log_text("env").splitlines()
    assert lines[0] == "/tmp"
    for wanted in (
        "PLAIN=x",
        f"IP={pod['status']['podIP']}",
        "KEY=from-map",
        "CPU=250",
        "HOSTNAME=env",
        "WEB_SERVICE_HOST=10.96.7.7",
        "WEB_PORT_80_TCP=tcp://10.96.7.7:80",
        "arg=x-$(PLAIN)",
    ):
        assert wanted in lines
    assert not [line for line in lines if line.startswith(("container=", "TERM="))]


async def test_missing_configuration_is_told_and_found_later(node: Machine) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "a"}}}]
    await node.create("waits", container("c", SLEEP, env=env))

    def reason(pod) -> str:
        return (status_of(pod)["state"].get("waiting") or {}).get("reason", "")

    pod = await node.wait("waits", lambda p: reason(p) == "CreateContainerConfigError", "says what is missing")
    assert status_of(pod)["state"]["waiting"]["message"] == 'configmap "later" not found'
    assert ("Warning", "Failed", 'Error: configmap "later" not found') in node.events("waits")
    body = {"metadata": {"name": "later"}, "data": {"a": "1"}}
    await node.api.client().create("configmaps", body, "default")
    await node.wait_ready("waits")


async def test_limits_are_the_kernels(node: Machine) -> None:
    resources = {"limits": {"cpu": "500m", "memory": "32Mi"}, "requests": {"cpu": "250m"}}
    await node.create("limits", container("c", SLEEP, resources=resources))
    pod = await node.wait_ready("limits")
    pid = node.agent._manager.find("default", "limits").state.containers["c"].run.pid  # type: ignore[union-attr]
    groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    if "memory" not in groups:
        root = Path("/sys/fs/cgroup") / groups[""].lstrip("/")
        assert (root / "memory.max").read_text().strip() == str(32 * 2**20)
        assert (root / "cpu.max").read_text().split() == ["50000", "100000"]
        swap = root / "memory.swap.max"
        assert not swap.exists() or swap.read_text().strip() == "0"
        return
    memory = Path("/sys/fs/cgroup/memory") / groups["memory"].lstrip("/")
    cpu = Path("/sys/fs/cgroup/cpu") / groups["cpu"].lstrip("/")
    assert (memory / "memory.limit_in_bytes").read_text().strip() == str(32 * 2**20)
    with_swap = memory / "memory.memsw.limit_in_bytes"
    assert not with_swap.exists() or with_swap.read_text().strip() == str(32 * 2**20)
    assert (cpu / "cpu.cfs_quota_us").read_text().strip() == "50000"
    assert (cpu / "cpu.shares").read_text().strip() == "256"
    assert f"pod{pod['metadata']['uid']}" in groups["memory"] and "/burstable/" in groups["memory"]
    assert (memory.parent / "memory.limit_in_bytes").read_text().strip() == str(32 * 2**20)


async def test_security(node: Machine) -> None:
    script = "id -u; id -g; id -G; touch /x 2>&1; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; "
    own = {
        "runAsUser": 1000,
        "runAsGroup": 2000,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    await node.create("secure", container("c", script + SLEEP, securityContext=own), securityContext={"fsGroup": 3000})
    await node.wait_ready("secure")
    await node.until(lambda: "NoNewPrivs" in node.log_text("secure"), "it has written")
    lines = node.log_text("secure").splitlines()
    assert lines[:2] == ["1000", "2000"] and set(lines[2].split()) == {"2000", "3000"}
    assert lines[3] == "touch: /x: Read-only file system"
    assert lines[4].split()[1] == "0000000000000000"
    assert lines[5].split()[1] == "1"


async def test_the_host_network(node: Machine) -> None:
    await node.create("host", container("c", f"readlink /proc/self/ns/net; hostname; {SLEEP}"), hostNetwork=True)
    pod = await node.wait_ready("host")
    assert pod["status"]["podIP"] == "127.0.0.1"
    await node.until(lambda: len(node.log_text("host").splitlines()) == 2, "it has written")
    assert node.log_text("host").splitlines() == [os.readlink("/proc/self/ns/net"), os.uname().nodename]


async def test_hosts_and_resolver_files(node: Machine) -> None:
    script = f"cat /etc/hosts /etc/hostname; cat /etc/resolv.conf; {SLEEP}"
    aliases = [{"ip": "192.0.2.1", "hostnames": ["one", "two"]}]
    dns = {"nameservers": ["192.0.2.53"], "searches": ["example.org"]}
    await node.create("files", container("c", script), hostAliases=aliases, dnsPolicy="None", dnsConfig=dns)
    pod = await node.wait_ready("files")
    await node.until(lambda: "192.0.2.53" in node.log_text("files"), "it has written")
    text = node.log_text("files")
    assert f"{pod['status']['podIP']}\tfiles\n" in text and "192.0.2.1\tone\ttwo\n" in text
    assert text.endswith("files\nsearch example.org\nnameserver 192.0.2.53\n")


@pytest.mark.parametrize(
    ("image", "policy", "reason", "message"),
    [
        ("localhost/none:1", "Never", "ErrImageNeverPull", "is not present with pull policy of Never"),
        ("registry.invalid/none:1", "IfNotPresent", "ErrImagePull", "registry.invalid"),
        ("NOT//VALID", "IfNotPresent", "InvalidImageName", "invalid reference format"),
    ],
)
async def test_images_that_cannot_be_had(node: Machine, image: str, policy: str, reason: str, message: str) -> None:
    name = reason.lower()
    await node.create(name, container("c", image=image, imagePullPolicy=policy))

    def waiting(pod) -> dict:
        return status_of(pod)["state"].get("waiting") or {}

    pod = await node.wait(name, lambda p: waiting(p).get("reason") == reason, f"says {reason}", timeout=60)
    assert message in waiting(pod)["message"]
    assert ("Warning", "Failed", f"Error: {reason}") in node.events(name)
    if reason == "ErrImagePull":
        pod = await node.wait(name, lambda p: waiting(p).get("reason") == "ImagePullBackOff", "backs off")
        assert waiting(pod)["message"].startswith(f'Back-off pulling image "{image}": ErrImagePull: ')
    await node.api.client().delete("pods", name, "default")
    await node.wait_gone(name)
