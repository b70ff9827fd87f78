"""Pods' networks in real namespaces."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from netplugin import links, netns
from netplugin.interface import HostPort, NetworkError, NotConfigured, PodRequest
from netplugin.names import Names
from netplugin.plugin import BridgeNetwork
from tests.integration.netplugin.conftest import Cluster
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.netlab import NetLab, Server, ask, serving


def ip(namespace: str, *arguments: str) -> list[dict[str, object]]:
    """What `ip -json` says inside a namespace: an oracle that shares no code with the plugin."""
    out = subprocess.run(["nsenter", f"--net={namespace}", "ip", "-json", *arguments], capture_output=True, check=True)
    return json.loads(out.stdout or "[]")


async def test_pod_has_loopback_address_route_and_mtu(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pod = await node.pod("web")
    assert pod.ips == ("10.244.1.2",)
    interfaces = {found["ifname"]: found for found in ip(pod.netns, "address")}
    assert set(interfaces) == {"lo", "eth0"}
    assert all("UP" in found["flags"] for found in interfaces.values())
    assert [a["local"] for a in interfaces["eth0"]["addr_info"] if a["family"] == "inet"] == ["10.244.1.2"]
    assert interfaces["eth0"]["mtu"] == 1500
    assert [r["gateway"] for r in ip(pod.netns, "route") if r["dst"] == "default"] == ["10.244.1.1"]
    async with serving(Server("local", pod.netns, 9)):
        assert await ask(pod.netns, "127.0.0.1", 9) == ("local", "127.0.0.1")


async def test_pods_and_nodes_reach_each_other(cluster: Cluster) -> None:
    a, b = await cluster.node("a"), await cluster.node("b")
    first, second, far = await a.pod("first"), await a.pod("second"), await b.pod("far")
    await eventually(lambda: len(ip(a.namespace, "route", "show", "proto", "75")) == 2)
    await eventually(lambda: len(ip(b.namespace, "route", "show", "proto", "75")) == 2)
    async with serving(
        Server("first", first.netns, 80), Server("far", far.netns, 80), Server("node-b", b.namespace, 80)
    ):
        assert await ask(second.netns, first.ips[0], 80) == ("first", second.ips[0])
        assert await ask(second.netns, far.ips[0], 80) == ("far", second.ips[0])  # no translation between pods
        assert await ask(a.namespace, first.ips[0], 80) == ("first", "10.244.1.1")
        assert await ask(a.namespace, far.ips[0], 80) == ("far", a.address)
        # Outside the pods' range a pod goes by its node's address.
        assert await ask(first.netns, b.address, 80) == ("node-b", a.address)


async def test_routes_follow_the_nodes(cluster: Cluster) -> None:
    a, b = await cluster.node("a"), await cluster.node("b")

    def routes() -> dict[str, str]:
        return {r["dst"]: r["gateway"] for r in ip(a.namespace, "route", "show", "proto", "75") if "gateway" in r}

    await eventually(lambda: routes() == {"10.244.2.0/24": b.address})
    cluster.api.modify("nodes", "b", lambda node: node["status"]["addresses"][0].update(address="192.0.2.77"), "")
    await eventually(lambda: routes() == {"10.244.2.0/24": "192.0.2.77"})
    cluster.api.remove("nodes", "b", "")
    await eventually(lambda: routes() == {})


async def test_a_node_on_no_shared_link_is_a_warning(cluster: Cluster) -> None:
    a = await cluster.node("a")
    await cluster.node("b")
    cluster.api.modify("nodes", "b", lambda node: node["status"]["addresses"][0].update(address="203.0.113.9"), "")
    await eventually(lambda: "203.0.113.9" in a.plugin._routes._problem)
    assert "10.244.2.0/24" in (await a.plugin.warnings())["routes to nodes"]
    assert set((await a.plugin.health()).values()) == {"ok"}, "this node can run pods nevertheless"


async def test_add_is_idempotent_and_repairs(cluster: Cluster) -> None:
    node = await cluster.node("a")
    request = PodRequest("default", "web", "uid-web")
    pod = await node.plugin.add(request)
    inode = os.stat(pod.netns).st_ino
    assert await node.plugin.add(request) == pod
    assert os.stat(pod.netns).st_ino == inode, "a whole network must be left alone"
    assert await node.plugin.check(request) == pod
    subprocess.run(["nsenter", f"--net={pod.netns}", "ip", "link", "del", "eth0"], check=True)
    assert await node.plugin.check(request) is None
    assert await node.plugin.add(request) == pod
    assert await node.plugin.check(request) == pod
    assert os.stat(pod.netns).st_ino == inode, "containers are in it: the namespace must be kept"


async def test_a_lost_bridge_is_made_again(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pods = [await node.pod(name) for name in ("one", "two")]
    subprocess.run(
        ["nsenter", f"--net={node.namespace}", "ip", "link", "del", Names(node.config.cluster_name, "a").bridge],
        check=True,
    )
    assert await node.plugin.check(PodRequest("default", "one", "uid-one")) is None
    async with serving(Server("one", pods[0].netns, 80)):
        assert (await node.plugin.health())["pod network"] == "ok", "a node without pods has nobody else to ask for it"
        assert await ask(pods[1].netns, pods[0].ips[0], 80) == ("one", pods[1].ips[0])
    assert [await node.pod(name) for name in ("one", "two")] == pods


async def test_mend_makes_a_link_anew_in_the_pods_namespace(cluster: Cluster) -> None:
    node = await cluster.node("a")
    request = PodRequest("default", "web", "uid-web")
    pod, other = await node.plugin.add(request), await node.pod("other")
    veth = Names(node.config.cluster_name, "a").veth(request.uid)
    async with serving(Server("web", pod.netns, 80)):
        subprocess.run(["nsenter", f"--net={node.namespace}", "ip", "link", "del", veth], check=True)
        assert await node.plugin.mend(request) == pod
        assert await ask(other.netns, pod.ips[0], 80) == ("web", other.ips[0]), "the server was not told of anything"
    subprocess.run(["umount", pod.netns], check=True)
    assert await node.plugin.mend(request) is None, "another namespace would not be the one that containers are in"


async def test_delete_leaves_nothing_and_is_idempotent(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pod = await node.pod("web")
    assert await node.plugin.pods() == ["uid-web"]
    await node.plugin.delete("uid-web")
    await node.plugin.delete("uid-web")
    await node.plugin.delete("uid-never-added")
    assert await node.plugin.pods() == []
    assert not os.path.exists(pod.netns)
    assert not [found for found in ip(node.namespace, "link") if found.get("linkinfo", {}).get("info_kind") == "veth"][
        1:
    ]


async def test_fifty_at_once(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pods = await asyncio.gather(*(node.pod(f"p{number}") for number in range(50)))
    assert len({pod.ips for pod in pods}) == 50
    checks = await asyncio.gather(
        *(node.plugin.check(PodRequest("default", f"p{number}", f"uid-p{number}")) for number in range(50))
    )
    assert all(checks)
    await asyncio.gather(*(node.plugin.delete(f"uid-p{number}") for number in range(50)))
    assert await node.plugin.pods() == []


async def test_same_pod_added_and_deleted_concurrently(cluster: Cluster) -> None:
    node = await cluster.node("a")
    request = PodRequest("default", "web", "uid-web")
    for _ in range(10):
        results = await asyncio.gather(
            node.plugin.add(request), node.plugin.add(request), node.plugin.delete("uid-web"), node.plugin.add(request)
        )
        assert await node.plugin.check(request) == results[-1]
        await node.plugin.delete("uid-web")
    assert await node.plugin.pods() == []


async def test_cancelled_add_leaves_nothing(cluster: Cluster) -> None:
    node = await cluster.node("a")
    cancelled = 0
    for delay in (0, 0.0005, 0.001, 0.002, 0.004):
        work = asyncio.create_task(node.pod("web"))
        await asyncio.sleep(delay)
        work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            cancelled += 1
        else:  # it was done already
            await node.plugin.delete("uid-web")
        assert await node.plugin.pods() == []
    assert cancelled


async def test_restart_adopts_pods(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pod = await node.pod("web")
    async with serving(Server("web", pod.netns, 80)):
        await node.plugin.stop()
        assert await ask(node.namespace, pod.ips[0], 80) == ("web", "10.244.1.1"), "the network outlives the process"
        again = await cluster.start(node.machine, node.config)  # knows its range without the API server
        assert await again.pods() == ["uid-web"]
        assert await again.check(PodRequest("default", "web", "uid-web")) == pod
        assert (await again.add(PodRequest("default", "next", "uid-next"))).ips == ("10.244.1.3",)
        await again.delete("uid-web")


async def test_half_made_pod_is_listed_and_repaired(cluster: Cluster) -> None:
    """As after a crash between two steps."""
    node = await cluster.node("a")
    names = Names(node.config.cluster_name, "a")
    netns.create(Path("/run/netns") / names.netns("uid-x"), lambda: None)
    assert await node.plugin.pods() == ["uid-x"]
    request = PodRequest("default", "x", "uid-x")
    assert await node.plugin.check(request) is None
    await node.plugin.add(request)
    assert await node.plugin.check(request) is not None
    (node.config.run_dir / "pods" / "uid-y.json").write_bytes(b"")  # a crash of the machine while it was written
    assert await node.plugin.pods() == ["uid-x", "uid-y"]
    await node.plugin.delete("uid-y")
    assert await node.plugin.pods() == ["uid-x"]


async def test_add_before_the_range_is_known(lab: NetLab, cluster: Cluster) -> None:
    node = await cluster.node("a")
    fresh = BridgeNetwork(FakeApi().client(), node.config, namespace=node.namespace)
    with pytest.raises(NotConfigured):
        await fresh.add(PodRequest("default", "web", "uid-web"))
    with pytest.raises(NetworkError, match="is not an IPv4 network"):
        await fresh.configure(["fd00::/64"])
    await fresh.stop()


async def test_range_exhausted(cluster: Cluster) -> None:
    node = await cluster.node("a")
    await node.plugin.configure(["10.244.1.0/29"])
    first, *_ = await asyncio.gather(*(node.pod(f"p{number}") for number in range(5)))
    with pytest.raises(NetworkError, match=r"no address is free in range 10\.244\.1\.0/29"):
        await node.pod("one-too-many")
    assert "uid-one-too-many" not in await node.plugin.pods()
    await node.plugin.delete("uid-p0")
    assert (await node.pod("now")).ips == first.ips  # the only one, however recently it was released


async def test_host_ports(cluster: Cluster) -> None:
    a, b = await cluster.node("a"), await cluster.node("b")
    pod = await a.pod("web", HostPort("", 8088, 80, "TCP"), HostPort("192.0.2.1", 8089, 80, "TCP"))
    await a.settled()
    async with serving(Server("web", pod.netns, 80)):
        assert await ask(b.namespace, a.address, 8088) == ("web", b.address)  # the client's address is kept
        assert await ask(b.namespace, a.address, 8089) == ("web", b.address)
        assert await ask(pod.netns, a.address, 8088) == ("web", "10.244.1.1")  # to itself: hairpin
        await a.plugin.delete("uid-web")
        await a.settled()
        with pytest.raises((ConnectionRefusedError, TimeoutError)):
            await ask(b.namespace, a.address, 8088, timeout=1)


async def test_purge_by_a_fresh_process_leaves_the_machine_as_it_was(lab: NetLab, cluster: Cluster) -> None:
    machine = lab.machine("z", "192.0.2.200")

    def state() -> str:
        # Names and addresses: whether the test's own link has found its peer yet is not the plugin's doing.
        commands = ["ip -o link | cut -d' ' -f2", "ip route", "ip -o -4 address", "nft list ruleset"]
        return "\n".join(
            subprocess.run(
                ["nsenter", f"--net={machine.namespace}", "sh", "-c", command],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for command in commands
        )

    before = state()
    node = await cluster.node("a")
    config = type(node.config)(
        **{
            **vars(node.config),
            "node_name": "z",
            "node_ip": machine.address,
            "run_dir": node.config.run_dir.parent / "zr",
            "state_dir": node.config.run_dir.parent / "zs",
        }
    )
    plugin = await cluster.start(machine, config)
    await plugin.configure(["10.244.9.0/24"])
    await plugin.add(PodRequest("default", "web", "uid-web"))
    assert state() != before
    await plugin.stop()
    fresh = BridgeNetwork(FakeApi().client(), config, namespace=machine.namespace)
    await fresh.purge()
    await fresh.purge()
    await fresh.stop()
    # Deleted links disappear with their namespaces a moment later only in the other namespace's view.
    assert state() == before
    prefix = Names(config.cluster_name, config.node_name).netns_prefix
    assert [path for path in Path("/run/netns").iterdir() if path.name.startswith(prefix)] == []
    assert not config.run_dir.exists()
    assert not config.state_dir.exists()


async def test_two_clusters_share_a_machine(lab: NetLab, tmp_path: Path, cluster: Cluster) -> None:
    node = await cluster.node("a")
    other = type(node.config)(
        **{
            **vars(node.config),
            "cluster_name": "other",
            "state_dir": tmp_path / "os",
            "run_dir": tmp_path / "or",
            "pod_cidr": "10.245.0.0/16",
            "service_cidr": "10.112.0.0/12",
        }
    )
    plugin = await cluster.start(node.machine, other)
    await plugin.configure(["10.245.1.0/24"])
    mine = await node.pod("web")
    theirs = await plugin.add(PodRequest("default", "web", "uid-web"))
    async with serving(Server("mine", mine.netns, 80), Server("theirs", theirs.netns, 80)):
        assert (await ask(node.namespace, mine.ips[0], 80))[0] == "mine"
        assert (await ask(node.namespace, theirs.ips[0], 80))[0] == "theirs"
        await plugin.purge()
        assert (await ask(node.namespace, mine.ips[0], 80))[0] == "mine"
    with links.open_route_socket() as sock:
        assert links.find_link(sock, Names("other", "a").bridge) is None
