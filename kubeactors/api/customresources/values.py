"""Validation of values against an OpenAPI v3 schema, in the words and order of kube-openapi's validator.

On updates, what is wrong with a value that did not change is let through (ratcheting, KEP-4008).
"""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from kubeactors.api.customresources import formats, numbers
from kubeactors.api.customresources.structural import Schema
from kubeactors.api.fielderrors import (
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_LONG,
    TOO_MANY,
    TYPE_INVALID,
    FieldError,
    go_quote,
    not_supported,
    too_long,
    too_many,
)
from kubeactors.api.go_order import sorted_throughout
from kubeactors.api.regular_expressions import PatternError, found_in


class _Unset:
    """Stands for an old value that there is none of."""


_UNSET: Final = _Unset()
_NULL: Final = "null"
_LARGEST: Final = 2.0**63
NO_PATH: Final = "<nil>"  # what Kubernetes prints for an error without a place


@dataclass(frozen=True, slots=True)
class _Problem:
    """`path` None: an error without a place of its own."""

    code: str
    path: str | None
    text: str
    value: Any = ""
    valid: Any = None


@dataclass(slots=True)
class _Result:
    """What one schema found. `matches` counts checks: of several alternatives, the one with most is reported."""

    found: dict[str, _Problem] = field(default_factory=dict)
    matches: int = 0

    @classmethod
    def of(cls, problem: _Problem, matches: int = 0) -> "_Result":
        return cls({problem.text: problem}, matches)

    @property
    def problems(self) -> list[_Problem]:
        return list(self.found.values())

    def add(self, *problems: _Problem) -> None:
        """Equal texts are told once."""
        for problem in problems:
            self.found.setdefault(problem.text, problem)

    def merge(self, other: "_Result") -> None:
        if other.found:
            self.add(*other.found.values())
        self.matches += other.matches


def value_errors(schema: Schema, value: Any, path: str = "", old: Any = _UNSET) -> list[FieldError]:
    """What is wrong with a value. `path` is where it lies; `old` is what was there before an update."""
    result = _ratcheting(schema, value, "", old)
    return [_field_error(problem, path) for problem in result.problems]


def same_json(one: Any, other: Any) -> bool:
    """Equality of JSON values; unlike Python's, true is not 1."""
    if type(one) is type(other) and not isinstance(one, dict | list):
        return bool(one == other)
    options = orjson.OPT_SORT_KEYS
    return orjson.dumps(one, option=options) == orjson.dumps(other, option=options)


def _field_error(problem: _Problem, path: str) -> FieldError:
    if problem.path is None:
        return FieldError(INVALID, path or NO_PATH, problem.text, "")
    name = problem.path.removeprefix(".")
    where = (f"{path}.{name}" if path else name) if name else path or NO_PATH
    if problem.code == REQUIRED:
        return FieldError(REQUIRED, where)
    if problem.code == NOT_SUPPORTED:
        values = [each if isinstance(each, str) else orjson.dumps(each).decode() for each in problem.valid]
        return not_supported(where, problem.value, values)
    if problem.code == TOO_LONG:
        return too_long(where, problem.valid)
    if problem.code == TOO_MANY:
        return too_many(where, problem.value, problem.valid)
    return FieldError(problem.code, where, problem.text, problem.value)


def _ratcheting(schema: Schema, value: Any, path: str, old: Any) -> _Result:
    result = _validate(schema, value, path, old)
    if result.problems and old is not _UNSET and same_json(value, old):
        result.found.clear()
    return result


def _validate(schema: Schema, value: Any, path: str, old: Any) -> _Result:
    result = _Result()
    types = _types(schema)
    format = schema.get("format") or ""
    checks: list[_Result | None] = []
    if types or format or value is None:
        checks.append(_check_type(schema, types, format, value, path))
    if value is None:
        checks.append(_check_enum(schema, value, path))
    else:
        checks.append(_check_junctors(schema, value, path, old))
        if isinstance(value, str):
            checks += [_check_string(schema, value, path), _check_format(format, value, path)]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            checks.append(_check_number(schema, types, value, path))
        elif isinstance(value, list):
            checks.append(_check_list(schema, value, path, old))
        checks.append(_check_enum(schema, value, path))
        if isinstance(value, dict):
            checks.append(_check_object(schema, value, path, old))
    for check in checks:
        if check is not None:
            result.merge(check)
            result.matches += 1
    result.matches += 1
    return result


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    kind = schema.get("type")
    return (kind,) if kind else ()


