"""Cluster addresses and node ports: given once, kept, given back, with several servers at once."""

import asyncio
import ipaddress
import random
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.request import Options
from kubeactors.apiserver.services.ranges import AddressRange, PortRange, choose
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

SMALL = "10.0.0.0/29"  # six addresses


@pytest.fixture
async def store() -> FakeStore:
    return FakeStore(revision=100)


async def service(api: Api, name: str, **spec: Any) -> Object:
    spec.setdefault("ports", [{"port": 80}])
    return await api.create("services", {"metadata": {"name": name}, "spec": spec}, "ns")


def held(store: FakeStore) -> tuple[list[str], list[int]]:
    """The addresses and ports that are taken."""
    addresses = [key.decode().rpartition("/")[2] for key in store.keys(b"/registry/ipaddresses/")]
    ports = [int(key.decode().rpartition("/")[2]) for key in store.keys(b"/registry/ranges/servicenodeports/")]
    return addresses, ports


def test_ranges() -> None:
    addresses = AddressRange(ipaddress.ip_network("10.96.0.0/12"))
    assert addresses.refusal("10.96.0.1") == ""
    assert addresses.refusal("10.96.0.0")
    assert addresses.refusal("10.111.255.255")
    assert addresses.refusal("10.0.0.1") == "the provided network does not match the current range"
    assert "The range of valid IPs is 10.96.0.0/12" in addresses.refusal("10.0.0.1", dry_run=True)
    chosen = addresses.choose(lambda each: False, random.Random(1))
    assert chosen is not None
    assert int(ipaddress.ip_address(chosen)) > int(ipaddress.ip_address("10.96.1.0")), "the lower band is for requests"
    ports = PortRange(30000, 32767)
    assert ports.refusal(80).endswith("The range of valid ports is 30000-32767")
    assert ports.refusal(30000) == ports.refusal(32767) == ""


def test_every_number_of_a_range_is_found() -> None:
    taken: set[int] = set()
    while (number := choose(10, 30, 16, taken.__contains__, random.Random(2))) is not None:
        assert number not in taken
        if len(taken) < 5:
            assert number >= 26, "the upper band first"
        taken.add(number)
    assert taken == set(range(10, 31))


