"""The STATUS, READY and RESTARTS of a pod."""

from datetime import datetime
from typing import Any

from kubeactors.api.duration import since
from kubeactors.api.meta import Object, get_condition, is_condition_true, newest
from kubeactors.api.printers.text import NONE, age, name

_UNREACHABLE = "NodeLost"
_ROW_CONDITIONS = {
    "Succeeded": [
        {
            "type": "Completed",
            "status": "True",
            "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }
    ],
    "Failed": [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}],
}


def pod_cells(pod: Object, now: datetime) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    summary = PodSummary(pod)
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{summary.restarts} ({since(summary.last_restart, now)} ago)"
    ips = status.get("podIPs") or []
    return [
        name(pod),
        f"{summary.ready}/{summary.total}",
        summary.reason,
        restarts,
        age(pod, now),
        (ips[0].get("ip") if ips else "") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(pod),
    ]


def pod_row_conditions(pod: Object) -> list[dict[str, str]]:
    """Conditions of the row: clients hide the rows of pods that have ended."""
    return _ROW_CONDITIONS.get((pod.get("status") or {}).get("phase") or "", [])


class PodSummary:
    """What one line says about a pod."""

    def __init__(self, pod: Object) -> None:
        self._pod = pod
        self._spec: dict[str, Any] = pod.get("spec") or {}
        self._status: dict[str, Any] = pod.get("status") or {}
        self._sidecars = {
            c.get("name") for c in self._spec.get("initContainers") or () if c.get("restartPolicy") == "Always"
        }
        self.total = len(self._spec.get("containers") or ()) + len(self._sidecars)
        self.ready = 0
        self.restarts = 0
        self.last_restart: str | None = None
        self.reason = self._status.get("reason") or self._status.get("phase") or ""
        scheduled = get_condition(pod, "PodScheduled")
        if scheduled and scheduled.get("reason") == "SchedulingGated":
            self.reason = "SchedulingGated"
        if not self._init_containers() or is_condition_true(pod, "Initialized"):
            self._containers()
        self._deletion()

    def _init_containers(self) -> bool:
        """Take the init containers into account; true while the pod initialises."""
        for index, container in enumerate(self._status.get("initContainerStatuses") or ()):
            self._count_restarts(container)
            state = container.get("state") or {}
            terminated, waiting = state.get("terminated"), state.get("waiting")
            if terminated and not terminated.get("exitCode"):
                continue
            if container.get("name") in self._sidecars and container.get("started"):
                self.ready += bool(container.get("ready"))
                continue
            if terminated:
                self.reason = f"Init:{_terminated(terminated)}"
            elif waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
                self.reason = f"Init:{waiting['reason']}"
            else:
                self.reason = f"Init:{index}/{len(self._spec.get('initContainers') or ())}"
            return True
        return False

    def _containers(self) -> None:
        # Restarts of init containers that are done no longer count, those of sidecars do.
        self.restarts, self.last_restart = 0, None
        for container in self._status.get("initContainerStatuses") or ():
            if container.get("name") in self._sidecars:
                self._count_restarts(container)
        running = False
        for container in reversed(self._status.get("containerStatuses") or ()):
            self._count_restarts(container)
            state = container.get("state") or {}
            waiting, terminated = state.get("waiting"), state.get("terminated")
            if waiting and waiting.get("reason"):
                self.reason = waiting["reason"]
            elif terminated is not None:
                self.reason = _terminated(terminated)
            elif container.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if is_condition_true(self._pod, "Ready") else "NotReady"

    def _count_restarts(self, container: dict[str, Any]) -> None:
        self.restarts += container.get("restartCount") or 0
        ended = ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        self.last_restart = newest((self.last_restart, ended))

    def _deletion(self) -> None:
        if not (self._pod.get("metadata") or {}).get("deletionTimestamp"):
            return
        if self._status.get("reason") == _UNREACHABLE:
            self.reason = "Unknown"
        elif self._status.get("phase") not in ("Succeeded", "Failed"):
            self.reason = "Terminating"


def _terminated(state: dict[str, Any]) -> str:
    if state.get("reason"):
        return str(state["reason"])
    return f"Signal:{state['signal']}" if state.get("signal") else f"ExitCode:{state.get('exitCode', 0)}"


def _readiness_gates(pod: Object) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or []
    if not gates:
        return NONE
    return f"{sum(is_condition_true(pod, g.get('conditionType') or '') for g in gates)}/{len(gates)}"
