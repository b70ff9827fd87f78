"""What claims, classes and slices share: names, selectors, configuration, taints, and lists with a bound."""

import re
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson

from kubeactors.api.cel import types
from kubeactors.api.cel.admission import shown
from kubeactors.api.cel.cost import estimate
from kubeactors.api.cel.devices import DEVICE, DEVICE_TYPE, ENVIRONMENT
from kubeactors.api.cel.source import CompileError
from kubeactors.api.choices import DEVICE_TAINT_EFFECTS, DEVICE_TOLERATION_OPERATORS
from kubeactors.api.fielderrors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from kubeactors.api.validation.common import dns1123_label, dns1123_subdomain, duplicates, qualified_name
from kubeactors.api.validation.names import c_identifier_errors, label_value_errors
from kubeactors.api.validation.persistent_volume_source import csi_driver_name_errors

MAX_REQUESTS: Final = 32
MAX_CONFIGS: Final = 32
MAX_SELECTORS: Final = 32
MAX_CONDITIONS: Final = 8
_MAX_POOL_NAME: Final = 253
_MAX_EXPRESSION: Final = 10 * 1024
_MAX_COST: Final = 1_000_000
_MAX_PARAMETERS: Final = 10 * 1024
_MAX_IDENTIFIER: Final = 32
_MAX_BINDING_CONDITIONS: Final = 4
_EFFECTS: Final = frozenset(DEVICE_TAINT_EFFECTS)
_UID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NORMAL_UID: Final = (
    "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` "
    "with lowercase hexadecimal characters"
)
_REQUEST_NAME: Final = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)

Struct = Mapping[str, Any]
Check = Callable[[Any, str], list[FieldError]]
T = TypeVar("T")

driver_name_errors = csi_driver_name_errors


class RequestNames:
    """The requests of a claim, each with its subrequests."""

    def __init__(self, devices: Struct) -> None:
        self._names = {
            request.get("name") or "": {s.get("name") or "" for s in request.get("firstAvailable") or ()}
            for request in devices.get("requests") or ()
        }

    def __contains__(self, name: str) -> bool:
        request, slash, sub = name.partition("/")
        if "/" in sub or request not in self._names:
            return False
        return not slash or sub in self._names[request]

    def reference_errors(self, name: str, path: str) -> list[FieldError]:
        """Of a name that must be one of them: `request` or `request/subrequest`."""
        segments = name.split("/")
        if len(segments) > 2:
            return [invalid(path, name, _REQUEST_NAME)]
        errors = [e for segment in segments for e in dns1123_label(segment, path)]
        return errors if name in self else [*errors, invalid(path, name, _REQUEST_NAME)]


def list_errors(items: Sequence[Any], limit: int, check: Check, path: str) -> list[FieldError]:
    """Of each item; a list that is too long is not looked into."""
    if 0 <= limit < len(items):
        return [too_many(path, len(items), limit)]
    return [error for i, item in enumerate(items) for error in check(item, f"{path}[{i}]")]


def set_errors(
    items: Sequence[T], limit: int, check: Callable[[T, str], list[FieldError]], key: Callable[[T], Hashable], path: str
) -> list[FieldError]:
    """The same, and no two items may have one key."""
    errors = list_errors(items, limit, check, path)
    if 0 <= limit < len(items):
        return errors
    seen: set[Hashable] = set()
    for i, item in enumerate(items):
        if key(item) in seen:
            errors.append(duplicate(f"{path}[{i}]", key(item)))
        seen.add(key(item))
    return errors


def map_errors(
    items: Struct, limit: int, check_key: Check, check: Check, path: str, longest: int = 63
) -> list[FieldError]:
    if 0 <= limit < len(items):
        return [too_many(path, len(items), limit)]
    errors: list[FieldError] = []
    for key, item in sorted(items.items()):
        at = f"{path}[{_cut(key, max(longest, 16))}]"
        errors += check_key(key, at) + check(item, at)
    return errors


def _cut(text: str, longest: int) -> str:
    """A text that is too long loses its middle."""
    if len(text) <= longest:
        return text
    left = longest - len("...")
    return f"{text[: (left + 1) // 2]}...{text[len(text) - left // 2 :]}"


def by_name(item: Struct) -> str:
    return item.get("name") or ""


def same(item: Hashable) -> Hashable:
    return item


