"""Whether a value of one type may stand where another is declared, and what type parameters then mean.

As the reference implementation's checker decides it: dyn fits everywhere, null fits objects, numbers do not convert.
"""

from collections.abc import Sequence

from kubeactors.api.cel.types import DYN, Kind, Type

Mapping = dict[str, Type]  # of parameters to what they stand for

_NULLABLE = frozenset({Kind.NULL, Kind.OPAQUE, Kind.STRUCT, Kind.DURATION, Kind.TIMESTAMP})
_WILD = frozenset({Kind.DYN, Kind.ERROR})


def assignable(mapping: Mapping, wanted: Sequence[Type], given: Sequence[Type]) -> Mapping | None:
    """The mapping with what was learnt; None if the types do not fit."""
    learnt = dict(mapping)
    return learnt if _all_assignable(learnt, wanted, given) else None


def substitute(mapping: Mapping, type: Type, to_dyn: bool) -> Type:
    """A type with its parameters replaced; `to_dyn`: those that nothing is known of become dyn."""
    if type.kind is Kind.PARAMETER:
        found = mapping.get(type.name)
        if found is not None:
            return substitute(mapping, found, to_dyn)
        return DYN if to_dyn else type
    if not type.parameters:
        return type
    return Type(type.kind, type.name, tuple(substitute(mapping, each, to_dyn) for each in type.parameters), type.fields)


def most_general(one: Type, other: Type) -> Type:
    return one if _less_specific(one, other) else other


def _less_specific(one: Type, other: Type) -> bool:
    """Equal, or the same with dyn somewhere."""
    if one.kind in (Kind.DYN, Kind.PARAMETER):
        return True
    if other.kind in (Kind.DYN, Kind.PARAMETER) or one.kind is not other.kind or one.name != other.name:
        return False
    pairs = zip(one.parameters, other.parameters, strict=False)
    return len(one.parameters) == len(other.parameters) and all(_less_specific(a, b) for a, b in pairs)


def _all_assignable(mapping: Mapping, wanted: Sequence[Type], given: Sequence[Type]) -> bool:
    if len(wanted) != len(given):
        return False
    return all(_assignable(mapping, one, other) for one, other in zip(wanted, given, strict=True))


def _assignable(mapping: Mapping, one: Type, other: Type) -> bool:
    if other.kind is Kind.PARAMETER:
        valid, known = _fits_parameter(mapping, one, other)
        if valid or known:
            return valid
    if one.kind is Kind.PARAMETER:
        return _fits_parameter(mapping, other, one)[0]
    if one.kind in _WILD or other.kind in _WILD:
        return True
    if one.kind is Kind.NULL:
        return other.kind in _NULLABLE
    if other.kind is Kind.NULL:
        return one.kind in _NULLABLE
    if one.kind is not other.kind:
        return False
    if one.kind is Kind.TYPE:
        return True
    return one.name == other.name and _all_assignable(mapping, one.parameters, other.parameters)


def _fits_parameter(mapping: Mapping, type: Type, parameter: Type) -> tuple[bool, bool]:
    """(whether the parameter can stand for the type, whether it stood for something already)."""
    if type == parameter:
        return True, True
    known = mapping.get(parameter.name)
    if known is not None:
        if type == known:
            return True, True
        if _assignable(mapping, type, known):
            general = most_general(type, known)
            if _unreferenced(mapping, parameter, general):
                mapping[parameter.name] = general
            return True, True
        return False, True
    if _unreferenced(mapping, parameter, type):
        mapping[parameter.name] = type
        return True, False
    return False, False


def _unreferenced(mapping: Mapping, parameter: Type, within: Type) -> bool:
    if parameter == within:
        return False
    if within.kind is Kind.PARAMETER:
        known = mapping.get(within.name)
        return known is None or _unreferenced(mapping, parameter, known)
    return all(_unreferenced(mapping, parameter, each) for each in within.parameters)
