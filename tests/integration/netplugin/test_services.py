"""The service proxy with real connections. Runs with nftables, and again with IPVS inside a kernel that has it."""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from netplugin.interface import PodNetwork
from tests.integration.netplugin.conftest import Cluster, Node
from tests.support import network_objects as objects
from tests.support.eventually import eventually
from tests.support.netlab import Connection, Server, UdpServer, ask, ask_udp, connect, serving, socket_in

VIP = "10.96.0.50"
PORT = {"port": 80, "protocol": "TCP", "nodePort": 30080}


class Site:
    """Two nodes, pods with servers on each, an outsider; a Service over chosen pods."""

    def __init__(self, cluster: Cluster, a: Node, b: Node, outsider: str) -> None:
        self.cluster, self.a, self.b, self.outsider = cluster, a, b, outsider
        self.pods: dict[str, PodNetwork] = {}
        self.servers: dict[str, Server] = {}

    def endpoint(self, name: str, **conditions: bool) -> objects.Object:
        return objects.endpoint(self.pods[name].ips[0], name[0], **conditions)

    async def publish(self, *names: str, **spec: object) -> None:
        """A Service of type NodePort over these pods, written on both nodes."""
        port = {**PORT, "port": 80}
        self.cluster.api.seed(
            objects.service("web", VIP, port, type="NodePort", **spec),
            objects.endpoint_slice("web", [self.endpoint(name) for name in names]),
        )
        await self.written()

    async def endpoints(self, endpoints: Sequence[objects.Object]) -> None:
        self.cluster.api.modify(
            "endpointslices.discovery.k8s.io", "web-1", lambda part: part.update(endpoints=list(endpoints))
        )
        await self.written()

    async def written(self) -> None:
        await self.a.settled()
        await self.b.settled()


@pytest.fixture
async def site(cluster: Cluster) -> AsyncIterator[Site]:
    a, b = await cluster.node("a"), await cluster.node("b")
    outside = cluster.lab.machine("out", "192.0.2.99")
    made = Site(cluster, a, b, outside.namespace)
    for name, node in (("a1", a), ("a2", a), ("b1", b)):
        made.pods[name] = await node.pod(name)
        made.servers[name] = Server(name, made.pods[name].netns, 8080)
    await made.written()
    async with serving(*made.servers.values()):
        yield made


#: So many connections that, of three endpoints chosen at random, one is left out once in 10^10 runs.
MANY = 60


async def spread(namespace: str, address: str, port: int, count: int = MANY) -> Counter[str]:
    """Who answers how often."""
    answers = [await ask(namespace, address, port) for _ in range(count)]
    return Counter(server for server, _ in answers)


async def test_cluster_ip_spreads_from_everywhere(site: Site) -> None:
    client = await site.a.pod("client")
    await site.publish("a1", "a2", "b1")
    for namespace in (client.netns, site.a.namespace, site.b.namespace, site.pods["b1"].netns):
        counts = await spread(namespace, VIP, 80)
        assert set(counts) == {"a1", "a2", "b1"}, counts
    # Between pods the client's address is kept, also across nodes.
    assert {seen for _, seen in [await ask(client.netns, VIP, 80) for _ in range(10)]} == {client.ips[0]}


async def test_hairpin(site: Site) -> None:
    """A pod reaches itself through its own Service."""
    await site.publish("a1")
    assert (await ask(site.pods["a1"].netns, VIP, 80))[0] == "a1"
    assert (await ask(site.pods["a1"].netns, site.a.address, 30080))[0] == "a1"


async def test_node_port(site: Site) -> None:
    client = await site.b.pod("client")
    await site.publish("a1", "a2", "b1")
    for namespace in (site.outsider, client.netns, site.b.namespace, site.a.namespace):
        for node in (site.a, site.b):
            assert set(await spread(namespace, node.address, 30080)) == {"a1", "a2", "b1"}
    # An outsider is hidden behind the node that it came to, so that answers come back through it.
    seen = {await ask(site.outsider, site.a.address, 30080) for _ in range(MANY)}
    assert site.a.address in {address for server, address in seen if server == "b1"}


