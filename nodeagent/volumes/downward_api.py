"""downwardAPI: fields of the pod as files."""

from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.pods.field_refs import FieldError, field_value, resource_value
from nodeagent.volumes.atomic_writer import File, write_atomically
from nodeagent.volumes.interface import VolumeContext, VolumeError, mode_of


class DownwardApi:
    refreshed = True

    def references(self, source: Object) -> set[tuple[str, str]]:
        return set()

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return context.paths.volume("downward-api", name)

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        path = self.path(name, source, context)
        write_atomically(path, downward_files(source, mode_of(source), context), group=context.fs_group)
        return path


def downward_files(source: Object, mode: int, context: VolumeContext) -> dict[str, File]:
    """The files of a downwardAPI volume or projection. Raises VolumeError."""
    files = {}
    for item in source.get("items") or ():
        try:
            if item.get("fieldRef"):
                text = field_value(context.pod, item["fieldRef"]["fieldPath"], context.facts)
            else:
                text = resource_value(context.pod, item.get("resourceFieldRef") or {}, "", context.facts)
        except (FieldError, KeyError) as error:
            raise VolumeError(f"downwardAPI item {item.get('path')}: {error}") from error
        own = item.get("mode")
        files[item["path"]] = File(text.encode(), mode if own is None else own)
    return files
