"""Volumes, claims and attribute classes that are deleted stay while they are in use: their finalizers go last.

Admission gives them the finalizers (StorageObjectInUseProtection).
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable

from kubeactors.api.codec import copy
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, finalizers, is_deleting, name, namespace, remove_finalizer
from kubeactors.controllers.controller import Controller, Surroundings, pod_informer
from kubeactors.controllers.pods import is_finished

logger = logging.getLogger(__name__)


def claims_of(pod: Object) -> set[str]:
    """The names of the claims whose volumes the pod has, or will have, mounted."""
    named = set()
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            named.add(volume["persistentVolumeClaim"].get("claimName") or "")
        elif volume.get("ephemeral") is not None:
            named.add(f"{name(pod)}-{volume['name']}")
    return named


def holds_claim(pod: Object, claim: str) -> bool:
    """Whether the pod keeps a claim. One without a node does not: no agent starts it once the claim is deleted."""
    return bool(pod["spec"].get("nodeName")) and not is_finished(pod) and claim in claims_of(pod)


def attributes_classes_of(obj: Object) -> set[str]:
    """The VolumeAttributesClasses that a volume or claim has, is to have, or may be on its way to."""
    status = obj.get("status") or {}
    target = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    named = {(obj.get("spec") or {}).get("volumeAttributesClassName"), target}
    return {each for each in (*named, status.get("currentVolumeAttributesClassName")) if each}


class _Protection(Controller):
    """Takes `finalizer` from deleted objects of `resource` that `in_use` lets go; keys are theirs."""

    resource = ""
    finalizer = ""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.objects = around.informers.informer(self.resource)
        self.objects.add_handler(self._look, lambda _, new: self._look(new))

    def _look(self, obj: Object) -> None:
        if is_deleting(obj) and self.finalizer in finalizers(obj):
            self.enqueue(obj)

    @abstractmethod
    async def in_use(self, obj: Object) -> bool:
        """Whether anything still needs the object."""

    async def reconcile(self, key: str) -> float | None:
        found = self.objects.lister.get_by_key(key)
        if found is None or not is_deleting(found) or self.finalizer not in finalizers(found):
            return None
        if await self.in_use(found):
            return None
        logger.info("%s %s is not in use", self.resource, key)
        released = copy(found)
        remove_finalizer(released, self.finalizer)
        try:
            await self.client.update(self.resource, released)
        except StatusError as error:
            if error.code != 404:
                raise
        return None


class ClaimProtection(_Protection):
    name = "pvc-protection"
    resource = "persistentvolumeclaims"
    finalizer = "kubernetes.io/pvc-protection"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._pods = pod_informer(around.informers)
        self._pods.add_handler(None, lambda _, new: self._pod_changed(new), self._pod_changed)

    def _pod_changed(self, pod: Object) -> None:
        for claim in claims_of(pod):
            found = self.objects.lister.get(namespace(pod), claim)
            if found is not None:
                self._look(found)

    async def in_use(self, obj: Object) -> bool:
        claim = name(obj)
        if self._held(self._pods.lister.list(namespace(obj)), claim):
            return True
        # The lister may not have heard yet of a pod that was bound just before the deletion.
        present = await self.client.list("pods", namespace(obj))
        return self._held(present.items, claim)

    @staticmethod
    def _held(pods: Iterable[Object], claim: str) -> bool:
        return any(holds_claim(pod, claim) for pod in pods)


class VolumeProtection(_Protection):
    name = "pv-protection"
    resource = "persistentvolumes"
    finalizer = "kubernetes.io/pv-protection"

    async def in_use(self, obj: Object) -> bool:
        return (obj.get("status") or {}).get("phase") == "Bound"


class AttributesClassProtection(_Protection):
    name = "volumeattributesclass-protection"
    resource = "volumeattributesclasses"
    finalizer = "kubernetes.io/vac-protection"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._users = [around.informers.informer(each) for each in ("persistentvolumeclaims", "persistentvolumes")]
        for users in self._users:
            users.add_handler(None, lambda old, new: self._user_changed(old), self._user_changed)

    def _user_changed(self, obj: Object) -> None:
        for each in attributes_classes_of(obj):
            found = self.objects.lister.get(None, each)
            if found is not None:
                self._look(found)

    async def in_use(self, obj: Object) -> bool:
        wanted = name(obj)
        return any(wanted in attributes_classes_of(user) for users in self._users for user in users.lister.list())
