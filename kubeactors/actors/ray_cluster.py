"""Every call of Ray's own API: connecting, the local head that `up` may start, membership and actors.

Ray's functions wait for its head, for a minute or for ever, and block their thread meanwhile. So each is called through
`within`, which gives up after a time and leaves the thread to Ray.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.daemon import Daemon
from kubeactors.actors.machines import Machine, alive_machines
from kubeactors.actors.paths import ROOT_DIR_VARIABLE, Paths

logger = logging.getLogger(__name__)

CALL_TIMEOUT = 10.0
"""Seconds after which a call of Ray's is given up; Ray's own default is never."""

START_TIMEOUT = 120.0
MOST_STARTS = 3
CONNECT_TIMEOUT = 60.0
OBJECT_STORE_BYTES = 80_000_000
MACHINE_SHARE = 0.001
"""What an actor takes of the resource that names its machine."""


RECONNECT_TIMEOUT = "604800"
"""Seconds that Ray's processes live without its head (a week). By Ray's default all end after one minute, and with them
every component; nothing that a machine runs needs Ray to serve."""

# Ray's health checks stay as they are: a busy machine that answers late would be declared dead, and its Ray would end.
HEAD_SETTINGS = {"RAY_gcs_storage": "rocksdb"}
MACHINE_SETTINGS = {
    "RAY_gcs_rpc_server_reconnect_timeout_s": RECONNECT_TIMEOUT,
    # Actors must not run at Ray's default niceness: requests wait for them.
    "RAY_worker_niceness": "0",
}
"""What `ray start` needs in its environment, on the head and on every machine (README)."""

_Result = TypeVar("_Result")


class RayUnavailableError(RuntimeError):
    """There is no Ray cluster to work with; the message says what to do."""


class RayCallError(RuntimeError):
    """An actor did not answer, or its method raised."""


def namespace(cluster_name: str) -> str:
    """Ray namespace of a cluster's actors."""
    return f"kubeactors-{cluster_name}"


class _Threads:
    """Runs blocking calls of Ray's in threads that nobody waits for at exit."""

    def __init__(self) -> None:
        self._stuck: list[concurrent.futures.Future[Any]] = []

    async def call(self, function: Callable[..., _Result], *arguments: Any, timeout: float) -> _Result:
        self._stuck = [future for future in self._stuck if not future.done()]
        if len(self._stuck) >= MOST_STUCK:
            raise RayUnavailableError("Ray's head does not answer")
        future: concurrent.futures.Future[_Result] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)

        threading.Thread(target=run, name=f"ray {function.__name__}", daemon=True).start()
        self._stuck.append(future)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            raise RayUnavailableError(f"Ray's head does not answer within {timeout:g} s") from None
        except RayError as error:
            raise RayUnavailableError(_summary(error)) from error


MOST_STUCK = 3
_threads = _Threads()
_initializing = threading.Lock()


async def within(timeout: float, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call one of this module's blocking functions.

    Raises RayUnavailableError after `timeout` seconds, or at once while several such calls still hang; also what the
    function raises.
    """
    return await _threads.call(function, *arguments, timeout=timeout)


async def connect(
    config: ClusterConfig, paths: Paths, address: str | None, *, remembered: str = "", timeout: float = CONNECT_TIMEOUT
) -> bool:
    """Connect this process to a running Ray: `address`, else RAY_ADDRESS, else the one that `up` started, else the one
    that the cluster was last seen in (`remembered`).

    Returns whether there is one. Raises RayUnavailableError when an address was named and nothing answers there.
    """
    named = address or os.environ.get("RAY_ADDRESS")
    target = named or _local_address(config, paths) or (remembered if _listens(remembered) else None)
    if target is None:
        return False
    if named and ":" in named and "//" not in named and not _listens(named):
        raise RayUnavailableError(f"no Ray cluster answers at {named}: {_START_ONE}")
    try:
        await within(timeout, _init, target, namespace(config.cluster_name))
    except RayUnavailableError:
        if not named:
            return False
        raise
    except (ConnectionError, RuntimeError, ValueError) as error:
        if not named:
            return False
        raise RayUnavailableError(f"no Ray cluster answers at {named}: {error}. {_START_ONE}") from error
    return True


_START_ONE = "Start one with `ray start --head`, or leave RAY_ADDRESS and --address out and `kubeactors up` starts one"


def _init(address: str, ray_namespace: str) -> None:
    logging.getLogger("ray").setLevel(logging.ERROR)  # it warns of being called in a thread
    with _initializing:  # an attempt that was given up may succeed yet
        if not ray.is_initialized():
            ray.init(
                address=address,
                namespace=ray_namespace,
                logging_level=logging.ERROR,
                log_to_driver=False,
                configure_logging=False,
            )


async def disconnect() -> None:
    """Leave the Ray cluster; detached actors go on."""
    with contextlib.suppress(RayUnavailableError):  # this process ends soon, and its connection with it
        await within(CALL_TIMEOUT, ray.shutdown)


def _local_address(config: ClusterConfig, paths: Paths) -> str | None:
    """Where a head on this machine listens: the one that `up` started, or the one that Ray itself remembers."""
    if Daemon(paths.ray_pid).pid() is None:
        remembered = paths.ray_temp / "ray_current_cluster"
        candidates = [remembered.read_text().strip()] if remembered.exists() else []
    else:
        own: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        candidates = [f"{host}:{config.ray_port}" for host in (config.advertise_address, own, "127.0.0.1") if host]
    return next(filter(_listens, candidates), None)


def _listens(address: str) -> bool:
    """Whether anything takes connections there. Ray itself would try for half a minute."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return port.isdigit() and probe.connect_ex((host, int(port))) == 0


async def start_local(config: ClusterConfig, paths: Paths) -> None:
    """Start a minimal Ray head on this machine, as a daemon that `stop_local` ends.

    Raises RayUnavailableError when it does not come up.
    """
    log_file = paths.log / "ray.log"
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        f"--port={config.ray_port}",
        f"--ray-client-server-port={config.ray_client_port}",
        f"--temp-dir={paths.ray_temp}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        # Chosen by the kernel: Ray's own range holds the node agent's port.
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--include-dashboard=false",
        "--include-log-monitor=false",
        "--no-monitor",
        "--disable-usage-stats",
    ]
    if config.advertise_address:
        command.append(f"--node-ip-address={config.advertise_address}")
    environment = dict(os.environ)
    environment.pop("RAY_ADDRESS", None)
    for name, value in {**HEAD_SETTINGS, **MACHINE_SETTINGS, "RAY_gcs_storage_path": str(paths.ray_storage)}.items():
        environment.setdefault(name, value)
    environment[ROOT_DIR_VARIABLE] = str(paths.root)
    paths.ray_storage.mkdir(parents=True, exist_ok=True, mode=0o700)
    daemon = Daemon(paths.ray_pid)
    try:
        async with asyncio.timeout(START_TIMEOUT):
            for attempt in range(1, MOST_STARTS + 1):
                pid = await daemon.start(command, environment=environment, log_file=log_file)
                if await _answers(daemon, config, paths):
                    return
                # On a busy machine Ray gives up after 30 s, which no setting changes.
                logger.warning("`ray start` (process %d, attempt %d) ended; see %s", pid, attempt, log_file)
    except TimeoutError:
        raise RayUnavailableError(f"Ray did not answer within {START_TIMEOUT:.0f} s; see {log_file}") from None
    raise RayUnavailableError(f"`ray start` ended {MOST_STARTS} times; see {log_file}")


