"""The actors of a cluster, as the one that looks after them knows them: placed, asked for their health, ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeactors.actors import ray_cluster
from kubeactors.actors.machines import Machine
from kubeactors.actors.settings import NODE_AGENT, ComponentSettings

logger = logging.getLogger(__name__)

HEALTH_TIMEOUT = 5.0
HUNG_AFTER = 6
"""Health checks in a row without an answer, after which an actor is taken to be stuck and its process ended."""

PLACE_TIMEOUT = 20.0
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


class Fleet:
    """Every action may be repeated, by two that both believe to be the one that acts too: actors have names."""

    def __init__(self) -> None:
        self._actors: dict[str, Watched] = {}

    @property
    def actors(self) -> list[Watched]:
        """All that are known."""
        return list(self._actors.values())

    def forget(self) -> None:
        """Know of none any more; they go on."""
        self._actors.clear()

    def drop(self, component: str) -> None:
        """Know of no actor of one kind any more."""
        self._actors = {
            name: watched for name, watched in self._actors.items() if watched.settings.component != component
        }

    async def place(self, cls: Callable[..., Any], settings: ComponentSettings, machine: Machine) -> Watched:
        """The actor for a component, created if there is none of its name. Raises RayUnavailableError."""
        name = settings.actor_name
        if name not in self._actors:
            handle = await ray_cluster.within(PLACE_TIMEOUT, ray_cluster.create_actor, cls, name, machine, settings)
            logger.info("%s is on %s", name, machine.address)
            self._actors[name] = Watched(settings, machine, handle, {settings.component: "starting"})
        self._actors[name].machine = machine  # its host name may have changed
        return self._actors[name]

    async def check(self, alive: Callable[[], Sequence[Machine]]) -> None:
        """Ask every actor for its health; end the process of one that is stuck on a machine that is alive."""
        await asyncio.gather(*(self._check(watched, alive) for watched in self.actors))

    async def _check(self, watched: Watched, alive: Callable[[], Sequence[Machine]]) -> None:
        name = watched.settings.component
        try:
            watched.pid, watched.health = await ray_cluster.call(watched.handle.report, timeout=HEALTH_TIMEOUT)
            watched.unanswered = 0
        except TimeoutError:
            watched.unanswered += 1
            watched.health = {name: f"no answer to {watched.unanswered} checks"}
        except ray_cluster.RayCallError as error:
            watched.pid, watched.unanswered = None, 0  # Ray knows, and starts it anew
            watched.health = {name: str(error)}
        if watched.machine not in alive():
            watched.health = {name: f"the machine {watched.machine.address} is away"}
        elif watched.unanswered >= HUNG_AFTER:
            logger.error("%s is stuck; its process is ended and starts anew", watched.settings.actor_name)
            await ray_cluster.within(ray_cluster.CALL_TIMEOUT, ray_cluster.end, watched.handle, True)
            watched.unanswered = 0

    async def tell(self, state: str, machines: Sequence[Machine]) -> None:
        """Hand the cluster's state to the node agents on some machines."""
        for watched in self.actors:
            if watched.settings.component == NODE_AGENT and watched.machine in machines:
                try:
                    await ray_cluster.call(watched.handle.take, state, timeout=HEALTH_TIMEOUT)
                except (ray_cluster.RayCallError, TimeoutError) as error:
                    logger.info("%s does not take the state: %s", watched.settings.actor_name, error)

    async def shut_down(self, alive: Sequence[Machine], *, delete_data: bool) -> tuple[list[str], list[str]]:
        """End every component and remove what it runs on every machine.

        Returns what could not be removed, and which machines are away.
        """
        away: list[str] = []
        for watched in self.actors:
            if watched.machine not in alive:
                name = watched.settings.actor_name
                away.append(f"{name}: the machine {watched.machine.address} is away; run `kubeactors down` there")
                await self._end(watched)
        # Agents first: nothing must restart what they remove. The stores last: agents still write to them.
        agents = [watched for watched in self.actors if watched.settings.component == NODE_AGENT]
        others = [watched for watched in self.actors if watched.settings.component != NODE_AGENT]
        problems = [*await asyncio.gather(*(self._purge(agent) for agent in agents))]
        for component in dict.fromkeys(watched.settings.component for watched in reversed(others)):
            alike = [watched for watched in others if watched.settings.component == component]
            problems += await asyncio.gather(*map(self._purge, alike))
            await asyncio.gather(*map(self._end, alike))
        if delete_data:
            problems += await asyncio.gather(*map(self._delete_data, agents))
        await asyncio.gather(*map(self._end, agents))
        return [problem for problem in problems if problem], away

    async def _purge(self, watched: Watched) -> str | None:
        return await self._demand(watched, watched.handle.purge)

    async def _delete_data(self, watched: Watched) -> str | None:
        return await self._demand(watched, watched.handle.delete_data)

    async def _demand(self, watched: Watched, method: Any) -> str | None:
        name = watched.settings.actor_name
        try:
            await ray_cluster.call(method, timeout=PURGE_TIMEOUT)
        except (ray_cluster.RayCallError, TimeoutError) as error:
            logger.exception("could not take %s down", name)
            return f"{name}: {error or 'no answer'}"
        return None

    async def _end(self, watched: Watched) -> None:
        await ray_cluster.within(ray_cluster.CALL_TIMEOUT, ray_cluster.end, watched.handle, False)
        self._actors.pop(watched.settings.actor_name, None)
