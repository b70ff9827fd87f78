"""NamespaceLifecycle: objects are made only in namespaces that exist and are not being deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object, is_deleting
from kubeactors.apiserver.admission.chain import Attributes, Operation

IMMORTAL: Final = frozenset({"default", "kube-system", "kube-public"})


# How long after a delete the cache is not asked about a namespace, in seconds: it may not show the deletion yet.
_DISTRUST = 30.0


class NamespaceLifecycle:
    """`find(name, live)` gives a namespace's object: from the store if `live` or if the cache has none yet."""

    def __init__(self, find: Callable[[str, bool], Awaitable[Object | None]], monotonic: Callable[[], float]) -> None:
        self._find = find
        self._monotonic = monotonic
        self._deleted: dict[str, float] = {}

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        if operation == "DELETE":
            return kind.plural == "namespaces" and not kind.group
        return kind.namespaced and operation in ("CREATE", "UPDATE")

    async def admit(self, attributes: Attributes) -> None:
        kind = attributes.kind
        if attributes.operation == "DELETE":
            if attributes.name in IMMORTAL:
                raise errors.forbidden(kind.plural, attributes.name, "this namespace may not be deleted")
            self._remember_deletion(attributes.name)
            return
        namespace = attributes.namespace
        found = await self._find(namespace, self._deleted.get(namespace, 0.0) > self._monotonic())
        if found is None:
            raise errors.not_found("namespaces", namespace)
        terminating = is_deleting(found) or (found.get("status") or {}).get("phase") == "Terminating"
        if attributes.operation == "CREATE" and terminating:
            message = f"unable to create new content in namespace {namespace} because it is being terminated"
            error = errors.forbidden(kind.qualified_resource, attributes.name, message)
            error.status["details"]["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise error

    def _remember_deletion(self, namespace: str) -> None:
        now = self._monotonic()
        self._deleted = {name: end for name, end in self._deleted.items() if end > now}
        self._deleted[namespace] = now + _DISTRUST

    async def validate(self, attributes: Attributes) -> None:
        return
