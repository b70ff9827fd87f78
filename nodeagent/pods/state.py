"""What a worker knows about its pod: what was observed of the runtime, and how far each thing has come.

Times are seconds since the epoch. The worker changes it; the planner and the status only read.
"""

from dataclasses import dataclass, field
from typing import Literal

from kubeactors.api.meta import Object
from nodeagent.pods.backoff import BackOff

RunStatus = Literal["created", "running", "exited"]
Kind = Literal["init", "sidecar", "main", "ephemeral"]
SandboxStatus = Literal["none", "ready", "changed", "removed"]


@dataclass
class Run:
    """One attempt of a container: what became one container of the runtime."""

    id: str
    attempt: int
    status: RunStatus
    created_at: float
    image: str
    image_id: str
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    pid: int = 0
    #: The number of the signal that asks it to end.
    stop_signal: int = 15
    #: The sandbox that it ran in, by Sandbox.attempt.
    sandbox: int = 0
    #: We ended it so that it starts anew, whatever its exit code says.
    ended_to_restart: bool = False
    #: Its postStart hook has succeeded.
    hook_done: bool = False
    #: The resources that it runs with, as a container's spec has them; None when nobody knows any more.
    resources: Object | None = None


@dataclass(frozen=True)
class Waiting:
    reason: str
    message: str = ""


@dataclass
class ContainerState:
    """A container of the spec: its present run, the one before, and what holds it up."""

    name: str
    kind: Kind
    run: Run | None = None
    last: Run | None = None
    waiting: Waiting | None = None
    #: Passed its startup probe (or has none) and its postStart hook.
    started: bool = False
    #: The readiness probe's answer; without one, `started`.
    ready: bool = False
    #: Why the run is to be ended although the pod goes on ("" when not), as the Killing event tells it.
    kill_message: str = ""
    #: The grace period of that end in seconds; None: the pod's.
    kill_grace: float | None = None
    back_off: BackOff | None = None
    #: A start that failed is not tried again before this.
    retry_at: float = 0.0
    failed_at: float = 0.0

    @property
    def attempt(self) -> int:
        """The attempt that would be next."""
        return 0 if self.run is None else self.run.attempt + 1

    @property
    def is_running(self) -> bool:
        return self.run is not None and self.run.status == "running"

    @property
    def has_exited(self) -> bool:
        return self.run is not None and self.run.status == "exited"


@dataclass
class Sandbox:
    """The pod's network, shared namespaces and volumes."""

    status: SandboxStatus = "none"
    attempt: int = 0
    ips: tuple[str, ...] = ()
    netns: str = ""
    retry_at: float = 0.0
    retries: int = 0


@dataclass(frozen=True)
class Failure:
    """A decision of this agent that ends the pod: its status.reason and message."""

    reason: str
    message: str
    #: The pod was never taken.
    rejected: bool = False


@dataclass(frozen=True)
class Resize:
    """How a resize stands, as a condition tells it. `generation` is the spec's that asked for it."""

    generation: int
    reason: str = ""
    message: str = ""


@dataclass
class PodState:
    containers: dict[str, ContainerState]
    sandbox: Sandbox = field(default_factory=Sandbox)
    #: When this agent first saw the pod: status.startTime.
    start_time: float = 0.0
    failure: Failure | None = None
    #: What the containers that can be resized have been given, by name: resources as in a spec.
    given: dict[str, Object] = field(default_factory=dict)
    #: The spec asks for more than was given.
    resize_pending: Resize | None = None
    #: The containers do not all run with what was given.
    resize_progress: Resize | None = None
    resize_retry_at: float = 0.0
    #: The pod is gone from the API: end it and keep nothing.
    removed: bool = False
    #: When the end began: the grace period counts from here.
    terminating_since: float = 0.0
    #: The grace period of the end, in seconds; None while the pod goes on.
    grace: float | None = None
    #: Everything has ended, the network and the volumes are gone.
    torn_down: bool = False
    #: The final status is written, as far as this agent is concerned.
    final_status_written: bool = False
    delete_requested: bool = False
    #: Operations under way: "start/NAME", "kill/NAME", "sandbox", "teardown", "delete".
    in_flight: frozenset[str] = frozenset()

    def of_kind(self, *kinds: Kind) -> list[ContainerState]:
        return [c for c in self.containers.values() if c.kind in kinds]

    @property
    def any_running(self) -> bool:
        return any(c.run is not None and c.run.status != "exited" for c in self.containers.values())


def new_state(pod: Object, now: float) -> PodState:
    """The state of a pod of which nothing has been done yet."""
    containers: dict[str, ContainerState] = {}
    spec = pod["spec"]
    for container in spec.get("initContainers") or ():
        kind: Kind = "sidecar" if container.get("restartPolicy") == "Always" else "init"
        containers[container["name"]] = ContainerState(container["name"], kind)
    for container in spec["containers"]:
        containers[container["name"]] = ContainerState(container["name"], "main")
    made = PodState(containers, start_time=now)
    add_ephemeral_containers(made, pod)
    return made


def add_ephemeral_containers(state: PodState, pod: Object) -> None:
    """Take up the ephemeral containers that the pod has by now; they never go away again."""
    for container in pod["spec"].get("ephemeralContainers") or ():
        name = container["name"]
        state.containers.setdefault(name, ContainerState(name, "ephemeral"))
