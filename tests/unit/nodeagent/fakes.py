"""A container runtime and a pod network in memory."""

import asyncio
import itertools
import signal
import time
from collections.abc import Sequence

from netplugin.interface import NetworkError, PodNetwork, PodRequest
from nodeagent.runtime.interface import (
    ContainerConfig,
    ContainerRecord,
    ExecResult,
    Exit,
    ExitCallback,
    Image,
    ImagePullFailure,
    NoSuchImage,
    Resources,
    RuntimeFailure,
    Started,
    Status,
    Version,
)


class FakeContainer:
    def __init__(self, container_id: str, config: ContainerConfig) -> None:
        self.id = container_id
        self.config = config
        self.status: Status = "created"
        self.exit_code: int | None = None
        self.on_exit: ExitCallback | None = None
        self.signals: list[int] = []


class FakeRuntime:
    """Containers that run until they are told to end. SIGTERM ends those that are not `deaf`."""

    def __init__(self, *images: str) -> None:
        self.images = set(images)
        self.containers: dict[str, FakeContainer] = {}
        self.pull_may_end = asyncio.Event()
        self.refuse_start = ""
        self.deaf = False
        self.removed: list[str] = []
        self.updated: list[tuple[str, Resources]] = []
        self.refuse_update = ""
        self._numbers = itertools.count(1)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def purge(self) -> None:
        self.containers.clear()

    async def health(self) -> dict[str, str]:
        return {"runtime": "ok"}

    def version(self) -> Version:
        return Version("fake", "1")

    async def image(self, reference: str) -> Image:
        if reference not in self.images:
            raise NoSuchImage(reference)
        return Image("sha256:1", (), 1)

    async def pull(self, reference: str, credentials: str = "") -> Image:
        await self.pull_may_end.wait()
        raise ImagePullFailure("no such host")

    async def create(self, config: ContainerConfig) -> str:
        container_id = f"c{next(self._numbers)}"
        self.containers[container_id] = FakeContainer(container_id, config)
        return container_id

    async def start_container(self, container_id: str, on_exit: ExitCallback) -> Started:
        if self.refuse_start:
            raise RuntimeFailure(self.refuse_start)
        container = self.containers[container_id]
        container.status, container.on_exit = "running", on_exit
        return Started(1, time.time())

    def adopt(self, record: ContainerRecord, on_exit: ExitCallback) -> None:
        self.containers[record.id].on_exit = on_exit

    async def signal(self, container_id: str, signal_number: int) -> None:
        container = self.containers[container_id]
        container.signals.append(signal_number)
        if signal_number == signal.SIGKILL or not self.deaf:
            self.end(container_id, 128 + signal_number)

    async def update(self, container_id: str, resources: Resources) -> None:
        if self.refuse_update:
            raise RuntimeFailure(self.refuse_update)
        self.updated.append((self.containers[container_id].config.labels["io.kubernetes.container.name"], resources))

    def end(self, container_id: str, code: int | None) -> None:
        """The container's process ends."""
        container = self.containers[container_id]
        if container.status == "running":
            container.status, container.exit_code = "exited", code
            assert container.on_exit is not None
            container.on_exit(Exit(container_id, code, False, time.time()))

    async def remove(self, container_id: str) -> None:
        self.removed.append(container_id)
        self.containers.pop(container_id, None)

    async def list(self) -> Sequence[ContainerRecord]:
        return [
            ContainerRecord(
                c.id,
                c.config.name,
                c.config.labels,
                c.status,
                1,
                c.config.image,
                "sha256:1",
                1,
                1,
                1,
                c.exit_code,
                False,
            )
            for c in self.containers.values()
        ]

    async def exec(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        return ExecResult(0, b"")

    async def environment(self, container_id: str) -> dict[str, str] | None:
        found = self.containers.get(container_id)
        return dict(found.config.env) if found else None

    async def reopen_log(self, container_id: str) -> None: ...

    def named(self, name: str) -> FakeContainer:
        """The latest container of this name in a pod's spec."""
        found = [c for c in self.containers.values() if c.config.labels["io.kubernetes.container.name"] == name]
        return found[-1]


class FakeNetwork:
    """Gives addresses; `failures` adds fail first."""

    def __init__(self) -> None:
        self.failures = 0
        self.up: dict[str, PodNetwork] = {}
        self.configured: list[str] = []
        self._numbers = itertools.count(2)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def purge(self) -> None:
        self.up.clear()

    async def health(self) -> dict[str, str]:
        return {"network": "ok"}

    async def configure(self, pod_cidrs: Sequence[str]) -> None:
        self.configured = list(pod_cidrs)

    async def add(self, pod: PodRequest) -> PodNetwork:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise NetworkError("no address left")
        if pod.uid not in self.up:
            self.up[pod.uid] = PodNetwork("/proc/self/ns/net", (f"10.0.0.{next(self._numbers)}",))
        return self.up[pod.uid]

    async def check(self, pod: PodRequest) -> PodNetwork | None:
        return self.up.get(pod.uid)

    async def mend(self, pod: PodRequest) -> PodNetwork | None:
        return self.up.get(pod.uid)

    async def delete(self, uid: str) -> None:
        self.up.pop(uid, None)

    async def pods(self) -> list[str]:
        return list(self.up)
