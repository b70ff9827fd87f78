"""The namespace controller: empties a namespace that is being deleted, then lets it go."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, namespace, now_rfc3339
from kubeactors.client.resource import Resource
from kubeactors.controllers.controller import Controller, Surroundings, pod_informer
from kubeactors.controllers.pods import is_finished
from kubeactors.controllers.remote_kinds import RemoteKinds
from kubeactors.controllers.served_kinds import ServedKind, served_kinds

logger = logging.getLogger(__name__)

FINALIZER = "kubernetes"
FINALIZER_ESTIMATE_S = 15.0


@dataclass
class Remaining:
    """What is left in a namespace after an attempt to delete everything."""

    counts: dict[str, int] = field(default_factory=dict)  # by "resource.group"
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    undiscovered: list[str] = field(default_factory=list)  # "group/version" of API servers that do not answer
    wait: float = 0.0  # how long what is left may take, in seconds

    def note(self, resource: Resource, items: Iterable[Object]) -> None:
        left = list(items)
        if left:
            self.counts[f"{resource.plural}.{resource.group}"] = len(left)
            for item in left:
                self.finalizers.update(item["metadata"].get("finalizers") or ())


class NamespaceController(Controller):
    name = "namespace"
    workers = 10

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._kinds = served_kinds(around.informers)
        self._remote = RemoteKinds(around.informers, around.client)
        self._namespaces = around.informers.informer("namespaces")
        self._namespaces.add_handler(self._changed, lambda _, new: self._changed(new))
        pod_informer(around.informers).add_handler(None, None, self._pod_deleted)

    def _changed(self, found: Object) -> None:
        if is_deleting(found):
            self.enqueue(found)

    def _pod_deleted(self, pod: Object) -> None:
        """Pods go first and take their time: go on as soon as one has gone."""
        found = self._namespaces.lister.get(None, namespace(pod))
        if found is not None and is_deleting(found):
            self.enqueue(found)

    def _resources(self, elsewhere: Sequence[ServedKind]) -> list[ServedKind]:
        """All namespaced kinds that can be deleted, pods first (KEP-5080: nothing they rely on goes before them)."""
        found = [
            kind
            for kind in (*self._kinds.all(), *elsewhere)
            if kind.resource.namespaced and {"list", "delete"} <= kind.verbs
        ]
        return sorted(found, key=lambda kind: (not _is_pods(kind.resource), kind.resource.group, kind.resource.plural))

    async def reconcile(self, key: str) -> float | None:
        found = self._namespaces.lister.get_by_key(key)
        if found is None or not is_deleting(found):
            return None
        if FINALIZER not in ((found.get("spec") or {}).get("finalizers") or ()):
            return None  # others still hold it
        remaining = Remaining()
        elsewhere, remaining.undiscovered = await self._remote.find()
        for kind in self._resources(elsewhere):
            await self._delete_all(key, kind, remaining)
            if _is_pods(kind.resource) and remaining.counts:
                break
        conditions = deletion_conditions(found, remaining, self.now())
        if conditions != ((found.get("status") or {}).get("conditions") or []):
            status = {**(found.get("status") or {}), "conditions": conditions}
            try:
                found = await self.client.update("namespaces", {**found, "status": status}, subresource="status")
            except StatusError as error:
                if error.code == 404:
                    return None
                raise
        if remaining.failures or remaining.undiscovered:
            failures = [*remaining.failures, *map(stale, remaining.undiscovered)]
            raise RuntimeError(f"cannot empty the namespace {key}: {'; '.join(failures)}")
        if remaining.counts:
            return min(5.0, remaining.wait / 2 + 1)
        await self._finalize(found)
        return None

    async def _delete_all(self, name: str, kind: ServedKind, remaining: Remaining) -> None:
        resource = kind.resource
        try:
            items = (await self.client.list(resource, name)).items
            if any(not is_deleting(item) for item in items):
                await self._delete_kind(name, kind, items)
                items = (await self.client.list(resource, name)).items
        except StatusError as error:
            # 404 and 405: the kind has gone, or cannot be listed after all; then it has nothing in here.
            if error.code not in (404, 405):
                remaining.failures.append(f"{resource.plural}: {error.message}")
            return
        remaining.note(resource, items)
        if _is_pods(resource):
            graces = [pod["spec"].get("terminationGracePeriodSeconds") or 0 for pod in items if not is_finished(pod)]
            remaining.wait = max([remaining.wait, *graces])
        elif any(item["metadata"].get("finalizers") for item in items):
            remaining.wait = max(remaining.wait, FINALIZER_ESTIMATE_S)

    async def _delete_kind(self, name: str, kind: ServedKind, items: Iterable[Object]) -> None:
        if "deletecollection" in kind.verbs:
            await self.client.delete_collection(kind.resource, name, propagation_policy="Background")
            return
        for item in items:
            try:
                await self.client.delete(kind.resource, item["metadata"]["name"], name, propagation_policy="Background")
            except StatusError as error:
                if error.code != 404:
                    raise

    async def _finalize(self, found: Object) -> None:
        spec = found.get("spec") or {}
        left = [held for held in spec.get("finalizers") or () if held != FINALIZER]
        try:
            await self.client.update(
                "namespaces", {**found, "spec": {**spec, "finalizers": left}}, subresource="finalize"
            )
        except StatusError as error:
            if error.code != 404:
                raise


def _is_pods(resource: Resource) -> bool:
    return resource.plural == "pods" and not resource.group


def stale(version: str) -> str:
    """What Kubernetes' clients say of a group version whose server does not answer."""
    return f"stale GroupVersion discovery: {version}"


def deletion_conditions(found: Object, remaining: Remaining, now: datetime) -> list[Object]:
    """The namespace's conditions after an attempt to empty it, in Kubernetes' words. Pure."""
    failed, unknown = remaining.failures, sorted(remaining.undiscovered)
    wanted: Mapping[str, tuple[str, str, str]] = {
        "NamespaceDeletionDiscoveryFailure": (
            ("True", "DiscoveryFailed",
             f"Discovery failed for some groups, {len(unknown)} failing: "
             "unable to retrieve the complete list of server APIs: "
             + ", ".join(f"{version}: {stale(version)}" for version in unknown))
            if unknown
            else ("False", "ResourcesDiscovered", "All resources successfully discovered")
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False", "ParsedGroupVersions", "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            ("True", "ContentDeletionFailed",
             f"Failed to delete all resource types, {len(failed)} remaining: {', '.join(failed)}")
            if failed
            else ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
        ),
        "NamespaceContentRemaining": (
            ("True", "SomeResourcesRemain", "Some resources are remaining: " + ", ".join(
                f"{resource} has {count} resource instances" for resource, count in sorted(remaining.counts.items())))
            if remaining.counts
            else ("False", "ContentRemoved", "All content successfully removed")
        ),
        "NamespaceFinalizersRemaining": (
            ("True", "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: " + ", ".join(
                f"{name} in {count} resource instances" for name, count in sorted(remaining.finalizers.items())))
            if remaining.finalizers
            else ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
        ),
    }  # fmt: skip
    present = {c["type"]: c for c in (found.get("status") or {}).get("conditions") or ()}
    result = [c for c in present.values() if c["type"] not in wanted]
    for kind, (value, reason, message) in wanted.items():
        before = present.get(kind, {})
        moved = before.get("status") != value
        stamp = now_rfc3339(now) if moved else before.get("lastTransitionTime")
        result.append(
            {"type": kind, "status": value, "lastTransitionTime": stamp, "reason": reason, "message": message}
        )
    return result