def _type_of(value: Any) -> tuple[str, str]:
    """(JSON type, format of numbers)."""
    if isinstance(value, bool):
        return "boolean", ""
    if isinstance(value, str):
        return "string", ""
    if isinstance(value, int):
        return "integer", "int64"
    if isinstance(value, float):
        return "number", "double"
    return ("array", "") if isinstance(value, list) else ("object", "")


def _mistyped(path: str, wanted: str, given: str) -> _Result:
    text = f"{path} in body must be of type {wanted}: {go_quote(given)}"
    return _Result.of(_Problem(TYPE_INVALID, path, text, given), matches=1)


def _check_type(schema: Schema, types: tuple[str, ...], format: str, value: Any, path: str) -> _Result:
    if value is None:
        if types and not schema.get("nullable"):
            return _mistyped(path, ",".join(types), _NULL)
        return _Result(matches=1)
    kind, its_format = _type_of(value)
    numeric = "number" in types or "integer" in types
    whole = kind == "number" and "integer" in types and numbers.is_whole(value)
    wide = kind == "integer" and "number" in types
    matching = kind in types or whole or wide
    if not isinstance(value, str | list) and format and not (matching or its_format == format):
        return _mistyped(path, format, its_format)
    if not numeric and format and isinstance(value, str | list):
        return _Result(matches=1)
    if not matching:
        return _mistyped(path, ",".join(types), kind)
    return _Result(matches=1)


def _check_junctors(schema: Schema, value: Any, path: str, old: Any) -> _Result:
    result = _Result()
    if schema.get("anyOf"):
        _check_any(schema["anyOf"], value, path, old, result)
    if schema.get("oneOf"):
        _check_one(schema["oneOf"], value, path, old, result)
    if schema.get("allOf"):
        valid = 0
        for each in schema["allOf"]:
            found = _validate(each, value, path, old)
            valid += not found.problems
            result.merge(found)
        if valid != len(schema["allOf"]):
            more = "" if valid else ". None validated"
            result.add(_unplaced(f"{go_quote(path)} must validate all the schemas (allOf){more}"))
    negated = schema.get("not")
    if negated is not None and not _validate(negated, value, path, old).problems:
        result.add(_unplaced(f"{go_quote(path)} must not validate the schema (not)"))
    result.matches += 1
    return result


def _check_any(schemas: list[Schema], value: Any, path: str, old: Any, result: _Result) -> None:
    best: _Result | None = None
    for each in schemas:
        found = _validate(each, value, path, old)
        if not found.problems:
            result.merge(found)
            return
        if best is None or found.matches > best.matches:
            best = found
    result.add(_unplaced(f"{go_quote(path)} must validate at least one schema (anyOf)"))
    if best is not None:
        result.merge(best)


def _check_one(schemas: list[Schema], value: Any, path: str, old: Any, result: _Result) -> None:
    best: _Result | None = None
    first: _Result | None = None
    valid = 0
    for each in schemas:
        found = _validate(each, value, path, old)
        if not found.problems:
            valid += 1
            best = None
            first = first or found
        elif not valid and (best is None or found.matches > best.matches):
            best = found
    if valid == 1:
        assert first is not None
        result.merge(first)
        return
    more = f"Found {valid} valid alternatives" if valid else "Found none valid"
    result.add(_unplaced(f"{go_quote(path)} must validate one and only one schema (oneOf). {more}"))
    if best is not None:
        result.merge(best)


def _unplaced(text: str) -> _Problem:
    return _Problem(INVALID, None, text)


def _check_string(schema: Schema, value: str, path: str) -> _Result | None:
    longest, shortest, text = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    problem = None
    if longest is not None and len(value) > longest:
        problem = _Problem(TOO_LONG, path, f"{path} in body should be at most {longest} chars long", value, longest)
    elif shortest is not None and len(value) < shortest:
        problem = _Problem(INVALID, path, f"{path} in body should be at least {shortest} chars long", value)
    elif text:
        try:
            if not found_in(value, text):
                problem = _Problem(INVALID, path, f"{path} in body should match '{text}'", value)
        except PatternError as error:
            message = f"{path} in body should match '{text}, but pattern is invalid: {error}'"
            problem = _Problem(INVALID, path, message, value)
    return None if problem is None else _Result.of(problem)


