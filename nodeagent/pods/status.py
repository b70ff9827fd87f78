"""A pod's status as kubelet words it: a pure function of the pod, the worker's state and the time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kubeactors.api.meta import Object, generation, get_condition, is_deleting, now_rfc3339
from nodeagent.pods.outcome import NEVER_FOUND
from nodeagent.pods.planner import is_finished, is_initialized, should_restart
from nodeagent.pods.resize import conditions as resize_conditions
from nodeagent.pods.resources import qos_class
from nodeagent.pods.spec import all_containers
from nodeagent.pods.state import ContainerState, Failure, PodState, Run

#: Conditions that are this agent's to write; others in the status are left alone.
RESIZE_CONDITIONS = ("PodResizePending", "PodResizeInProgress")
OWN_CONDITIONS = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    *RESIZE_CONDITIONS,
)


@dataclass(frozen=True)
class Host:
    """The node's addresses, the primary one first."""

    ips: tuple[str, ...]


def pod_status(pod: Object, state: PodState, host: Host, now: float, runtime: str = "podman") -> Object:
    """The whole status that this agent answers for. Conditions keep their transition times where nothing changed."""
    spec = pod["spec"]
    if state.failure is not None and state.failure.rejected:
        return _rejected_status(pod, state, state.failure)
    phase = pod_phase(pod, state)
    ending = is_deleting(pod) or state.failure is not None or phase in ("Succeeded", "Failed")
    status: Object = {
        "phase": phase,
        "observedGeneration": generation(pod),
        "hostIP": host.ips[0],
        "hostIPs": [{"ip": ip} for ip in host.ips],
        "startTime": rfc3339(state.start_time),
        "qosClass": qos_class(pod),
    }
    ips = host.ips if spec.get("hostNetwork") and state.sandbox.ips else state.sandbox.ips
    if ips:
        status["podIP"] = ips[0]
        status["podIPs"] = [{"ip": ip} for ip in ips]
    if state.failure is not None:
        status["reason"] = state.failure.reason
        status["message"] = state.failure.message
    init = [
        _container_status(pod, c, state, ending, runtime, _spec_of(spec, c.name))
        for c in state.of_kind("init", "sidecar")
    ]
    mains = [
        _container_status(pod, c, state, ending, runtime, _spec_of(spec, c.name))
        for c in sorted(state.of_kind("main"), key=lambda c: c.name)
    ]
    added = [
        _container_status(pod, c, state, ending, runtime, _spec_of(spec, c.name)) for c in state.of_kind("ephemeral")
    ]
    if added:
        status["ephemeralContainerStatuses"] = added
    if init:
        status["initContainerStatuses"] = init
    status["containerStatuses"] = mains
    status["conditions"] = _conditions(pod, state, phase, init, mains, now)
    return status


def _rejected_status(pod: Object, state: PodState, failure: Failure) -> Object:
    """Of a pod that was never taken there is nothing more to say."""
    return {
        "phase": "Failed",
        "reason": failure.reason,
        "message": failure.message,
        "observedGeneration": generation(pod),
        "startTime": rfc3339(state.start_time),
        "qosClass": qos_class(pod),
    }


def pod_phase(pod: Object, state: PodState) -> str:
    """kubelet's getPhase. A pod that was ended by deletion or by this agent is Succeeded or Failed at its end."""
    ended = state.torn_down or not state.any_running
    mains = state.of_kind("main")
    if state.failure is not None:
        return "Failed"
    if (is_deleting(pod) or state.removed) and ended and any(c.run is not None for c in mains):
        succeeded = all(c.run is not None and c.has_exited and c.run.exit_code == 0 for c in mains)
        return "Succeeded" if succeeded else "Failed"
    if is_finished(pod, state):
        succeeded = all(c.run is not None and c.run.exit_code == 0 and c.has_exited for c in mains)
        return "Succeeded" if succeeded else "Failed"
    if not is_initialized(pod, state) and not any(c.is_running for c in mains):
        return "Pending"
    if any(c.run is None or c.run.status == "created" for c in mains if c.last is None):
        return "Pending"
    return "Running"


