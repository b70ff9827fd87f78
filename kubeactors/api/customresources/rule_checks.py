"""Whether the validation rules in a CustomResourceDefinition compile, and what they may cost together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kubeactors.api import fielderrors
from kubeactors.api.cel.declared import MAX_REQUEST, Declared, escape
from kubeactors.api.cel.estimates import MAX
from kubeactors.api.customresources.cel_types import declared
from kubeactors.api.customresources.internal_schema import rule_shown
from kubeactors.api.customresources.rules import KEY, Rule, compile_rules, has_rules
from kubeactors.api.customresources.structural import Schema, Structural, structural
from kubeactors.api.fielderrors import FieldError

# What one expression, and all of a schema, may cost by estimate.
_EXPRESSION_LIMIT: Final = 10_000_000
_SCHEMA_LIMIT: Final = 100_000_000
_MOST_EXPENSIVE: Final = 4
_NO_TYPE: Final = (
    f"internal error: failed to construct type information for {KEY} rules: unable to convert structural schema to CEL "
    "declarations"
)
_ADVICE: Final = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)


@dataclass(slots=True)
class _Costs:
    total: int = 0
    largest: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        self.total = min(self.total + cost, MAX)
        if cost >= _SCHEMA_LIMIT // 100:
            self.largest.append((cost, path))
            self.largest.sort(key=lambda each: -each[0])
            del self.largest[_MOST_EXPENSIVE:]


@dataclass(frozen=True, slots=True)
class _Place:
    """A schema under way. `count`: how often its values may come in an object, None without a bound.

    `uncorrelated`: the path of the schema within which old and new values cannot be told to be the same. `broken`: what
    else is wrong; rules around that are not compiled, as their types may be wrong.
    """

    declared: Declared | None
    count: int | None
    uncorrelated: str
    broken: Sequence[str] = ()


def schema_errors(schema: Schema, path: str, broken: Sequence[str] = ()) -> list[FieldError]:
    """What is wrong with the rules of a structural schema, which lies at `path`; `broken`: where else it is wrong."""
    if not has_rules(schema):
        return []
    costs = _Costs()
    made = structural(schema)
    errors = _errors(made, path, _Place(declared(made, root=True), 1, "", broken), costs)
    if costs.total > _SCHEMA_LIMIT:
        told = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        errors += [fielderrors.forbidden(where, told) for _, where in costs.largest]
        name = f"{KEY} estimated rule cost total for entire OpenAPIv3 schema"
        errors.append(fielderrors.forbidden(path, _too_expensive(name, costs.total, _SCHEMA_LIMIT)))
    return errors


def _errors(schema: Structural, path: str, place: _Place, costs: _Costs) -> list[FieldError]:
    errors: list[FieldError] = []
    inside = replace(place, count=_count_inside(schema, place.count))
    known = place.declared
    if schema.values is not None:
        values = replace(inside, declared=_inside(known and known.element, schema.values))
        errors += _errors(schema.values, f"{path}.additionalProperties", values, costs)
    for name, each in sorted(schema.properties.items()):
        found = (known.fields or {}).get(escape(name)) if known is not None else None
        below = replace(inside, declared=_inside(found, each))
        errors += _errors(each, f"{path}.properties[{name}]", below, costs)
    if schema.items is not None:
        apart = "" if schema.list_type == "map" else path
        items = replace(
            inside, declared=_inside(known and known.element, schema.items), uncorrelated=place.uncorrelated or apart
        )
        errors += _errors(schema.items, f"{path}.items", items, costs)
    if schema.source.get(KEY) and not any(each.startswith(path) for each in place.broken):
        errors += _own_errors(schema, path, place, costs)
    return errors


def _inside(known: Declared | None, schema: Structural) -> Declared | None:
    """The type of a schema inside of another; if that does not see it, then by itself."""
    return known if known is not None else declared(schema, root=schema.embedded)


def _count_inside(schema: Structural, count: int | None) -> int | None:
    most: int | None = 1
    if schema.type == "array":
        most = schema.source.get("maxItems")
    elif schema.type == "object" and schema.free_keys:
        most = schema.source.get("maxProperties")
    return None if count is None or most is None else min(count * max(most, 0), MAX)


def _own_errors(schema: Structural, path: str, place: _Place, costs: _Costs) -> list[FieldError]:
    if place.declared is None:
        return [fielderrors.internal(f"{path}.{KEY}", _NO_TYPE)]
    errors: list[FieldError] = []
    count = MAX_REQUEST // (place.declared.min_size + 1) if place.count is None else place.count
    for index, rule in enumerate(compile_rules(schema, place.declared)):
        where = f"{path}.{KEY}[{index}]"
        cost = min(rule.cost * count, MAX)
        if cost > _EXPRESSION_LIMIT:
            text = _too_expensive("estimated rule cost", cost, _EXPRESSION_LIMIT)
            errors.append(fielderrors.forbidden(f"{where}.rule", text))
        costs.add(f"{where}.rule", cost)
        source = schema.source[KEY][index]
        if rule.error:
            errors.append(fielderrors.invalid(f"{where}.rule", rule_shown(source), rule.error))
        errors += _message_errors(rule, source, f"{where}.messageExpression", costs)
        if rule.uses_old and place.uncorrelated:
            text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.uncorrelated}"
            errors.append(fielderrors.invalid(f"{where}.rule", rule.text, text))
        elif not rule.uses_old and source.get("optionalOldSelf") is not None:
            text = "may not be set if oldSelf is not used in rule"
            errors.append(fielderrors.invalid(f"{where}.optionalOldSelf", source["optionalOldSelf"], text))
    return errors


def _message_errors(rule: Rule, source: Schema, where: str, costs: _Costs) -> list[FieldError]:
    if rule.message_error:
        return [fielderrors.invalid(where, rule_shown(source), rule.message_error)]
    if rule.message_program is None:
        return []
    costs.add(where, rule.message_cost)
    if rule.message_cost <= _EXPRESSION_LIMIT:
        return []
    text = _too_expensive("estimated messageExpression cost", rule.message_cost, _EXPRESSION_LIMIT)
    return [fielderrors.forbidden(where, text)]


def _too_expensive(name: str, cost: int, limit: int) -> str:
    factor = cost / limit
    told = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{name} exceeds budget by factor of {told} {_ADVICE}"
