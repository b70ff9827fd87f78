"""projected: configMaps, secrets and fields of the pod together in one directory, in memory."""

from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.volumes.atomic_writer import File, write_atomically
from nodeagent.volumes.config_map import config_map_files
from nodeagent.volumes.downward_api import downward_files
from nodeagent.volumes.empty_dir import mount_tmpfs
from nodeagent.volumes.interface import VolumeContext, VolumeError, mode_of
from nodeagent.volumes.secret import secret_files


class Projected:
    refreshed = True

    def references(self, source: Object) -> set[tuple[str, str]]:
        found = set()
        for projection in source.get("sources") or ():
            for kind, resource in (("configMap", "configmaps"), ("secret", "secrets")):
                if projection.get(kind):
                    found.add((resource, projection[kind].get("name", "")))
        return found

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return context.paths.volume("projected", name)

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        mode = mode_of(source)
        files: dict[str, File] = {}
        for projection in source.get("sources") or ():
            if projection.get("configMap"):
                files.update(config_map_files(projection["configMap"], mode, context))
            elif projection.get("secret"):
                files.update(secret_files(projection["secret"].get("name", ""), projection["secret"], mode, context))
            elif projection.get("downwardAPI"):
                files.update(downward_files(projection["downwardAPI"], mode, context))
            else:
                raise VolumeError(f"projection of {', '.join(sorted(projection))} is not supported")
        path = self.path(name, source, context)
        path.mkdir(parents=True, exist_ok=True)
        mount_tmpfs(path)
        write_atomically(path, files, group=context.fs_group)
        return path
