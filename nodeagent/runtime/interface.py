"""What a pod worker asks of a container runtime. Podman is the implementation (nodeagent.runtime.podman)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Status = Literal["created", "running", "exited"]


class RuntimeFailure(Exception):
    """The runtime refused or failed; the text is its own."""


class RuntimeUnavailable(RuntimeFailure):
    """The runtime does not answer; the outcome of the call is unknown."""


class NoSuchContainer(RuntimeFailure):
    """The container is gone."""


class NoSuchImage(RuntimeFailure):
    """The image is not on this node."""


class ImagePullFailure(RuntimeFailure):
    """A registry did not give the image; the text is the runtime's."""


@dataclass(frozen=True)
class Image:
    id: str  # sha256:…
    digests: tuple[str, ...]  # name@sha256:…
    size: int  # bytes
    user: str = ""  # as the image's config says: name or number, perhaps with :group
    stop_signal: str = ""


@dataclass(frozen=True)
class BindMount:
    source: str
    destination: str
    read_only: bool = False
    propagation: str = "rprivate"  # rprivate, rslave or rshared
    recursive_read_only: bool = False


@dataclass(frozen=True)
class Resources:
    """Limits of one container. None leaves the kernel's default."""

    cpu_shares: int | None = None
    cpu_quota: int | None = None  # microseconds a period
    cpu_period: int = 100_000
    memory_limit: int | None = None  # bytes
    oom_score_adj: int | None = None


@dataclass(frozen=True)
class Security:
    user: str = ""  # "uid", "uid:gid" or what the image says when empty
    groups: tuple[int, ...] = ()
    privileged: bool = False
    add_capabilities: tuple[str, ...] = ()  # without CAP_; "ALL" is every one
    drop_capabilities: tuple[str, ...] = ()
    read_only_root: bool = False
    no_new_privileges: bool = False
    seccomp_unconfined: bool = False
    seccomp_profile_path: str = ""


@dataclass(frozen=True)
class ContainerConfig:
    """A container as it is to be created."""

    name: str
    image: str
    labels: Mapping[str, str]
    log_path: str
    command: tuple[str, ...] | None = None  # replaces the image's entrypoint
    args: tuple[str, ...] | None = None  # replaces the image's command
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    mounts: tuple[BindMount, ...] = ()
    devices: tuple[str, ...] = ()
    netns_path: str = ""  # empty: the node's network
    ipc_path: str = ""  # path of an IPC namespace; empty: one of its own
    host_ipc: bool = False
    host_pid: bool = False
    pid_container: str = ""  # id of the container whose process namespace is joined; empty: one of its own
    hostname: str = ""  # empty: the node's
    sysctls: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    resources: Resources = Resources()
    security: Security = Security()
    stdin: bool = False
    tty: bool = False
    stop_signal: str = ""


@dataclass(frozen=True)
class Exit:
    """How a container ended. An unknown exit code (its monitor died too) is None."""

    container_id: str
    exit_code: int | None
    oom_killed: bool
    finished_at: float  # seconds since the epoch


@dataclass(frozen=True)
class Started:
    pid: int
    started_at: float


@dataclass(frozen=True)
class ContainerRecord:
    """A container as the runtime knows it, from a listing."""

    id: str
    name: str
    labels: Mapping[str, str]
    status: Status
    pid: int
    image: str
    image_id: str
    created_at: float
    started_at: float
    finished_at: float
    exit_code: int | None
    oom_killed: bool


@dataclass(frozen=True)
class ExecResult:
    exit_code: int
    output: bytes  # stdout and stderr together, cut at the limit
    timed_out: bool = False
    error: str = ""  # the runtime could not run the command; the exit code means nothing then


@dataclass(frozen=True)
class Version:
    name: str
    version: str


ExitCallback = Callable[[Exit], None]

OutputName = Literal["stdout", "stderr"]
Emit = Callable[[OutputName, bytes], Awaitable[None]]


@dataclass(frozen=True)
class SessionResult:
    """How a session ended. With an `error` the runtime could not run the command; the exit code means nothing then."""

    exit_code: int
    error: str = ""


class Session(Protocol):
    """A command in a container, or a container's first process, with its streams. Close it when done."""

    async def pump(self, emit: Emit) -> None:
        """Emit all output until its end, reading on when `emit` returns. Emits one piece at a time of each output."""

    async def write(self, data: bytes) -> None:
        """Write to standard input; waits while the command does not read. What nobody reads any more is dropped."""

    async def close_stdin(self) -> None:
        """The end of standard input. A terminal has none."""

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size in columns and rows; nothing for a session without one."""

    async def result(self) -> SessionResult:
        """Wait for the end. Call after `pump`."""

    async def close(self) -> None:
        """Let go of everything; a command that still runs is killed, a container goes on."""


class Runtime(Protocol):
    """A container runtime on this node. Calls raise RuntimeFailure; each has a deadline of its own."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Let go of the runtime. Containers, and what keeps them, stay."""

    async def health(self) -> dict[str, str]: ...

    async def purge(self) -> None:
        """Remove every container of this cluster on this node, and the runtime's own processes that we started."""

    def version(self) -> Version: ...

    async def image(self, reference: str) -> Image:
        """The image if this node has it. Raises NoSuchImage."""

    async def pull(self, reference: str, credentials: str = "") -> Image:
        """Fetch the image from its registry. Raises ImagePullFailure."""

    async def create(self, config: ContainerConfig) -> str:
        """Create a container, not started; returns its id. Raises NoSuchImage. A container of this name is replaced."""

    async def start_container(self, container_id: str, on_exit: ExitCallback) -> Started:
        """Start it; `on_exit` is called once, on the loop, when it has ended (also if that is at once)."""

    def adopt(self, record: ContainerRecord, on_exit: ExitCallback) -> None:
        """Watch a running container that an earlier process started."""

    async def signal(self, container_id: str, signal_number: int) -> None:
        """Send a signal to the container's first process; SIGKILL ends all of it. One that has ended is no error."""

    async def update(self, container_id: str, resources: Resources) -> None:
        """Change the limits of a container that runs; None leaves a limit as it is."""

    async def remove(self, container_id: str) -> None:
        """Remove the container, killing it if need be. One that is gone is no error."""

    async def list(self) -> list[ContainerRecord]:
        """All containers of this cluster on this node. Slow: for start and resync only."""

    async def exec(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Run a command in the container, and kill it after `timeout` seconds."""

    async def open_exec(self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool) -> Session:
        """Begin a command in the container. One that cannot be started says so in its result."""

    async def open_attach(self, container_id: str, *, stdin: bool, tty: bool) -> Session:
        """Connect to the container's first process; `tty` says whether it was made with a terminal.

        Raises NoSuchContainer when it has ended."""

    async def environment(self, container_id: str) -> dict[str, str] | None:
        """The environment that a container was created with; None when it is gone."""

    async def reopen_log(self, container_id: str) -> None:
        """Make the container's monitor open its log anew, after the file was renamed."""
