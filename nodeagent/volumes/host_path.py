"""hostPath: a file or directory of the node, checked against the type that the volume names."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.volumes.interface import VolumeContext, VolumeError

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "FileOrCreate": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


class HostPath:
    refreshed = False

    def references(self, source: Object) -> set[tuple[str, str]]:
        return set()

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return Path(source["path"])

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        path = self.path(name, source, context)
        kind = source.get("type") or ""
        if not kind:
            if not path.exists():
                # As container runtimes do for a hostPath without a type.
                path.mkdir(parents=True, exist_ok=True)
            return path
        if kind == "DirectoryOrCreate" and not path.exists():
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        if kind == "FileOrCreate" and not path.exists():
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
            except OSError as error:
                raise VolumeError(f"hostPath type check failed: {path}: {error.strerror}") from error
        if kind not in _CHECKS:
            raise VolumeError(f"{kind} is an invalid volume type")
        check, word = _CHECKS[kind]
        try:
            mode = path.stat().st_mode
        except OSError:
            mode = 0
        if not check(mode):
            raise VolumeError(f"hostPath type check failed: {path} is not {word}")
        return path
