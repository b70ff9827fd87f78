"""The scheduler: finds a node for each pod that has none, and binds it there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, get_condition, key, now_rfc3339
from kubeactors.client import AsyncClient, EventRecorder, InformerFactory, LeaderElector
from kubeactors.scheduler.cluster_view import ClusterView
from kubeactors.scheduler.columns import Columns
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.framework import Event, Plugin, annotations_read, choose_plugins, third_party_plugins
from kubeactors.scheduler.messages import unschedulable_message
from kubeactors.scheduler.placement import Failure, Placer
from kubeactors.scheduler.plugins import default_plugins
from kubeactors.scheduler.queue import SchedulingQueue, Waiting
from kubeactors.scheduler.shape import Shape

logger = logging.getLogger(__name__)


class Scheduler:
    """Watches pods and nodes, places waiting pods as soon as they come, many in one pass when many wait.

    Only the leader of the Lease `config.lease_name` places pods; the others follow the cluster and can take over at
    once. `plugins` replaces the default and the installed ones. `now` is wall-clock time, `clock` monotonic seconds,
    `seed` fixes the chance that decides between equal nodes.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        config: SchedulerConfig | None = None,
        plugins: Sequence[Plugin] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        seed: int | None = None,
    ) -> None:
        self.config = config or SchedulerConfig()
        self._client = client
        self._now = now
        self._clock = clock
        available = list(plugins) if plugins is not None else default_plugins() + third_party_plugins()
        chosen = choose_plugins(available, self.config.plugins)
        self._placer = Placer(chosen, np.random.default_rng(seed))
        self.columns = Columns()
        self._wake = asyncio.Event()
        self.queue = SchedulingQueue(self.config, clock, self._wake.set)
        self._view = ClusterView(self.columns, self.queue, self.config.scheduler_name, annotations_read(chosen))
        self._informers = InformerFactory(client)
        self._recorder = EventRecorder(client, self.config.scheduler_name)
        self._elector = LeaderElector(
            client,
            self.config.lease_name,
            identity=self.config.identity,
            lease_duration=self.config.lease_duration,
            renew_deadline=self.config.renew_deadline,
            retry_period=self.config.retry_period,
        )
        self._task: asyncio.Task[None] | None = None
        self._writes: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Returns once the cluster's state is known and pods are being placed (or leadership is stood for).

        Raises TimeoutError when the API server gives no list of pods and nodes within `config.sync_timeout`.
        """
        nodes, pods = self._informers.informer("nodes"), self._informers.informer("pods")
        nodes.add_handler(self._view.node_added, self._view.node_updated, self._view.node_deleted)
        pods.add_handler(self._view.pod_added, self._view.pod_updated, self._view.pod_deleted)
        await self._informers.start()
        try:
            await self._informers.wait_synced(self.config.sync_timeout)
        except BaseException:
            await self._informers.stop()
            raise
        work = self._elector.run(self._run) if self.config.leader_elect else self._run()
        self._task = asyncio.create_task(work, name="scheduler")

    async def stop(self) -> None:
        tasks = [task for task in (self._task, *self._writes) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._recorder.stop()
        await self._informers.stop()

    async def health(self) -> dict[str, str]:
        checks = await self._informers.health()
        checks["leader election"] = await self._elector.check()
        if self._task is None:
            checks["scheduler"] = "not started"
        elif self._task.done():
            cause = None if self._task.cancelled() else self._task.exception()
            checks["scheduler"] = f"failed: {cause}" if cause else "stopped"
        else:
            checks["scheduler"] = "ok"
        return checks

    @property
    def is_leader(self) -> bool:
        return not self.config.leader_elect or self._elector.is_leader

    # The loop

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._wake.set()
        while True:
            due = self.queue.next_due()
            timer = None
            if due is not None:
                timer = loop.call_later(max(0.0, due - self._clock()), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()
            self._wake.clear()
            while batch := self.queue.pop(self.config.batch):
                self._place(batch)
                await asyncio.sleep(0)  # let binds go out and events come in

    def _place(self, batch: Sequence[Waiting]) -> None:
        """Place a batch: pods of equal shape and priority together, the higher priority first."""
        groups: dict[Shape, list[Waiting]] = {}
        for waiting in batch:
            groups.setdefault(waiting.shape, []).append(waiting)
        # dicts keep the order of first appearance, and the batch is in order of priority.
        for shape, group in groups.items():
            placement = self._placer.place(shape, [waiting.uid for waiting in group], self.columns)
            placed = len(placement.nodes)
            for waiting, node in zip(group[:placed], placement.nodes, strict=True):
                self._view.assumed.add(waiting.uid)
                self._spawn(self._bind(waiting, node))
            if placement.failure is not None:
                message = unschedulable_message(placement.failure, shape, self.columns)
                for waiting in group[placed:]:
                    self._refuse(waiting, placement.failure, message)

    def _refuse(self, waiting: Waiting, failure: Failure, message: str) -> None:
        events = failure.events if failure.nodes else Event.NODE_ADDED
        self.queue.unschedulable(waiting, events)
        self._recorder.event(waiting.pod, "Warning", "FailedScheduling", message)
        self._spawn(self._write_condition(waiting.pod, "Unschedulable", message))

    # Writing

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _bind(self, waiting: Waiting, node: str) -> None:
        pod = waiting.pod
        meta = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._client.create(
                "pods", binding, meta["namespace"], subresource="binding", name=meta["name"],
                timeout=self.config.bind_timeout,
            )  # fmt: skip
        except StatusError as error:
            self._unbound(waiting, node)
            if error.code == 404:
                return  # deleted meanwhile
            message = f'binding rejected: running Bind plugin "DefaultBinder": {error.message}'
            logger.warning("cannot bind %s to %s: %s", key(pod), node, error)
            self._recorder.event(pod, "Warning", "FailedScheduling", message)
            await self._write_condition(pod, "SchedulerError", message)
            return
        except BaseException:
            self._unbound(waiting, node)
            raise
        place = f"{meta['namespace']}/{meta['name']} to {node}"
        self._recorder.event(pod, "Normal", "Scheduled", f"Successfully assigned {place}")
        if waiting.shape.ignored:
            ignored = ", ".join(waiting.shape.ignored)
            self._recorder.event(pod, "Warning", "PreferenceIgnored",
                                 f"this scheduler does not weigh {ignored} yet")  # fmt: skip

    def _unbound(self, waiting: Waiting, node: str) -> None:
        """The binding failed, unless the informer has shown by now that it came about."""
        if waiting.uid in self._view.assumed:
            self._view.assumed.discard(waiting.uid)
            self.columns.displace(waiting.uid)
            self.queue.failed(waiting)
            self.queue.happened(Event.POD_DELETED)

    async def _write_condition(self, pod: Object, reason: str, message: str) -> None:
        """Note in the pod's status that it is not scheduled, unless that is what it says already."""
        waiting = self.queue.get(pod["metadata"]["uid"])
        pod = waiting.pod if waiting is not None else pod
        present = get_condition(pod, "PodScheduled") or {}
        if (present.get("status"), present.get("reason"), present.get("message")) == ("False", reason, message):
            return
        meta = pod["metadata"]
        changed = present.get("lastTransitionTime") if present.get("status") == "False" else None
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": changed or now_rfc3339(self._now()),
        }
        if meta.get("generation"):
            condition["observedGeneration"] = meta["generation"]
        patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(
                "pods", meta["name"], patch, meta["namespace"], patch_type="strategic", subresource="status"
            )
        except StatusError as error:
            if error.code != 404 and not error.is_of_another:  # gone, or replaced by another of its name
                logger.warning("cannot note in %s that it is not scheduled: %s", key(pod), error)