def not_started_reason(pod: Object) -> str:
    """Why a container waits that nothing was tried with yet."""
    return "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"


def is_terminal(status: Object) -> bool:
    return status.get("phase") in ("Succeeded", "Failed")


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch in the API's form."""
    return now_rfc3339(datetime.fromtimestamp(seconds, UTC))


def _container_status(
    pod: Object, container: ContainerState, state: PodState, ending: bool, runtime: str, spec: Object
) -> Object:
    run = container.run
    restarting = (
        run is not None
        and run.status == "exited"
        and not ending
        and container.kind != "ephemeral"
        and (container.kind == "sidecar" or should_restart(pod, container.name, run))
    )
    current: dict[str, Any]
    last: dict[str, Any] = {}
    if (run is None or run.status == "created") and state.torn_down and is_initialized(pod, state):
        # As kubelet's TerminatePod has it: what never ran counts as failed.
        code, reason, message = NEVER_FOUND
        ended = {"exitCode": code, "reason": reason, "message": message, "startedAt": None, "finishedAt": None}
        current = {"terminated": ended}
    elif run is None or run.status == "created":
        waiting = container.waiting
        reason = waiting.reason if waiting else not_started_reason(pod)
        current = {"waiting": _without_empty(reason=reason, message=waiting.message if waiting else "")}
        if container.last is not None:
            last = {"terminated": _terminated(container.last, runtime)}
    elif run.status == "running":
        current = {"running": {"startedAt": rfc3339(run.started_at)}}
        if container.last is not None:
            last = {"terminated": _terminated(container.last, runtime)}
    elif container.waiting is not None and (restarting or container.kind == "init") and not ending:
        waiting = container.waiting
        current = {"waiting": _without_empty(reason=waiting.reason, message=waiting.message)}
        last = {"terminated": _terminated(run, runtime)}
    else:
        current = {"terminated": _terminated(run, runtime)}
        if container.last is not None:
            last = {"terminated": _terminated(container.last, runtime)}
    shown = run or container.last
    result: Object = {
        "name": container.name,
        "state": current,
        "lastState": last,
        "ready": _is_ready(container, ending),
        "restartCount": 0 if run is None else run.attempt,
        "image": shown.image if shown else spec.get("image", ""),
        "imageID": shown.image_id if shown else "",
        "started": container.is_running and container.started,
    }
    if shown:
        result["containerID"] = f"{runtime}://{shown.id}"
    if container.kind == "ephemeral":
        del result["started"]  # nobody asks
    elif container.kind != "init" and shown is not None:
        # What it was given, and what it runs with until a resize is done.
        given = _amounts_in(spec.get("resources"))
        present = run.resources if run is not None and run.status == "running" else None
        result["resources"] = given if present is None else _amounts_in(present)
        if given.get("requests"):
            result["allocatedResources"] = given["requests"]
    mounts = [_mount_status(m) for m in spec.get("volumeMounts") or ()]
    if mounts:
        result["volumeMounts"] = mounts
    return result


def _amounts_in(resources: Object | None) -> Object:
    return {k: v for k, v in (resources or {}).items() if k in ("limits", "requests") and v}


def _mount_status(mount: Object) -> Object:
    status: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        status["readOnly"] = True
        status["recursiveReadOnly"] = "Disabled"
    return status


def _is_ready(container: ContainerState, ending: bool) -> bool:
    if container.kind == "init":
        run = container.run
        return run is not None and container.has_exited and run.exit_code == 0
    # A pod that is on its way out takes no more work: it leaves the endpoints before its processes get SIGTERM.
    return container.is_running and container.ready and not ending


