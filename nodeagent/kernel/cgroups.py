"""A pod's own control group, above those of its containers, in version 1 and 2 hierarchies. `Cgroups` blocks."""

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from nodeagent.runtime.interface import Resources

logger = logging.getLogger(__name__)

_ROOT = Path("/sys/fs/cgroup")


class Cgroups:
    """`root` is where the hierarchies are mounted."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._unified = (root / "cgroup.controllers").exists()

    def make(self, path: str, resources: Resources) -> None:
        """Make the group `path` (beginning with /) with these limits, or change its limits. Raises OSError."""
        if self._unified:
            self._make_unified(path, resources)
            return
        if (cpu := self._hierarchy("cpu", path)) is not None:
            _write(cpu / "cpu.shares", resources.cpu_shares)
            if resources.cpu_quota is not None:
                _write(cpu / "cpu.cfs_period_us", resources.cpu_period)
                _write(cpu / "cpu.cfs_quota_us", resources.cpu_quota)
        if (memory := self._hierarchy("memory", path)) is not None:
            _write(memory / "memory.limit_in_bytes", resources.memory_limit)

    def remove(self, path: str) -> bool:
        """Remove the group and empty groups below it, in every hierarchy. Groups with processes stay.

        Whether nothing stayed: a container's monitor lives in its pod's group for a moment longer than the container.
        """
        for root in self._roots():
            top = root / path.lstrip("/")
            if not top.is_dir():
                continue
            for directory, _names, _files in os.walk(top, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError as error:
                    logger.debug("control group %s stays: %s", directory, error)
        return not any((root / path.lstrip("/")).is_dir() for root in self._roots())

    def below(self, path: str) -> set[str]:
        """The names of the groups directly below `path`, in any hierarchy."""
        tops = [root / path.lstrip("/") for root in self._roots()]
        return {entry.name for top in tops if top.is_dir() for entry in top.iterdir() if entry.is_dir()}

    def remove_if_empty(self, path: str) -> None:
        """Remove the group in every hierarchy where nothing is below it."""
        for root in self._roots():
            with contextlib.suppress(OSError):  # not empty, or not there
                (root / path.lstrip("/")).rmdir()

    def _roots(self) -> list[Path]:
        return [self._root] if self._unified else [d for d in self._root.iterdir() if d.is_dir()]

    def _hierarchy(self, controller: str, path: str) -> Path | None:
        for name in (controller, "cpu,cpuacct" if controller == "cpu" else controller):
            if (self._root / name).is_dir():
                group = self._root / name / path.lstrip("/")
                group.mkdir(parents=True, exist_ok=True)
                return group
        return None

    def _make_unified(self, path: str, resources: Resources) -> None:
        group = self._root
        for part in Path(path.lstrip("/")).parts:
            for controller in ("cpu", "memory", "pids"):
                with contextlib.suppress(OSError):  # the kernel, or our own place in the tree, may not offer it
                    (group / "cgroup.subtree_control").write_text(f"+{controller}")
            group = group / part
            group.mkdir(exist_ok=True)
        for controller in ("cpu", "memory", "pids"):
            with contextlib.suppress(OSError):
                (group / "cgroup.subtree_control").write_text(f"+{controller}")
        if resources.cpu_shares is not None and (group / "cpu.weight").exists():
            # The conversion of KEP-2254: [2, 262144] shares to [1, 10000] weight.
            _write(group / "cpu.weight", 1 + (resources.cpu_shares - 2) * 9999 // 262142)
        if resources.cpu_quota is not None and (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{resources.cpu_quota} {resources.cpu_period}")
        if (group / "memory.max").exists():
            _write(group / "memory.max", resources.memory_limit)


def memory_usage(pid: int, root: Path = _ROOT) -> int | None:
    """The memory in bytes that the control group of a process uses; None when nobody can tell. Blocks."""
    try:
        groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
        if "memory" in groups:
            return int((root / "memory" / groups["memory"].lstrip("/") / "memory.usage_in_bytes").read_text())
        return int((root / groups[""].lstrip("/") / "memory.current").read_text())
    except (OSError, KeyError, ValueError):
        return None


async def remove_patiently(cgroups: Cgroups, path: str, patience: float = 10.0) -> bool:
    """Remove a group as soon as its last processes have ended; False when that took more than `patience` seconds."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + patience, 0.01
    while not await asyncio.to_thread(cgroups.remove, path):
        if loop.time() > deadline:
            return False
        await asyncio.sleep(pause)  # version 1 has no event for a group that has become empty
        pause = min(0.5, 2 * pause)
    return True


def _write(file: Path, value: int | None) -> None:
    if value is not None:
        file.write_text(str(value))