async def test_external_traffic_policy_local(site: Site) -> None:
    await site.publish("a1", "a2", externalTrafficPolicy="Local")
    counts = [await ask(site.outsider, site.a.address, 30080) for _ in range(20)]
    assert {server for server, _ in counts} == {"a1", "a2"}
    assert {seen for _, seen in counts} == {"192.0.2.99"}, "the client's address is kept"
    with pytest.raises(TimeoutError):  # dropped: no endpoint on b, and a load balancer is to go elsewhere
        await ask(site.outsider, site.b.address, 30080, timeout=0.5)
    # Clients in the cluster reach all endpoints through any node.
    assert (await ask(site.b.namespace, site.b.address, 30080))[0] in ("a1", "a2")
    assert (await ask(site.pods["b1"].netns, site.b.address, 30080))[0] in ("a1", "a2")


async def test_internal_traffic_policy_local(site: Site) -> None:
    client = await site.b.pod("client")
    await site.publish("a1", "b1", internalTrafficPolicy="Local")
    assert set(await spread(site.pods["a2"].netns, VIP, 80)) == {"a1"}
    assert set(await spread(client.netns, VIP, 80)) == {"b1"}
    await site.endpoints([site.endpoint("a1")])
    with pytest.raises((TimeoutError, OSError)):
        await ask(client.netns, VIP, 80, timeout=0.5)


async def test_external_ip(site: Site) -> None:
    await site.publish("a1", "b1", externalIPs=["198.51.100.7"])
    client = await site.b.pod("client")
    assert set(await spread(client.netns, "198.51.100.7", 80)) == {"a1", "b1"}
    assert set(await spread(site.a.namespace, "198.51.100.7", 80)) == {"a1", "b1"}


async def test_no_endpoints_refuses_at_once(site: Site) -> None:
    await site.publish()
    client = await site.a.pod("client")
    for namespace, address, port in (
        (client.netns, VIP, 80),
        (site.a.namespace, VIP, 80),
        (site.outsider, site.a.address, 30080),
        (client.netns, site.b.address, 30080),
    ):
        started = time.monotonic()
        with pytest.raises(ConnectionRefusedError):
            await ask(namespace, address, port)
        # Where nobody refuses it is minutes. One second: the kernel sends only so many refusals at once.
        assert time.monotonic() - started < 20
    await site.endpoints([site.endpoint("b1")])
    assert (await ask(client.netns, VIP, 80))[0] == "b1"
    site.cluster.api.remove("services", "web")
    await site.written()
    with pytest.raises((TimeoutError, OSError)):
        await ask(client.netns, VIP, 80, timeout=0.5)


async def test_session_affinity(site: Site) -> None:
    client = await site.a.pod("client")
    config = {"clientIP": {"timeoutSeconds": 2}}
    await site.publish("a1", "a2", "b1", sessionAffinity="ClientIP", sessionAffinityConfig=config)
    for address, port in ((VIP, 80), (site.a.address, 30080)):
        # Each client sticks to one endpoint …
        counts = await spread(client.netns, address, port, 12)
        assert len(counts) == 1, counts
    stuck = (await ask(client.netns, VIP, 80))[0]
    # … other clients to others …
    others = [await site.a.pod(f"client-{number}") for number in range(12)]
    assert len({(await ask(other.netns, VIP, 80))[0] for other in others}) > 1
    # … until that endpoint is gone …
    rest = [site.endpoint(name) for name in ("a1", "a2", "b1") if name != stuck]
    await site.endpoints(rest)
    counts = await spread(client.netns, VIP, 80, 12)
    assert len(counts) == 1
    assert stuck not in counts
    if site.cluster.proxy_mode == "ipvs":
        return  # its persistence outlasts the Service's time by that of closed connections and a minute more
    # … or the client has been away for the time that the Service says.
    await site.endpoints([site.endpoint(name) for name in ("a1", "a2", "b1")])
    seen: set[str] = set()
    async with asyncio.timeout(30):
        while len(seen) < 2:
            seen.add((await ask(client.netns, VIP, 80))[0])
            await asyncio.sleep(2.3)


