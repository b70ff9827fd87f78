"""DefaultStorageClass: claims that name no class get the one that is marked as everybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubeactors.api import meta
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.api.printers.storage import is_default_class
from kubeactors.api.validation.persistent_volume_claim import CLASS_ANNOTATION
from kubeactors.apiserver.admission.chain import Attributes, Operation


class DefaultStorageClass:
    """`classes` gives all storage classes."""

    def __init__(self, classes: Callable[[], Sequence[Object]]) -> None:
        self._classes = classes

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE" and kind.plural == "persistentvolumeclaims" and not kind.group and not subresource

    async def admit(self, attributes: Attributes) -> None:
        claim = attributes.obj
        assert claim is not None
        if claim["spec"].get("storageClassName") is not None or CLASS_ANNOTATION in meta.annotations(claim):
            return
        marked = [each for each in self._classes() if is_default_class(each)]
        if marked:
            # Of several the newest, of equally new ones the first by name.
            names = sorted(marked, key=lambda each: each["metadata"]["name"])
            newest = max(names, key=lambda each: each["metadata"]["creationTimestamp"])
            claim["spec"]["storageClassName"] = newest["metadata"]["name"]

    async def validate(self, attributes: Attributes) -> None:
        return
