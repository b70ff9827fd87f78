"""A pod's sandbox: network, shared namespaces and files, volumes, control group.

Its parts are made at the same time, and containers wait only for the part that they need: a container can be created
while its network is still being made, because it joins through a
symbolic link that is turned when the network is there.
"""

import asyncio
import logging
import os
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from kubeactors.api.meta import Object
from netplugin.interface import HostPort, NetworkError, PodRequest
from nodeagent.kernel import libc
from nodeagent.kernel.cgroups import Cgroups, remove_patiently
from nodeagent.paths import PodPaths, component
from nodeagent.pods.context import NodeContext
from nodeagent.pods.environment import references
from nodeagent.pods.files import NameTooLong, hosts_text, kernel_hostname, parse_resolv_conf, resolv_conf_text
from nodeagent.pods.resources import pod_resources, qos_class
from nodeagent.pods.spec import all_containers
from nodeagent.volumes.empty_dir import mount_tmpfs
from nodeagent.volumes.interface import VolumeContext, VolumeError
from nodeagent.volumes.manager import (
    has_refreshed_volumes,
    present_volumes,
    refresh_volumes,
    remove_tree,
    set_up_volumes,
    tear_down_volumes,
    volume_references,
    volume_tokens,
)

logger = logging.getLogger(__name__)

_SHM_SIZE = "64Mi"

#: Where the groups of pods of a quality of service are.
_QUALITY_GROUPS = {"Guaranteed": "", "Burstable": "/burstable", "BestEffort": "/besteffort"}

_T = TypeVar("_T")


