"""CNI both ways: our executable under a runtime's calls, and other executables behind our interface."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netplugin import netns
from netplugin.choose import make_network
from netplugin.cni_plugin import CniPlugin
from netplugin.config import NetworkConfig
from netplugin.interface import HostPort, NetworkError, NetworkPlugin, PodRequest
from netplugin.plugin import BridgeNetwork
from tests.support import network_objects as objects
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.netlab import Machine, NetLab, Server, ask, serving

DEBIAN = Path("/usr/lib/cni")
POD = PodRequest("default", "web", "uid-web")


@pytest.fixture
def machine(lab: NetLab) -> Machine:
    return lab.machine("a", "192.0.2.1")


def settings(machine: Machine, tmp_path: Path) -> dict[str, Any]:
    return {
        "cniVersion": "1.1.0",
        "name": "pods",
        "type": "kubeactors",
        "clusterName": f"cni-{tmp_path.name}",
        "nodeName": "a",
        "nodeIP": machine.address,
        "stateDir": str(tmp_path / "state"),
        "runDir": str(tmp_path / "run"),
        "podCIDRs": ["10.244.1.0/24"],
    }


class Runtime:
    """Calls the executable as a container runtime does."""

    def __init__(self, machine: Machine, config: dict[str, Any]) -> None:
        self.machine, self.config = machine, config

    def call(self, command: str, container: str = "", namespace: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
        """(exit status, what was printed)."""
        environment = {
            **os.environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": namespace,
            "CNI_IFNAME": "eth0" if container else "",
            "CNI_PATH": "/nowhere",
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web",
        }
        done = subprocess.run(
            ["nsenter", f"--net={self.machine.namespace}", sys.executable, "-m", "netplugin.cni"],
            input=json.dumps({**self.config, **more}).encode(),
            env=environment,
            capture_output=True,
        )
        assert not done.stderr, done.stderr.decode()
        return done.returncode, json.loads(done.stdout or "{}")


async def test_executable(machine: Machine, tmp_path: Path) -> None:
    runtime = Runtime(machine, settings(machine, tmp_path))
    box = Path(f"{machine.namespace}-box")
    netns.create(box, lambda: None)
    try:
        assert runtime.call("STATUS") == (0, {})
        status, result = runtime.call("ADD", "c1", str(box))
        assert status == 0, result
        assert result["cniVersion"] == "1.1.0"
        assert result["ips"] == [{"address": "10.244.1.2/24", "gateway": "10.244.1.1", "interface": 2}]
        assert result["interfaces"][2]["sandbox"] == str(box)
        assert runtime.call("ADD", "c1", str(box)) == (0, result), "twice is once"
        assert runtime.call("CHECK", "c1", str(box), prevResult=result) == (0, {})
        async with serving(Server("box", str(box), 80)):
            assert await ask(machine.namespace, "10.244.1.2", 80) == ("box", "10.244.1.1")
        subprocess.run(["nsenter", f"--net={box}", "ip", "link", "del", "eth0"], check=True)
        status, error = runtime.call("CHECK", "c1", str(box), prevResult=result)
        assert (status, error["code"]) == (1, 100)
        assert runtime.call("DEL", "c1", str(box)) == (0, {})
        assert runtime.call("DEL", "c1", "") == (0, {}), "also when namespace and container are long gone"
        assert box.exists(), "the namespace is the runtime's"
        # GC removes what the runtime has no longer.
        assert runtime.call("ADD", "c2", str(box))[0] == 0
        assert runtime.call("GC", **{"cni.dev/valid-attachments": [{"containerID": "c2", "ifname": "eth0"}]}) == (0, {})
        assert (tmp_path / "run/pods/c2.json").exists()
        assert runtime.call("GC", **{"cni.dev/valid-attachments": []}) == (0, {})
        assert not (tmp_path / "run/pods/c2.json").exists()
    finally:
        netns.remove(box)


def test_executable_refuses(machine: Machine, tmp_path: Path) -> None:
    runtime = Runtime(machine, settings(machine, tmp_path))
    assert runtime.call("VERSION")[1]["supportedVersions"] == ["0.4.0", "1.0.0", "1.1.0"]
    for code, arguments in {
        1: {"command": "STATUS", "cniVersion": "9.9.9"},
        4: {"command": "ADD"},
        5: {"command": "ADD", "container": "c1", "namespace": "/run/netns/there-is-none"},
        7: {"command": "CHECK", "container": "c1", "namespace": "/proc/self/ns/net"},
        50: {"command": "STATUS", "podCIDRs": []},
    }.items():
        status, error = runtime.call(**arguments)
        assert (status, error["code"]) == (1, code), error
        assert error["msg"]
    assert not list((tmp_path / "run").glob("pods/*")), "a failed ADD leaves nothing"


API = FakeApi()


def network(machine: Machine, tmp_path: Path, conflist: dict[str, Any], bins: Path) -> CniPlugin:
    path = tmp_path / "net.conflist"
    path.write_text(json.dumps(conflist))
    config = NetworkConfig(
        node_name="a",
        node_ip=machine.address,
        cluster_name=f"cni-{tmp_path.name}",
        state_dir=tmp_path / "state",
        run_dir=tmp_path / "run",
        proxy_mode="nftables",
        cni_conflist=path,
        cni_bin_dirs=(bins,),
    )
    return CniPlugin(API.client(), config, namespace=machine.namespace)


@pytest.mark.skipif(not (DEBIAN / "bridge").exists(), reason="needs Debian's containernetworking-plugins")
async def test_debians_bridge_plugin(machine: Machine, tmp_path: Path) -> None:
    conflist = {
        "cniVersion": "1.0.0",
        "name": f"deb-{tmp_path.name}"[:40],
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cnibr0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(tmp_path / "leases"),
                    "ranges": [[{"subnet": "${POD_CIDR}"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "backend": "iptables"},
        ],
    }
    plugin = network(machine, tmp_path, conflist, DEBIAN)
    await exercise(plugin, lambda: network(machine, tmp_path, conflist, DEBIAN), machine, "10.244.1.2")


async def test_our_own_executable_behind_the_interface(machine: Machine, tmp_path: Path) -> None:
    bins = tmp_path / "bin"
    bins.mkdir()
    script = bins / "kubeactors"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -m netplugin.cni\n")
    script.chmod(0o755)
    own = settings(machine, tmp_path)
    conflist = {"cniVersion": "1.1.0", "name": "pods", "plugins": [{**own, "podCIDRs": ["${POD_CIDR}"]}]}
    plugin = network(machine, tmp_path, conflist, bins)
    await exercise(plugin, lambda: network(machine, tmp_path, conflist, bins), machine, "10.244.1.2")


async def exercise(plugin: CniPlugin, again: Any, machine: Machine, address: str) -> None:
    """The interface's whole contract, and our Services over the other one's pods."""
    assert isinstance(plugin, NetworkPlugin)
    await plugin.start()
    try:
        with pytest.raises(NetworkError, match="not known yet"):
            await plugin.add(POD)
        await plugin.configure(["10.244.1.0/24"])
        pod = await plugin.add(POD)
        assert pod.ips == (address,)
        assert await plugin.add(POD) == pod
        assert await plugin.check(POD) == pod
        assert await plugin.pods() == ["uid-web"]
        API.seed(objects.service("web", "10.96.0.50"), objects.endpoint_slice("web", [objects.endpoint(address)]))
        async with serving(Server("web", pod.netns, 8080)):
            await eventually(lambda: plugin._proxier.idle and len(plugin._proxier._services.lister) == 1)
            assert (await ask(machine.namespace, "10.96.0.50", 80))[0] == "web"
            assert (await ask(pod.netns, "127.0.0.1", 8080))[0] == "web"
        subprocess.run(["nsenter", f"--net={pod.netns}", "ip", "link", "del", "eth0"], check=True)
        assert await plugin.check(POD) is None
        repaired = await plugin.add(POD)
        assert await plugin.check(POD) == repaired
        await plugin.stop()
        plugin = again()
        await plugin.start()
        assert await plugin.check(POD) == repaired
        await plugin.delete("uid-web")
        await plugin.delete("uid-web")
        assert await plugin.pods() == []
        assert not Path(pod.netns).exists()
        health = await plugin.health()
        assert health["pod network (CNI)"] == "ok"
    finally:
        await plugin.stop()
        fresh = again()
        await fresh.purge()
        await fresh.stop()


async def test_port_mappings_reach_the_executable(machine: Machine, tmp_path: Path) -> None:
    bins = tmp_path / "bin"
    bins.mkdir()
    (bins / "spy").write_text(
        f"#!/bin/sh\ncat > {tmp_path}/$CNI_COMMAND.json\n"
        'echo \'{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/24"}]}\'\n'
    )
    (bins / "spy").chmod(0o755)
    conflist = {
        "cniVersion": "1.0.0",
        "name": "spied",
        "plugins": [{"type": "spy", "capabilities": {"portMappings": True}}],
    }
    plugin = network(machine, tmp_path, conflist, bins)
    try:
        pod = await plugin.add(PodRequest("default", "web", "uid-web", (HostPort("", 8088, 80),)))
        assert pod.ips == ("10.9.9.9",)
        config = json.loads((tmp_path / "ADD.json").read_text())
        assert config["runtimeConfig"]["portMappings"] == [
            {"hostPort": 8088, "containerPort": 80, "protocol": "tcp", "hostIP": ""}
        ]
        await plugin.delete("uid-web")
        assert json.loads((tmp_path / "DEL.json").read_text())["prevResult"]["ips"][0]["address"] == "10.9.9.9/24"
    finally:
        await plugin.purge()
        await plugin.stop()


async def test_errors_of_executables_are_told(machine: Machine, tmp_path: Path) -> None:
    bins = tmp_path / "bin"
    bins.mkdir()
    (bins / "bad").write_text(
        "#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\n"
        'echo \'{"code": 11, "msg": "no address left", "details": "in 10.9"}\'\nexit 1\n'
    )
    (bins / "bad").chmod(0o755)
    conflist = {"cniVersion": "1.0.0", "name": "bad", "plugins": [{"type": "bad"}]}
    plugin = network(machine, tmp_path, conflist, bins)
    with pytest.raises(NetworkError, match=r"CNI ADD by .*/bad: no address left in 10\.9 \(code 11\)"):
        await plugin.add(POD)
    assert await plugin.pods() == []
    await plugin.stop()
    missing = network(machine, tmp_path, {**conflist, "plugins": [{"type": "nowhere"}]}, bins)
    with pytest.raises(NetworkError, match="CNI plugin 'nowhere' is in none of"):
        await missing.start()
    await missing.stop()
    with pytest.raises(NetworkError, match="is no CNI configuration list"):
        network(machine, tmp_path, {"name": "x"}, bins)


def test_configuration_chooses(machine: Machine, tmp_path: Path) -> None:
    plain = NetworkConfig(node_name="a", node_ip=machine.address, state_dir=tmp_path, run_dir=tmp_path)
    assert isinstance(make_network(API.client(), plain), BridgeNetwork)
