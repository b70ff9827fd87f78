"""The `Cluster` actor: makes the Ray cluster's machines nodes and masters and keeps every component's actor running.

There is one on each master. The first that is alive and able acts; the others wait to take its place.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from kubeactors.actors import key_handover, ray_cluster
from kubeactors.actors.component_actor import ComponentActor
from kubeactors.actors.credentials import write_credentials
from kubeactors.actors.fleet import Fleet, Watched
from kubeactors.actors.logs import log_to_file
from kubeactors.actors.machines import Machine
from kubeactors.actors.masters import api_endpoints
from kubeactors.actors.paths import Paths
from kubeactors.actors.record import ClusterRecord
from kubeactors.actors.settings import CLUSTER, NODE_AGENT, ComponentSettings, master_components
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.actors.succession import Succession, earlier
from kubeactors.actors.unplaced import unplaced
from kubeactors.api.errors import StatusError
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.tls import TlsConfig
from kubeactors.pki.cluster import ClusterPki

logger = logging.getLogger(__name__)

ACTING_PERIOD = 1.0
WAITING_PERIOD = 2.0
RECORD_PERIOD = 2.0
HEALTH_PERIOD = 5.0
RAY_TIMEOUT = 5.0
WITHOUT_KEYS = "waiting for the cluster's keys from another master"


class Cluster:
    """What it knows is in files, in the API and in Ray, so that it can be restarted. Its constructor never raises, for
    Ray would not restart it then."""

    def __init__(self, settings: ComponentSettings) -> None:
        self._settings = settings
        self._config = settings.config
        self._paths = Paths.from_environment(settings.root_dir)
        self._pki = ClusterPki(self._paths.pki)
        self._file = StateFile(self._paths.state)
        self._recipient = key_handover.Recipient()
        self._succession = Succession()
        self._fleet = Fleet()
        self._api: AsyncClient | None = None
        self._alive: list[Machine] = []
        self._keyed: set[str] = set()
        self._keyless: dict[str, str] = {}
        self._prepared = False
        self._ca = ""
        self._recorded = False
        self._acting: str | None = None
        self._failures = {"start": "starting"}
        self._placing = asyncio.Lock()
        self._preparing = asyncio.Lock()
        self._advice: dict[str, list[str]] = {}
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._for_ever(self._oversee, self._period), name="oversee"),
            loop.create_task(self._for_ever(self._check_health, lambda: HEALTH_PERIOD), name="health"),
            loop.create_task(self._for_ever(self._keep_record, lambda: RECORD_PERIOD), name="record"),
        ]

    # -- what others ask -------------------------------------------------------------------------------------------

    async def able(self) -> bool:
        """Whether this one can act: it has the cluster's keys and knows its state."""
        return self._pki.complete and self._file.load() is not None

    @property
    def _failure(self) -> str | None:
        return "; ".join(self._failures.values()) or None

    async def report(self) -> tuple[int, dict[str, str]]:
        """As `ComponentActor.report`."""
        return os.getpid(), {CLUSTER: self._failure or "ok"}

    async def status(self) -> dict[str, Any]:
        """Masters and components with their addresses and health, as last heard. Only the one that acts knows of
        components; `acting` names it."""
        state = self._file.load()
        masters = state.masters if state is not None else ()
        pid, health = await self.report()
        own = self._entry(Watched(self._settings, self._settings.machine, None, health, pid))
        return {
            "cluster": self._config.cluster_name,
            "acting": self._acting,
            "acts": self._acts,
            "wanted": state.wanted if state is not None else 0,
            "masters": [{"name": state.name(address), "address": address} for address in masters] if state else [],
            "machines": len(self._alive),
            "ray_address": state.ray_address if state is not None else "",
            "failure": self._failure,
            "pid": os.getpid(),
            "components": [own, *map(self._entry, self._fleet.actors), *self._not_placed(state)],
            "advice": self._advice,
        }

    async def check(self) -> dict[str, Any]:
        """`status` after a fresh look at membership and health."""
        await self._oversee()
        await self._check_health()
        return await self.status()

    async def want_masters(self, count: int) -> None:
        """From now on there are to be so many masters. Raises ValueError for fewer than now, StatusError."""
        state = self._file.load()
        if state is None:
            raise ValueError(WITHOUT_KEYS)
        if state.wanting(count) is not state:
            self._file.take(await self._cluster_record().change(state, lambda known: known.wanting(count)))

    async def sign_node_certificate(self, request: bytes, node_name: str, address: str) -> tuple[bytes, bytes]:
        """The certificate for a node agent's signing request, and the authority's own, both PEM.

        Raises ValueError when the node is not one of the cluster's machines or the request is bad.
        """
        state = self._file.load()
        if state is None or not self._pki.complete:
            raise ValueError(WITHOUT_KEYS)
        if state.names.get(address) != node_name:
            raise ValueError(f"node {node_name} at {address} is not a machine of this cluster")
        return self._pki.sign_node(request, node_name, address, datetime.now(UTC)), self._pki.ca.read_bytes()

    async def key_request(self) -> bytes | None:
        """The public key to which the cluster's keys are to be sealed, None when they are here."""
        return None if await self.able() else self._recipient.public_key

    async def accept_keys(self, message: bytes) -> None:
        """Take what another master packed. Raises SealedError, ValueError, OSError."""
        await asyncio.to_thread(key_handover.unpack, self._paths, message, self._recipient, self._settings.address)
        logger.info("received the cluster's keys")
        await self._prepare()

    async def shut_down(self, delete_data: bool) -> tuple[list[str], list[str]]:
        """End every component and remove what it runs on every machine.

        Returns what could not be removed, and which machines are away.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # The other masters' first: they would take this one's place and start everything anew.
        others = await ray_cluster.within(RAY_TIMEOUT, ray_cluster.find_actors, f"{CLUSTER}:")
        for name, handle in others.items():
            if name != self._settings.actor_name:
                await ray_cluster.within(RAY_TIMEOUT, ray_cluster.end, handle, False)
        self._fleet.drop(CLUSTER)
        self._alive = await ray_cluster.within(RAY_TIMEOUT, ray_cluster.machines)
        return await self._fleet.shut_down(self._alive, delete_data=delete_data)

    # -- acting ------------------------------------------------------------------------------------------------------

    @property
    def _acts(self) -> bool:
        return self._acting == self._settings.node_name

    def _period(self) -> float:
        return ACTING_PERIOD if self._acts else WAITING_PERIOD

    async def _oversee(self) -> None:
        """Give each machine that is alive its components; an actor waits by itself for a machine that is away."""
        async with self._placing:
            state = self._file.load()
            if state is None or not self._pki.complete:
                self._acting = None
                raise RuntimeError(WITHOUT_KEYS)
            await self._prepare()
            alive = await ray_cluster.within(RAY_TIMEOUT, ray_cluster.machines)
            predecessor = await self._succession.predecessor(earlier(state, self._settings.address, alive))
            if predecessor is not None:
                if self._acts:
                    logger.info("%s acts again", predecessor)
                self._acting = predecessor
                self._fleet.forget()
                self._alive.clear()
                return
            if not self._acts:
                logger.info("acting from now on: no master before this one is there")
                self._recorded = False
                self._acting = self._settings.node_name
            returned = [machine for machine in alive if machine not in self._alive]
            self._alive = alive
            self._keyed &= {machine.address for machine in alive}
            await self._place(state, alive)
            if returned:
                await self._fleet.tell(state.to_json(), returned)

    async def _place(self, state: ClusterState, alive: Sequence[Machine]) -> None:
        by_address = {machine.address: machine for machine in alive}
        # This machine first: what others need comes from it.
        masters = sorted(state.masters, key=lambda address: address != self._settings.address)
        for address in masters:
            machine = by_address.get(address)
            if machine is None:
                continue
            if address != self._settings.address and not await self._hand_over_keys(state, machine):
                continue
            for component in master_components(self._config):
                await self._fleet.place(ComponentActor, self._settings_for(state, component, machine), machine)
        for machine in alive:
            if machine.address in state.names:
                await self._fleet.place(ComponentActor, self._settings_for(state, NODE_AGENT, machine), machine)

    async def _hand_over_keys(self, state: ClusterState, machine: Machine) -> bool:
        """Returns whether the master on `machine` has the cluster's keys now."""
        address = machine.address
        other = await self._fleet.place(Cluster, self._settings_for(state, CLUSTER, machine), machine)
        if address in self._keyed:
            return True
        try:
            public_key = await ray_cluster.call(other.handle.key_request, timeout=RAY_TIMEOUT)
            if public_key is not None:
                message = await asyncio.to_thread(key_handover.pack, self._paths, state, public_key, address)
                await ray_cluster.call(other.handle.accept_keys, message, timeout=RAY_TIMEOUT)
                logger.info("handed the cluster's keys over to the master at %s", address)
        except (ray_cluster.RayCallError, TimeoutError) as error:
            if self._keyless.get(address) != str(error):
                logger.info("cannot tell whether the master at %s has keys: %s", address, error or "no answer")
            self._keyless[address] = str(error)
            return False
        self._keyless.pop(address, None)
        self._keyed.add(address)
        return True

    def _settings_for(self, state: ClusterState, component: str, machine: Machine) -> ComponentSettings:
        return ComponentSettings(
            component=component,
            node_name=state.name(machine.address),
            address=machine.address,
            root_dir=self._settings.root_dir,
            config=self._config,
            state=state.to_json(),
            hostname=machine.hostname,
            ca=self._ca,
        )

    async def _check_health(self) -> None:
        if not self._acts:
            return
        await self._fleet.check(lambda: self._alive)
        for watched in self._fleet.actors:
            if watched.settings.component == CLUSTER and WITHOUT_KEYS in watched.health.get(CLUSTER, ""):
                self._keyed.discard(watched.machine.address)  # its disk is gone
            if watched.settings.component == NODE_AGENT and watched.settings.node_name not in self._advice:
                await self._look_at_environment(watched)

    async def _look_at_environment(self, watched: Watched) -> None:
        try:
            environment = await ray_cluster.call(watched.handle.environment, timeout=RAY_TIMEOUT)
        except (ray_cluster.RayCallError, TimeoutError):
            return  # asked again at the next check
        state = self._file.load()
        head = state is not None and state.ray_address.rpartition(":")[0] == watched.machine.address
        self._advice[watched.settings.node_name] = ray_cluster.advice(environment, head=head)

    # -- the record --------------------------------------------------------------------------------------------------

    async def _keep_record(self) -> None:
        """Names for new machines, more masters: decided here, recorded in the API before anything follows from it."""
        state = self._file.load()
        if not self._acts or state is None:
            return
        alive = list(self._alive)
        address = await ray_cluster.within(RAY_TIMEOUT, ray_cluster.head_address)

        def change(known: ClusterState) -> ClusterState:
            return known.with_machines(alive).with_masters(alive).at(address)

        if self._recorded and change(state) is state:
            return
        try:
            self._file.take(await self._cluster_record().change(state, change))
            self._recorded = True
        except StatusError as error:
            logger.info("the cluster's state is not recorded yet: %s", error)

    def _cluster_record(self) -> ClusterRecord:
        if self._api is None:
            tls = TlsConfig(self._pki.ca, self._pki.certificate("admin"), self._pki.key("admin"))
            self._api = AsyncClient(api_endpoints(self._config), tls, user_agent="kubeactors-cluster")
        return ClusterRecord(self._api)

    # -- small things ------------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Once in each process, when the keys are here: this master's own certificates and files."""
        async with self._preparing:
            if self._prepared:
                return
            log_to_file(self._paths.log / "cluster.log")
            machine = self._settings.machine
            await asyncio.to_thread(write_credentials, self._config, self._paths, machine)
            self._config.at(machine.address).save_changed(self._paths.config)
            self._ca = hashlib.sha256(self._pki.ca.read_bytes()).hexdigest()
            self._prepared = True

    async def _for_ever(self, step: Callable[[], Awaitable[None]], period: Callable[[], float]) -> None:
        name = step.__name__
        while True:
            try:
                await step()
                self._failures.pop(name, None)
                self._failures.pop("start", None)
            except Exception as error:
                problem = str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"
                if self._failures.get(name) != problem:
                    logger.exception("%s failed", name)
                self._failures[name] = problem
            await asyncio.sleep(period())

    def _not_placed(self, state: ClusterState | None) -> list[dict[str, Any]]:
        if state is None or not self._acts:
            return []
        placed = {(watched.settings.component, watched.machine.address) for watched in self._fleet.actors}
        placed.add((CLUSTER, self._settings.address))
        alive = {machine.address for machine in self._alive}
        return [
            {
                "component": component,
                "node": state.name(address),
                "address": address,
                "pid": None,
                "health": {component: reason},
            }
            for component, address, reason in unplaced(state, self._config, placed, alive)
        ]

    def _entry(self, watched: Watched) -> dict[str, Any]:
        return {
            "component": watched.settings.component,
            "node": watched.settings.node_name,
            "address": watched.machine.address,
            "pid": watched.pid,
            "health": watched.health,
        }