async def _answers(daemon: Daemon, config: ClusterConfig, paths: Paths) -> bool:
    """True once Ray can be connected to, False when its process has ended first."""
    ended = asyncio.create_task(daemon.wait())
    try:
        while not ended.done():
            if await connect(config, paths, None):
                return True
            await asyncio.wait([ended], timeout=0.25)
        return False
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)


async def stop_local(paths: Paths) -> bool:
    """End the Ray that `up` started on this machine; returns whether there was one."""
    daemon = Daemon(paths.ray_pid)
    if daemon.pid() is None:
        return False
    await daemon.stop(grace=3.0, whole_session=True)
    return True


def machines() -> list[Machine]:
    """The machines of the Ray cluster that are alive now."""
    return alive_machines(_nodes())


def this_machine() -> Machine:
    """The machine that this process runs on, as Ray knows it."""
    own = ray.get_runtime_context().get_node_id()
    return alive_machines([node for node in _nodes() if node["NodeID"] == own])[0]


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes


def head_address() -> str:
    """Where Ray's head listens, `host:port`."""
    address: str = ray.get_runtime_context().gcs_address
    return address


def find_actor(name: str) -> Any | None:
    """The handle of a named actor, or None."""
    try:
        return ray.get_actor(name)
    except ValueError:
        return None


def find_actors(prefix: str) -> dict[str, Any]:
    """The handles of the actors of this namespace whose names begin with `prefix`, by name."""
    found = {name: find_actor(name) for name in sorted(ray.util.list_named_actors()) if name.startswith(prefix)}
    return {name: handle for name, handle in found.items() if handle is not None}


def advice(environment: Mapping[str, str], *, head: bool) -> list[str]:
    """What a machine's `ray start` should have had in its environment and has not, in words."""
    lacking = [name for name in ("RAY_gcs_rpc_server_reconnect_timeout_s",) if name not in environment]
    if head and environment.get("RAY_gcs_storage", "memory") == "memory":
        lacking += ["RAY_gcs_storage", "RAY_gcs_storage_path"]
    return lacking


def create_actor(cls: Callable[..., Any], name: str, machine: Machine, *arguments: Any) -> Any:
    """A detached, named actor that Ray restarts for ever on one machine; the running one if it exists already."""
    return (
        ray.remote(cls)
        .options(
            name=name,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=100,
            num_cpus=0,
            resources={machine.resource: MACHINE_SHARE},
        )
        .remote(*arguments)
    )


async def call(method: Any, *arguments: Any, timeout: float = CALL_TIMEOUT) -> Any:
    """Call an actor's method. Raises TimeoutError when no answer comes in time, RayCallError for any other failure."""
    async with asyncio.timeout(timeout):
        try:
            return await method.remote(*arguments)
        except RayError as error:
            raise RayCallError(_summary(error)) from error


def end(handle: Any, restart: bool) -> None:
    """End an actor's process; with `restart`, Ray starts it anew."""
    ray.kill(handle, no_restart=not restart)


def _summary(error: RayError) -> str:
    """The cause in one line; Ray's own text is the remote traceback."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {cause}"
    return str(error).strip().split("\n", 1)[0]