def pool_name_errors(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [too_long(path, _MAX_POOL_NAME)] if len(name.encode()) > _MAX_POOL_NAME else []
    return errors + [error for part in name.split("/") for error in dns1123_subdomain(part, path)]


def uid_errors(text: str, path: str) -> list[FieldError]:
    if _UID.fullmatch(text):
        return []
    if len(text) not in (32, 36, 38, 45):
        return [invalid(path, text, f"error validating uid: invalid UUID length: {len(text)}")]
    try:
        uuid.UUID(text)
    except ValueError:
        return [invalid(path, text, "error validating uid: invalid UUID format")]
    return [invalid(path, text, _NORMAL_UID)]


def qualified_device_name_errors(name: str, path: str) -> list[FieldError]:
    """Of an attribute or capacity: an identifier, with or without a domain."""
    domain, slash, rest = name.partition("/")
    if not slash:
        return _identifier_errors(name, path)
    if "/" in rest:
        return []  # Kubernetes does not look at these
    errors: list[FieldError] = []
    errors += driver_name_errors(domain, path) if domain else [invalid(path, "", "the domain must not be empty")]
    errors += _identifier_errors(rest, path) if rest else [invalid(path, "", "the name must not be empty")]
    return errors


def fully_qualified_name_errors(name: str, path: str) -> list[FieldError]:
    """The same, with a domain."""
    if "/" not in name:
        errors = qualified_device_name_errors(name, path)
        message = "a fully qualified name must be a domain and a name separated by a slash"
        return [*errors, invalid(path, name, message)]
    return qualified_device_name_errors(name, path)


def _identifier_errors(name: str, path: str) -> list[FieldError]:
    errors = [too_long(path, _MAX_IDENTIFIER)] if len(name.encode()) > _MAX_IDENTIFIER else []
    return errors + [invalid(path, name, m) for m in c_identifier_errors(name)]


def selectors_errors(selectors: Sequence[Struct], path: str) -> list[FieldError]:
    return list_errors(selectors, MAX_SELECTORS, _selector_errors, path)


def _selector_errors(selector: Struct, path: str) -> list[FieldError]:
    cel = selector.get("cel")
    if cel is None:
        return [required(f"{path}.cel")]
    if len((cel.get("expression") or "").encode()) > _MAX_EXPRESSION:
        return [too_long(f"{path}.cel.expression", _MAX_EXPRESSION)]
    return _expression_errors(cel.get("expression") or "", f"{path}.cel.expression")


def _expression_errors(text: str, path: str) -> list[FieldError]:
    message, cost = _compiled(text)
    if message:
        return [invalid(path, text, message)]
    return [forbidden(path, "too complex, exceeds cost limit")] if cost > _MAX_COST else []


@lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[str, int]:
    """(why a selector is none, what it costs at most)."""
    try:
        program = ENVIRONMENT.compile(text)
    except CompileError as error:
        return error.reason, 0
    if program.result_type not in (types.BOOL, types.DYN):
        return f"must evaluate to bool or the unknown type, not {shown(program.result_type)}", 0
    return "", estimate(program.root, {DEVICE: DEVICE_TYPE}).high


def configuration_errors(config: Struct, path: str, *, stored: bool = False) -> list[FieldError]:
    """Of what a driver is given as it is; `stored`: it was accepted before, when there was no limit."""
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    errors = driver_name_errors(opaque.get("driver") or "", f"{path}.opaque.driver")
    return errors + raw_errors(opaque.get("parameters"), _MAX_PARAMETERS, f"{path}.opaque.parameters", stored=stored)


def raw_errors(value: Any, limit: int, path: str, *, stored: bool = False) -> list[FieldError]:
    """Of a JSON value that must be an object of bounded size in bytes."""
    if value is None:
        return [required(path)]
    if not stored and len(orjson.dumps(value)) > limit:
        return [too_long(path, limit)]
    return [] if isinstance(value, dict) else [invalid(path, "<value omitted>", "must be a valid JSON object")]


def taint_errors(taint: Struct, path: str, old: Struct | None = None) -> list[FieldError]:
    errors = qualified_name(taint.get("key") or "", f"{path}.key")
    if taint.get("value"):
        errors += [invalid(f"{path}.value", taint["value"], m) for m in label_value_errors(taint["value"])]
    effect = taint.get("effect") or ""
    if old is None or old.get("effect") != effect:
        if not effect:
            errors.append(required(f"{path}.effect"))
        elif effect not in _EFFECTS:
            errors.append(not_supported(f"{path}.effect", effect, _EFFECTS))
    return errors


def toleration_errors(toleration: Struct, path: str) -> list[FieldError]:
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    value, effect = toleration.get("value") or "", toleration.get("effect") or ""
    errors = qualified_name(key, f"{path}.key") if key else []
    if operator == "Exists":
        if value:
            errors.append(invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        errors += [invalid(f"{path}.value", value, m) for m in label_value_errors(value)]
    elif not operator:
        errors.append(required(f"{path}.operator"))
    else:
        errors.append(not_supported(f"{path}.operator", operator, frozenset(DEVICE_TOLERATION_OPERATORS)))
    if effect and effect not in _EFFECTS:
        errors.append(not_supported(f"{path}.effect", effect, _EFFECTS))
    return errors


def binding_condition_errors(holder: Struct, path: str) -> list[FieldError]:
    """Of the conditions that a device waits for before a pod is bound, and those that end the wait."""
    good, bad = holder.get("bindingConditions") or [], holder.get("bindingFailureConditions") or []
    errors: list[FieldError] = []
    fields = (("bindingConditions", good), ("bindingFailureConditions", bad))
    for field, conditions in fields:
        errors += list_errors(conditions, _MAX_BINDING_CONDITIONS, qualified_name, f"{path}.{field}")
    known = set(good)
    for field, conditions in fields:
        twice = set(duplicates(conditions))
        for i, condition in enumerate(conditions):
            if i in twice:
                errors.append(duplicate(f"{path}.{field}[{i}]", condition))
            if conditions is bad and condition in known:
                message = "bindingFailureConditions must not overlap with bindingConditions"
                errors.append(invalid(f"{path}.{field}[{i}]", condition, message))
    if bad and not good:
        message = "bindingConditions are required to use bindingFailureConditions"
        errors.append(invalid(f"{path}.bindingConditions", None, message))
    if good and not bad:
        message = "bindingFailureConditions are required to use bindingConditions"
        errors.append(invalid(f"{path}.bindingFailureConditions", None, message))
    return errors
