"""What `wait` waits for: a predicate, or the words of `kubectl wait --for` and `kubectl rollout status`."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.api import meta
from kubeactors.api.customresources.jsonpath import json_path
from kubeactors.client.results import Object
from kubeactors.client.rollout import rolled_out

Condition = Callable[[Object | None], bool]
_WORDS: dict[str, Condition] = {
    "create": lambda obj: obj is not None,
    "delete": lambda obj: obj is None,
    "rollout": rolled_out,
}


def compile_condition(condition: Condition | str) -> Condition:
    """A predicate for "create", "delete", "rollout", "condition=TYPE[=STATUS]" (status compared without case),
    "jsonpath={.PATH}=VALUE" or "jsonpath={.PATH}" (any value).

    As kubectl, a condition whose observedGeneration is behind the object's generation does not count. Raises
    ValueError for other strings.
    """
    if not isinstance(condition, str):
        return condition
    if condition in _WORDS:
        return _WORDS[condition]
    word, _, rest = condition.partition("=")
    if word == "jsonpath" and rest:
        return _at_path(rest)
    kind, _, status = rest.partition("=")
    if word != "condition" or not kind:
        known = '"create", "delete", "rollout", "condition=TYPE[=STATUS]" or "jsonpath={.PATH}[=VALUE]"'
        raise ValueError(f"unknown condition {condition!r}: use {known}")
    wanted = (status or "True").lower()

    def met(obj: Object | None) -> bool:
        found = None if obj is None else meta.get_condition(obj, kind)
        if obj is None or found is None or str(found.get("status", "")).lower() != wanted:
            return False
        observed = found.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration")
        return observed is None or observed >= meta.generation(obj)

    return met


def _at_path(text: str) -> Condition:
    """`{.PATH}=VALUE`: whether one of the values at the path is VALUE; `{.PATH}`: whether there is any."""
    path, closed, rest = text.partition("}")
    if not text.startswith("{") or not closed or (rest and not rest.startswith("=")):
        raise ValueError(f"{text!r} is no path: write jsonpath={{.status.phase}}=Running")
    find = json_path(path[1:] if path.startswith(("{.", "{[")) else f".{path[1:]}")

    def met(obj: Object | None) -> bool:
        found = [] if obj is None else find(obj)
        return any(_text(value) == rest[1:] for value in found) if rest else bool(found)

    return met


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
