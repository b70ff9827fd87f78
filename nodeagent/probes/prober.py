"""The probes of one run of a container: a task for each, told to the pod's worker."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from kubeactors.api.meta import Object
from nodeagent.probes import schedule
from nodeagent.probes.exec import Exec
from nodeagent.probes.grpc_health import GrpcHealth
from nodeagent.probes.http_get import HttpGet
from nodeagent.probes.interface import Answer, Handler, Kind, Target
from nodeagent.probes.tcp_socket import TcpSocket
from nodeagent.runtime.interface import Runtime

logger = logging.getLogger(__name__)

#: kind, decided (True success, False failure)
Decided = Callable[[Kind, bool], None]
#: kind, answer: a probe that failed and counted, for the Unhealthy event
Failed = Callable[[Kind, Answer], None]

_ACTIONS = ("httpGet", "tcpSocket", "exec", "grpc")


class Handlers:
    """The handlers, shared by all probes of the agent. Close them when done."""

    def __init__(self, runtime: Runtime) -> None:
        self.http_get = HttpGet()
        self._by_action: dict[str, Handler] = {
            "httpGet": self.http_get,
            "tcpSocket": TcpSocket(),
            "exec": Exec(runtime),
            "grpc": GrpcHealth(),
        }

    async def close(self) -> None:
        await self.http_get.close()

    def of(self, probe: Object) -> tuple[str, Handler] | None:
        """The action that the probe names, and what does it."""
        for action in _ACTIONS:
            if action in probe:
                return action, self._by_action[action]
        return None


@dataclass(frozen=True)
class ProbeJob:
    kind: Kind
    probe: Object
    target: Target
    started_at: float


class ContainerProber:
    """Runs the probes of one run. A startup probe holds the others back; a liveness failure ends them all."""

    def __init__(self, handlers: Handlers, clock: Callable[[], float], on_decided: Decided, on_failed: Failed) -> None:
        self._handlers = handlers
        self._clock = clock
        self._on_decided = on_decided
        self._on_failed = on_failed
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, container: Object, target: Target, started_at: float, *, started: bool) -> None:
        """Begin to probe; `started` says that the startup probe has succeeded already (an adopted container)."""
        startup = None if started else container.get("startupProbe")
        if startup:
            job = ProbeJob("startup", startup, target, started_at)
            self._spawn(self._startup_then_others(container, job), target)
        else:
            self._start_others(container, target, started_at)

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cancel(self) -> None:
        """Stop without waiting; `stop` still has to be awaited."""
        for task in self._tasks:
            task.cancel()

    def _start_others(self, container: Object, target: Target, started_at: float) -> None:
        jobs = [
            ProbeJob(kind, container[f"{kind}Probe"], target, started_at)
            for kind in ("liveness", "readiness")
            if container.get(f"{kind}Probe")
        ]
        for job in jobs:
            self._spawn(self._run(job), target)

    async def _startup_then_others(self, container: Object, job: ProbeJob) -> None:
        if await self._run(job):
            self._start_others(container, job.target, job.started_at)

    async def _run(self, job: ProbeJob) -> bool:
        """Probe until the run ends; a startup probe until it is decided."""
        chosen = self._handlers.of(job.probe)
        if chosen is None:
            logger.error("%s probe of container %s names no action", job.kind, job.target.container["name"])
            return False
        action, handler = chosen
        timing = schedule.timing_of(job.probe)
        progress = schedule.begin(job.started_at, timing)
        if progress.next < self._clock():
            progress = schedule.begin(self._clock() - timing.initial_delay, timing)
        while True:
            await asyncio.sleep(max(0.0, progress.next - self._clock()))
            counts = progress.next >= progress.due
            answer = await handler.probe(job.probe[action] or {}, job.target, timing.timeout)
            before = progress.decided
            progress = schedule.after(
                progress, job.kind, timing, answer.result, self._clock(), may_be_early=action != "exec"
            )
            if answer.result != "success" and counts:
                self._on_failed(job.kind, answer)
            if progress.decided is not None and progress.decided != before:
                self._on_decided(job.kind, progress.decided)
            if progress.decided is not None and job.kind == "startup":
                return progress.decided
            if progress.decided is False and job.kind == "liveness":
                return False  # the run is to be ended: nothing more to learn

    def _spawn(self, coroutine: Coroutine[Any, Any, Any], target: Target) -> None:
        task = asyncio.create_task(coroutine, name=f"probe {target.container_id[:12]}")
        task.add_done_callback(_log_failure)
        self._tasks.append(task)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s ended", task.get_name(), exc_info=error)
