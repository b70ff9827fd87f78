"""Where the agent keeps a pod's things. Names become path components only through `component`."""

import re
from pathlib import Path

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def component(name: str) -> str:
    """`name` as one path component that cannot be, or contain, a way out; plain names stay as they are."""
    if _SAFE.fullmatch(name):
        return name
    escaped = "".join(c if re.fullmatch(r"[A-Za-z0-9_-]", c) else f"%{ord(c):02X}" for c in name)
    return escaped or "%"


class PodPaths:
    """The directories of one pod below the agent's `pods_dir` (kept over reboots) and `run_dir` (not kept)."""

    def __init__(self, pods_dir: Path, run_dir: Path, uid: str) -> None:
        self.root = pods_dir / component(uid)
        self.run = run_dir / "pods" / component(uid)

    @property
    def record(self) -> Path:
        """What the next agent must know of the pod."""
        return self.root / "record.json"

    @property
    def hosts(self) -> Path:
        return self.root / "etc-hosts"

    @property
    def resolv_conf(self) -> Path:
        return self.root / "resolv.conf"

    @property
    def hostname(self) -> Path:
        return self.root / "hostname"

    @property
    def shm(self) -> Path:
        return self.run / "shm"

    @property
    def ipc(self) -> Path:
        return self.run / "ipc"

    @property
    def netns(self) -> Path:
        """A symbolic link to the network namespace, so that containers can be created before the network is there."""
        return self.run / "netns"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    def volume(self, kind: str, name: str) -> Path:
        return self.volumes / f"kubernetes.io~{component(kind)}" / component(name)

    @property
    def subpaths(self) -> Path:
        return self.root / "volume-subpaths"

    def subpath(self, volume: str, container: str, index: int) -> Path:
        return self.subpaths / component(volume) / component(container) / str(index)

    def container(self, name: str) -> Path:
        return self.root / "containers" / component(name)

    def log(self, container: str, attempt: int) -> Path:
        return self.container(container) / f"{attempt}.log"

    def termination_log(self, container: str, attempt: int) -> Path:
        return self.container(container) / f"{attempt}.termination"
