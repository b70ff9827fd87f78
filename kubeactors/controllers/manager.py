"""The controller manager: runs all controllers of this package, on one leader at a time."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from kubeactors.client import AsyncClient, EventRecorder, InformerFactory, LeaderElector
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.controller import Controller, Surroundings
from kubeactors.controllers.deployment.controller import DeploymentController
from kubeactors.controllers.disruption.controller import DisruptionController
from kubeactors.controllers.endpointslice.controller import EndpointsController, EndpointSliceController
from kubeactors.controllers.garbage.controller import GarbageCollector
from kubeactors.controllers.namespace import NamespaceController
from kubeactors.controllers.namespace_defaults import RootCaPublisher, ServiceAccountController
from kubeactors.controllers.node_ipam import NodeIpamController
from kubeactors.controllers.node_ttl import NodeTtlController
from kubeactors.controllers.nodelifecycle.controller import NodeLifecycleController
from kubeactors.controllers.nodelifecycle.eviction import TaintEviction
from kubeactors.controllers.pod_gc import PodGarbageCollector
from kubeactors.controllers.replicaset.controller import ReplicaSetController
from kubeactors.controllers.replicaset.replication_manager import ReplicationManager
from kubeactors.controllers.service_account_tokens import TokenSecrets
from kubeactors.controllers.storage_protection import AttributesClassProtection, ClaimProtection, VolumeProtection

logger = logging.getLogger(__name__)

COMPONENT = "kube-controller-manager"

# Each controller and the component that its events name.
CONTROLLERS: Mapping[type[Controller], str] = {
    DeploymentController: "deployment-controller",
    ReplicaSetController: "replicaset-controller",
    ReplicationManager: "replication-controller",
    DisruptionController: "controllermanager",
    EndpointSliceController: "endpoint-slice-controller",
    EndpointsController: "endpoint-controller",
    NamespaceController: "namespace-controller",
    GarbageCollector: "garbage-collector-controller",
    NodeLifecycleController: "node-controller",
    TaintEviction: "taint-eviction-controller",
    NodeIpamController: "cidrAllocator",
    NodeTtlController: "ttl-controller",
    PodGarbageCollector: "pod-garbage-collector",
    ServiceAccountController: "serviceaccount-controller",
    TokenSecrets: "serviceaccount-token-controller",
    RootCaPublisher: "root-ca-certificate-publisher",
    ClaimProtection: "pvc-protection-controller",
    VolumeProtection: "pv-protection-controller",
    AttributesClassProtection: "volumeattributesclass-protection-controller",
}


class UnknownController(ValueError):
    """The configuration names a controller that does not exist."""


def chosen_controllers(config: ControllerManagerConfig) -> list[type[Controller]]:
    """The controllers that the configuration asks for. Raises UnknownController."""
    by_name = {controller.name: controller for controller in CONTROLLERS}
    for entry in config.controllers:
        if entry != "*" and entry.removeprefix("-") not in by_name:
            raise UnknownController(f"no controller {entry!r}; there are {', '.join(sorted(by_name))}")
    wanted = [
        controller
        for name, controller in by_name.items()
        if f"-{name}" not in config.controllers and ("*" in config.controllers or name in config.controllers)
    ]
    if not config.allocate_node_cidrs:
        wanted = [controller for controller in wanted if controller is not NodeIpamController]
    if config.root_ca is None:
        wanted = [controller for controller in wanted if controller is not RootCaPublisher]
    if config.service_account_key is None:
        wanted = [controller for controller in wanted if controller is not TokenSecrets]
    return wanted


class ControllerManager:
    """Starts the controllers when this process becomes the leader and stops them when it no longer is.

    `now` is wall-clock time, `clock` monotonic seconds, `rand` floats in [0, 1).
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        config: ControllerManagerConfig | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self.config = config or ControllerManagerConfig()
        self._client = client
        self._now, self._clock, self._rand = now, clock, rand
        self._chosen = chosen_controllers(self.config)
        self._controllers: list[Controller] = []
        self._informers: InformerFactory | None = None
        self._task: asyncio.Task[None] | None = None
        self._running = asyncio.Event()
        self._elector = LeaderElector(
            client,
            self.config.lease_name,
            identity=self.config.identity,
            lease_duration=self.config.lease_duration,
            renew_deadline=self.config.renew_deadline,
            retry_period=self.config.retry_period,
            now=now,
            rand=rand,
        )

    async def start(self) -> None:
        """Returns when the controllers run; with leader election, when this process stands for leadership.

        Without leader election raises TimeoutError if the API server gives no lists within `config.sync_timeout`.
        """
        if self.config.leader_elect:
            self._task = asyncio.create_task(self._elector.run(self._lead), name=COMPONENT)
            return
        self._task = asyncio.create_task(self._lead(), name=COMPONENT)
        started = asyncio.create_task(self._running.wait())
        try:
            await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Stops the controllers, writes outstanding events and gives leadership up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def health(self) -> dict[str, str]:
        checks = {"leader election": await self._elector.check()}
        if self._task is None:
            checks["controller manager"] = "not started"
        elif self._task.done():
            cause = None if self._task.cancelled() else self._task.exception()
            checks["controller manager"] = f"failed: {cause}" if cause else "stopped"
        else:
            checks["controller manager"] = "ok"
        for controller in self._controllers:
            checks.update(await controller.health())
        if self._informers is not None:
            checks.update(await self._informers.health())
        return checks

    @property
    def is_leader(self) -> bool:
        """Whether the controllers run here."""
        return self._running.is_set()

    async def _lead(self) -> None:
        """Run the controllers until cancelled. Everything is made afresh: what a former term knew may be stale."""
        informers = self._informers = InformerFactory(self._client)
        recorders: list[EventRecorder] = []
        self._controllers = []
        try:
            for controller in self._chosen:
                recorder = EventRecorder(self._client, CONTROLLERS[controller], now=self._now, rand=self._rand)
                recorders.append(recorder)
                around = Surroundings(
                    self._client, informers, recorder, self.config, self._now, self._clock, self._rand
                )
                self._controllers.append(controller(around))
            await informers.start()
            await informers.wait_synced(self.config.sync_timeout)
            for started in self._controllers:
                await started.start()
            logger.info("running the controllers %s", ", ".join(c.name for c in self._controllers))
            self._running.set()
            await asyncio.Event().wait()
        finally:
            self._running.clear()
            controllers, self._controllers, self._informers = self._controllers, [], None
            await asyncio.gather(*(controller.stop() for controller in controllers), return_exceptions=True)
            await asyncio.gather(*(recorder.stop() for recorder in recorders), return_exceptions=True)
            await informers.stop()