def _terminated(run: Run, runtime: str) -> Object:
    result: Object = {
        "exitCode": run.exit_code,
        "reason": run.reason or ("Completed" if run.exit_code == 0 else "Error"),
        "startedAt": rfc3339(run.started_at) if run.started_at else None,
        "finishedAt": rfc3339(run.finished_at) if run.finished_at else None,
        "containerID": f"{runtime}://{run.id}",
    }
    if run.message:
        result["message"] = run.message
    return result


def _conditions(
    pod: Object, state: PodState, phase: str, init: list[Object], mains: list[Object], now: float
) -> list[Object]:
    has_network = bool(state.sandbox.ips) and state.sandbox.status == "ready"
    sidecars = {c.name for c in state.of_kind("sidecar")}
    counted = [*mains, *(s for s in init if s["name"] in sidecars)]
    conditions = [
        _condition(pod, "PodReadyToStartContainers", has_network, "", "", now),
        _initialized(pod, state, phase, init, now),
        _ready(pod, phase, counted, now),
        _containers_ready(pod, "ContainersReady", phase, counted, now),
        _condition(pod, "PodScheduled", True, "", "", now),
    ]
    for type, resize in resize_conditions(state):
        condition = _condition(pod, type, True, resize.reason, resize.message, now)
        conditions.append({**condition, "observedGeneration": resize.generation})
    status = pod.get("status") or {}
    return [*conditions, *(c for c in status.get("conditions") or () if c["type"] not in OWN_CONDITIONS)]


def _initialized(pod: Object, state: PodState, phase: str, init: list[Object], now: float) -> Object:
    if phase == "Succeeded":
        return _condition(pod, "Initialized", True, "PodCompleted", "", now)
    if is_initialized(pod, state) or (phase == "Failed" and all(s["ready"] for s in init)):
        return _condition(pod, "Initialized", True, "", "", now)
    sidecars = {c.name for c in state.of_kind("sidecar")}
    incomplete = [s["name"] for s in init if not (s["started"] if s["name"] in sidecars else s["ready"])]
    message = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return _condition(pod, "Initialized", False, "ContainersNotInitialized", message, now)


def _containers_ready(pod: Object, type: str, phase: str, counted: list[Object], now: float) -> Object:
    if phase == "Succeeded":
        return _condition(pod, type, False, "PodCompleted", "", now)
    if phase == "Failed":
        return _condition(pod, type, False, "PodFailed", "", now)
    unready = [s["name"] for s in counted if not s["ready"]]
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return _condition(pod, type, False, "ContainersNotReady", message, now)
    return _condition(pod, type, True, "", "", now)


def _ready(pod: Object, phase: str, counted: list[Object], now: float) -> Object:
    ready = _containers_ready(pod, "Ready", phase, counted, now)
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    if ready["status"] != "True" or not gates:
        return ready
    problems = []
    for gate in gates:
        condition = get_condition(pod, gate)
        if condition is None:
            problems.append(f'corresponding condition of pod readiness gate "{gate}" does not exist.')
        elif condition.get("status") != "True":
            problems.append(f'the status of pod readiness gate "{gate}" is not "True", but {condition.get("status")}')
    if not problems:
        return ready
    return _condition(pod, "Ready", False, "ReadinessGatesNotReady", ", ".join(problems), now)


def _condition(pod: Object, type: str, value: bool, reason: str, message: str, now: float) -> Object:
    status = "True" if value else "False"
    before = get_condition(pod, type)
    same = before is not None and before.get("status") == status and before.get("lastTransitionTime")
    condition: Object = {
        "type": type,
        "status": status,
        "observedGeneration": generation(pod),
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if before is not None and same else rfc3339(now),
    }
    condition.update(_without_empty(reason=reason, message=message))
    return condition


def _spec_of(spec: Object, name: str) -> Object:
    return next((c for c in all_containers({"spec": spec}) if c["name"] == name), {"name": name})


def _without_empty(**fields: str) -> dict[str, str]:
    return {key: value for key, value in fields.items() if value}
