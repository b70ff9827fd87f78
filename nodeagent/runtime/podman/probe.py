"""What this machine can do, as far as Podman's configuration depends on it. Observes only; decides nothing."""

import ctypes
import os
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CgroupMode = Literal["v1", "hybrid", "v2"]

_CAP_SYS_RESOURCE = 24
_CGROUP2_SUPER_MAGIC = 0x63677270


@dataclass(frozen=True)
class Facts:
    """An observation of one machine."""

    podman: str  # path of the executable
    crun: str | None
    runc: str | None
    conmon: str | None
    conmon_version: tuple[int, ...]
    cgroups: CgroupMode
    may_raise_limits: bool  # CAP_SYS_RESOURCE: rlimits can be raised, oom_score_adj lowered
    nofile_hard: int  # of this process; -1 is unlimited
    nproc_hard: int
    pid_max: int
    overlay: bool  # the kernel has overlayfs


class PodmanMissing(Exception):
    """Podman or something that it cannot do without is not installed; the text says what to install."""


def observe() -> Facts:
    """Look at this machine. Blocks for some milliseconds. Raises PodmanMissing."""
    podman = shutil.which("podman")
    conmon = _conmon()
    crun, runc = _which("crun"), _which("runc")
    if podman is None or conmon is None or (crun is None and runc is None):
        missing = [n for n, p in (("podman", podman), ("conmon", conmon), ("crun or runc", crun or runc)) if p is None]
        raise PodmanMissing(f"{', '.join(missing)} not found; on Debian: apt-get install podman crun runc")
    return Facts(
        podman=podman,
        crun=crun,
        runc=runc,
        conmon=conmon,
        conmon_version=_conmon_version(conmon),
        cgroups=_cgroups(),
        may_raise_limits=bool(_effective_capabilities() & (1 << _CAP_SYS_RESOURCE)),
        nofile_hard=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        nproc_hard=resource.getrlimit(resource.RLIMIT_NPROC)[1],
        pid_max=int(Path("/proc/sys/kernel/pid_max").read_text()),
        overlay="\toverlay\n" in Path("/proc/filesystems").read_text(),
    )


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")


def _conmon() -> str | None:
    candidates = ("/usr/libexec/podman/conmon", "/usr/local/libexec/podman/conmon", "/usr/lib/podman/conmon")
    return _which("conmon") or next((c for c in candidates if os.access(c, os.X_OK)), None)


def _conmon_version(conmon: str) -> tuple[int, ...]:
    done = subprocess.run([conmon, "--version"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"version (\d+(?:\.\d+)*)", done.stdout)
    return tuple(int(n) for n in found[1].split(".")) if found else ()


def _cgroups() -> CgroupMode:
    if _is_cgroup2("/sys/fs/cgroup"):
        return "v2"
    return "hybrid" if _is_cgroup2("/sys/fs/cgroup/unified") else "v1"


def _is_cgroup2(path: str) -> bool:
    buffer = ctypes.create_string_buffer(256)  # struct statfs begins with f_type, a long
    if ctypes.CDLL(None).statfs(path.encode(), buffer) != 0:
        return False
    return ctypes.c_long.from_buffer(buffer).value == _CGROUP2_SUPER_MAGIC


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
