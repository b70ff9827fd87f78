"""secret: the keys of a Secret as files in memory, updated all at once when it changes."""

from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.pods.environment import decoded_data
from nodeagent.volumes.atomic_writer import File, write_atomically
from nodeagent.volumes.config_map import select_keys
from nodeagent.volumes.empty_dir import mount_tmpfs
from nodeagent.volumes.interface import VolumeContext, VolumeError, mode_of


class Secret:
    refreshed = True

    def references(self, source: Object) -> set[tuple[str, str]]:
        return {("secrets", source.get("secretName", ""))}

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return context.paths.volume("secret", name)

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        files = secret_files(source.get("secretName", ""), source, mode_of(source), context)
        path = self.path(name, source, context)
        path.mkdir(parents=True, exist_ok=True)
        mount_tmpfs(path)
        write_atomically(path, files, group=context.fs_group)
        return path


def secret_files(secret: str, source: Object, mode: int, context: VolumeContext) -> dict[str, File]:
    """The files of a secret volume, or of a projection of one. Raises VolumeError."""
    obj = context.find("secrets", secret)
    if obj is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'secret "{secret}" not found')
    return select_keys(decoded_data(obj, "secrets"), source, mode, "secret")
