"""What `wait` waits for: a predicate, or the words of `kubectl wait --for`."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.api import meta
from kubeactors.client.results import Object

Condition = Callable[[Object | None], bool]


def compile_condition(condition: Condition | str) -> Condition:
    """A predicate for "create", "delete", "condition=TYPE" or "condition=TYPE=STATUS" (status compared without case).

    As kubectl, a condition whose observedGeneration is behind the object's generation does not count. Raises
    ValueError for other strings.
    """
    if not isinstance(condition, str):
        return condition
    if condition == "create":
        return lambda obj: obj is not None
    if condition == "delete":
        return lambda obj: obj is None
    word, _, rest = condition.partition("=")
    kind, _, status = rest.partition("=")
    if word != "condition" or not kind:
        raise ValueError(f'unknown condition {condition!r}: use "create", "delete" or "condition=TYPE[=STATUS]"')
    wanted = (status or "True").lower()

    def met(obj: Object | None) -> bool:
        found = None if obj is None else meta.get_condition(obj, kind)
        if obj is None or found is None or str(found.get("status", "")).lower() != wanted:
            return False
        observed = found.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration")
        return observed is None or observed >= meta.generation(obj)

    return met
