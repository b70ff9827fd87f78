"""The probes of one run, as the pod's worker sees them: what their answers change in the container's state."""

import logging
from collections.abc import Callable

from kubeactors.api.meta import Object
from nodeagent.pods.context import NodeContext
from nodeagent.pods.state import ContainerState, Run
from nodeagent.probes.interface import Answer, Kind, Target
from nodeagent.probes.prober import ContainerProber

logger = logging.getLogger(__name__)

_TITLES = {"liveness": "Liveness", "readiness": "Readiness", "startup": "Startup"}


class ContainerProbes:
    """`tell(type, reason, message)` records an event about the container."""

    def __init__(
        self, context: NodeContext, container: ContainerState, spec: Object, tell: Callable[[str, str, str], None]
    ) -> None:
        self._container = container
        self._spec = spec
        self._tell = tell
        self._run: Run | None = None
        self._changed: Callable[[], None] = lambda: None
        self._prober = ContainerProber(context.handlers, context.clock, self._decided, self._failed)

    def start(self, target: Target, run: Run, changed: Callable[[], None]) -> None:
        """Begin; a container without a startup probe is started now, and ready if it has no readiness probe."""
        self._run, self._changed = run, changed
        container, spec = self._container, self._spec
        if container.kind in ("init", "ephemeral"):
            container.started = True
            return
        if not spec.get("startupProbe"):
            container.started = True
        if container.started and not spec.get("readinessProbe"):
            container.ready = True
        self._prober.start(spec, target, run.started_at, started=container.started)

    def cancel(self) -> None:
        self._prober.cancel()

    async def stop(self) -> None:
        await self._prober.stop()

    def _decided(self, kind: Kind, success: bool) -> None:
        container = self._container
        if container.run is not self._run or not container.is_running:
            return
        if kind == "readiness":
            container.ready = success
        elif kind == "startup" and success:
            container.started = True
            if not self._spec.get("readinessProbe"):
                container.ready = True
        elif not success:
            container.kill_message = f"Container {container.name} failed {kind} probe, will be restarted"
            grace = self._spec[f"{kind}Probe"].get("terminationGracePeriodSeconds")
            container.kill_grace = None if grace is None else float(grace)
        self._changed()

    def _failed(self, kind: Kind, answer: Answer) -> None:
        word = "errored" if answer.is_error else "failed"
        self._tell("Warning", "Unhealthy", f"{_TITLES[kind]} probe {word}: {answer.output}")
