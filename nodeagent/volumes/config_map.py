"""configMap: the keys of a ConfigMap as files, updated all at once when it changes."""

from collections.abc import Mapping
from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.pods.environment import decoded_data
from nodeagent.volumes.atomic_writer import File, write_atomically
from nodeagent.volumes.interface import VolumeContext, VolumeError, mode_of


class ConfigMap:
    refreshed = True

    def references(self, source: Object) -> set[tuple[str, str]]:
        return {("configmaps", source.get("name", ""))}

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return context.paths.volume("configmap", name)

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        path = self.path(name, source, context)
        write_atomically(path, config_map_files(source, mode_of(source), context), group=context.fs_group)
        return path


def config_map_files(source: Object, mode: int, context: VolumeContext) -> dict[str, File]:
    """The files of a configMap volume, or of a projection of one. Raises VolumeError."""
    name = source.get("name", "")
    obj = context.find("configmaps", name)
    if obj is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'configmap "{name}" not found')
    return select_keys(decoded_data(obj, "configmaps"), source, mode, "configmap")


def select_keys(data: Mapping[str, bytes], source: Object, mode: int, word: str) -> dict[str, File]:
    """Every key under its name, or those of `items` under their paths."""
    items = source.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    files = {}
    for item in items:
        key = item["key"]
        if key not in data:
            if source.get("optional"):
                continue
            raise VolumeError(f"{word} references non-existent {word} key: {key}")
        own = item.get("mode")
        files[item["path"]] = File(data[key], mode if own is None else own)
    return files
