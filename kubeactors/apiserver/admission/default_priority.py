"""Priority: a pod's priority from its class, as far as there are classes (the two that every cluster has)."""

from __future__ import annotations

from typing import Final

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.apiserver.admission.chain import Attributes, Operation

_CLASSES: Final = {"": 0, "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}

_POLICY: Final = "PreemptLowerPriority"  # of both classes, and of pods without one


class DefaultPriority:
    """Sets spec.priority and spec.preemptionPolicy of new pods."""

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE" and kind.plural == "pods" and not kind.group and not subresource

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec = attributes.obj.get("spec")
        if not isinstance(spec, dict):
            return
        name = spec.get("priorityClassName") or ""
        priority = _CLASSES.get(name)
        if priority is None:
            message = f"no PriorityClass with name {name} was found"
            raise errors.forbidden("pods", attributes.name, message)
        if spec.get("priority") not in (None, priority):
            message = (
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {priority} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", attributes.name, message)
        policy = spec.get("preemptionPolicy")
        if policy not in (None, _POLICY):
            message = (
                f"the string value of PreemptionPolicy ({policy}) must not be provided in pod spec; "
                f"priority admission controller computed {_POLICY} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", attributes.name, message)
        spec["priority"] = priority
        spec["preemptionPolicy"] = _POLICY

    async def validate(self, attributes: Attributes) -> None:
        return
