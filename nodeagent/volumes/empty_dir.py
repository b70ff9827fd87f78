"""emptyDir: a directory that lives as long as the pod, on disk or (medium Memory) in memory."""

import os
from pathlib import Path

from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity
from nodeagent.kernel import libc
from nodeagent.volumes.interface import VolumeContext, VolumeError, own_by_group


class EmptyDir:
    refreshed = False

    def references(self, source: Object) -> set[tuple[str, str]]:
        return set()

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return context.paths.volume("empty-dir", name)

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        path = self.path(name, source, context)
        medium = source.get("medium") or ""
        if medium not in ("", "Memory"):
            raise VolumeError(f'emptyDir medium "{medium}" is not supported')
        present = path.is_dir()
        path.mkdir(parents=True, exist_ok=True)
        if medium == "Memory":
            present = mount_tmpfs(path, source.get("sizeLimit"))
        if not present:
            os.chmod(path, 0o777)
            own_by_group(path, context.fs_group)
        return path


def mount_tmpfs(path: Path, size: str | None = None, mode: str = "0777") -> bool:
    """Mount memory on the directory unless it is already; whether it was."""
    if libc.is_mount_point(str(path)):
        return True
    options = f"mode={mode}"
    if size and (amount := Quantity.parse(size).value) > 0:
        options += f",size={amount}"
    libc.mount("tmpfs", str(path), "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, options)
    return False
