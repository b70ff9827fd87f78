"""`Operator`: one or several controllers as a service: one leader, graceful stop, health."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from kubeactors.client.async_client import AsyncClient
from kubeactors.client.informer_factory import InformerFactory
from kubeactors.client.leader_election import LeaderElector
from kubeactors.operators.controller import Controller
from kubeactors.operators.definition import install
from kubeactors.operators.metrics import Metrics
from kubeactors.operators.runner import ControllerRunner, Surroundings

logger = logging.getLogger(__name__)

SYNC_TIMEOUT = 60.0
"""Seconds for the first lists of everything that the controllers look at."""


class Operator:
    """Runs controllers: `run` as a program, `serve` within one.

    `name` (the first controller's) is that of the lease by which one of several copies leads. `grace` is how many
    seconds calls under way have to end once it is to stop.
    """

    def __init__(self, *controllers: Controller, name: str | None = None, grace: float = 10.0) -> None:
        if not controllers:
            raise ValueError("an operator needs a controller")
        self.controllers = controllers
        self.name = name or controllers[0].name
        self.metrics = Metrics()
        self._grace = grace
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._informers: InformerFactory | None = None
        self._elector: LeaderElector | None = None

    def run(self, arguments: Sequence[str] | None = None) -> None:
        """Runs as a program until it is interrupted or terminated (SIGINT, SIGTERM), then stops gracefully.

        `arguments` (those of the command line) choose the cluster and more: `--help` tells. Raises SystemExit with what
        is wrong when it cannot begin.
        """
        from kubeactors.operators.program import run

        run(self, arguments)

    async def serve(
        self,
        client: AsyncClient,
        *,
        leader_election: bool = True,
        namespace: str | None = None,
    ) -> None:
        """Runs until `stop`, or cancelled, which ends it at once. The client stays open.

        With `leader_election` it waits until no other copy leads, and steps back when it cannot renew its lease (in the
        client's default namespace). `namespace` bounds every controller that names none.

        Raises UnknownKindError, ValueError, TimeoutError, ManifestError or StatusError when it cannot begin.
        """
        self._stopping.clear()
        begin = self._elect if leader_election else self._lead
        working = asyncio.create_task(begin(client, namespace), name=self.name)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not self._ready.is_set():
                working.cancel()  # nothing has begun that could end gracefully
            await asyncio.wait({working})
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
        if not working.cancelled():
            working.result()

    def stop(self) -> None:
        """Has `serve` return, once the calls under way have ended (or `grace` is over)."""
        self._stopping.set()

    async def wait_ready(self) -> None:
        """Until the controllers are at work: they know every object."""
        await self._ready.wait()

    @property
    def is_leading(self) -> bool:
        """Whether the controllers are at work here."""
        return self._ready.is_set()

    async def health(self) -> dict[str, str]:
        """Part → "ok" or what is wrong. Copies that wait for the lease are well."""
        checks = await self._informers.health() if self._informers is not None else {}
        if self._elector is not None:
            checks["leader election"] = await self._elector.check()
        return checks

    async def _elect(self, client: AsyncClient, namespace: str | None) -> None:
        identity = f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        self._elector = LeaderElector(
            client,
            self.name,
            client.default_namespace,
            identity=identity,
            on_new_leader=lambda leader: None if leader == identity else logger.info("%s leads, waiting", leader),
        )
        await self._elector.run(lambda: self._lead(client, namespace))

    async def _lead(self, client: AsyncClient, namespace: str | None) -> None:
        """Run the controllers until `stop`. Everything is made afresh: what a former term knew may be stale."""
        for declared in self.controllers:
            if declared.definition is not None:
                await install(client, declared.definition, declared.name)
        informers = InformerFactory(client)
        around = Surroundings(client, informers, self.metrics, namespace, time.monotonic, lambda: datetime.now(UTC))
        runners: list[ControllerRunner] = []
        try:
            for declared in self.controllers:
                runner = ControllerRunner(declared, around)
                runners.append(runner)
                await runner.open()
            await informers.start()
            await informers.wait_synced(SYNC_TIMEOUT)
            self._informers = informers
            logger.info("running %s", ", ".join(declared.name for declared in self.controllers))
            self._ready.set()
            await self._work(runners)
        finally:
            self._ready.clear()
            self._informers = None
            await asyncio.gather(*(runner.close() for runner in runners))
            await informers.stop()

    async def _work(self, runners: Sequence[ControllerRunner]) -> None:
        working = [asyncio.create_task(runner.run(), name=runner.declared.name) for runner in runners]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*working, stopping], return_when=asyncio.FIRST_COMPLETED)
            for runner in runners:
                runner.stop()
            _, left = await asyncio.wait(working, timeout=self._grace)
            if left:
                busy = ", ".join(f"{runner.declared.name} {key}" for runner in runners for key in runner.busy)
                logger.warning("stopping although calls have not ended after %g s: %s", self._grace, busy)
        finally:
            for task in (*working, stopping):
                task.cancel()
            outcomes = await asyncio.gather(*working, stopping, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
