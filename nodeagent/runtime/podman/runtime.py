"""Podman as the runtime of pod workers."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from nodeagent.runtime.interface import (
    ContainerConfig,
    ContainerRecord,
    ExecResult,
    ExitCallback,
    Image,
    ImagePullFailure,
    NoSuchContainer,
    NoSuchImage,
    Resources,
    RuntimeFailure,
    RuntimeUnavailable,
    Session,
    Started,
    Status,
    Version,
)
from nodeagent.runtime.podman.attach_session import AttachSession
from nodeagent.runtime.podman.configuration import Directories, PodmanConfiguration, configure
from nodeagent.runtime.podman.exec_session import ExecSession
from nodeagent.runtime.podman.exits import ExitWatcher
from nodeagent.runtime.podman.oci_exec import oci_exec
from nodeagent.runtime.podman.oci_update import oci_update
from nodeagent.runtime.podman.probe import observe
from nodeagent.runtime.podman.processes import open_monitor
from nodeagent.runtime.podman.rest import PodmanError, PodmanRest
from nodeagent.runtime.podman.service import PodmanService
from nodeagent.runtime.podman.spec import create_body, resource_limits
from nodeagent.runtime.podman.terminal_session import TerminalSession
from nodeagent.slots import Slots

logger = logging.getLogger(__name__)

_PULL_DEADLINE = 1800.0

#: Of many pods that come at once, those that are nearly there are finished first.
_START, _CREATE = 0, 1


class PodmanRuntime:
    """A nodeagent.runtime.interface.Runtime over one `podman system service`.

    `identity` is the labels that every container of this cluster on this node has; only such containers are ever
    listed or removed. `parallel` bounds the creates and starts under way, which are CPU-bound.
    """

    def __init__(
        self,
        directories: Directories,
        identity: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
        parallel: int | None = None,
    ) -> None:
        self._directories = directories
        self._identity = dict(identity)
        self._clock = clock
        self._slots = Slots(parallel or max(4, 2 * (os.cpu_count() or 1)))
        self._rest = PodmanRest(directories.socket)
        self._exits = ExitWatcher(f"{directories.tmp_dir}/exits", clock)
        self._service: PodmanService | None = None
        self._configuration: PodmanConfiguration | None = None
        self._version = Version("podman", "")
        self._persistent_dir = ""  # bundles: config.json, the oom file, the monitor's control pipe
        self._run_dir = ""  # pid files
        self._exec_run_dir = directories.run_dir

    async def start(self) -> None:
        """Raises PodmanMissing or RuntimeUnavailable."""
        facts = await asyncio.to_thread(observe)
        self._configuration = configure(facts, self._directories)
        self._service = PodmanService(facts.podman, self._configuration, self._directories)
        await self._service.ensure(self._rest)
        info = await self._call("GET", "/info")
        store = info["store"]
        containers = f"{store['graphDriverName']}-containers"
        self._persistent_dir = f"{store['graphRoot']}/{containers}"
        self._run_dir = f"{store['runRoot']}/{containers}"
        self._version = Version("podman", info["version"]["Version"])
        self._exits.start()

    async def stop(self) -> None:
        self._exits.stop()
        await self._rest.close()

    async def health(self) -> dict[str, str]:
        if self._service is None:
            return {"runtime": "not started"}
        if await self._rest.ping():
            return {"runtime": "ok"}
        try:
            await self._service.ensure(self._rest)
        except RuntimeUnavailable as error:
            return {"runtime": str(error)}
        return {"runtime": "ok"}

    async def purge(self) -> None:
        if self._service is None:
            await self.start()
        assert self._service is not None
        for record in await self.list():
            self._exits.forget(record.id)
            await self.remove(record.id)
        await self._service.end()
        await self.stop()

    def version(self) -> Version:
        return self._version

    async def image(self, reference: str) -> Image:
        try:
            found = await self._call("GET", f"/images/{quote(reference, safe='/:@')}/json")
        except PodmanError as error:
            if error.status == 404:
                raise NoSuchImage(str(error)) from error
            raise
        config = found.get("Config") or {}
        return Image(
            id=_prefixed(found["Id"]),
            digests=tuple(found.get("RepoDigests") or ()),
            size=int(found.get("Size") or 0),
            user=config.get("User") or "",
            stop_signal=config.get("StopSignal") or "",
        )

    async def pull(self, reference: str, credentials: str = "") -> Image:
        # A pull that fails answers 200 and says so in its stream.
        query = {"reference": reference, "policy": "always", "quiet": False}
        try:
            status, data = await self._raw("POST", "/images/pull", query=query, timeout=_PULL_DEADLINE)
        except RuntimeUnavailable as error:
            raise ImagePullFailure(str(error)) from error
        failures = []
        for line in data.splitlines():
            message = orjson.loads(line) if line.strip().startswith(b"{") else {}
            if message.get("error") or (status >= 400 and message.get("message")):
                failures.append(str(message.get("error") or message.get("message")))
        if failures or status >= 400:
            raise ImagePullFailure("; ".join(failures) or f"podman answered {status}")
        try:
            return await self.image(reference)
        except NoSuchImage as error:
            raise ImagePullFailure(f"podman pulled {reference} and does not have it: {error}") from error

    async def create(self, config: ContainerConfig) -> str:
        labelled = {**config.labels, **self._identity}
        floor = self._configuration.min_oom_score_adj if self._configuration else 0
        body = {**create_body(config, min_oom_score_adj=floor), "labels": labelled}
        async with self._slots.hold(_CREATE):
            creating = asyncio.create_task(self._create(config.name, body), name=f"create {config.name}")
            try:
                return await asyncio.shield(creating)
            except asyncio.CancelledError:
                # Podman finishes a request that nobody waits for any more: what it makes must not stay.
                with contextlib.suppress(RuntimeFailure):
                    await self.remove(await creating)
                raise

    async def _create(self, name: str, body: dict[str, Any]) -> str:
        try:
            created = await self._call("POST", "/containers/create", body=body)
        except PodmanError as error:
            if "already in use" in str(error):
                # Left by an agent that ended between create and its own note of it.
                await self.remove(name)
                created = await self._call("POST", "/containers/create", body=body)
            elif error.status == 404 or "no such image" in str(error):
                raise NoSuchImage(str(error)) from error
            else:
                raise
        return str(created["Id"])

    async def start_container(self, container_id: str, on_exit: ExitCallback) -> Started:
        async with self._slots.hold(_START):
            self._exits.expect(container_id, on_exit, self._oom_file(container_id), self._monitor_file(container_id))
            try:
                await self._call("POST", f"/containers/{container_id}/start")
            except BaseException:
                self._exits.forget(container_id)
                raise
            started_at = self._clock()
        pid = await asyncio.to_thread(self._pid, container_id)
        if pid is not None:
            self._exits.watch_process(container_id, pid)
        return Started(pid or 0, started_at)

    def adopt(self, record: ContainerRecord, on_exit: ExitCallback) -> None:
        self._exits.expect(record.id, on_exit, self._oom_file(record.id), self._monitor_file(record.id))
        self._exits.watch_process(record.id, record.pid)

    async def signal(self, container_id: str, signal_number: int) -> None:
        if self._exits.signal(container_id, signal_number):
            return
        try:
            await self._call("POST", f"/containers/{container_id}/kill", query={"signal": signal_number})
        except PodmanError as error:
            if error.status not in (404, 409, 500):
                raise
            logger.debug("signal %d to %s: %s", signal_number, container_id[:12], error)

    async def update(self, container_id: str, resources: Resources) -> None:
        assert self._configuration is not None
        await oci_update(self._configuration.runtime, container_id, resource_limits(resources), self._exec_run_dir)

    async def remove(self, container_id: str) -> None:
        self._exits.forget(container_id)
        try:
            try:
                await self._remove(container_id)
            except PodmanError as error:
                if "container state improper" not in str(error):
                    raise
                # Its monitor died before it did: Podman has learned only by this call that it does not run.
                await self._remove(container_id)
        except PodmanError as error:
            if error.status != 404:
                raise

    async def _remove(self, container_id: str) -> None:
        query = {"force": True, "timeout": 0, "v": True, "ignore": True}
        answer = await self._call("DELETE", f"/containers/{container_id}", query=query, timeout=120.0)
        failed = [entry["Err"] for entry in answer or () if isinstance(entry, dict) and entry.get("Err")]
        if failed:
            raise RuntimeFailure(f"remove container {container_id[:12]}: {failed[0]}")

    async def list(self) -> list[ContainerRecord]:
        filters = {"label": [f"{key}={value}" for key, value in self._identity.items()]}
        found = await self._call("GET", "/containers/json", query={"all": True, "filters": filters}, timeout=120.0)
        return await asyncio.to_thread(lambda: [self._record(entry) for entry in found or ()])

    async def exec(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        assert self._configuration is not None
        return await oci_exec(self._configuration.runtime, container_id, command, timeout, self._exec_run_dir)

    async def open_exec(self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool) -> Session:
        assert self._configuration is not None
        if tty:
            return await TerminalSession.start(self._rest, container_id, command)
        runtime = self._configuration.runtime
        return await ExecSession.start(runtime, container_id, command, stdin=stdin, run_dir=self._exec_run_dir)

    async def open_attach(self, container_id: str, *, stdin: bool, tty: bool) -> Session:
        try:
            return await AttachSession.start(f"{self._persistent_dir}/{container_id}/userdata", stdin=stdin, tty=tty)
        except OSError as error:
            raise NoSuchContainer(f"the monitor of container {container_id[:12]} does not answer: {error}") from error

    async def environment(self, container_id: str) -> dict[str, str] | None:
        return await asyncio.to_thread(
            _environment, Path(f"{self._persistent_dir}/{container_id}/userdata/config.json")
        )

    async def reopen_log(self, container_id: str) -> None:
        # conmon's control pipe: "2 height width" means to open the log files anew.
        control = f"{self._persistent_dir}/{container_id}/userdata/ctl"
        await asyncio.to_thread(_write_pipe, control, b"2 0 0\n")

    def _record(self, entry: dict[str, Any]) -> ContainerRecord:
        container_id = entry["Id"]
        status: Status = "exited"
        if entry["State"] in ("created", "configured", "initialized"):
            status = "created"
        elif entry["State"] in ("running", "paused", "stopping"):
            status = "running"
        code: int | None = int(entry.get("ExitCode") or 0)
        pid = int(entry.get("Pid") or 0)
        finished_at = _epoch(entry.get("ExitedAt")) if status == "exited" else 0.0
        if status == "exited" and (written := self._exits.exit_code(container_id)) is not None:
            code = written
        if status == "running" and not _exists(pid) and not self._code_is_to_come(container_id):
            # Podman says "running" for ever when the container's monitor died before the container did.
            status, code, finished_at = "exited", self._exits.exit_code(container_id), self._clock()
        return ContainerRecord(
            id=container_id,
            name=entry["Names"][0],
            labels=entry.get("Labels") or {},
            status=status,
            pid=pid,
            image=entry.get("Image") or "",
            image_id=_prefixed(entry.get("ImageID") or ""),
            created_at=_epoch(entry.get("Created")),
            started_at=_epoch(entry.get("StartedAt")),
            finished_at=finished_at,
            exit_code=code if status == "exited" else None,
            oom_killed=self._oom_file(container_id).exists(),
        )

    def _code_is_to_come(self, container_id: str) -> bool:
        """Whether a monitor lives that has not written the exit code yet."""
        monitor = open_monitor(self._monitor_file(container_id), container_id)
        if monitor is None:
            return False
        os.close(monitor)
        return self._exits.exit_code(container_id) is None

    def _oom_file(self, container_id: str) -> Path:
        return Path(f"{self._persistent_dir}/{container_id}/userdata/oom")

    def _monitor_file(self, container_id: str) -> Path:
        return Path(f"{self._run_dir}/{container_id}/userdata/conmon.pid")

    def _pid(self, container_id: str) -> int | None:
        try:
            return int(Path(f"{self._run_dir}/{container_id}/userdata/pidfile").read_text())
        except (FileNotFoundError, ValueError):
            return None  # it has ended already: its exit file tells

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            return await self._rest.call(method, path, **options)
        except RuntimeUnavailable:
            await self._revive(method)
            return await self._rest.call(method, path, **options)
        except PodmanError as error:
            if "no such container" in str(error):
                raise NoSuchContainer(str(error)) from error
            raise

    async def _raw(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        try:
            return await self._rest.raw(method, path, **options)
        except RuntimeUnavailable:
            await self._revive(method)
            return await self._rest.raw(method, path, **options)

    async def _revive(self, method: str) -> None:
        """Bring a dead service back. Our calls may be repeated: creates replace by name, starts and removes are
        idempotent."""
        if self._service is None:
            raise RuntimeUnavailable("the runtime was not started")
        logger.warning("podman does not answer; looking after its service before repeating a %s", method)
        await self._service.ensure(self._rest)


def _prefixed(image_id: str) -> str:
    return image_id if not image_id or ":" in image_id else f"sha256:{image_id}"


def _epoch(value: Any) -> float:
    """Podman writes some times as numbers and some as text; its zero time is long before the epoch."""
    if isinstance(value, (int, float)):
        return max(0.0, float(value))
    if not value:
        return 0.0
    with contextlib.suppress(ValueError):
        return max(0.0, datetime.fromisoformat(str(value)[:19] + "+00:00").timestamp())
    return 0.0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return pid > 0


def _environment(config: Path) -> dict[str, str] | None:
    try:
        variables = orjson.loads(config.read_bytes())["process"]["env"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return dict(variable.split("=", 1) for variable in variables if "=" in variable)


def _write_pipe(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
