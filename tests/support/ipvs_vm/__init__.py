"""A kernel that has IPVS, for tests on machines whose own kernel has none.

    result = run(["pytest", "…"], shared=tmp_path)

The command runs as root in user-mode Linux: an ordinary program that is a kernel. Its root is this machine's file
system, read only under a writable layer in memory, so the same tree and virtual environment are there. `shared` is
/out inside, the only place whose content survives. What is needed comes from Debian packages, unpacked into a cache
directory and not installed.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_PACKAGES = ("user-mode-linux", "busybox-static")
_MEMORY = "768M"
VARIABLE = "IN_IPVS_VM"  # set to 1 inside


class VmError(Exception):
    """The kernel could not be had, or stopped before the command ended."""


@dataclass(frozen=True)
class Result:
    """How the command ended, and what it wrote to its standard output and error."""

    status: int
    output: str


def inside() -> bool:
    """Whether this process runs in the guest."""
    return os.environ.get(VARIABLE) == "1"


def run(
    command: Sequence[str], *, shared: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> Result:
    """Run a command in the guest, in this process's working directory. Blocking; `timeout` in seconds for everything.

    Raises VmError when the guest cannot start, crashes or takes too long; its console is in the text.
    """
    cache = _prepare()
    shared = shared.resolve()
    script = [f"cd {shlex.quote(os.getcwd())}", f"export PATH={shlex.quote(os.environ['PATH'])} {VARIABLE}=1"]
    script += [f"export {name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    (shared / "command").write_text("\n".join([*script, f"exec {shlex.join(command)}", ""]))
    (shared / "status").unlink(missing_ok=True)
    kernel = [
        str(cache / "usr/bin/linux.uml"),
        f"mem={_MEMORY}",
        "quiet",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"init={_HERE / 'guest-init'}",
        f"KA_CACHE={cache}",
        f"KA_OUT={shared}",
        "con=null",
        "con0=null,fd:1",
    ]
    with tempfile.TemporaryDirectory(prefix="ipvs-vm") as scratch:
        variables = {**os.environ, "LD_PRELOAD": str(cache / "xstate.so"), "HOME": scratch, "TMPDIR": scratch}
        console = _boot(kernel, variables, timeout)
    try:
        status = int((shared / "status").read_text())
    except (FileNotFoundError, ValueError):
        raise VmError(f"the guest stopped before the command ended; its console:\n{console[-4000:]}") from None
    return Result(status, (shared / "output").read_text(errors="replace"))


def _boot(kernel: Sequence[str], variables: Mapping[str, str], timeout: float) -> str:
    # A session of its own: the kernel runs as many processes, which must all go when time is up.
    with subprocess.Popen(
        kernel,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            console, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            console, _ = process.communicate()
            raise VmError(f"the guest did not end within {timeout:g} s; its console:\n{console[-4000:]}") from None
        except BaseException:
            os.killpg(process.pid, 9)
            raise
    return console


def _prepare() -> Path:
    """The kernel, its modules and a busybox, unpacked; done once for a version of this code."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = base / "kubeactors-ipvs-vm"
    source = (_HERE / "xstate.c").read_bytes()
    stamp = cache / "ready"
    base.mkdir(parents=True, exist_ok=True)
    with open(base / "kubeactors-ipvs-vm.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be at it
        if not stamp.exists() or stamp.read_bytes() != source:
            _unpack(base, cache, source)
    return cache


def _unpack(base: Path, cache: Path, source: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=base) as directory:
        fresh = Path(directory) / "cache"
        fresh.mkdir()
        _call(
            [
                "apt-get",
                "-o",
                "DPkg::Lock::Timeout=300",
                "-o",
                "APT::Sandbox::User=root",
                "download",
                "-qq",
                *_PACKAGES,
            ],
            fresh,
        )
        for package in list(fresh.glob("*.deb")):
            _call(["dpkg-deb", "-x", str(package), str(fresh)], fresh)
            package.unlink()
        _call(["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", "xstate.so", str(_HERE / "xstate.c")], fresh)
        (fresh / "ready").write_bytes(source)
        if cache.exists():
            shutil.rmtree(cache)
        fresh.rename(cache)


def _call(command: Sequence[str], directory: Path) -> None:
    try:
        subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=300)
    except FileNotFoundError as error:
        raise VmError(f"{command[0]} is missing: {error}") from error
    except subprocess.CalledProcessError as error:
        raise VmError(f"{shlex.join(command)}: {error.stderr.strip()}") from error
