"""What the node gives to one pod: whether it is taken at all, and resizes of its containers (KEP-1287)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from kubeactors.api.meta import Object, generation, key, labels
from nodeagent.kernel.cgroups import memory_usage
from nodeagent.pods import admission, resize
from nodeagent.pods.allocations import needs_of
from nodeagent.pods.context import NodeContext
from nodeagent.pods.resources import container_resources, pod_resources
from nodeagent.pods.sandbox import PodSandbox
from nodeagent.pods.state import ContainerState, PodState, Resize
from nodeagent.runtime.interface import Resources, RuntimeFailure

logger = logging.getLogger(__name__)

#: A resize that failed is tried again after this, in seconds.
_RETRY = 10.0


class Provision:
    """One pod's. `freed` is called when a resize that was put off may be possible now."""

    def __init__(self, context: NodeContext, uid: str, sandbox: PodSandbox, freed: Callable[[], None]) -> None:
        self._context = context
        self._uid = uid
        self._sandbox = sandbox
        self._freed = freed

    async def refusal(self, pod: Object) -> tuple[str, str] | None:
        """Why the node does not take the pod, as reason and message; else the pod has what it asks for."""
        unsuitable = admission.unsuitable(pod)
        if unsuitable is not None:
            return unsuitable
        if not (await self._is_wanted(pod, False) or await self._is_wanted(pod, True)):
            return admission.NO_AFFINITY
        needs = needs_of(pod)
        shortage = self._context.allocations.shortage(self._uid, needs)
        if shortage is not None:
            return admission.short_of(shortage)
        self._context.allocations.give(self._uid, needs)
        return None

    def keep(self, pod: Object) -> None:
        """A pod that runs already has what it has."""
        self._context.allocations.give(self._uid, needs_of(pod))

    def release(self) -> None:
        """The pod takes nothing any more."""
        self._context.allocations.release(self._uid)

    def consider(self, wanted: Object, state: PodState) -> Object:
        """Give the pod what its spec asks for, if the node has that much; the pod with what it has."""
        asked, allocations = resize.asked_for(wanted), self._context.allocations
        if all(resize.is_same(asked[name], state.given.get(name)) for name in asked):
            state.given, state.resize_pending = asked, None
            allocations.stop_waiting(self._uid)
            return wanted
        number = generation(wanted)
        refused = resize.refusal(self._uid, wanted, allocations)
        if refused is not None:
            reason, message = refused
            if state.resize_pending is None or state.resize_pending.generation != number:
                text = resize.event_text(reason, wanted, number, message)
                self._context.tell(wanted, "Warning", f"Resize{reason}", text)
            state.resize_pending = Resize(number, reason, message)
            if reason == resize.DEFERRED:
                allocations.wait(self._uid, self._freed)
            else:
                allocations.stop_waiting(self._uid)
            return resize.with_given(wanted, state.given)
        allocations.stop_waiting(self._uid)
        state.given, state.resize_pending = asked, None
        state.resize_progress, state.resize_retry_at = Resize(number), 0.0
        allocations.give(self._uid, needs_of(wanted))
        self._context.tell(wanted, "Normal", "ResizeStarted", resize.event_text("started", wanted, number))
        return wanted

    async def carry_out(self, pod: Object, state: PodState) -> None:
        """Let the containers have what was given: at once, or by a restart, for which they are marked."""
        progress = state.resize_progress
        assert progress is not None
        try:
            left = resize.outdated(pod, state)
            if left:
                await self._widen(pod, state)
            for container, spec in left:
                if resize.needs_restart(container, spec):
                    container.kill_message = f"Container {container.name} resize requires restart"
                else:
                    await self._update(pod, container, spec)
            if not resize.outdated(pod, state):
                await asyncio.to_thread(self._context.cgroups.make, self._sandbox.cgroup(pod), pod_resources(pod))
        except (RuntimeFailure, OSError) as error:
            if state.resize_progress is progress:
                logger.warning("resizing %s: %s; trying again", key(pod), error)
                state.resize_progress = replace(progress, reason="Error", message=str(error))
                state.resize_retry_at = self._context.clock() + _RETRY
                if progress.message != str(error):
                    text = resize.event_text("error", pod, progress.generation, str(error))
                    self._context.tell(pod, "Warning", "ResizeError", text)
            return
        # Meanwhile another resize may have been asked for.
        if state.resize_progress is progress and not resize.outdated(pod, state):
            state.resize_progress = None
            text = resize.event_text("completed", pod, progress.generation)
            self._context.tell(pod, "Normal", "ResizeCompleted", text)

    async def _is_wanted(self, pod: Object, anew: bool) -> bool:
        """Whether the pod wants this node; what its labels are is asked `anew` before it is refused."""
        node = await self._context.node(anew)
        return node is None or admission.wants_node(pod, self._context.config.node_name, labels(node))

    async def _widen(self, pod: Object, state: PodState) -> None:
        """Let the pod's control group hold both what its containers have and what they are to have."""
        present = dict(state.given)
        for name in present:
            run = state.containers[name].run
            if run is not None and run.resources is not None:
                present[name] = run.resources
        widest = _widest(pod_resources(resize.with_given(pod, present)), pod_resources(pod))
        await asyncio.to_thread(self._context.cgroups.make, self._sandbox.cgroup(pod), widest)

    async def _update(self, pod: Object, container: ContainerState, spec: Object) -> None:
        run = container.run
        assert run is not None
        limit = resize.memory_limit(spec.get("resources"))
        if limit and limit < (resize.memory_limit(run.resources) or limit + 1):
            usage = await asyncio.to_thread(memory_usage, run.pid) if run.pid else None
            if usage is not None and usage > limit:
                # The kernel would end the container for it.
                text = f'attempting to set container "{container.name}" memory limit ({limit})'
                raise RuntimeFailure(f"{text} below current usage ({usage})")
        await self._context.runtime.update(run.id, container_resources(pod, spec, self._context.node_memory))
        run.resources = dict(spec.get("resources") or {})


def _widest(one: Resources, other: Resources) -> Resources:
    def most(a: int | None, b: int | None) -> int | None:
        return None if a is None or b is None else max(a, b)

    return replace(
        one,
        cpu_shares=most(one.cpu_shares, other.cpu_shares),
        cpu_quota=most(one.cpu_quota, other.cpu_quota),
        memory_limit=most(one.memory_limit, other.memory_limit),
    )
