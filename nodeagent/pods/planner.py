"""What a pod needs next: a pure function of its spec, its state and the time.

`plan` is called again after every change and at the time it asks for; it repeats an action until the state shows it
done or under way. The order of things follows kubelet's computePodActions, the end that of sidecars (KEP-753).
"""

from dataclasses import dataclass, field

from kubeactors.api.meta import Object, is_deleting
from nodeagent.pods import backoff
from nodeagent.pods.resize import outdated
from nodeagent.pods.state import ContainerState, Failure, PodState, Run

#: How long ErrImagePull is shown before it becomes ImagePullBackOff, in seconds.
PULL_ERROR_SHOWN = 1.0
#: The shortest end, in seconds: what a forced deletion (grace period 0) leaves to processes.
MINIMUM_GRACE = 2.0
DEFAULT_GRACE = 30.0


@dataclass(frozen=True)
class SetUpSandbox:
    """Make the network, the shared namespaces and the volumes."""

    attempt: int


@dataclass(frozen=True)
class StartContainer:
    """Create and start the next attempt. It waits for the sandbox where it needs it."""

    name: str


@dataclass(frozen=True)
class HoldBack:
    """Say that the container waits for its restart (CrashLoopBackOff); `delay` is the whole back-off in seconds."""

    name: str
    delay: float


@dataclass(frozen=True)
class HoldPull:
    """Say that the container waits for its next pull (ImagePullBackOff)."""

    name: str


@dataclass(frozen=True)
class KillContainer:
    """End the present run: preStop, SIGTERM, and SIGKILL at `deadline` (seconds since the epoch)."""

    name: str
    message: str
    deadline: float


@dataclass(frozen=True)
class ResizeContainers:
    """Let the containers have what the pod has been given (KEP-1287)."""


@dataclass(frozen=True)
class Abort:
    """Give up an operation under way, named as in PodState.in_flight."""

    operation: str


@dataclass(frozen=True)
class FailPod:
    """End the pod with this failure."""

    failure: Failure


@dataclass(frozen=True)
class TearDown:
    """Remove network, volumes and control group. Containers and logs stay readable."""


@dataclass(frozen=True)
class DeletePod:
    """Delete the pod object, with grace period 0 and its uid as precondition."""


@dataclass(frozen=True)
class Forget:
    """Remove what is left on the node and end the worker."""


Action = (
    SetUpSandbox
    | StartContainer
    | HoldBack
    | HoldPull
    | KillContainer
    | ResizeContainers
    | Abort
    | FailPod
    | TearDown
    | DeletePod
    | Forget
)


@dataclass
class Plan:
    actions: list[Action] = field(default_factory=list)
    #: When to plan again if nothing happens before; None: never.
    wake_at: float | None = None

    def wake(self, at: float) -> None:
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)


def plan(pod: Object, state: PodState, now: float) -> Plan:
    """The actions that the pod needs now, in no particular order."""
    if state.removed or is_deleting(pod) or state.failure is not None or is_finished(pod, state):
        return _plan_end(pod, state, now)
    result = Plan()
    spec = pod["spec"]
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and state.start_time:
        if now - state.start_time >= deadline:
            message = "Pod was active on the node longer than the specified deadline"
            result.actions.append(FailPod(Failure("DeadlineExceeded", message)))
            return result
        result.wake(state.start_time + deadline)
    if state.sandbox.status == "changed":
        if _replace_sandbox(state, now, pod, result):
            return result
    elif state.sandbox.status != "ready" and not _set_up_sandbox(state, now, result):
        return result
    for failing in state.containers.values():
        if failing.kill_message and failing.is_running and f"kill/{failing.name}" not in state.in_flight:
            grace = failing.kill_grace if failing.kill_grace is not None else _grace(pod)
            result.actions.append(KillContainer(failing.name, failing.kill_message, now + grace))
    _plan_resize(pod, state, now, result)
    for container in state.of_kind("ephemeral"):
        if container.run is None:  # they run once
            _plan_start(pod, state, container, now, result)
    if _plan_init_containers(pod, state, now, result):
        for container in state.of_kind("main"):
            _plan_start(pod, state, container, now, result)
    return result


def _plan_resize(pod: Object, state: PodState, now: float, result: Plan) -> None:
    if state.resize_progress is None or "resize" in state.in_flight:
        return
    if now < state.resize_retry_at:
        result.wake(state.resize_retry_at)
        return
    left = outdated(pod, state)
    # Those that are restarted for it have it when they run again.
    if not left or any(not container.kill_message for container, _ in left):
        result.actions.append(ResizeContainers())


def is_finished(pod: Object, state: PodState) -> bool:
    """Whether the pod has come to its end by itself: phase Succeeded or Failed."""
    if state.torn_down:
        return True
    if _failed_init(pod, state) is not None:
        return not state.any_running or not any(c.is_running for c in state.of_kind("main"))
    return all(
        container.run is not None
        and container.has_exited
        and f"start/{container.name}" not in state.in_flight
        and not should_restart(pod, container.name, container.run)
        for container in state.of_kind("main")
    )


