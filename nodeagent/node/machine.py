"""What this machine is: capacity, identity, names. Blocks for a moment."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from nodeagent.config import NodeAgentConfig, cpu_count

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True)
class Machine:
    """An observation of the machine. Sizes are bytes."""

    cpus: int
    memory: int
    disk: int
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    system_uuid: str
    boot_id: str
    hostname: str

    def capacity(self, config: NodeAgentConfig) -> dict[str, str]:
        return {
            "cpu": str(self.cpus),
            "ephemeral-storage": f"{self.disk // 1024}Ki",
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
            "memory": f"{self.memory // 1024}Ki",
            "pods": str(config.max_pods),
        }

    def allocatable(self, config: NodeAgentConfig) -> dict[str, str]:
        """Capacity without what is kept for the machine; of the disk a tenth, as kubelet's eviction threshold."""
        memory = max(0, self.memory - config.reserved_memory)
        return {
            **self.capacity(config),
            "ephemeral-storage": str(self.disk * 9 // 10),
            "memory": f"{memory // 1024}Ki",
        }


def observe(config: NodeAgentConfig) -> Machine:
    existing = config.pods_dir
    while not existing.exists():
        existing = existing.parent
    disk = os.statvfs(existing)
    return Machine(
        cpus=cpu_count(),
        memory=_memory(),
        disk=disk.f_blocks * disk.f_frsize,
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=_first(Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")).replace("-", ""),
        system_uuid=_first(Path("/sys/class/dmi/id/product_uuid"), Path("/etc/machine-id")),
        boot_id=_first(Path("/proc/sys/kernel/random/boot_id")),
        hostname=platform.node(),
    )


def available_memory() -> int:
    """MemAvailable, in bytes."""
    return _meminfo("MemAvailable")


def _memory() -> int:
    return _meminfo("MemTotal")


def _meminfo(field: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/meminfo has no {field}")


def _os_image() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system()
    return release.get("PRETTY_NAME") or release.get("NAME") or platform.system()


def _first(*files: Path) -> str:
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text:
            return text
    return ""