async def test_an_address_is_given_kept_and_freed(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await service(api, "s")
        spec = made["spec"]
        assert spec["clusterIPs"] == [spec["clusterIP"]]
        assert (spec["ipFamilies"], spec["ipFamilyPolicy"], spec["type"]) == (["IPv4"], "SingleStack", "ClusterIP")
        put = {"metadata": {"name": "s", "namespace": "ns"}, "spec": {"ports": [{"port": 81}]}}
        assert (await api.update("services", put))["spec"]["clusterIP"] == spec["clusterIP"]
        assert held(store) == ([spec["clusterIP"]], [])
        await api.delete("services", "s", "ns")
        assert held(store) == ([], [])
        again = await service(api, "t", clusterIP=spec["clusterIP"])
        assert again["spec"]["clusterIP"] == spec["clusterIP"], "at once, although the cache may not know it is free"


async def test_an_address_that_is_taken_or_outside(store: FakeStore) -> None:
    async with running_core(store) as api:
        address = (await service(api, "s"))["spec"]["clusterIP"]
        with pytest.raises(StatusError) as raised:
            await service(api, "t", clusterIP=address)
        assert raised.value.code == 422
        assert raised.value.message == (
            f'Service "t" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: '
            f"failed to allocate IP {address}: provided IP is already allocated"
        )
        with pytest.raises(StatusError, match="network does not match the current range"):
            await service(api, "t", clusterIP="192.168.0.1")
        assert held(store) == ([address], [])


@pytest.mark.parametrize(
    ("spec", "refusal"),
    [
        ({"clusterIP": "fd00::1"}, 'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured'),
        ({"ipFamilies": ["IPv4", "IPv6"]}, 'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be'),
        (
            {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"},
            'spec.ipFamilies[1]: Invalid value: "IPv6": not configured on this cluster',
        ),
        ({"ipFamilyPolicy": "RequireDualStack"}, "spec.ipFamilyPolicy: "),
        (
            {"type": "NodePort", "ports": [{"name": n, "port": p, "nodePort": 30001} for n, p in (("a", 1), ("b", 2))]},
            "spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
    ],
)
async def test_what_the_cluster_does_not_have(store: FakeStore, spec: dict[str, Any], refusal: str) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError) as raised:
            await service(api, "s", **spec)
        assert raised.value.message.startswith(f'Service "s" is invalid: {refusal}')
        assert held(store) == ([], [])


async def test_a_health_check_port_stays(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await service(api, "s", type="LoadBalancer", externalTrafficPolicy="Local")
        made["spec"]["healthCheckNodePort"] = 80
        with pytest.raises(StatusError, match="Forbidden: field is immutable"):
            await api.update("services", made)


async def test_two_servers_never_give_the_same(store: FakeStore) -> None:
    async with running_core(store, service_cidr=SMALL) as one, running_core(store, service_cidr=SMALL) as other:
        # Neither sees what the other gives: only the transactions stand between them.
        store.hold_watches = True
        asyncio.get_running_loop().call_later(0.2, store.release_watches)
        made = await asyncio.gather(*(service((one, other)[n % 2], f"s{n}") for n in range(6)))
        addresses = {each["spec"]["clusterIP"] for each in made}
        assert len(addresses) == 6
        assert sorted(addresses) == sorted(held(store)[0])
        with pytest.raises(StatusError, match="range is full"):
            await service(one, "one-too-many")
        await one.delete("services", "s0", "ns")
        assert (await service(other, "next"))["spec"]["clusterIP"] in addresses


async def test_two_services_ask_for_one_port(store: FakeStore) -> None:
    async with running_core(store) as one, running_core(store) as other:
        ports = [{"port": 80, "nodePort": 30080}]
        results = await asyncio.gather(
            service(one, "a", type="NodePort", ports=ports),
            service(other, "b", type="NodePort", ports=ports),
            return_exceptions=True,
        )
        (refused,) = [each for each in results if isinstance(each, StatusError)]
        assert "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated" in refused.message
        addresses, taken = held(store)
        assert (len(addresses), taken) == (1, [30080]), "the loser took nothing"


async def test_node_ports(store: FakeStore) -> None:
    async with running_core(store, node_port_range=(30000, 30010)) as api:
        made = await service(api, "s", type="NodePort", ports=[{"name": "a", "port": 53}, {"name": "b", "port": 54}])
        first, second = (port["nodePort"] for port in made["spec"]["ports"])
        assert sorted(held(store)[1]) == sorted([first, second])
        put = {
            "metadata": {"name": "s", "namespace": "ns"},
            "spec": {"type": "NodePort", "ports": [{"name": "b", "port": 54}, {"name": "c", "port": 55}]},
        }
        changed = await api.update("services", put)
        ports = {port["name"]: port["nodePort"] for port in changed["spec"]["ports"]}
        assert ports["b"] == second, "kept by name"
        assert sorted(held(store)[1]) == sorted([second, ports["c"]]), "the first was given back"
        with pytest.raises(StatusError, match="The range of valid ports is 30000-30010"):
            await service(api, "t", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
        shared = [{"name": "t", "port": 9}, {"name": "u", "port": 9, "protocol": "UDP"}]
        both = await service(api, "u", type="NodePort", ports=shared)
        assert len({port["nodePort"] for port in both["spec"]["ports"]}) == 1, "one port for both protocols"


async def test_changes_of_type(store: FakeStore) -> None:
    async with running_core(store) as api:
        await service(api, "s", type="ExternalName", externalName="x.example.com")
        assert held(store) == ([], [])
        patch: dict[str, Any] = {"spec": {"type": "NodePort", "externalName": None}}
        made = await api.patch("services", "s", patch, "ns")
        assert held(store) == ([made["spec"]["clusterIP"]], [made["spec"]["ports"][0]["nodePort"]])
        made = await api.patch("services", "s", {"spec": {"type": "ClusterIP"}}, "ns")
        assert "nodePort" not in made["spec"]["ports"][0]
        assert held(store) == ([made["spec"]["clusterIP"]], [])
        made = await api.patch(
            "services", "s", {"spec": {"type": "ExternalName", "externalName": "x.example.com"}}, "ns"
        )
        assert not {"clusterIP", "clusterIPs", "ipFamilies"} & made["spec"].keys()
        assert held(store) == ([], [])


async def test_headless_and_dry_runs_take_nothing(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await service(api, "s", clusterIP="None", selector={"a": "b"})
        assert made["spec"]["clusterIPs"] == ["None"]
        body = {"metadata": {"name": "t"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
        dry = await api.create("services", body, "ns", options=Options(dry_run=("All",)))
        assert dry["spec"]["clusterIP"]
        assert held(store) == ([], [])
        with pytest.raises(StatusError, match="this cluster is not configured for dual-stack services"):
            await service(api, "u", ipFamilyPolicy="RequireDualStack")


async def test_claims_are_repaired(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await service(api, "s", type="NodePort")
        wanted = held(store)
        for key in (*store.keys(b"/registry/ipaddresses/"), *store.keys(b"/registry/ranges/")):
            store.delete(key)
        stray = store.put(
            b"/registry/ipaddresses/10.96.9.9",
            b'{"metadata":{"name":"10.96.9.9"},"spec":{"parentRef":'
            b'{"resource":"services","namespace":"ns","name":"gone"}}}',
        )
        await api.list("services", resource_version=str(stray))
        repair = api.core.repair
        await repair.step()
        assert "10.96.9.9" in held(store)[0], "nothing is freed at first sight"
        await api.list("services")
        await repair.step()
        assert held(store) == wanted
        assert made["spec"]["clusterIP"] in wanted[0]
