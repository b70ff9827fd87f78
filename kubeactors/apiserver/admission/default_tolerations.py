"""DefaultTolerationSeconds: pods stay 300 seconds on a node that is not ready or cannot be reached."""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.admission.chain import Attributes, Operation

_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerations:
    """`seconds`: how long, unless the pod says otherwise."""

    def __init__(self, seconds: int = 300) -> None:
        self._seconds = seconds

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return kind.plural == "pods" and not kind.group and not subresource and operation in ("CREATE", "UPDATE")

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec = attributes.obj.get("spec")
        if not isinstance(spec, dict):
            return
        tolerations: list[dict[str, Any]] = spec.get("tolerations") or []
        missing = [taint for taint in _TAINTS if not any(_tolerates(each, taint) for each in tolerations)]
        if missing:
            added = [
                {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": self._seconds}
                for taint in missing
            ]
            spec["tolerations"] = [*tolerations, *added]

    async def validate(self, attributes: Attributes) -> None:
        return


def _tolerates(toleration: dict[str, Any], taint: str) -> bool:
    return toleration.get("key") in (None, "", taint) and toleration.get("effect") in (None, "", "NoExecute")
