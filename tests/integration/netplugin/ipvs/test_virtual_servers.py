"""What the IPVS backend leaves in the kernel, as ipvsadm and iptables see it."""

import asyncio
import subprocess

import pytest

from netplugin import netns
from netplugin.names import Names
from netplugin.proxy.backend import BackendConfig
from netplugin.proxy.ipvs import IpvsBackend
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule, Rules
from tests.integration.netplugin.conftest import Cluster
from tests.support import network_objects as objects
from tests.support.eventually import eventually
from tests.support.netlab import NetLab, Server, ask, connect, serving

VIP = "10.96.0.50"
CONFIG = BackendConfig(Names("ipvs-test", "a"), "10.244.0.0/16")


def inside(namespace: str, command: str) -> str:
    done = subprocess.run(["nsenter", f"--net={namespace}", "sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def servers(namespace: str) -> list[str]:
    """The lines of `ipvsadm -Sn`, blanks normalised."""
    return sorted(" ".join(line.split()) for line in inside(namespace, "ipvsadm -Sn").splitlines())


def endpoints(*numbers: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(f"10.244.1.{number}", 8080) for number in numbers)


async def test_table_as_ipvsadm_shows_it(cluster: Cluster) -> None:
    node = await cluster.node("a")
    cluster.api.seed(
        objects.service("web", VIP, {"port": 80, "nodePort": 30080}, type="NodePort"),
        objects.endpoint_slice("web", [objects.endpoint("10.244.1.7"), objects.endpoint("10.244.1.8")]),
        objects.service("dns", "10.96.0.10", {"port": 53, "protocol": "UDP"}, sessionAffinity="ClientIP"),
        objects.endpoint_slice("dns", [objects.endpoint("10.244.1.9")], {"port": 53, "protocol": "UDP"}),
        objects.service("empty", "10.96.0.60"),
    )
    await node.settled()
    expected = [
        "-A -t 10.96.0.60:80 -s rr",
        "-A -u 10.96.0.10:53 -s rr -p 10800",
        "-a -u 10.96.0.10:53 -r 10.244.1.9:53 -m -w 1",
    ]
    for address in (f"{VIP}:80", f"{node.address}:30080", "10.244.1.1:30080"):
        expected.append(f"-A -t {address} -s rr")
        expected += [f"-a -t {address} -r 10.244.1.{number}:8080 -m -w 1" for number in (7, 8)]
    assert servers(node.namespace) == sorted(expected)
    for service in cluster.api.objects("services"):
        cluster.api.remove("services", service["metadata"]["name"])
    await node.settled()
    assert servers(node.namespace) == []


async def test_endpoint_drains_with_weight_zero_and_goes_when_it_is_done(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pods = {name: await node.pod(name) for name in ("one", "two")}
    cluster.api.seed(
        objects.service("web", VIP),
        objects.endpoint_slice("web", [objects.endpoint(pod.ips[0]) for pod in pods.values()]),
    )
    await node.settled()
    async with serving(*(Server(name, pod.netns, 8080) for name, pod in pods.items())):
        held = [await connect(node.namespace, VIP, 80) for _ in range(2)]
        assert {connection.server for connection in held} == {"one", "two"}
        rest = [objects.endpoint(pods["two"].ips[0])]
        cluster.api.modify("endpointslices.discovery.k8s.io", "web-1", lambda part: part.update(endpoints=rest))
        await node.settled()
        leaving = f"-a -t {VIP}:80 -r {pods['one'].ips[0]}:8080 -m -w 0"
        assert leaving in servers(node.namespace)
        for connection in held:
            await connection.echo()
            connection.reset()
        await eventually(lambda: leaving not in servers(node.namespace), 40, 1.0)
        assert (await ask(node.namespace, VIP, 80))[0] == "two"


async def test_a_port_of_no_service_does_not_reach_the_node(cluster: Cluster) -> None:
    """Service addresses are local to the node, whose own processes listen on every address."""
    node = await cluster.node("a")
    client = await node.pod("client")
    cluster.api.seed(objects.service("web", VIP))
    await node.settled()
    async with serving(Server("node", node.namespace, 22)):
        assert (await ask(client.netns, node.address, 22))[0] == "node"
        for namespace in (client.netns, node.namespace):
            with pytest.raises(ConnectionRefusedError):
                await ask(namespace, VIP, 22)


async def test_restart_keeps_virtual_servers_and_their_counters(cluster: Cluster) -> None:
    node = await cluster.node("a")
    pod = await node.pod("web")
    cluster.api.seed(objects.service("web", VIP), objects.endpoint_slice("web", [objects.endpoint(pod.ips[0])]))
    await node.settled()
    async with serving(Server("web", pod.netns, 8080)):
        for _ in range(5):
            await ask(node.namespace, VIP, 80)

        def counted() -> int:
            """Connections; the kernel sums them up every two seconds."""
            lines = inside(node.namespace, "ipvsadm -Ln --stats --exact").splitlines()
            return next(int(line.split()[2]) for line in lines if VIP in line)

        await eventually(lambda: counted() == 5, 10, 0.5)
        await node.plugin.stop()
        cluster.api.seed(objects.service("more", "10.96.0.51"))
        node.plugin = await cluster.start(node.machine, node.config)
        await node.settled()
        assert counted() == 5, "a server that had been made anew would count from nothing"
        assert "-A -t 10.96.0.51:80 -s rr" in servers(node.namespace)


class Bench:
    """A backend alone, with a clock of the test's."""

    def __init__(self, namespace: str) -> None:
        self.namespace, self.now = namespace, 0.0
        self.backend = netns.run(namespace, self._make)

    def _make(self) -> IpvsBackend:
        backend = IpvsBackend(CONFIG, lambda: self.now)
        backend.prepare()
        return backend

    def sync(self, rules: Rules) -> list[str]:
        netns.run(self.namespace, lambda: self.backend.sync(rules))
        return servers(self.namespace)


def test_foreign_servers_are_left_alone_and_drift_is_repaired(lab: NetLab) -> None:
    machine = lab.machine("a", "192.0.2.1")
    bench = Bench(machine.namespace)
    inside(
        machine.namespace, "ipvsadm -A -t 198.51.100.1:99 -s rr && ipvsadm -a -t 198.51.100.1:99 -r 192.0.2.9 -g -w 3"
    )
    foreign = ["-A -t 198.51.100.1:99 -s rr", "-a -t 198.51.100.1:99 -r 192.0.2.9:99 -g -w 3"]
    rules: Rules = {Frontend(VIP, "TCP", 80): Rule("web", endpoints(7, 8))}
    full = bench.sync(rules)
    assert set(foreign) < set(full)
    assert len(full) == 5
    inside(
        machine.namespace,
        f"ipvsadm -d -t {VIP}:80 -r 10.244.1.7:8080; ip address del {VIP}/32 dev {CONFIG.names.dummy}",
    )
    bench.now += 60
    assert bench.sync(rules) == full
    assert VIP in inside(machine.namespace, f"ip address show dev {CONFIG.names.dummy}")
    inside(machine.namespace, f"ipvsadm -D -t {VIP}:80")
    bench.now += 60
    assert bench.sync(rules) == full
    assert bench.sync({}) == foreign
    netns.run(machine.namespace, bench.backend.purge)
    assert servers(machine.namespace) == foreign


def test_a_lost_server_is_an_error_once_and_repaired_then(lab: NetLab) -> None:
    machine = lab.machine("a", "192.0.2.1")
    bench = Bench(machine.namespace)
    front = Frontend(VIP, "TCP", 80)
    bench.sync({front: Rule("web", endpoints(7))})
    inside(machine.namespace, "ipvsadm -C")
    with pytest.raises(Exception, match="IPVS rules"):
        bench.sync({front: Rule("web", endpoints(7, 8))})
    assert len(bench.sync({front: Rule("web", endpoints(7, 8))})) == 3
    netns.run(machine.namespace, bench.backend.purge)


def test_affinity_and_node_ports_change_in_place(lab: NetLab) -> None:
    machine = lab.machine("a", "192.0.2.1")
    bench = Bench(machine.namespace)
    front, node_port = Frontend(VIP, "TCP", 80), Frontend(ANY_LOCAL, "TCP", 30080)
    assert bench.sync({front: Rule("web", endpoints(7), affinity=60)})[0] == f"-A -t {VIP}:80 -s rr -p 60"
    assert bench.sync({front: Rule("web", endpoints(7))})[0] == f"-A -t {VIP}:80 -s rr"
    both = bench.sync({front: Rule("web", endpoints(7)), node_port: Rule("web", endpoints(7), dedicated=False)})
    assert "-A -t 192.0.2.1:30080 -s rr" in both
    inside(machine.namespace, "ip address add 192.0.2.2/24 dev uplink")
    rules: Rules = {front: Rule("web", endpoints(7)), node_port: Rule("web", endpoints(7), dedicated=False)}
    assert "-A -t 192.0.2.2:30080 -s rr" in bench.sync(rules), "a new address carries node ports at the next sync"
    netns.run(machine.namespace, bench.backend.purge)


def test_purge_leaves_the_machine_as_it_was(lab: NetLab) -> None:
    machine = lab.machine("a", "192.0.2.1")

    def state() -> str:
        tables = "iptables-legacy-save -t nat | grep -v '^[#:]'; iptables-legacy-save -t filter | grep -v '^[#:]'"
        chains = "iptables-legacy -S | grep -- -N; iptables-legacy -t nat -S | grep -- -N"
        return inside(machine.namespace, f"ipvsadm -Sn; {tables}; {chains}; ip -o link; true")

    before = state()
    bench = Bench(machine.namespace)
    bench.sync({Frontend(VIP, "TCP", 80): Rule("web", endpoints(7), local=frozenset(("10.244.1.7",)))})
    assert state() != before
    fresh = Bench(machine.namespace)
    netns.run(machine.namespace, fresh.backend.purge)
    netns.run(machine.namespace, fresh.backend.purge)
    assert state().replace("\n", "") == before.replace("\n", "")


async def test_thousand_changes_at_once(lab: NetLab) -> None:
    """Batches larger than one message buffer arrive whole."""
    machine = lab.machine("a", "192.0.2.1")
    bench = Bench(machine.namespace)
    rules: Rules = {
        Frontend(f"10.96.{number // 200}.{number % 200 + 1}", "TCP", 80): Rule(f"s{number}", endpoints(*range(2, 7)))
        for number in range(200)
    }
    found = await asyncio.to_thread(bench.sync, rules)
    assert len(found) == 200 * 6
    assert await asyncio.to_thread(bench.sync, {}) == []
    netns.run(machine.namespace, bench.backend.purge)
