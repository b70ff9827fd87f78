"""What the macros transformMap and transformMapEntry become."""

from typing import Any, Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.values import EvaluationError, keyed, keys


def _insert(into: dict[Any, Any], key: Any, value: Any) -> dict[Any, Any]:
    if keyed(key) in into:
        raise EvaluationError(f"insert failed: key {key} already exists")
    return {**into, keyed(key): value}


def _insert_all(into: dict[Any, Any], entries: dict[Any, Any]) -> dict[Any, Any]:
    for key in keys(entries):
        into = _insert(into, key, entries[keyed(key)])
    return into


LIBRARY: Final = Library(
    {
        "cel.@mapInsert": (
            overload("@mapInsert_map_key_value", "(map(K, V), K, V) -> map(K, V)", _insert),
            overload("@mapInsert_map_map", "(map(K, V), map(K, V)) -> map(K, V)", _insert_all),
        )
    }
)