async def test_removed_endpoint_gets_no_new_connections_and_keeps_the_old(site: Site) -> None:
    client = await site.b.pod("client")
    await site.publish("a1", "b1")
    held: list[Connection] = []
    while {connection.server for connection in held} != {"a1", "b1"}:
        held.append(await connect(client.netns, VIP, 80))
    leaving = objects.terminating(site.pods["a1"].ips[0], "a")
    await site.endpoints([leaving, site.endpoint("b1")])
    assert set(await spread(client.netns, VIP, 80, 20)) == {"b1"}
    for connection in held:
        await connection.echo()
    await site.endpoints([site.endpoint("b1")])  # now gone from the slice too; its connections may still finish
    assert set(await spread(client.netns, VIP, 80, 20)) == {"b1"}
    for connection in held:
        await connection.echo()
        connection.close()


async def test_terminating_endpoints_serve_when_none_is_ready(site: Site) -> None:
    await site.publish("a1", "b1")
    await site.endpoints([objects.terminating(site.pods["a1"].ips[0], "a"), site.endpoint("b1", ready=False)])
    assert set(await spread(site.a.namespace, VIP, 80)) == {"a1"}


async def test_changes_lose_no_connection(site: Site) -> None:
    """New connections are made all the time while endpoints come and go; not one may fail."""
    client = await site.b.pod("client")
    await site.publish("a1", "b1")
    served: Counter[str] = Counter()
    stop = asyncio.Event()

    async def loop(namespace: str) -> None:
        while not stop.is_set():
            served[(await ask(namespace, VIP, 80))[0]] += 1

    loops = [asyncio.create_task(loop(namespace)) for namespace in (client.netns, site.a.namespace) for _ in range(2)]
    for number in range(30):
        chosen = [name for index, name in enumerate(("a1", "a2", "b1")) if (number + index) % 3]
        await site.endpoints([site.endpoint(name) for name in chosen])
        # Services of no concern come and go too.
        site.cluster.api.seed(objects.service(f"other-{number}", f"10.96.1.{number + 1}"))
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*loops)
    assert set(served) == {"a1", "a2", "b1"}
    assert served.total() > 100


async def test_restart_has_no_gap_and_writes_only_the_difference(site: Site) -> None:
    client = await site.a.pod("client")
    await site.publish("a1", "a2")
    site.cluster.api.seed(objects.service("gone", "10.96.0.60"), objects.endpoint_slice("gone", [site.endpoint("a1")]))
    await site.written()
    held = await connect(client.netns, VIP, 80)
    failures: list[BaseException] = []
    stop = asyncio.Event()

    async def loop() -> None:
        while not stop.is_set():
            try:
                await ask(client.netns, VIP, 80)
            except (OSError, TimeoutError) as error:
                failures.append(error)

    requests = asyncio.create_task(loop())
    await site.a.plugin.stop()
    assert (await ask(client.netns, VIP, 80))[0] in ("a1", "a2"), "rules outlive the process"
    # While it is down the world changes.
    site.cluster.api.remove("services", "gone")
    site.cluster.api.modify(
        "endpointslices.discovery.k8s.io", "web-1", lambda part: part.update(endpoints=[site.endpoint("a2")])
    )
    site.a.plugin = await site.cluster.start(site.a.machine, site.a.config)
    await site.written()
    assert set(await spread(client.netns, VIP, 80, 12)) == {"a2"}
    stop.set()
    await requests
    assert not failures
    await held.echo()
    with pytest.raises((TimeoutError, OSError)):
        await ask(client.netns, "10.96.0.60", 80, timeout=0.3)


