"""A pod is resized on its node: while that does not exist nobody could carry a resize out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kubeactors.api import errors
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.apiserver.admission.chain import Attributes, Operation


class ResizeNode:
    """`exists` tells whether there is a node of that name."""

    def __init__(self, exists: Callable[[str], Awaitable[bool]]) -> None:
        self._exists = exists

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "UPDATE" and subresource == "resize" and kind.plural == "pods" and not kind.group

    async def admit(self, attributes: Attributes) -> None:
        return

    async def validate(self, attributes: Attributes) -> None:
        new, old = _spec(attributes.obj), _spec(attributes.old)
        node = new.get("nodeName")
        if node and new != old and not await self._exists(node):
            raise errors.forbidden("pods", attributes.name, f"node {go_quote(node)} not found")


def _spec(pod: Object | None) -> Object:
    return (pod or {}).get("spec") or {}