def should_restart(pod: Object, name: str, run: Run) -> bool:
    """Whether a container that ended is to run again: its own restart rules and policy, else the pod's policy."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    container: Object = next((c for c in containers if c["name"] == name), {})
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        contained = run.exit_code in (codes.get("values") or ())
        if rule.get("action") == "Restart" and contained == (codes.get("operator") == "In"):
            return True
    policy = container.get("restartPolicy") or spec.get("restartPolicy") or "Always"
    if policy == "Always":
        return True
    return policy == "OnFailure" and (run.exit_code != 0 or run.ended_to_restart)


def is_initialized(pod: Object, state: PodState) -> bool:
    """Whether the init containers are behind us: all succeeded, and the sidecars have started."""
    if _mains_have_run(state):
        return True
    for container in state.of_kind("init", "sidecar"):
        if container.kind == "sidecar":
            if not (container.is_running and container.started):
                return False
        elif not _init_done(state, container):
            return False
    return True


def _mains_have_run(state: PodState) -> bool:
    return any(
        c.run is not None and c.run.sandbox == state.sandbox.attempt and c.run.status != "created"
        for c in state.of_kind("main")
    )


def _init_done(state: PodState, container: ContainerState) -> bool:
    run = container.run
    return run is not None and run.status == "exited" and run.exit_code == 0 and run.sandbox == state.sandbox.attempt


def _failed_init(pod: Object, state: PodState) -> ContainerState | None:
    for container in state.of_kind("init"):
        run = container.run
        failed = run is not None and container.has_exited and run.exit_code != 0
        if run is not None and failed and not _mains_have_run(state) and not should_restart_init(pod, run):
            return container
    return None


def should_restart_init(pod: Object, run: Run) -> bool:
    """An init container that failed runs again unless the policy is Never; Always means OnFailure for it."""
    return (pod["spec"].get("restartPolicy") or "Always") != "Never" and run.exit_code != 0


def _set_up_sandbox(state: PodState, now: float, result: Plan) -> bool:
    """Whether containers may begin to start beside it."""
    if "sandbox" in state.in_flight:
        return state.sandbox.retries == 0
    if now < state.sandbox.retry_at:
        result.wake(state.sandbox.retry_at)
        return False
    result.actions.append(SetUpSandbox(state.sandbox.attempt))
    return state.sandbox.retries == 0


def _replace_sandbox(state: PodState, now: float, pod: Object, result: Plan) -> bool:
    """End what runs in a sandbox that is broken, then make a new one. True while that is not done."""
    for container in state.containers.values():
        if container.is_running and f"kill/{container.name}" not in state.in_flight:
            message = "Pod sandbox changed, it will be killed and re-created."
            result.actions.append(KillContainer(container.name, message, now + _grace(pod)))
    if not result.actions and not state.in_flight and not state.any_running:
        result.actions.append(SetUpSandbox(state.sandbox.attempt + 1))
    return True


def _plan_init_containers(pod: Object, state: PodState, now: float, result: Plan) -> bool:
    """True when the main containers may start."""
    mains_have_run = _mains_have_run(state)
    for container in state.of_kind("init", "sidecar"):
        if container.kind == "sidecar":
            _plan_start(pod, state, container, now, result)
            if not mains_have_run and not (container.is_running and container.started):
                return False
        elif not mains_have_run and not _init_done(state, container):
            _plan_start(pod, state, container, now, result)
            return False
    return True


def _plan_start(pod: Object, state: PodState, container: ContainerState, now: float, result: Plan) -> None:
    """Start the container if it does not run and should, or say why it waits."""
    run = container.run
    if container.is_running or f"start/{container.name}" in state.in_flight:
        return
    if run is not None and run.status == "exited":
        if container.kind == "main" and not should_restart(pod, container.name, run):
            return
        wait = backoff.remaining(container.back_off, run.finished_at, now)
        if wait > 0:
            if container.waiting is None or container.waiting.reason != "CrashLoopBackOff":
                assert container.back_off is not None
                result.actions.append(HoldBack(container.name, container.back_off.delay))
            result.wake(now + wait)
            return
    if now < container.retry_at:
        if container.waiting is not None and container.waiting.reason == "ErrImagePull":
            if now >= container.failed_at + PULL_ERROR_SHOWN:
                result.actions.append(HoldPull(container.name))
            else:
                result.wake(container.failed_at + PULL_ERROR_SHOWN)
        result.wake(container.retry_at)
        return
    result.actions.append(StartContainer(container.name))


def _plan_end(pod: Object, state: PodState, now: float) -> Plan:
    result = Plan()
    aborting = [o for o in sorted(state.in_flight) if o == "sandbox" or o.startswith("start/")]
    result.actions += [Abort(operation) for operation in aborting]
    # A pod that has come to its end by itself gives what still serves it (sidecars) the whole grace period.
    deadline = now + _grace(pod) if state.grace is None else state.terminating_since + state.grace
    first = [c for c in state.of_kind("main", "init", "ephemeral") if c.is_running]
    # Sidecars end after what they serve, the last one first.
    sidecars = [c for c in reversed(state.of_kind("sidecar")) if c.is_running][:1]
    for ending in first or sidecars:
        if f"kill/{ending.name}" not in state.in_flight:
            message = f"Stopping container {ending.name}"
            result.actions.append(KillContainer(ending.name, message, deadline))
    if first or sidecars or state.in_flight:
        return result
    if not state.torn_down:
        result.actions.append(TearDown())
    elif state.removed:
        result.actions.append(Forget())
    elif is_deleting(pod) and state.final_status_written and not state.delete_requested:
        result.actions.append(DeletePod())
    return result


def grace_period(pod: Object, *, removed: bool) -> float:
    """The grace period in seconds of a pod that is to end: the deletion's, else the spec's.

    A pod whose object is gone while it runs was deleted by force: it gets the least there is.
    """
    if removed:
        return MINIMUM_GRACE
    grace = pod["metadata"].get("deletionGracePeriodSeconds")
    return _grace(pod) if grace is None else max(MINIMUM_GRACE, float(grace))


def _grace(pod: Object) -> float:
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    return max(MINIMUM_GRACE, float(DEFAULT_GRACE if grace is None else grace))