async def test_udp(site: Site) -> None:
    client = await site.a.pod("client")
    site.cluster.api.seed(
        objects.service("dns", "10.96.0.10", {"port": 53, "protocol": "UDP", "name": "dns"}),
        objects.endpoint_slice(
            "dns",
            [site.endpoint("a1"), site.endpoint("b1")],
            {"name": "dns", "port": 5353, "protocol": "UDP"},
        ),
    )
    await site.written()
    async with serving(*(UdpServer(name, site.pods[name].netns, 5353) for name in ("a1", "b1"))):

        async def once(namespace: str) -> str:
            with socket_in(namespace, socket.SOCK_DGRAM) as sock:
                return await ask_udp(sock, "10.96.0.10", 53)

        assert {await once(client.netns) for _ in range(24)} == {"a1", "b1"}
        assert {await once(site.b.namespace) for _ in range(24)} == {"a1", "b1"}
        # A client that keeps its port follows when its endpoint goes.
        with socket_in(client.netns, socket.SOCK_DGRAM) as sock:
            first = await ask_udp(sock, "10.96.0.10", 53)
            other = {"a1": "b1", "b1": "a1"}[first]
            site.cluster.api.modify(
                "endpointslices.discovery.k8s.io", "dns-1", lambda part: part.update(endpoints=[site.endpoint(other)])
            )
            await site.written()
            with contextlib.suppress(TimeoutError):
                await ask_udp(sock, "10.96.0.10", 53, timeout=0.5)  # IPVS may lose the datagram that ends the old flow
            assert [await ask_udp(sock, "10.96.0.10", 53) for _ in range(3)] == [other] * 3


async def test_named_ports_and_several_slices(site: Site) -> None:
    client = await site.a.pod("client")
    ports = [{"name": "http", "port": 8080}, {"name": "admin", "port": 9090}]
    site.cluster.api.seed(
        objects.service("multi", "10.96.0.70", {"name": "admin", "port": 81}, {"name": "http", "port": 80}),
        objects.endpoint_slice("multi", [site.endpoint("a1")], *ports, suffix="1"),
        objects.endpoint_slice("multi", [site.endpoint("b1")], *ports, suffix="2"),
    )
    await site.written()
    async with serving(Server("admin", site.pods["b1"].netns, 9090), Server("admin", site.pods["a1"].netns, 9090)):
        assert set(await spread(client.netns, "10.96.0.70", 80)) == {"a1", "b1"}
        assert set(await spread(client.netns, "10.96.0.70", 81, 8)) == {"admin"}


async def test_endpoint_that_is_a_node(site: Site) -> None:
    """A pod of the host's network, as the API server is for the Service `kubernetes`."""
    client = await site.b.pod("client")
    site.cluster.api.seed(
        objects.service("kubernetes", "10.96.0.1", {"port": 443}),
        objects.endpoint_slice("kubernetes", [{"addresses": [site.a.address]}], {"name": "", "port": 6443}),
    )
    await site.written()
    async with serving(Server("api", site.a.namespace, 6443)):
        for namespace in (site.pods["a1"].netns, client.netns, site.a.namespace, site.b.namespace):
            assert (await ask(namespace, "10.96.0.1", 443))[0] == "api"


async def test_headless_and_foreign_services_are_left_alone(site: Site) -> None:
    client = await site.a.pod("client")
    foreign = objects.service("foreign", "10.96.0.80")
    foreign["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "other"}
    headless = objects.service("headless", "None")
    site.cluster.api.seed(foreign, headless, objects.endpoint_slice("foreign", [site.endpoint("a1")]))
    await site.written()
    with pytest.raises((TimeoutError, OSError)):
        await ask(client.netns, "10.96.0.80", 80, timeout=0.3)


async def test_api_server_away(site: Site) -> None:
    """Services go on, and catch up when it is back."""
    await site.publish("a1")
    site.cluster.api.end_watches()
    site.cluster.api.break_watches()
    assert (await ask(site.b.namespace, VIP, 80))[0] == "a1"
    site.cluster.api.modify(
        "endpointslices.discovery.k8s.io", "web-1", lambda part: part.update(endpoints=[site.endpoint("b1")])
    )
    await eventually(lambda: site.b.caught_up(), 10)
    await site.b.settled()
    assert (await ask(site.b.namespace, VIP, 80))[0] == "b1"
