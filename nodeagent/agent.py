"""The node agent: registers this machine as a node and runs the pods that are bound to it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient, EventRecorder, Informer
from netplugin.interface import NetworkError, NetworkPlugin
from nodeagent.config import NodeAgentConfig
from nodeagent.images import Images
from nodeagent.kernel import libc
from nodeagent.kernel.cgroups import Cgroups, remove_patiently
from nodeagent.logs.rotation import LogRotation
from nodeagent.node import machine as machines
from nodeagent.node.registrar import NodeRegistrar
from nodeagent.objects import ReferencedObjects
from nodeagent.pods.allocations import Allocations
from nodeagent.pods.context import NodeContext
from nodeagent.pods.manager import PodManager
from nodeagent.pods.status import Host
from nodeagent.probes.prober import Handlers
from nodeagent.runtime.interface import Runtime
from nodeagent.runtime.podman.configuration import Directories
from nodeagent.runtime.podman.runtime import PodmanRuntime
from nodeagent.server.service import NodeServer
from nodeagent.status_manager import StatusManager
from nodeagent.tokens import PodTokens
from nodeagent.volumes.manager import remove_tree

logger = logging.getLogger(__name__)

#: How long a container's start waits for the services that its environment tells of, in seconds.
_SERVICES_DEADLINE = 10.0


class NodeAgent:
    """One node. The network plugin is started, configured and stopped by the agent.

    `runtime` takes Podman's place in tests. `clock` is seconds since the epoch.
    """

    def __init__(
        self,
        client: AsyncClient,
        network: NetworkPlugin,
        config: NodeAgentConfig,
        *,
        runtime: Runtime | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._network = network
        self._config = config
        self._clock = clock
        self._runtime = runtime or _podman(config, clock)
        self._images = Images(self._runtime, clock=clock)
        self._objects = ReferencedObjects(client, self._objects_changed)
        self._tokens = PodTokens(client, self._objects_changed, clock=clock)
        self._handlers = Handlers(self._runtime)
        self._recorder = EventRecorder(client, "kubelet", config.node_name)
        self._statuses = StatusManager(client)
        self._pods = Informer(client, "pods", field_selector=f"spec.nodeName={config.node_name}")
        self._services = Informer(client, "services")
        self._manager: PodManager | None = None
        self._server: NodeServer | None = None
        self._registrar: NodeRegistrar | None = None
        self._rotation: LogRotation | None = None
        self._network_configured = False
        self._network_problem = "the node has no address range yet"

    @property
    def port(self) -> int:
        """Where the gRPC service listens."""
        return self._server.port if self._server else self._config.port

    async def start(self) -> None:
        """Returns once pods of an earlier agent are adopted and the service listens; the API server may be away.

        Raises PodmanMissing, RuntimeFailure, NetworkError or OSError for a machine that cannot be a node.
        """
        config = self._config
        await asyncio.to_thread(_make_directories, config)
        machine = await asyncio.to_thread(machines.observe, config)
        await asyncio.gather(self._runtime.start(), self._network.start())
        cidrs = await asyncio.to_thread(_read_cidrs, config)
        if cidrs:
            await self._configure_network(cidrs)
        context = NodeContext(
            config=config,
            runtime=self._runtime,
            network=self._network,
            images=self._images,
            objects=self._objects,
            tokens=self._tokens,
            handlers=self._handlers,
            recorder=self._recorder,
            host=Host((config.node_ip,)),
            node_memory=machine.memory,
            allocatable=machine.allocatable(config),
            services=self._known_services,
            cgroups=Cgroups(),
            node=self._node,
            allocations=Allocations(machine.allocatable(config)),
            clock=self._clock,
        )
        await self._services.start()
        self._manager = PodManager(context, self._pods, self._statuses)
        await self._manager.start()
        self._server = NodeServer(config, self._manager, self._runtime, self.health)
        await self._server.start()
        self._rotation = LogRotation(self._runtime, self._running_logs, config.log_max_size, config.log_max_files)
        self._rotation.start()
        self._registrar = NodeRegistrar(
            self._client,
            config,
            machine,
            runtime_version=self._runtime.version,
            port=lambda: self.port,
            problems=self._problems,
            on_cidrs=self._learn_cidrs,
            clock=self._clock,
        )
        await self._registrar.start()
        if self._network_configured:
            await self._pods.start()

    async def stop(self) -> None:
        """Let go of everything. Containers, networks and volumes go on."""
        if self._registrar is not None:
            await self._registrar.stop()
        if self._server is not None:
            await self._server.stop()
        if self._rotation is not None:
            await self._rotation.stop()
        await self._pods.stop()
        if self._manager is not None:
            await self._manager.stop()
        await self._services.stop()
        await self._objects.stop()
        await self._tokens.stop()
        await self._images.stop()
        await self._statuses.stop()
        await self._recorder.stop()
        await self._handlers.close()
        await self._network.stop()
        await self._runtime.stop()

    async def health(self) -> dict[str, str]:
        """Named check → "ok" or what is wrong."""
        checks = await self._runtime.health()
        try:
            network = await self._network.health()
        except NetworkError as error:
            network = {"network": str(error)}
        if not self._network_configured:
            network = {**network, "network": self._network_problem}
        checks.update(network)
        registered = self._registrar is not None and self._registrar.registered.is_set()
        checks["registration"] = "ok" if registered else "the node is not registered yet"
        if problem := self._pods.problem:
            checks["pods"] = problem
        else:
            checks["pods"] = "ok"
        return checks

    async def purge(self) -> None:
        """Remove every container, network, mount and directory of this cluster's pods on this node.

        Works in a fresh process without an API server.
        """
        await self._runtime.purge()
        await self._network.purge()
        config = self._config
        for directory in (config.pods_dir, config.run_dir / "pods", config.run_dir / "podman"):
            await asyncio.to_thread(remove_tree, directory)
        if config.graphroot is not None:
            await asyncio.to_thread(_unmount_below, config.graphroot)
        await _remove_cgroups(config.cgroup_root)

    # -- the network -----------------------------------------------------------------------------------------------

    async def _learn_cidrs(self, cidrs: list[str]) -> None:
        """The node's ranges are known: configure the network, and only then take pods."""
        await self._configure_network(cidrs)
        await asyncio.to_thread(_write_cidrs, self._config, cidrs)
        await self._pods.start()

    async def _configure_network(self, cidrs: list[str]) -> None:
        try:
            await self._network.configure(cidrs)
        except NetworkError as error:
            self._network_problem = str(error)
            raise
        self._network_configured = True

    async def _problems(self) -> dict[str, str]:
        """What keeps the node from being ready."""
        checks = await self.health()
        network = {k: v for k, v in checks.items() if k not in ("runtime", "registration", "pods") and v != "ok"}
        problems = {}
        if checks.get("runtime", "ok") != "ok":
            problems["container runtime"] = checks["runtime"]
        if network:
            problems["network"] = "; ".join(text for _, text in sorted(network.items()))
        return problems

    # -- small things ----------------------------------------------------------------------------------------------

    async def _node(self, anew: bool) -> Object | None:
        """The Node as last seen; `anew` asks the API server."""
        if anew:
            try:
                return await self._client.get("nodes", self._config.node_name)
            except StatusError as error:
                logger.warning("asking for node %s: %s", self._config.node_name, error)
        return self._registrar.node if self._registrar is not None else None

    async def _known_services(self) -> Sequence[Object]:
        if not self._services.has_synced:
            await self._services.wait_synced(_SERVICES_DEADLINE)
        return self._services.lister.list()

    def _objects_changed(self, pod_uid: str) -> None:
        if self._manager is not None:
            self._manager.objects_changed(pod_uid)

    def _running_logs(self) -> list[tuple[str, Path]]:
        assert self._manager is not None
        return [
            (container.run.id, worker.paths.log(container.name, container.run.attempt))
            for worker in self._manager.workers.values()
            for container in worker.state.containers.values()
            if container.run is not None and container.is_running
        ]


