"""What a call may cost at most: the reference implementation's numbers, and Kubernetes' own for its functions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.ast import Literal, Node
from kubeactors.api.cel.declared import has_parameters
from kubeactors.api.cel.estimates import MAX, ONE, UNKNOWN, ZERO, CallEstimate, Range, fixed
from kubeactors.api.cel.runtime_cost import (
    AUTHORIZATION_CHECK,
    LIST_COST,
    PATTERN,
    SELECTOR_REQUIREMENTS,
    STRUCT_COST,
    TRAVERSAL,
)
from kubeactors.api.cel.types import Kind

_NAME_PATTERN: Final = 128  # characters: the longest pattern of a named format
_ADDRESS: Final = Range(4, 16)  # bytes


@dataclass(frozen=True, slots=True)
class Operand:
    """`elements`: the size of each element, of a list."""

    node: Node
    size: Range
    elements: Range = UNKNOWN


Target = Operand | None
Args = Sequence[Operand]
Estimate = Callable[[Target, Args], CallEstimate | None]


def estimate_call(function: str, overload: str, target: Target, args: Args, costs: Sequence[Range]) -> CallEstimate:
    """`costs`: of the arguments, which the estimate includes."""
    given = ZERO
    for each in costs:
        given = given.plus(each)
    by_function = _BY_OVERLOAD.get(overload) or _BY_FUNCTION.get(function)
    if by_function is not None:
        found = by_function(target, args)
        if found is not None:
            return CallEstimate(found.cost.plus(given), found.size)
    if overload in ("logical_or", "logical_and"):
        return CallEstimate(Range(costs[0].low, costs[0].plus(costs[1]).high))
    if overload == "conditional":
        return CallEstimate(costs[0].plus(costs[1].union(costs[2])), args[1].size.union(args[2].size))
    return CallEstimate(ONE.plus(given))


def _one(target: Target, args: Args) -> CallEstimate:
    return CallEstimate(ONE)


def _elements(target: Target, args: Args) -> CallEstimate | None:
    """Every element once."""
    if target is None:
        return None
    if not has_parameters(target.node.type):
        return CallEstimate(target.size.scaled(TRAVERSAL))
    each = ONE
    if target.node.type.parameters[0].kind in (Kind.STRING, Kind.BYTES):
        each = each.plus(target.elements.scaled(TRAVERSAL))
    return CallEstimate(target.size.times(each))


def _argument_read(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(args[0].size.scaled(TRAVERSAL), args[0].size) if len(args) == 1 else None


def _target_read(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(target.size.scaled(TRAVERSAL), target.size) if target is not None else None


def _replace(target: Target, args: Args) -> CallEstimate | None:
    if target is None or len(args) < 2:
        return None
    size, old, new = target.size, args[0].size, args[1].size
    most = least = kept_most = kept_least = 0
    if old.low == 0:
        most, kept_most = min(size.high + 1, MAX), size.high
    elif new.high <= old.low:
        kept_most = size.high
    else:
        most = math.ceil(size.high / old.low)
    if old.high == 0:
        least, kept_least = min(size.low + 1, MAX), size.low
    elif old.high <= new.low:
        kept_least = size.low
    else:
        least = math.ceil(size.low / old.high)
    made = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return CallEstimate(size.scaled(2 * TRAVERSAL), made)


def _split(target: Target, args: Args) -> CallEstimate | None:
    if target is None:
        return None
    most = target.size.high
    if len(args) > 1:
        most = _number(args[1], most)
    return CallEstimate(target.size.scaled(2 * TRAVERSAL), Range(0, most))


def _join(target: Target, args: Args) -> CallEstimate | None:
    if target is None:
        return None
    size = target.size.times(target.elements) if has_parameters(target.node.type) else ZERO
    if args:
        between = Range(max(target.size.low - 1, 0), max(target.size.high - 1, 0))
        size = size.plus(args[0].size.times(between))
    return CallEstimate(size.scaled(TRAVERSAL), size)


def _searched(text: Range, pattern: Range) -> Range:
    return text.plus(ONE).scaled(TRAVERSAL).times(pattern.scaled(PATTERN))


def _find(target: Target, args: Args) -> CallEstimate | None:
    if target is None or not args:
        return None
    return CallEstimate(_searched(target.size, args[0].size), Range(0, target.size.high))


def _matches(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(_searched(target.size, args[0].size)) if target is not None and len(args) == 1 else None


def _contains(target: Target, args: Args) -> CallEstimate | None:
    if target is None or len(args) != 1:
        return None
    return CallEstimate(target.size.scaled(TRAVERSAL).times(args[0].size.scaled(TRAVERSAL)))


def _affix(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(args[0].size.scaled(TRAVERSAL)) if len(args) == 1 else None


def _contains_address(target: Target, args: Args) -> CallEstimate:
    cost = _ADDRESS.plus(_ADDRESS).scaled(TRAVERSAL)
    if args and args[0].node.type.kind is Kind.STRING:
        cost = cost.plus(args[0].size.scaled(TRAVERSAL))
    return CallEstimate(cost)


def _contains_range(target: Target, args: Args) -> CallEstimate:
    return CallEstimate(_contains_address(target, args).cost.plus(_ADDRESS.scaled(TRAVERSAL)).plus(ONE))


def _validated(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(args[0].size.scaled(TRAVERSAL).scaled(_NAME_PATTERN * PATTERN)) if target is not None else None


def _selector(target: Target, args: Args) -> CallEstimate | None:
    if len(args) != 1:
        return None
    size = args[0].size
    requirements = size.scaled(SELECTOR_REQUIREMENTS).scaled(LIST_COST + STRUCT_COST)
    return CallEstimate(fixed(LIST_COST).plus(size.scaled(TRAVERSAL)).plus(requirements))


def _equality(target: Target, args: Args) -> CallEstimate | None:
    one, other = args[0].node.type, args[1].node.type
    if one == other and one.name in _UNIT_TYPES:
        return CallEstimate(ONE)
    return _comparison(target, args)


def _comparison(target: Target, args: Args) -> CallEstimate:
    most = min(args[0].size.high, args[1].size.high)
    return CallEstimate(Range(1 if most else 0, most).scaled(TRAVERSAL))


def _concatenation(target: Target, args: Args) -> CallEstimate:
    size = args[0].size.plus(args[1].size)
    return CallEstimate(size.scaled(TRAVERSAL), size)


def _list_concatenation(target: Target, args: Args) -> CallEstimate:
    return CallEstimate(ONE, args[0].size.plus(args[1].size))


def _in_list(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(args[1].size) if len(args) == 2 else None


def _to_bytes(target: Target, args: Args) -> CallEstimate:
    size = args[0].size
    return CallEstimate(size.scaled(TRAVERSAL), Range(size.low, min(size.high * 4, MAX)))


def _from_bytes(target: Target, args: Args) -> CallEstimate:
    size = args[0].size
    return CallEstimate(size.scaled(TRAVERSAL), Range(size.low // 4, size.high))


def _quoted(target: Target, args: Args) -> CallEstimate:
    size = args[0].size
    return CallEstimate(size.scaled(TRAVERSAL), Range(size.low + 2, min(size.high * 2 + 2, MAX)))


def _format(target: Target, args: Args) -> CallEstimate | None:
    return CallEstimate(target.size.scaled(TRAVERSAL)) if target is not None else None


def _number(operand: Operand, otherwise: int) -> int:
    value = operand.node.value if isinstance(operand.node, Literal) else None
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


def _made_list(factor: float, size: Range) -> CallEstimate:
    return CallEstimate(size.scaled(factor).plus(fixed(1 + LIST_COST)), size)


def _slice(target: Target, args: Args) -> CallEstimate | None:
    if target is None:
        return None
    return _made_list(1, fixed(max(_number(args[1], target.size.high) - _number(args[0], 0), 0)))


def _range(target: Target, args: Args) -> CallEstimate:
    return _made_list(1, fixed(_number(args[0], MAX)))


def _reverse(target: Target, args: Args) -> CallEstimate | None:
    return _made_list(1, target.size) if target is not None else None


def _flatten(target: Target, args: Args) -> CallEstimate | None:
    return _made_list(_number(args[0], MAX) if args else 1, target.size) if target is not None else None


def _distinct(target: Target, args: Args) -> CallEstimate | None:
    return _made_list(2, target.size.times(target.size)) if target is not None else None


def _sorted_by(keys: Operand) -> CallEstimate:
    element = keys.node.type.parameters[0].kind if keys.node.type.parameters else Kind.DYN
    return _made_list(2 + TRAVERSAL if element in (Kind.STRING, Kind.BYTES) else 2, keys.size.times(keys.size))


def _sort(target: Target, args: Args) -> CallEstimate | None:
    return _sorted_by(target) if target is not None else None


def _sort_by(target: Target, args: Args) -> CallEstimate:
    return _sorted_by(args[0])


def _sets(factor: float) -> Estimate:
    return lambda target, args: CallEstimate(args[0].size.times(args[1].size).scaled(factor).plus(ONE))


def _check(target: Target, args: Args) -> CallEstimate:
    return CallEstimate(fixed(AUTHORIZATION_CHECK))


_UNIT_TYPES: Final = frozenset(
    {"net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver"}
    | {
        f"kubernetes.authorization.{name}"
        for name in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")
    }
)
_NOMINAL: Final = (
    "serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason", "error",
    "errored", "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast",
    "isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign", "asInteger", "isInteger", "asApproximateFloat",
    "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch", "getScheme", "getHostname",
    "getHost", "getPort", "getEscapedPath", "getQuery",
)  # fmt: skip
_BY_FUNCTION: Final[dict[str, Estimate]] = {
    "check": _check,
    **dict.fromkeys(_NOMINAL, _one),
    "fieldSelector": _selector,
    "labelSelector": _selector,
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _elements),
    "url": _argument_read,
    "jsonpatch.escapeKey": _argument_read,
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _target_read),
    "replace": _replace,
    "split": _split,
    "join": _join,
    "find": _find,
    "findAll": _find,
    "containsIP": _contains_address,
    "containsCIDR": _contains_range,
    "validate": _validated,
    "_==_": _equality,
}
_BY_OVERLOAD: Final[dict[str, Estimate]] = {
    "cidr_ip": _one,
    "string_to_bytes": _to_bytes,
    "bytes_to_string": _from_bytes,
    "strings_quote": _quoted,
    "string_format": _format,
    "starts_with_string": _affix,
    "ends_with_string": _affix,
    "in_list": _in_list,
    "matches_string": _matches,
    "contains_string": _contains,
    "add_string": _concatenation,
    "add_bytes": _concatenation,
    "add_list": _list_concatenation,
    "not_equals": _comparison,
    **{
        f"{name}_{kind}": _comparison
        for name in ("less", "greater", "less_equals", "greater_equals")
        for kind in ("string", "bytes")
    },
    "list_slice": _slice,
    "list_flatten": _flatten,
    "list_flatten_int": _flatten,
    "lists_range": _range,
    "list_reverse": _reverse,
    "list_distinct": _distinct,
    "list_sets_contains_list": _sets(1),
    "list_sets_intersects_list": _sets(1),
    "list_sets_equivalent_list": _sets(2),
    **{
        f"list_{kind}_{name}": how
        for kind in ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
        for name, how in (("sort", _sort), ("sortByAssociatedKeys", _sort_by))
    },
}
