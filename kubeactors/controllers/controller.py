"""What all controllers share: their surroundings, and the loop that feeds a reconcile function from a work queue."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kubeactors.api.meta import Object, controller_of, key, namespace
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.informer import Informer
from kubeactors.client.informer_factory import InformerFactory
from kubeactors.client.work_queue import WorkQueue
from kubeactors.client.workers import run_workers
from kubeactors.controllers.config import ControllerManagerConfig

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """Where events go (kubeactors.client's EventRecorder): `type` is Normal or Warning. Never blocks."""

    def event(self, obj: Object, type: str, reason: str, message: str) -> None: ...


@dataclass(frozen=True)
class Surroundings:
    """What a controller works with. `now` is wall-clock time in UTC, `clock` monotonic seconds, `random` in [0, 1)."""

    client: AsyncClient
    informers: InformerFactory
    recorder: Recorder
    config: ControllerManagerConfig
    now: Callable[[], datetime]
    clock: Callable[[], float]
    random: Callable[[], float]


class Controller(ABC):
    """A reconcile function over listers, run by workers for each key that handlers put into `queue`.

    A subclass asks for its informers and adds its handlers in `__init__`; they are started, and have synced, before
    `start`. `reconcile(key)` makes one object right and may return the seconds after which to look again.
    """

    name = ""
    workers = 5

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.client = around.client
        self.recorder = around.recorder
        self.now = around.now
        self.queue: WorkQueue[str] = WorkQueue(self.name)
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def reconcile(self, key: str) -> float | None:
        """Make the object `key` right."""

    async def start(self) -> None:
        self._task = asyncio.create_task(run_workers(self.queue, self.reconcile, workers=self.workers), name=self.name)

    async def stop(self) -> None:
        self.queue.shut_down()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def health(self) -> dict[str, str]:
        return {self.name: task_health(self._task)}

    def enqueue(self, obj: Object) -> None:
        self.queue.add(key(obj))


def task_health(task: asyncio.Task[None] | None) -> str:
    """ "ok", or why the task that should run does not."""
    if task is None:
        return "not started"
    if not task.done():
        return "ok"
    if task.cancelled():
        return "stopped"
    return f"failed: {task.exception() or 'ended'}"


# Indexes of shared informers. One function each: informers refuse a second one under a name.


def by_controller(obj: Object) -> Iterable[str]:
    """Under "controller": the uid of its controller, or `orphan/<namespace>`."""
    reference = controller_of(obj)
    return (str(reference["uid"]),) if reference is not None else (f"orphan/{namespace(obj)}",)


def by_node(pod: Object) -> Iterable[str]:
    """Under "node": the node that the pod is bound to, or the empty name."""
    return (pod["spec"].get("nodeName") or "",)


def pod_informer(informers: InformerFactory) -> Informer:
    return informers.informer("pods", indexers={"controller": by_controller, "node": by_node})
