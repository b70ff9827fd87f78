"""The worker of one pod: asks the planner what is next and does it, each operation in a task of its own.

Everything that changes the state happens on the event loop; the planner and the status only read it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, key, uid
from netplugin.interface import NetworkError
from nodeagent.paths import PodPaths
from nodeagent.pods import adoption, backoff, planner, resize
from nodeagent.pods.admission import rejected
from nodeagent.pods.container_probes import ContainerProbes
from nodeagent.pods.context import NodeContext
from nodeagent.pods.end import Ending
from nodeagent.pods.holding import hold_pull, hold_restart
from nodeagent.pods.hooks import HookFailure, run_hook
from nodeagent.pods.outcome import exit_outcome
from nodeagent.pods.provision import Provision
from nodeagent.pods.record import RecordWriter
from nodeagent.pods.sandbox import PodSandbox, SandboxError
from nodeagent.pods.spec import all_containers, container_of
from nodeagent.pods.start import Attempt, StartFailure, start_container
from nodeagent.pods.state import ContainerState, PodState, Run, add_ephemeral_containers, new_state
from nodeagent.pods.status import pod_status
from nodeagent.pods.tasks import PodTasks
from nodeagent.probes.interface import Target
from nodeagent.runtime.interface import ContainerRecord, Exit, RuntimeFailure
from nodeagent.volumes.interface import VolumeError
from nodeagent.waiting import wait_event

logger = logging.getLogger(__name__)

#: kubelet's limit for a postStart hook is none; ours keeps a hung exec from staying for ever.
_POST_START_DEADLINE = 3600.0
_RETRY_INITIAL, _RETRY_LONGEST = 0.5, 60.0
#: A container that belongs to no run is removed when it is older than this, in seconds.
_LEFTOVER_AGE = 60.0


class StatusSink(Protocol):
    """Where statuses go (nodeagent.status_manager)."""

    def update(self, pod: Object, status: Object, on_written: Callable[[], None]) -> None: ...

    async def delete(self, pod: Object) -> None: ...

    def forget(self, uid: str) -> None: ...


class PodWorker:
    """Cares for one pod until it is forgotten. `on_done(uid)` is called then."""

    def __init__(self, context: NodeContext, statuses: StatusSink, pod: Object, on_done: Callable[[str], None]) -> None:
        self._context = context
        self._statuses = statuses
        self._on_done = on_done
        #: The pod as its object is, and as it was allocated: with what its containers have been given.
        self._wanted = pod
        self.pod = pod
        self.uid = uid(pod)
        self.paths = PodPaths(context.config.pods_dir, context.config.run_dir, self.uid)
        self.state: PodState = new_state(pod, context.clock())
        self._sandbox = PodSandbox(context, self.paths, self.uid)
        self._provision = Provision(context, self.uid, self._sandbox, self._reconsider)
        self._record = RecordWriter(self.paths.record)
        self._probes: dict[str, ContainerProbes] = {}
        self._endings: dict[str, Ending] = {}
        self._changed = asyncio.Event()
        self._tasks = PodTasks(key(pod), self._on_operations)
        self._task: asyncio.Task[None] | None = None
        self._refresh = False
        self._stopping = False

    # -- what the manager calls ------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"pod {key(self.pod)}")

    def adopt(self, recorded: PodState | None, found: Sequence[ContainerRecord]) -> None:
        """Take over what an earlier agent left. Call before `start`."""
        self.state = adoption.adopted_state(self.pod, recorded, found, self._context.clock())
        self.state.given = self.state.given or resize.asked_for(self.pod)
        self.pod = resize.with_given(self.pod, self.state.given)
        if self.state.failure is None and not self.state.torn_down:
            self._provision.keep(self.pod)
        if self.state.sandbox.status == "ready":
            self._sandbox.adopt(self.state.sandbox.ips)
            self._refresh = True  # nobody has watched what its volumes are made from
        for container in self.state.containers.values():
            if container.is_running and container.run is not None:
                record = next(r for r in found if r.id == container.run.id)
                self._context.runtime.adopt(record, self._exit_callback(container.name, container.run))
        for leftover in adoption.leftovers(self.state, found):
            self._tasks.chore(self._remove_container(leftover.id))

    def update(self, pod: Object) -> None:
        """The pod object changed."""
        old, self._wanted = self.pod, pod
        self.pod = resize.with_given(pod, self.state.given)
        add_ephemeral_containers(self.state, pod)
        if old["metadata"].get("labels") != pod["metadata"].get("labels") or old["metadata"].get("annotations") != pod[
            "metadata"
        ].get("annotations"):
            self._refresh = True
            self._retry_configurations()
        self._note_changes()
        self._reconsider()
        self._changed.set()

    def remove(self) -> None:
        """The pod object is gone."""
        self.state.removed = True
        self._provision.release()
        self._note_changes()
        self._changed.set()

    def objects_changed(self) -> None:
        """A ConfigMap or Secret that the pod refers to changed, or a token of it is to be replaced."""
        self._refresh = True
        self.state.sandbox.retry_at = 0.0
        self._retry_configurations()
        self._changed.set()

    def observe(self, found: Sequence[ContainerRecord], listed_at: float) -> None:
        """What a listing of the runtime says of the pod's containers: ends that nobody told are taken up."""
        present = {record.id: record for record in found}
        for container in self.state.containers.values():
            run = container.run
            if run is None or run.status != "running" or run.started_at >= listed_at:
                continue
            record = present.get(run.id)
            if record is None or record.status == "exited":
                logger.warning("container %s of %s ended unnoticed", container.name, key(self.pod))
                code = record.exit_code if record is not None else None
                oom = record.oom_killed if record is not None else False
                self._on_exit(container.name, run, Exit(run.id, code, oom, self._context.clock()))
        if not self._tasks.operations:
            for leftover in adoption.leftovers(self.state, found):
                if leftover.created_at < listed_at - _LEFTOVER_AGE:
                    self._tasks.chore(self._remove_container(leftover.id))

    def sandbox_lost(self) -> None:
        """The pod's network is no longer there, or broken."""
        if self.state.sandbox.status == "ready" and self.state.grace is None:
            text = "Pod sandbox changed, it will be killed and re-created."
            self._context.tell(self.pod, "Normal", "SandboxChanged", text)
            self.state.sandbox.status = "changed"
            self._changed.set()

    async def check_sandbox(self) -> None:
        """Look whether the network still stands; what is missing of it is made anew."""
        if self.state.sandbox.status != "ready" or "teardown" in self._tasks.operations:
            return
        try:
            whole = await self._sandbox.mend(self.pod)
        except NetworkError as error:
            logger.warning("could not mend the network of %s: %s", key(self.pod), error)
            return
        if not whole and "teardown" not in self._tasks.operations:
            self.sandbox_lost()

    async def stop(self) -> None:
        """End the worker; the pod goes on."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._tasks.stop()
        await asyncio.gather(*(probes.stop() for probes in self._probes.values()))
        await self._sandbox.cancel()
        await self._record.flush()

    # -- the loop --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        for container in self.state.containers.values():
            if container.is_running:
                self._watch(container)
        self._note_changes()
        await self._take()
        while True:
            self._changed.clear()
            try:
                result = planner.plan(self.pod, self.state, self._context.clock())
                for action in result.actions:
                    self._begin(action)
                if any(isinstance(action, planner.Forget) for action in result.actions):
                    return
                self._publish()
            except Exception:
                # A pod that cannot be planned must not take the agent with it, nor be given up.
                logger.exception("planning pod %s failed", key(self.pod))
                result = planner.Plan(wake_at=self._context.clock() + 10.0)
            if self._refresh:
                self._refresh = False
                self._tasks.chore(self._refresh_volumes())
            timeout = None if result.wake_at is None else max(0.0, result.wake_at - self._context.clock())
            await wait_event(self._changed, timeout)

    async def _take(self) -> None:
        """Find out whether the node takes the pod, and what it can have; one that was taken stays."""
        if self.state.grace is not None:
            return
        if not self.state.given:
            refused = await self._provision.refusal(self._wanted)
            if refused is not None:
                reason, message = refused
                self._context.tell(self.pod, "Warning", reason, message)
                self.state.failure = rejected(reason, message)
                self._note_changes()
                return
            self.state.given = resize.asked_for(self._wanted)
        self._reconsider()

    def _reconsider(self) -> None:
        """The spec may ask for other resources than the pod has, or the node may have more of them to give."""
        if not self.state.given or self.state.grace is not None:
            return
        before = self.state.given
        self.pod = self._provision.consider(self._wanted, self.state)
        if before != self.state.given:
            self._refresh = True  # files may tell of limits
        self._changed.set()

    def _begin(self, action: planner.Action) -> None:
        match action:
            case planner.SetUpSandbox(attempt):
                self._tasks.operate("sandbox", self._set_up_sandbox(attempt))
            case planner.StartContainer(name):
                self._tasks.operate(f"start/{name}", self._start_container(self.state.containers[name]))
            case planner.HoldBack(name, delay):
                hold_restart(self._context, self.pod, self.state.containers[name], delay)
            case planner.HoldPull(name):
                hold_pull(self._context, self.pod, self.state.containers[name])
            case planner.KillContainer(name, message, deadline):
                self._kill(self.state.containers[name], message, deadline)
            case planner.ResizeContainers():
                self._tasks.operate("resize", self._provision.carry_out(self.pod, self.state))
            case planner.Abort(operation):
                self._tasks.abort(operation)
            case planner.FailPod(failure):
                self.state.failure = failure
                self._context.tell(self.pod, "Warning", failure.reason, failure.message)
                self._note_changes()
                self._changed.set()
            case planner.TearDown():
                self._tasks.operate("teardown", self._tear_down())
            case planner.DeletePod():
                self._tasks.operate("delete", self._delete_pod())
            case planner.Forget():
                self._tasks.chore(self._forget())

    def _retry_configurations(self) -> None:
        """What containers are configured by changed: those that could not be configured need not wait any longer."""
        for container in self.state.containers.values():
            if container.waiting is not None and container.waiting.reason == "CreateContainerConfigError":
                container.retry_at = 0.0

    def _note_changes(self) -> None:
        """What follows from the pod object alone."""
        state, now = self.state, self._context.clock()
        ending = is_deleting(self.pod) or state.removed or state.failure is not None
        if ending:
            grace = planner.grace_period(self.pod, removed=state.removed)
            if state.grace is None:
                state.grace, state.terminating_since = grace, now
            elif grace < state.grace:
                # A second deletion may shorten the grace period.
                state.grace = grace
            for ending_run in self._endings.values():
                ending_run.hasten(state.terminating_since + state.grace)
        for container in all_containers(self.pod):
            known = state.containers.get(container["name"])
            if known is None or known.run is None or ending:
                continue
            if known.is_running and known.run.image != container["image"]:
                known.kill_message = f"Container {known.name} definition changed, will be restarted"

    def _publish(self) -> None:
        if self._ended_before_us():
            if self.state.torn_down and not self.state.final_status_written:
                self.state.final_status_written = True
                self._changed.set()
            return
        runtime = self._context.runtime.version().name
        status = pod_status(self.pod, self.state, self._context.host, self._context.clock(), runtime)
        if not self.state.removed:
            torn_down = self.state.torn_down

            def written() -> None:
                if torn_down and not self.state.final_status_written:
                    self.state.final_status_written = True
                    self._changed.set()

            self._statuses.update(self.pod, status, written)
        self._record.save(self.pod, self.state)

    def _ended_before_us(self) -> bool:
        """Whether the status tells of an end of which nothing is left here: it is not ours to change any more."""
        ended = (self.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        return ended and all(container.run is None for container in self.state.containers.values())

    # -- operations ------------------------------------------------------------------------------------------------

    def _on_operations(self) -> None:
        """One began or ended; the planner sees which are under way."""
        self.state.in_flight = frozenset(self._tasks.operations)
        self._changed.set()

    async def _set_up_sandbox(self, attempt: int) -> None:
        sandbox = self.state.sandbox
        anew = attempt != sandbox.attempt
        sandbox.attempt = attempt
        if anew:
            sandbox.status, sandbox.ips = "none", ()
        try:
            await self._sandbox.set_up(self.pod, anew=anew)
        except SandboxError as error:
            self._context.tell(self.pod, "Warning", error.reason, str(error))
            delay = min(_RETRY_LONGEST, _RETRY_INITIAL * 2**sandbox.retries)
            sandbox.retries += 1
            sandbox.retry_at = self._context.clock() + delay
            return
        self._sandbox_stands()

    def _sandbox_stands(self) -> None:
        sandbox = self.state.sandbox
        sandbox.ips = self._sandbox.ips
        sandbox.status, sandbox.retries, sandbox.retry_at = "ready", 0, 0.0

    async def _start_container(self, container: ContainerState) -> None:
        spec = self._spec_of(container.name)
        attempt = Attempt(self.pod, spec, container, self.state.sandbox.attempt, self._target_of(spec))
        before = container.run
        now = self._context.clock()

        def created(run: Run) -> None:
            self._sandbox_stands()  # or there would be no container in it
            if before is not None:
                longest = self._context.config.max_restart_delay
                container.back_off = backoff.advance(container.back_off, before.finished_at, now, maximum=longest)
            outdated, container.last, container.run = container.last, before, run
            container.waiting, container.kill_message, container.kill_grace = None, "", None
            container.started = container.ready = False
            if outdated is not None:
                self._tasks.chore(self._remove_attempt(container.name, outdated))

        def on_exit(exited: Exit) -> None:
            if container.run is not None and container.run.id == exited.container_id:
                self._on_exit(container.name, container.run, exited)

        try:
            await start_container(self._context, self.paths, self._sandbox, attempt, created, on_exit)
        except SandboxError as error:
            logger.debug("container %s of %s waits for its sandbox: %s", container.name, key(self.pod), error)
            container.retry_at = self._context.clock() + _RETRY_INITIAL
            return
        except StartFailure as failure:
            container.waiting = failure.waiting
            container.failed_at, container.retry_at = self._context.clock(), failure.retry_at
            return
        if container.is_running:
            self._watch(container)

    def _kill(self, container: ContainerState, message: str, deadline: float) -> None:
        run = container.run
        assert run is not None
        ending = self._endings[container.name] = Ending(self._context, run, deadline)
        run.ended_to_restart = bool(container.kill_message)
        self._tell(container, "Normal", "Killing", message)
        self._tasks.operate(f"kill/{container.name}", self._run_ending(container, run, ending))

    async def _run_ending(self, container: ContainerState, run: Run, ending: Ending) -> None:
        probes = self._probes.pop(run.id, None)
        if probes is not None:
            await probes.stop()
        spec = self._spec_of(container.name)
        hook = (spec.get("lifecycle") or {}).get("preStop")
        try:
            complaint = await ending.run(hook, self._target(spec, run))
        finally:
            self._endings.pop(container.name, None)
        if complaint:
            logger.warning("preStop of container %s of %s: %s", container.name, key(self.pod), complaint)
            self._tell(container, "Warning", "FailedPreStopHook", "PreStopHook failed")

    async def _tear_down(self) -> None:
        try:
            await self._sandbox.tear_down(self.pod)
        except (NetworkError, OSError) as error:
            text = f"error killing pod: failed to tear down the sandbox: {error}"
            self._context.tell(self.pod, "Warning", "FailedKillPod", text)
            await asyncio.sleep(_RETRY_INITIAL)  # then the planner asks again
            return
        self._provision.release()
        self.state.sandbox.status = "removed"
        self.state.torn_down = True
        self.state.final_status_written = False

    async def _delete_pod(self) -> None:
        try:
            await self._statuses.delete(self.pod)
            self.state.delete_requested = True
        except StatusError as error:
            if error.code in (404, 409):  # gone, or another pod of that name: the informer will tell
                self.state.delete_requested = True
                return
            logger.warning("deleting pod %s: %s; trying again", key(self.pod), error)
            await asyncio.sleep(_RETRY_INITIAL)

    async def _forget(self) -> None:
        """Remove every container, then the directories; repeat until it is done."""
        delay = _RETRY_INITIAL
        runs = [run for c in self.state.containers.values() for run in (c.run, c.last) if run is not None]
        while True:
            try:
                await asyncio.gather(*(self._context.runtime.remove(run.id) for run in runs))
                await self._record.flush()
                await self._sandbox.forget(self.pod)
                break
            except (RuntimeFailure, OSError) as error:
                logger.warning("removing what is left of pod %s: %s; trying again", key(self.pod), error)
                await asyncio.sleep(delay)
                delay = min(_RETRY_LONGEST, delay * 2)
        self._statuses.forget(self.uid)
        self._on_done(self.uid)

    async def _refresh_volumes(self) -> None:
        if self.state.sandbox.status != "ready" or self.state.grace is not None:
            return
        try:
            await self._sandbox.refresh(self.pod, self.state.sandbox.ips)
        except TimeoutError as error:
            # What was not told yet is a change when it comes.
            logger.warning("the volumes of %s stay as they are: %s", key(self.pod), error)
        except (VolumeError, OSError) as error:
            self._context.tell(self.pod, "Warning", "FailedMount", f"updating volumes: {error}")

    async def _remove_attempt(self, name: str, run: Run) -> None:
        await self._remove_container(run.id)
        await asyncio.to_thread(adoption.remove_attempt_files, self.paths, name, run.attempt)

    async def _remove_container(self, container_id: str) -> None:
        try:
            await self._context.runtime.remove(container_id)
        except RuntimeFailure as error:
            logger.warning("could not remove container %s: %s; the next resync will", container_id[:12], error)

    # -- what runs tell --------------------------------------------------------------------------------------------

    def _watch(self, container: ContainerState) -> None:
        """The container runs: its postStart hook, then its probes."""
        run = container.run
        assert run is not None
        spec = self._spec_of(container.name)
        hook = (spec.get("lifecycle") or {}).get("postStart")
        if hook and not run.hook_done:
            self._tasks.chore(self._post_start(container, run, hook))
        else:
            self._start_probes(container, run)

    async def _post_start(self, container: ContainerState, run: Run, hook: Object) -> None:
        target = self._target(self._spec_of(container.name), run)
        try:
            await run_hook(hook, target, self._context.runtime, self._context.handlers, _POST_START_DEADLINE)
        except HookFailure as error:
            # The event says no more, as kubelet's: what a hook prints may be secret.
            logger.warning("postStart of container %s of %s: %s", container.name, key(self.pod), error)
            if container.run is run and run.status == "running":
                self._tell(container, "Warning", "FailedPostStartHook", "PostStartHook failed")
                container.kill_message = "FailedPostStartHook"
                self._changed.set()
            return
        run.hook_done = True
        if container.run is run and run.status == "running":
            self._start_probes(container, run)

    def _start_probes(self, container: ContainerState, run: Run) -> None:
        spec = self._spec_of(container.name)
        probes = ContainerProbes(
            self._context, container, spec, lambda type, reason, text: self._tell(container, type, reason, text)
        )
        self._probes[run.id] = probes
        probes.start(self._target(spec, run), run, self._changed.set)
        self._changed.set()

    def _exit_callback(self, name: str, run: Run) -> Callable[[Exit], None]:
        return lambda exited: self._on_exit(name, run, exited)

    def _on_exit(self, name: str, run: Run, exited: Exit) -> None:
        probes = self._probes.pop(run.id, None)
        if probes is not None:
            probes.cancel()
            self._tasks.chore(probes.stop())
        self._tasks.chore(self._note_exit(self.state.containers[name], run, exited))

    async def _note_exit(self, container: ContainerState, run: Run, exited: Exit) -> None:
        spec = self._spec_of(container.name)
        outcome = await asyncio.to_thread(exit_outcome, self.paths, spec, run.attempt, exited)
        run.exit_code, run.reason, run.message = outcome
        run.finished_at, run.status = exited.finished_at, "exited"
        container.started = container.ready = False
        container.kill_message = ""
        ending = self._endings.get(container.name)
        if ending is not None:
            ending.ended()
        self._changed.set()

    # -- small things ----------------------------------------------------------------------------------------------

    def _tell(self, container: ContainerState, type: str, reason: str, message: str) -> None:
        self._context.tell(self.pod, type, reason, message, container.name, container.kind)

    def _spec_of(self, name: str) -> Object:
        return container_of(self.pod, name)

    def _target_of(self, spec: Object) -> str:
        """The runtime's id of the container whose processes an ephemeral one sees; empty for none."""
        target = self.state.containers.get(spec.get("targetContainerName") or "")
        return target.run.id if target is not None and target.run is not None and target.is_running else ""

    def _target(self, spec: Object, run: Run) -> Target:
        ips = self.state.sandbox.ips
        return Target(self.pod, spec, run.id, ips[0] if ips else "127.0.0.1")
