"""No new objects of a custom resource whose definition is being deleted."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.apiserver.admission.chain import Attributes, Operation


class TerminatingDefinition:
    """`terminating` says whether the definition of a kind is being deleted."""

    def __init__(self, terminating: Callable[[Kind], bool]) -> None:
        self._terminating = terminating

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE" and kind.custom

    async def admit(self, attributes: Attributes) -> None:
        """Raises StatusError (403)."""
        if self._terminating(attributes.kind):
            message = "create not allowed while custom resource definition is terminating"
            raise errors.forbidden(attributes.kind.qualified_resource, attributes.name, message)

    async def validate(self, attributes: Attributes) -> None:
        return
