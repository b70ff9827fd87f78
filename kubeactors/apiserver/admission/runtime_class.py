"""RuntimeClass: a pod gets the overhead, node selector and tolerations of its class, which must exist (KEP-688)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity
from kubeactors.apiserver.admission.chain import Attributes, Operation

_OTHER_OVERHEAD: Final = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_NO_OVERHEAD: Final = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClasses:
    """`find(name)` gives a class."""

    def __init__(self, find: Callable[[str], Awaitable[Object | None]]) -> None:
        self._find = find

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE" and kind.plural == "pods" and not kind.group and not subresource

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec: dict[str, Any] = attributes.obj.get("spec") or {}
        found = await self._of(spec, attributes.name)
        if found is None:
            return
        overhead = _overhead(found)
        if overhead:
            if spec.get("overhead") and not _equal(spec["overhead"], overhead):
                raise _refused(attributes.name, _OTHER_OVERHEAD)
            spec["overhead"] = dict(overhead)
        _schedule(spec, found.get("scheduling") or {}, attributes.name)

    async def validate(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec: dict[str, Any] = attributes.obj.get("spec") or {}
        given = spec.get("overhead")
        if not given and not spec.get("runtimeClassName"):
            return
        found = await self._of(spec, attributes.name)
        overhead = _overhead(found) if found is not None else {}
        if overhead and not _equal(given or {}, overhead):
            raise _refused(attributes.name, _OTHER_OVERHEAD)
        if given and not overhead:
            raise _refused(attributes.name, _NO_OVERHEAD)

    async def _of(self, spec: dict[str, Any], pod: str) -> Object | None:
        name = spec.get("runtimeClassName")
        if not name:
            return None
        found = await self._find(name)
        if found is None:
            raise _refused(pod, f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _overhead(runtime_class: Object) -> dict[str, Any]:
    return (runtime_class.get("overhead") or {}).get("podFixed") or {}


def _equal(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(Quantity.parse(left[n]) == Quantity.parse(right[n]) for n in left)


def _schedule(spec: dict[str, Any], scheduling: Object, pod: str) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in sorted((scheduling.get("nodeSelector") or {}).items()):
        if selector.setdefault(key, value) != value:
            message = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
            raise _refused(pod, message)
    if selector:
        spec["nodeSelector"] = selector
    tolerations = list(spec.get("tolerations") or ())
    added = [each for each in scheduling.get("tolerations") or () if each not in tolerations]
    if added:
        spec["tolerations"] = tolerations + added


def _refused(pod: str, message: str) -> StatusError:
    return errors.forbidden("pods", pod, message)
