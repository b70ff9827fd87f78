"""VolumeAttachment."""

from datetime import datetime

from kubeactors.api.defaults.volume import default_persistent_volume
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.storage import volume_attachment_cells
from kubeactors.api.validation.storage.attachment import volume_attachment_errors, volume_attachment_update_errors


class VolumeAttachmentStrategy(Strategy):
    metadata_rechecks = 0
    namespaced = False
    has_status = True

    def default(self, obj: Object) -> None:
        inline = (obj["spec"].get("source") or {}).get("inlineVolumeSpec")
        if inline is not None:
            default_persistent_volume(inline)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"attached": False}

    def validate(self, obj: Object) -> list[FieldError]:
        return volume_attachment_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return volume_attachment_update_errors(new, old)


_STRATEGY = VolumeAttachmentStrategy()

KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    namespaced=False,
    schema="io.k8s.api.storage.v1.VolumeAttachment",
    strategy=_STRATEGY,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=StatusStrategy(_STRATEGY, validate=volume_attachment_update_errors, keep_metadata=True),
        ),
    ),
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column("Attacher", format="name", doc="VolumeAttachmentSpec.attacher"),
        Column("PV", doc="VolumeAttachmentSource.persistentVolumeName"),
        Column("Node", doc="VolumeAttachmentSpec.nodeName"),
        Column("Attached", "boolean", doc="VolumeAttachmentStatus.attached"),
        AGE_COLUMN,
    ),
    cells=volume_attachment_cells,
)
