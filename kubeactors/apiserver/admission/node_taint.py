"""TaintNodesByCondition: a new node takes no pods before the node lifecycle controller has seen that it is ready."""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.admission.chain import Attributes, Operation

_NOT_READY: Final = ("node.kubernetes.io/not-ready", "NoSchedule")


class NodeTaint:
    """Puts the not-ready taint on new nodes that do not have it."""

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE" and kind.plural == "nodes" and not kind.group and not subresource

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec: dict[str, Any] = attributes.obj.get("spec") or {}
        taints: list[dict[str, Any]] = spec.get("taints") or []
        if not any((taint.get("key"), taint.get("effect")) == _NOT_READY for taint in taints):
            key, effect = _NOT_READY
            attributes.obj["spec"] = {**spec, "taints": [*taints, {"key": key, "effect": effect}]}

    async def validate(self, attributes: Attributes) -> None:
        return
