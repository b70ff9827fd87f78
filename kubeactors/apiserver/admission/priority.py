"""Priority: a pod's priority from its PriorityClass; one class at most is everybody's default."""

from __future__ import annotations

from typing import Any, Final, Protocol

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.api.validation.priority_class import SYSTEM_CLASSES
from kubeactors.apiserver.admission.chain import Attributes, Operation

_GROUP: Final = "scheduling.k8s.io"
_POLICY: Final = "PreemptLowerPriority"  # of pods without a class


class PriorityClasses(Protocol):
    """What the plugin asks about the classes that there are."""

    async def find(self, name: str) -> Object | None: ...

    def default(self) -> Object | None:
        """The class of pods that name none: of several that claim to be it, the lowest."""
        ...


class Priority:
    """Sets spec.priority, spec.preemptionPolicy and, by default, spec.priorityClassName of new pods."""

    def __init__(self, classes: PriorityClasses) -> None:
        self._classes = classes

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        if (kind.group, kind.plural) == (_GROUP, "priorityclasses"):
            return operation in ("CREATE", "UPDATE", "DELETE")
        return (kind.group, kind.plural) == ("", "pods") and not subresource and operation in ("CREATE", "UPDATE")

    async def admit(self, attributes: Attributes) -> None:
        if attributes.operation == "DELETE":
            if attributes.name in SYSTEM_CLASSES:
                message = "this is a system priority class and cannot be deleted"
                raise errors.forbidden(attributes.kind.qualified_resource, attributes.name, message)
            return
        if attributes.kind.group == _GROUP:
            return
        assert attributes.obj is not None
        spec = attributes.obj.get("spec")
        if not isinstance(spec, dict):
            return
        if attributes.operation == "UPDATE":
            _keep(spec, (attributes.old or {}).get("spec") or {})
            return
        priority, policy = await self._of(spec, attributes.name)
        if spec.get("priority") not in (None, priority):
            message = (
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {priority} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", attributes.name, message)
        if spec.get("preemptionPolicy") not in (None, policy):
            message = (
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", attributes.name, message)
        spec["priority"] = priority
        spec["preemptionPolicy"] = policy

    async def _of(self, spec: dict[str, Any], pod: str) -> tuple[int, str]:
        """(priority, preemption policy) of the pod's class; names the default class in a pod that names none."""
        name = spec.get("priorityClassName") or ""
        if name:
            found = await self._classes.find(name)
            if found is None:
                raise errors.forbidden("pods", pod, f"no PriorityClass with name {name} was found")
        else:
            found = self._classes.default()
            if found is None:
                return 0, _POLICY
            spec["priorityClassName"] = found["metadata"]["name"]
        return found.get("value") or 0, found.get("preemptionPolicy") or _POLICY

    async def validate(self, attributes: Attributes) -> None:
        if (
            attributes.kind.group != _GROUP
            or attributes.operation == "DELETE"
            or not (attributes.obj or {}).get("globalDefault")
        ):
            return
        present = self._classes.default()
        if present is None:
            return
        other = present["metadata"]["name"]
        if attributes.operation == "CREATE" or other != attributes.name:
            message = f"PriorityClass {other} is already marked as default. Only one default can exist"
            raise errors.forbidden(attributes.kind.qualified_resource, attributes.name, message)


def _keep(spec: dict[str, Any], old: dict[str, Any]) -> None:
    """What the pod has got stays, though an old client leaves it out."""
    for field in ("priority", "preemptionPolicy"):
        if spec.get(field) is None and old.get(field) is not None:
            spec[field] = old[field]
