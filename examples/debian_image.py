"""Container images from Debian packages: for machines that reach Debian's archive but no container registry.

The packages and what they depend on are unpacked, not installed: no maintainer script runs. What an image holds is
written into a label as a hash, so that building it again does nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "images"
LABEL = "io.kubeactors.image-source"
# Needed to install packages or to log in, not to run programs.
LEFT_OUT = frozenset(
    """
    adduser cdebconf debconf debconf-2.0 dpkg install-info init-system-helpers lsb-base mailcap media-types mime-support
    passwd perl perl-base perl-modules-5.36 libperl5.36 sysvinit-utils tar libpam-modules libpam0g libaudit1
    libaudit-common libsemanage2 libsemanage-common libsepol2 libnewt0.52 libslang2 libtextwrap1 libdebian-installer4
    libelogind0 readline-common
    """.split()  # noqa: SIM905 - a list of literals would be forty lines
)
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"
MERGED = ("bin", "sbin", "lib", "lib64")


class ImageError(RuntimeError):
    """An image could not be built; the message says which command failed and what it said."""


@dataclass(frozen=True)
class DebianImage:
    """What an image holds. `files` maps paths in the image to paths here; `links` maps paths to link targets."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def source_hash(self) -> str:
        """Changes whenever what goes into the image does (but for the packages' versions)."""
        description = [
            self.packages,
            self.command,
            self.entrypoint,
            sorted((path, source.read_text()) for path, source in self.files.items()),
            sorted(self.links.items()),
            sorted(self.environment.items()),
        ]
        return hashlib.sha256(json.dumps(description).encode()).hexdigest()[:16]

    def ensure(self, podman: Sequence[str] = ("podman",)) -> bool:
        """Make the image in the storage that `podman` works on, unless it is there; returns whether it was made.

        Raises ImageError.
        """
        wanted = self.source_hash()
        if _label(podman, self.name) == wanted:
            return False
        archive = self.archive()
        changes = [f"LABEL {LABEL}={wanted}", f"CMD {json.dumps(list(self.command))}"]
        if self.entrypoint:
            changes.append(f"ENTRYPOINT {json.dumps(list(self.entrypoint))}")
        changes += [f"ENV {name}={value}" for name, value in self.environment.items()]
        options = [word for change in changes for word in ("--change", change)]
        _run([*podman, "import", "--quiet", *options, str(archive), self.name])
        return True

    def archive(self) -> Path:
        """The root file system as a tar file, made once for each state of its sources."""
        CACHE.mkdir(parents=True, exist_ok=True)
        archive = CACHE / f"{self.source_hash()}.tar"
        with open(CACHE / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not archive.exists():
                with tempfile.TemporaryDirectory(dir=CACHE) as directory:
                    root = Path(directory) / "root"
                    self._fill(root)
                    packed = Path(directory) / "packed.tar"
                    _run(["tar", "-C", str(root), "--owner=0", "--group=0", "-cf", str(packed), "."])
                    packed.rename(archive)
        return archive

    def _fill(self, root: Path) -> None:
        root.mkdir()
        for directory in (*MERGED, "local/bin"):
            (root / "usr" / directory).mkdir(parents=True)
        for directory in MERGED:
            (root / directory).symlink_to(f"usr/{directory}")
        for directory, mode in (("tmp", 0o1777), ("etc", 0o755), ("root", 0o700), ("proc", 0o555), ("sys", 0o555)):
            (root / directory).mkdir()
            (root / directory).chmod(mode)
        for package in download(self.packages):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as unpacked:
                _run(["tar", "-x", "--keep-directory-symlink", "-C", str(root)], stdin=unpacked.stdout)
        for unneeded in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"):
            shutil.rmtree(root / unneeded, ignore_errors=True)
        (root / "etc" / "passwd").write_text(PASSWD)
        (root / "etc" / "group").write_text(GROUP)
        for path, source in self.files.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        for path, link in self.links.items():
            (root / path.lstrip("/")).symlink_to(link)


def download(packages: Sequence[str]) -> list[Path]:
    """Debian package files of `packages` and of what they depend on, kept in the cache. Raises ImageError."""
    directory = CACHE / "debs"
    directory.mkdir(parents=True, exist_ok=True)
    command = ["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]
    command += ["--no-replaces", "--no-enhances", "--no-pre-depends", *packages]
    try:
        depends = _run(command)
    except ImageError:  # a machine that has never fetched Debian's lists
        _run(["apt-get", "update", "-qq", "-o", "DPkg::Lock::Timeout=300"])
        depends = _run(command)
    names = sorted({line for line in depends.splitlines() if line[:1].isalnum()} - LEFT_OUT)
    wanted = [name for name in names if not list(directory.glob(f"{name}_*.deb"))]
    if wanted:
        # apt's own user may not write where root's clone lies.
        _run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *wanted], directory=directory)
    return [next(iter(sorted(directory.glob(f"{name}_*.deb")))) for name in names]


def _label(podman: Sequence[str], image: str) -> str | None:
    asked = subprocess.run(
        [*podman, "image", "inspect", "--format", f'{{{{index .Labels "{LABEL}"}}}}', image],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else None


def _run(command: Sequence[str], *, directory: Path | None = None, stdin: object = None) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=stdin,  # type: ignore[call-overload]
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode != 0:
        raise ImageError(f"`{' '.join(command)[:200]}` failed with {done.returncode}: {done.stderr.strip()[-500:]}")
    return str(done.stdout)
