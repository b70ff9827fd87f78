"""The node's network: pods on a bridge, host routes between nodes, the service proxy."""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Sequence

from kubeactors.client import AsyncClient, InformerFactory
from netplugin import bridge, links
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkError, PodNetwork, PodRequest
from netplugin.ipam import Range
from netplugin.names import Names
from netplugin.pods import PodNetworks, PodRecord
from netplugin.proxy.backend import BackendError
from netplugin.proxy.choose import make_proxier, purge_backends
from netplugin.ranges import load_ranges, save_ranges
from netplugin.routes import NodeRoutes, route_changes
from netplugin.threads import NodeThreads

logger = logging.getLogger(__name__)

_WORKERS = 8


class BridgeNetwork:
    """`netplugin.interface.NetworkPlugin` for one node.

    `clock` gives seconds since the epoch; `namespace` is the file of the network namespace that is the node, when
    that is not the process's own (several nodes in one process, in tests). All kernel state outlives the object and
    is adopted by the next one with the same configuration.
    """

    def __init__(
        self,
        client: AsyncClient,
        config: NetworkConfig,
        *,
        clock: Callable[[], float] = time.time,
        namespace: str | None = None,
    ) -> None:
        self._config = config
        self._names = Names(config.cluster_name, config.node_name)
        self._threads = NodeThreads("network", _WORKERS, namespace)
        self._pods = PodNetworks(config, self._names, clock)
        self._ranges: tuple[Range, ...] = ()
        self._configuring = asyncio.Lock()
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._informers = InformerFactory(client)
        self._routes = NodeRoutes(self._informers, self._threads, node_name=config.node_name, pod_cidr=config.pod_cidr)
        self._proxier = make_proxier(config, self._names, self._informers, namespace, masquerade=config.masquerade)

    async def start(self) -> None:
        """Adopt what an earlier process left, then follow the API. Does not wait for the API server."""
        known = await self._threads.run(load_ranges, self._config.state_dir)
        if known:
            await self.configure(known)
        try:
            await self._proxier.start(serve=self._config.proxy_mode != "none")
        except BackendError as error:
            raise NetworkError(f"the service proxy cannot start: {error}") from error
        for record in await self._threads.run(self._pods.records):
            self._proxier.set_host_ports(record.request, record.ips)
        await self._routes.start()
        await self._informers.start()

    async def stop(self) -> None:
        """Stop following the API; the network goes on."""
        await self._informers.stop()
        await self._routes.stop()
        await self._proxier.stop()
        await self._threads.close()

    async def health(self) -> dict[str, str]:
        """What keeps pods from working on this node (which then is not ready)."""
        checks: dict[str, str] = {}
        if not self._ranges:
            checks["pod network"] = "the node's pod range is not known yet"
        else:
            try:
                checks["pod network"] = await self._bridge_health()
            except (OSError, NetworkError) as error:
                checks["pod network"] = str(error)
        return {**checks, **await self._proxier.health()}

    async def warnings(self) -> dict[str, str]:
        """What is impaired, by name, though pods can work here:

        other nodes out of reach, an API server that is away.
        """
        checks = await self._informers.health()
        stale = {name: text for name, text in checks.items() if text != "ok"}
        return {**stale, **self._routes.warnings(), **self._proxier.warnings()}

    async def configure(self, pod_cidrs: Sequence[str]) -> None:
        """Set up the bridge for these ranges; they are remembered for a start without the API server."""
        ranges = bridge.parse_ranges(list(pod_cidrs))
        async with self._configuring:
            if ranges == self._ranges:
                return
            await self._threads.run(self._set_up, ranges)
            self._ranges = ranges

    async def add(self, pod: PodRequest) -> PodNetwork:
        async with self._lock(pod.uid):
            try:
                record = await self._threads.run(self._add, pod)
            except asyncio.CancelledError:
                await self._threads.run(self._pods.delete, pod.uid)
                raise
            self._proxier.set_host_ports(pod, record.ips)
            return _network(record)

    async def check(self, pod: PodRequest) -> PodNetwork | None:
        record = await self._threads.run(self._pods.check, pod.uid)
        return _network(record) if record is not None else None

    async def mend(self, pod: PodRequest) -> PodNetwork | None:
        async with self._lock(pod.uid):
            record = await self._threads.run(self._mend, pod.uid)
        return _network(record) if record is not None else None

    async def delete(self, uid: str) -> None:
        async with self._lock(uid):
            self._proxier.remove_host_ports(uid)
            await self._threads.run(self._pods.delete, uid)

    async def pods(self) -> list[str]:
        return await self._threads.run(self._pods.uids)

    async def purge(self) -> None:
        """Remove everything of this cluster's network from this node. Raises NetworkError after having tried it all."""
        await self._threads.run(self._remove_everything)

    async def _bridge_health(self) -> str:
        """Whether the bridge is there; one that somebody removed is set up again, with the links of its pods.

        Without this the node would never be ready again, for no pod would come to it.
        """
        async with self._configuring:
            if await self._threads.run(self._restore_bridge):
                for uid in await self._threads.run(self._pods.uids):
                    async with self._lock(uid):
                        await self._threads.run(self._pods.mend, uid)
        return await self._threads.run(bridge.health, self._names)

    # -- in worker threads -----------------------------------------------------------------------------------------

    def _set_up(self, ranges: tuple[Range, ...]) -> None:
        try:
            mtu = bridge.set_up(self._config, self._names, ranges)
            self._pods.configure(ranges, mtu)
            save_ranges(self._config.state_dir, [str(node_range) for node_range in ranges])
        except OSError as error:
            raise NetworkError(f"the bridge for pods {ranges} cannot be set up: {error}") from error

    def _add(self, pod: PodRequest) -> PodRecord:
        self._restore_bridge()
        return self._pods.add(pod)

    def _mend(self, uid: str) -> PodRecord | None:
        self._restore_bridge()
        return self._pods.mend(uid)

    def _restore_bridge(self) -> bool:
        """Set up a bridge that is no longer there; whether that was so. Raises NetworkError."""
        if not self._ranges or (problem := bridge.health(self._names)) == "ok":
            return False
        logger.warning("%s: it is set up again", problem)
        self._set_up(self._ranges)
        return True

    def _remove_everything(self) -> None:
        steps: list[tuple[str, Callable[[], None]]] = [
            ("service rules", lambda: purge_backends(self._config, self._names)),
            ("links", self._remove_links),
            ("namespaces", self._pods.remove_namespaces),
            ("records", self._remove_files),
        ]
        failures: list[str] = []
        for what, step in steps:
            try:
                step()
            except (OSError, BackendError, NetworkError) as error:
                failures.append(f"{what}: {error}")
        self._ranges = ()
        if failures:
            raise NetworkError(f"not all of the network could be removed: {'; '.join(failures)}")

    def _remove_links(self) -> None:
        with links.open_route_socket() as sock:
            obsolete, _ = route_changes(links.list_routes(sock), {}, self._config.pod_cidr)
            links.delete_routes(sock, obsolete)
            ours = [link.name for link in links.list_links(sock) if link.name.startswith(self._names.link_prefix)]
            links.delete_links(sock, ours)

    def _remove_files(self) -> None:
        for path in (*self._config.run_dir.glob("pods/*"), *self._config.state_dir.glob("*.*")):
            path.unlink(missing_ok=True)
        for directory in (self._config.run_dir / "pods", self._config.run_dir, self._config.state_dir):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()

    # ----------------------------------------------------------------------------------------------------------------

    def _lock(self, uid: str) -> asyncio.Lock:
        return self._locks.setdefault(uid, asyncio.Lock())


def _network(record: PodRecord) -> PodNetwork:
    return PodNetwork(record.netns, record.ips)
