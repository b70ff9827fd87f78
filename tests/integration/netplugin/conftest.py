"""Nodes with the real plugin in network namespaces, an API server in memory."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kubeactors.api import meta
from netplugin.config import NetworkConfig
from netplugin.interface import HostPort, PodNetwork, PodRequest
from netplugin.plugin import BridgeNetwork
from tests.support import network_objects as objects
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.netlab import Machine, NetLab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="makes network namespaces: needs root"))


@pytest.fixture
def lab() -> Iterator[NetLab]:
    with NetLab() as made:
        yield made


class Node:
    """A machine with a running plugin."""

    def __init__(self, machine: Machine, plugin: BridgeNetwork, config: NetworkConfig, api: FakeApi) -> None:
        self.machine, self.plugin, self.config, self.api = machine, plugin, config, api

    @property
    def namespace(self) -> str:
        return self.machine.namespace

    @property
    def address(self) -> str:
        return self.machine.address

    async def pod(self, name: str, *host_ports: HostPort) -> PodNetwork:
        return await self.plugin.add(PodRequest("default", name, f"uid-{name}", host_ports))

    def caught_up(self) -> bool:
        """Whether the plugin's informers have what the API server has."""
        proxier = self.plugin._proxier
        return all(
            {meta.key(obj): meta.resource_version(obj) for obj in self.api.objects(resource)}
            == {meta.key(obj): meta.resource_version(obj) for obj in informer.lister.list()}
            for resource, informer in (("services", proxier._services), ("endpointslices", proxier._slices))
        )

    async def settled(self) -> None:
        """Wait until the kernel has everything that the API server has."""
        await eventually(lambda: self.caught_up() and self.plugin._proxier.idle, 15)


class Cluster:
    """One API server in memory and nodes."""

    def __init__(self, lab: NetLab, directory: Path, stack: AsyncExitStack, proxy_mode: str) -> None:
        self.lab, self.api = lab, FakeApi()
        self.name = f"test-{secrets.token_hex(4)}"
        self._directory, self._stack = directory, stack
        self.proxy_mode = proxy_mode
        self._number = 0

    async def node(self, name: str, proxy_mode: str | None = None) -> Node:
        self._number += 1
        machine = self.lab.machine(name, f"192.0.2.{self._number}")
        pod_cidr = f"10.244.{self._number}.0/24"
        self.api.seed(objects.node(name, machine.address, pod_cidr))
        config = NetworkConfig(
            node_name=name,
            node_ip=machine.address,
            cluster_name=self.name,
            state_dir=self._directory / name / "state",
            run_dir=self._directory / name / "run",
            proxy_mode=proxy_mode or self.proxy_mode,
        )
        node = Node(machine, await self.start(machine, config), config, self.api)
        await node.plugin.configure([pod_cidr])
        return node

    async def start(self, machine: Machine, config: NetworkConfig) -> BridgeNetwork:
        """A plugin that is stopped, and all of it removed, at the end of the test."""
        plugin = BridgeNetwork(self.api.client(), config, namespace=machine.namespace)
        self._stack.push_async_callback(_remove, plugin, config, machine)
        await plugin.start()
        return plugin


async def _remove(plugin: BridgeNetwork, config: NetworkConfig, machine: Machine) -> None:
    await plugin.stop()
    fresh = BridgeNetwork(FakeApi().client(), config, namespace=machine.namespace)
    try:
        await fresh.purge()
    finally:
        await fresh.stop()


@pytest.fixture
def proxy_mode() -> str:
    """Inside the IPVS kernel the same tests run over the other backend."""
    return "ipvs" if os.environ.get("IN_IPVS_VM") else "nftables"


@pytest.fixture
async def cluster(lab: NetLab, tmp_path: Path, proxy_mode: str) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        yield Cluster(lab, tmp_path, stack, proxy_mode)