def _check_format(format: str, value: str, path: str) -> _Result | None:
    check = formats.checked(format) if format else None
    if check is None:
        return None
    return _Result() if check(value) else _mistyped(path, format, value)


def _check_number(schema: Schema, types: tuple[str, ...], value: int | float, path: str) -> _Result:
    result = _Result()
    kind = types[0] if len(types) == 1 else ""
    format = schema.get("format") or ""
    texts = numbers.range_errors(value, kind, format, "Checked", path)
    result.add(*map(_unplaced, texts))
    for limit in numbers.LIMITS:
        unplaced, text = numbers.limit_errors(schema, limit, value, kind, format, path)
        result.add(*map(_unplaced, unplaced))
        if text:
            result.add(_Problem(INVALID, path, text, value))
    result.matches += 1
    return result


def _check_list(schema: Schema, value: list[Any], path: str, old: Any) -> _Result:
    result = _Result()
    items = schema.get("items")
    if isinstance(items, dict):
        before = _OldItems(schema, old)
        for index, each in enumerate(value):
            result.merge(_ratcheting(items, each, f"{path}[{index}]", before.of(index, each)))
    least, most = schema.get("minItems"), schema.get("maxItems")
    size = len(value)
    if least is not None and size < least:
        result.add(_Problem(INVALID, path, f"{path} in body should have at least {least} items", size))
    if most is not None and size > most:
        result.add(_Problem(TOO_MANY, path, f"{path} in body should have at most {most} items", size, most))
    result.matches += 1
    return result


class _OldItems:
    """Finds the item of a list before the update that an item of it goes back to."""

    def __init__(self, schema: Schema, old: Any) -> None:
        self._old: list[Any] = old if isinstance(old, list) else []
        self._type = schema.get("x-kubernetes-list-type") or ""
        self._keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        self._by_key: dict[bytes, Any] = {}
        if self._type == "map":
            for each in self._old:
                self._by_key.setdefault(self._key(each), each)

    def _key(self, item: Any) -> bytes:
        values = [item.get(key) for key in self._keys] if isinstance(item, dict) else item
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)

    def of(self, index: int, item: Any) -> Any:
        if self._type == "map":
            return self._by_key.get(self._key(item), _UNSET)
        if self._type in ("set", "atomic") or index >= len(self._old):
            return _UNSET
        return self._old[index]


def _check_enum(schema: Schema, value: Any, path: str) -> _Result | None:
    allowed = schema.get("enum")
    if not allowed or any(_is_one(value, each) for each in allowed if each is not None):
        return None
    text = f"{path} in body should be one of {allowed}"
    return _Result.of(_Problem(NOT_SUPPORTED, path, text, sorted_throughout(value), allowed))


def _is_one(value: Any, allowed: Any) -> bool:
    """Whether a value is one of an enumeration's, with Go's conversions: a float loses its fraction beside integers."""
    if isinstance(value, float) and type(allowed) is int:
        return abs(value) < _LARGEST and int(value) == allowed
    if type(value) is int and isinstance(allowed, float):
        return float(value) == allowed
    return same_json(value, allowed)


def _check_object(schema: Schema, value: dict[str, Any], path: str, old: Any) -> _Result:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    size = len(value)
    if least is not None and size < least:
        return _Result.of(_Problem(INVALID, path, f"{path} in body should have at least {least} properties", size))
    if most is not None and size > most:
        text = f"{path} in body should have at most {most} properties"
        return _Result.of(_Problem(TOO_MANY, path, text, size, most))
    result = _Result()
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    before: dict[str, Any] = old if isinstance(old, dict) else {}
    if additional is False:
        for key in value:
            if key not in properties:
                result.add(_Problem(INVALID, path, f"{path}.{key} in body is a forbidden property", key))
    elif isinstance(additional, dict):
        for key, each in sorted(value.items()):
            if key not in properties:
                result.merge(_ratcheting(additional, each, f"{path}.{key}", before.get(key, _UNSET)))
    for key, known in sorted(properties.items()):
        if key in value:
            where = f"{path}.{key}" if path else key
            result.merge(_ratcheting(known, value[key], where, before.get(key, _UNSET)))
    for key in schema.get("required") or ():
        if key not in value:
            result.add(_Problem(REQUIRED, f"{path}.{key}", f"{path}.{key} in body is required"))
    return result