class SandboxError(Exception):
    """A part of the sandbox could not be made. `reason` is the event's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PodSandbox:
    """One pod's. `set_up` starts all parts; `local`, `volumes` and `network` wait for one."""

    def __init__(self, context: NodeContext, paths: PodPaths, uid: str) -> None:
        self._context = context
        self._paths = paths
        self._uid = uid
        self._local: asyncio.Task[None] | None = None
        self._volumes: asyncio.Task[dict[str, Path]] | None = None
        self._network: asyncio.Task[tuple[str, ...]] | None = None
        #: Held while files are being written or removed.
        self._writing = asyncio.Lock()
        self._torn_down = False

    async def set_up(self, pod: Object, *, anew: bool) -> tuple[str, ...]:
        """Make everything; the pod's addresses. `anew` removes a broken network before. Raises SandboxError."""
        self.begin(pod, anew=anew)
        assert self._local and self._volumes and self._network
        parts: list[asyncio.Task[Any]] = [self._local, self._volumes, self._network]
        try:
            outcomes = await asyncio.gather(*parts, return_exceptions=True)
        except asyncio.CancelledError:
            await self.cancel()
            raise
        # Parts that failed are made again by the next set_up, the others stay.
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return self._network.result()

    def begin(self, pod: Object, *, anew: bool) -> None:
        """Start all parts (that have not succeeded before), without waiting."""
        self._torn_down = False
        if anew:
            self._network = None
        self._local = self._again(self._local) or self._task(self._make_local(pod))
        self._volumes = self._again(self._volumes) or self._task(self._make_volumes(pod))
        self._network = self._again(self._network) or self._task(self._make_network(pod, anew))

    async def local(self, pod: Object) -> None:
        """Wait for directories, namespaces and files. Raises SandboxError."""
        self._local = self._again(self._local) or self._task(self._make_local(pod))
        await asyncio.shield(self._local)

    async def volumes(self, pod: Object) -> dict[str, Path]:
        """Wait for the volumes: name → path. Raises SandboxError."""
        self._volumes = self._again(self._volumes) or self._task(self._make_volumes(pod))
        return await asyncio.shield(self._volumes)

    async def network(self, pod: Object) -> tuple[str, ...]:
        """Wait for the network: the pod's addresses. Raises SandboxError."""
        self._network = self._again(self._network) or self._task(self._make_network(pod, False))
        return await asyncio.shield(self._network)

    @property
    def ips(self) -> tuple[str, ...]:
        """The pod's addresses; none while the network is not there."""
        task = self._network
        done = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return task.result() if task is not None and done else ()

    def adopt(self, ips: tuple[str, ...]) -> None:
        """Take the network as it stands, made by an earlier agent."""

        async def stands() -> tuple[str, ...]:
            return ips

        self._network = self._task(stands())

    async def mend(self, pod: Object) -> bool:
        """Look whether the network still is there, and make anew what is missing of it.

        False when the pod needs another namespace. Raises NetworkError.
        """
        if pod["spec"].get("hostNetwork"):
            return True
        return await self._context.network.mend(self._request(pod)) is not None

    async def refresh(self, pod: Object, ips: tuple[str, ...]) -> None:
        """Bring the volumes up to date with what they are made from. Raises VolumeError, TimeoutError or OSError."""
        if not has_refreshed_volumes(pod):
            return
        await self._use_sources(pod)
        async with self._writing:
            if not self._torn_down:
                await asyncio.to_thread(refresh_volumes, self._volume_context(pod, ips))
                return
        await self._release_sources()  # used again just now

    async def tear_down(self, pod: Object) -> None:
        """Remove network, volumes and control group. Raises NetworkError or OSError; may be repeated."""
        self._torn_down = True
        await self.cancel()
        if not pod["spec"].get("hostNetwork"):
            await self._context.network.delete(self._uid)
        async with self._writing:
            await asyncio.to_thread(tear_down_volumes, self._paths)
        await asyncio.to_thread(self._context.cgroups.remove, self.cgroup(pod))
        await self._release_sources()
        self._local = self._volumes = self._network = None

    async def forget(self, pod: Object) -> None:
        """Remove what `tear_down` leaves for readers of logs. The containers must be gone."""
        await asyncio.to_thread(remove_tree, self._paths.root)
        group = self.cgroup(pod)
        if not await remove_patiently(self._context.cgroups, group):
            logger.warning("processes stay in control group %s; the next resync looks again", group)

    async def cancel(self) -> None:
        tasks: list[asyncio.Task[Any]] = [t for t in (self._local, self._volumes, self._network) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cgroup(self, pod: Object) -> str:
        """The pod's control group, arranged by quality of service as kubelet does."""
        middle = _QUALITY_GROUPS[qos_class(pod)]
        return f"{self._context.config.cgroup_root}{middle}/pod{component(self._uid)}"

    async def _make_local(self, pod: Object) -> None:
        try:
            await asyncio.to_thread(self._make_local_sync, pod)
        except (NameTooLong, OSError) as error:
            raise SandboxError("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}") from error

    def _make_local_sync(self, pod: Object) -> None:
        paths, config, spec = self._paths, self._context.config, pod["spec"]
        paths.root.mkdir(parents=True, exist_ok=True)
        paths.run.mkdir(parents=True, exist_ok=True)
        for container in all_containers(pod):
            paths.container(container["name"]).mkdir(parents=True, exist_ok=True)
        if not paths.hosts.exists():
            paths.hosts.touch()
        paths.hostname.write_text(kernel_hostname(pod, config.cluster_domain) + "\n")
        node_resolver = parse_resolv_conf(_read(Path("/etc/resolv.conf")))
        text = resolv_conf_text(pod, config.cluster_dns, config.cluster_domain, node_resolver)
        paths.resolv_conf.write_text(text)
        if not spec.get("hostIPC"):
            paths.shm.mkdir(exist_ok=True)
            mount_tmpfs(paths.shm, _SHM_SIZE, "1777")
            if not libc.is_mount_point(str(paths.ipc)):
                libc.new_ipc_namespace(str(paths.ipc))
        if not spec.get("hostNetwork") and not paths.netns.is_symlink():
            os.symlink("/proc/self/ns/net", paths.netns)
        self._context.cgroups.make(self.cgroup(pod), pod_resources(pod))

    async def _use_sources(self, pod: Object) -> None:
        """Have the objects and tokens that volumes and environments are made from. Raises TimeoutError."""
        namespace = pod["metadata"].get("namespace", "")
        needed = set(volume_references(pod))
        for container in all_containers(pod):
            needed |= references(container)
        objects = self._context.objects.use(self._uid, [(r, namespace, name) for r, name in sorted(needed)])
        outcomes = await asyncio.gather(
            objects, self._context.tokens.use(pod, volume_tokens(pod)), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _release_sources(self) -> None:
        await self._context.objects.release(self._uid)
        self._context.tokens.release(self._uid)

    async def _make_volumes(self, pod: Object) -> dict[str, Path]:
        try:
            try:
                await self._use_sources(pod)
            except TimeoutError as error:
                present = await asyncio.to_thread(present_volumes, self._volume_context(pod, ()))
                if present is None:
                    raise
                # No API server tells: what is there goes on, and is brought up to date when one does.
                logger.warning("%s; the volumes of %s stay as they are", error, pod["metadata"]["name"])
                return present
            if not pod["spec"].get("volumes"):
                return {}
            needs_ip = any("podIP" in str(v) for v in pod["spec"]["volumes"] if "downwardAPI" in str(v))
            ips = await self.network(pod) if needs_ip else ()
            return await asyncio.to_thread(set_up_volumes, self._volume_context(pod, ips))
        except (VolumeError, TimeoutError, OSError) as error:
            raise SandboxError("FailedMount", str(error)) from error

    async def _make_network(self, pod: Object, anew: bool) -> tuple[str, ...]:
        context = self._context
        try:
            if pod["spec"].get("hostNetwork"):
                ips = context.host.ips
                await self.local(pod)
            else:
                if anew:
                    await context.network.delete(self._uid)
                async with context.network_slots.hold():
                    made, _ = await asyncio.gather(context.network.add(self._request(pod)), self.local(pod))
                ips = made.ips
                await asyncio.to_thread(_turn, self._paths.netns, made.netns)
            await asyncio.to_thread(self._write_hosts, pod, ips)
        except (NetworkError, OSError) as error:
            raise SandboxError("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}") from error
        return ips

    def _write_hosts(self, pod: Object, ips: tuple[str, ...]) -> None:
        # In place: containers may have the file mounted already.
        text = hosts_text(pod, ips, self._context.config.cluster_domain, _read(Path("/etc/hosts")))
        if self._paths.hosts.read_text() != text:
            self._paths.hosts.write_text(text)

    def _volume_context(self, pod: Object, ips: tuple[str, ...]) -> VolumeContext:
        namespace = pod["metadata"].get("namespace", "")
        objects = self._context.objects
        return VolumeContext(
            pod,
            self._paths,
            self._context.facts(ips),
            lambda resource, name: objects.get(resource, namespace, name),
            partial(self._context.tokens.get, self._uid),
        )

    def _request(self, pod: Object) -> PodRequest:
        ports = []
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("hostPort"):
                    protocol = port.get("protocol") or "TCP"
                    ports.append(HostPort(port.get("hostIP") or "", port["hostPort"], port["containerPort"], protocol))
        metadata = pod["metadata"]
        return PodRequest(metadata.get("namespace", ""), metadata["name"], self._uid, tuple(ports))

    def _again(self, task: asyncio.Task[_T] | None) -> asyncio.Task[_T] | None:
        """The task if it goes on or has succeeded; None when the part has to be made."""
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            return None
        return task

    def _task(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(coroutine, name=f"sandbox {self._uid}")
        # Who waits sees the failure; nobody may wait, as when the pod is deleted meanwhile.
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        return task


def pod_cgroups(cgroups: Cgroups, root: str) -> list[tuple[str, str]]:
    """The control groups of pods that are there, as (uid, group). Blocks."""
    return [
        (name.removeprefix("pod"), f"{root}{middle}/{name}")
        for middle in _QUALITY_GROUPS.values()
        for name in sorted(cgroups.below(f"{root}{middle}"))
        if name.startswith("pod")
    ]


def _turn(link: Path, target: str) -> None:
    """Point a symbolic link elsewhere, atomically."""
    new = link.with_name(link.name + ".new")
    new.unlink(missing_ok=True)
    os.symlink(target, new)
    os.rename(new, link)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
