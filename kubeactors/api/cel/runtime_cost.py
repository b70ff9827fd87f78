"""What calls cost while an expression runs. https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints

A traversed string costs a tenth for each character. The numbers are those of the reference implementation and, for its
own functions, of Kubernetes: they decide where the limits lie.
"""

import math
from collections.abc import Callable
from typing import Any, Final

from kubeactors.api.cel.values import find, is_list, is_map, size

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
TRAVERSAL: Final = 0.1  # for each character of a string
PATTERN: Final = 0.25  # for each character of a regular expression
AUTHORIZATION_CHECK: Final = 350_000
SELECTOR_REQUIREMENTS: Final = 0.5  # for each character of a selector

Args = tuple[Any, ...]
Cost = Callable[[Args, Any], int]


def call_cost(function: str, overloads: tuple[str, ...]) -> Cost | None:
    """None: one."""
    found = _BY_FUNCTION.get(function)
    if found is not None:
        return found
    for overload in overloads:
        if overload in _BY_OVERLOAD:
            return _BY_OVERLOAD[overload]
    return None


def _traversed(args: Args, result: Any) -> int:
    return math.ceil(size(args[0]) * TRAVERSAL)


def _traversed_twice(args: Args, result: Any) -> int:
    return math.ceil(size(args[0]) * 2 * TRAVERSAL)


def _joined(args: Args, result: Any) -> int:
    return math.ceil(size(result) * 2 * TRAVERSAL)


def _added(args: Args, result: Any) -> int:
    if is_list(args[0]):
        return 1
    if type(args[0]) not in (str, bytes):
        return 1
    return math.ceil((size(args[0]) + size(args[1])) * TRAVERSAL)


def _compared(args: Args, result: Any) -> int:
    return math.ceil(min(size(args[0]), size(args[1])) * TRAVERSAL)


def _ordered(args: Args, result: Any) -> int:
    return _compared(args, result) if type(args[0]) in (str, bytes) else 1


def _matched(args: Args, result: Any) -> int:
    return math.ceil((1 + size(args[0])) * TRAVERSAL) * math.ceil(size(args[1]) * PATTERN)


def _contained(args: Args, result: Any) -> int:
    return math.ceil(size(args[0]) * TRAVERSAL) * math.ceil(size(args[1]) * TRAVERSAL)


def _in(args: Args, result: Any) -> int:
    return size(args[1]) if is_list(args[1]) else 1


def _elements(args: Args, result: Any) -> int:
    return _traversal(args[0])


def _traversal(value: Any) -> int:
    if type(value) in (str, bytes):
        return int(len(value) * TRAVERSAL)
    if is_list(value):
        return sum(map(_traversal, value))
    if is_map(value):
        return sum(_traversal(key) + _traversal(find(value, key)) for key in value)
    return 1


def _parsed_selector(args: Args, result: Any) -> int:
    length = size(args[1])
    requirements = math.ceil(length * SELECTOR_REQUIREMENTS)
    return LIST_COST + math.ceil(length * TRAVERSAL) + math.ceil(requirements * (LIST_COST + STRUCT_COST))


def _contains_ip(args: Args, result: Any) -> int:
    bytes_of = 4 if getattr(args[0], "version", 4) == 4 else 16
    cost = math.ceil(2 * bytes_of * TRAVERSAL)
    return cost + math.ceil(size(args[1]) * TRAVERSAL) if type(args[1]) is str else cost


def _contains_range(args: Args, result: Any) -> int:
    bytes_of = 4 if getattr(args[0], "version", 4) == 4 else 16
    return _contains_ip(args, result) + math.ceil(bytes_of * TRAVERSAL) + 1


def _validated(args: Args, result: Any) -> int:
    return math.ceil((1 + size(args[1])) * TRAVERSAL) * math.ceil(float(args[0].pattern_size) * PATTERN)


def _result_size(args: Args, result: Any) -> int:
    return LIST_COST + 1 + size(result)


def _all_pairs(args: Args, result: Any) -> int:
    return LIST_COST + 1 + size(args[0]) ** 2


def _pairs_of_sets(args: Args, result: Any) -> int:
    return 1 + size(args[0]) * size(args[1])


def _equivalent_sets(args: Args, result: Any) -> int:
    return 1 + 2 * size(args[0]) * size(args[1])


def _checked(args: Args, result: Any) -> int:
    return AUTHORIZATION_CHECK


_BY_FUNCTION: Final[dict[str, Cost]] = {
    "check": _checked,
    "fieldSelector": _parsed_selector,
    "labelSelector": _parsed_selector,
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _elements),
    **dict.fromkeys(("url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey"), _traversed),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _traversed_twice),
    "join": _joined,
    "find": _matched,
    "findAll": _matched,
    "matches": _matched,
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _traversed),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_range,
    "validate": _validated,
    "contains": _contained,
    "startsWith": _traversed,
    "endsWith": _traversed,
    "@in": _in,
    "_==_": _compared,
    "_!=_": _compared,
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _ordered),
    "_+_": _added,
    **dict.fromkeys(("lists.range", "reverse", "slice", "flatten"), _result_size),
    **dict.fromkeys(("distinct", "sort", "@sortByAssociatedKeys"), _all_pairs),
    "sets.contains": _pairs_of_sets,
    "sets.intersects": _pairs_of_sets,
    "sets.equivalent": _equivalent_sets,
}
_BY_OVERLOAD: Final[dict[str, Cost]] = {
    "string_to_ip": _traversed,
    "string_to_bytes": _traversed,
    "bytes_to_string": _traversed,
    "string_format": _traversed,
    "strings_quote": _traversed,
}
