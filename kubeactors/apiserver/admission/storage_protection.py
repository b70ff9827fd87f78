"""StorageObjectInUseProtection: volumes and claims get the finalizer that keeps them while they are in use."""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.admission.chain import Attributes, Operation

FINALIZERS: Final = {
    ("", "persistentvolumes"): "kubernetes.io/pv-protection",
    ("", "persistentvolumeclaims"): "kubernetes.io/pvc-protection",
    ("storage.k8s.io", "volumeattributesclasses"): "kubernetes.io/vac-protection",
}


class StorageProtection:
    """Adds the finalizer; the controllers of the same names take it away."""

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE" and not subresource and (kind.group, kind.plural) in FINALIZERS

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        finalizer = FINALIZERS[attributes.kind.group, attributes.kind.plural]
        metadata: dict[str, Any] = attributes.obj["metadata"]
        if finalizer not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]

    async def validate(self, attributes: Attributes) -> None:
        return