def _podman(config: NodeAgentConfig, clock: Callable[[], float]) -> PodmanRuntime:
    graphroot = str(config.graphroot) if config.graphroot else None
    directories = Directories(str(config.run_dir / "podman"), graphroot)
    return PodmanRuntime(directories, config.identity, clock=clock, parallel=config.parallel_starts)


def _make_directories(config: NodeAgentConfig) -> None:
    config.pods_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    config.run_dir.mkdir(parents=True, exist_ok=True)


def _cidr_file(config: NodeAgentConfig) -> Path:
    return config.pods_dir.parent / f"{config.pods_dir.name}.cidrs"


def _read_cidrs(config: NodeAgentConfig) -> list[str]:
    """The ranges that an earlier agent was given, so that pods can be cared for while no API server answers."""
    with contextlib.suppress(FileNotFoundError):
        return _cidr_file(config).read_text().split()
    return []


def _write_cidrs(config: NodeAgentConfig, cidrs: list[str]) -> None:
    _cidr_file(config).write_text("\n".join(cidrs) + "\n")


async def _remove_cgroups(path: str) -> None:
    cgroups = Cgroups()
    if not await remove_patiently(cgroups, path):
        logger.warning("processes stay in control group %s", path)
    # What is above is shared with other clusters and nodes on this machine.
    await asyncio.to_thread(cgroups.remove_if_empty, str(Path(path).parent))


def _unmount_below(directory: Path) -> None:
    """Podman keeps its storage mounted on itself."""
    for point in libc.mount_points(str(directory.resolve())):
        libc.unmount(point)
