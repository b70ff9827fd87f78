"""The `Cluster` actor: makes the Ray cluster's machines nodes and keeps every component's actor running."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubeactors.actors import ray_cluster
from kubeactors.actors.component_actor import ComponentActor
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.logs import log_to_file
from kubeactors.actors.machines import Machine, MachineNames
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import MASTER_COMPONENTS, NODE_AGENT, ComponentSettings
from kubeactors.pki.cluster import ClusterPki

logger = logging.getLogger(__name__)

MEMBERSHIP_PERIOD = 1.0
HEALTH_PERIOD = 5.0
HEALTH_TIMEOUT = 5.0
HUNG_AFTER = 6
"""Health checks in a row without an answer, after which an actor is taken to be stuck and its process ended."""

PURGE_TIMEOUT = 60.0


@dataclass
class Watched:
    """One component's actor and what was last heard of it."""

    settings: ComponentSettings
    machine: Machine
    handle: Any
    health: dict[str, str] = field(default_factory=dict)
    pid: int | None = None
    unanswered: int = 0


class Cluster:
    """One for each cluster, on its first master. Its state is in files and in Ray, so that it can be restarted."""

    def __init__(self, config: ClusterConfig, root_dir: str, master: Machine) -> None:
        self._config = config
        self._paths = Paths(Path(root_dir))
        self._master = master
        self._machine_names: MachineNames | None = None
        self._actors: dict[str, Watched] = {}
        self._failure: str | None = "starting"
        self._adopting = asyncio.Lock()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._for_ever(self._follow_membership, MEMBERSHIP_PERIOD), name="membership"),
            loop.create_task(self._for_ever(self._check_health, HEALTH_PERIOD), name="health"),
        ]

    @property
    def _names(self) -> MachineNames:
        """Read at first use, since a constructor that raised would end the actor for good."""
        if self._machine_names is None:
            log_to_file(self._paths.log / "cluster.log")
            self._machine_names = MachineNames(self._paths.machines)
        return self._machine_names

    async def status(self) -> dict[str, Any]:
        """Masters, nodes and components with their addresses and health, as last heard."""
        return {
            "cluster": self._config.cluster_name,
            "master": {"name": self._names.name(self._master), "address": self._master.address},
            "failure": self._failure,
            "pid": os.getpid(),
            "components": [
                {
                    "component": watched.settings.component,
                    "node": watched.settings.node_name,
                    "address": watched.machine.address,
                    "pid": watched.pid,
                    "health": watched.health,
                }
                for watched in self._actors.values()
            ],
        }

    async def check(self) -> dict[str, Any]:
        """`status` after a fresh look at membership and health."""
        await self._follow_membership()
        await self._check_health()
        return await self.status()

    async def sign_node_certificate(self, request: bytes, node_name: str, address: str) -> tuple[bytes, bytes]:
        """The certificate for a node agent's signing request, and the authority's own, both PEM.

        Raises ValueError when the node is not one of the cluster's machines or the request is bad.
        """
        known = {(watched.settings.node_name, watched.machine.address) for watched in self._actors.values()}
        if (node_name, address) not in known:
            raise ValueError(f"node {node_name} at {address} is not a machine of this cluster")
        pki = ClusterPki(self._paths.pki)
        return pki.sign_node(request, node_name, address, datetime.now(UTC)), pki.ca.read_bytes()

    async def shut_down(self) -> tuple[list[str], list[str]]:
        """End every component and remove what it runs on every machine.

        Returns what could not be removed, and which machines are away.
        """
        away: list[str] = []
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Agents first: nothing must restart what they remove. The store last: agents still write to it.
        alive = await asyncio.to_thread(ray_cluster.machines)
        for watched in list(self._actors.values()):
            if watched.machine not in alive:
                name = watched.settings.actor_name
                away.append(f"{name}: the machine {watched.machine.address} is away; run `kubeactors down` there")
                ray_cluster.kill(watched.handle, restart=False)
                del self._actors[name]
        agents = [watched for watched in self._actors.values() if watched.settings.component == NODE_AGENT]
        masters = [watched for watched in self._actors.values() if watched.settings.component != NODE_AGENT]
        problems = await asyncio.gather(*map(self._purge, agents))
        for watched in reversed(masters):
            problems.append(await self._purge(watched))
        return [problem for problem in problems if problem], away

    async def _purge(self, watched: Watched) -> str | None:
        name = watched.settings.actor_name
        try:
            await ray_cluster.call(watched.handle.purge, timeout=PURGE_TIMEOUT)
        except (ray_cluster.RayCallError, TimeoutError) as error:
            logger.exception("could not purge %s", name)
            return f"{name}: {error}"
        finally:
            ray_cluster.kill(watched.handle, restart=False)
        return None

    async def _for_ever(self, step: Any, period: float) -> None:
        while True:
            try:
                await step()
                self._failure = None
            except Exception as error:
                self._failure = f"{type(error).__name__}: {error}"
                logger.exception("%s failed", step.__name__)
            await asyncio.sleep(period)

    async def _follow_membership(self) -> None:
        """Give each machine that is alive its components; an actor waits by itself for a machine that is away."""
        async with self._adopting:
            for machine in await asyncio.to_thread(ray_cluster.machines):
                name = self._names.name(machine)
                components = [NODE_AGENT]
                if machine.address == self._master.address:
                    components = [*MASTER_COMPONENTS, NODE_AGENT]
                for component in components:
                    settings = self._settings(component, name, machine)
                    if settings.actor_name not in self._actors:
                        await self._adopt(settings, machine)

    async def _adopt(self, settings: ComponentSettings, machine: Machine) -> None:
        handle = await asyncio.to_thread(
            ray_cluster.create_actor, ComponentActor, settings.actor_name, machine, settings
        )
        logger.info("%s is on %s", settings.actor_name, machine.address)
        self._actors[settings.actor_name] = Watched(settings, machine, handle, {settings.component: "starting"})

    def _settings(self, component: str, node_name: str, machine: Machine) -> ComponentSettings:
        return ComponentSettings(
            component=component,
            node_name=node_name,
            address=machine.address,
            root_dir=str(self._paths.root),
            api_servers=(f"{self._master.address}:{self._config.grpc_port}",),
            config=self._config,
        )

    async def _check_health(self) -> None:
        await asyncio.gather(*map(self._check, list(self._actors.values())))

    async def _check(self, watched: Watched) -> None:
        try:
            watched.pid, watched.health = await ray_cluster.call(watched.handle.report, timeout=HEALTH_TIMEOUT)
            watched.unanswered = 0
        except TimeoutError:
            watched.unanswered += 1
            watched.health = {watched.settings.component: f"no answer to {watched.unanswered} checks"}
        except ray_cluster.RayCallError as error:
            watched.pid, watched.unanswered = None, 0  # Ray knows, and starts it anew
            watched.health = {watched.settings.component: str(error)}
        if watched.unanswered >= HUNG_AFTER and await self._machine_is_alive(watched.machine):
            logger.error("%s is stuck; its process is ended and starts anew", watched.settings.actor_name)
            ray_cluster.kill(watched.handle, restart=True)
            watched.unanswered = 0

    async def _machine_is_alive(self, machine: Machine) -> bool:
        return machine in await asyncio.to_thread(ray_cluster.machines)
