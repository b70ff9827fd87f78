"""Pods and states for the node agent's unit tests."""

from typing import Any

from kubeactors.api.meta import Object
from nodeagent.pods.state import PodState, Run, new_state

NOW = 1_800_000_000.0


def pod(*containers: Object, init: list[Object] | None = None, deleting: bool = False, **spec: Any) -> Object:
    metadata: Object = {"name": "web", "namespace": "default", "uid": "u-1", "generation": 3}
    if deleting:
        metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z"
        metadata["deletionGracePeriodSeconds"] = 30
    body: Object = {"nodeName": "n1", "containers": list(containers) or [{"name": "c", "image": "img"}], **spec}
    if init:
        body["initContainers"] = init
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def c(name: str, **fields: Any) -> Object:
    return {"name": name, "image": "img", **fields}


def sidecar(name: str, **fields: Any) -> Object:
    return c(name, restartPolicy="Always", **fields)


def state(obj: Object, *, ready: bool = True) -> PodState:
    """A state whose sandbox stands (with `ready`) and that has no runs."""
    made = new_state(obj, NOW)
    if ready:
        made.sandbox.status = "ready"
        made.sandbox.ips = ("10.0.0.5",)
    return made


def running(attempt: int = 0, **fields: Any) -> Run:
    return Run(f"id{attempt}", attempt, "running", NOW - 5, "img", "sha256:1", **{"started_at": NOW - 5, **fields})


def exited(code: int = 0, attempt: int = 0, at: float = NOW - 1, **fields: Any) -> Run:
    run = Run(f"id{attempt}", attempt, "exited", NOW - 5, "img", "sha256:1", started_at=NOW - 5, **fields)
    run.exit_code, run.finished_at = code, at
    return run


def run_in(made: PodState, name: str, run: Run, *, started: bool = True, ready: bool = True) -> None:
    container = made.containers[name]
    container.run = run
    container.started = started and run.status == "running"
    container.ready = ready and run.status == "running"
