"""Checks that many kinds share: numbers, addresses, selectors, changes of what is immutable."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kubeactors.api import fielderrors
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.addresses import sloppy_ip
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE, label_errors
from kubeactors.api.validation.names import (
    dns1123_label_errors,
    dns1123_subdomain_errors,
    is_percent,
    label_value_errors,
    port_name_errors,
    qualified_name_errors,
    regex_message,
)

NOT_NEGATIVE: Final = "must be greater than or equal to 0"
TWO_SEGMENTS: Final = "should be a domain with at least two segments separated by dots"
MAX_INT32: Final = 2**31 - 1
IMMUTABLE_WHEN_SET: Final = "field is immutable when `immutable` is set"

_LINK_LOCAL_MULTICAST: Final = ipaddress.IPv4Network("224.0.0.0/24")
_LOOPBACK: Final = "may not be in the loopback range (127.0.0.0/8, ::1/128)"


def range_message(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def not_negative(value: int, path: str) -> list[FieldError]:
    return [invalid(path, value, NOT_NEGATIVE)] if value < 0 else []


def positive(value: int, path: str) -> list[FieldError]:
    return [invalid(path, value, "must be greater than 0")] if value <= 0 else []


def port_number(value: int, path: str) -> list[FieldError]:
    return [] if 0 < value < 65536 else [invalid(path, value, range_message(1, 65535))]


def port_number_or_name(value: int | str, path: str) -> list[FieldError]:
    if isinstance(value, int):
        return port_number(value, path)
    return [invalid(path, value, m) for m in port_name_errors(value)]


def dns1123_label(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, m) for m in dns1123_label_errors(value)]


def dns1123_subdomain(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, m) for m in dns1123_subdomain_errors(value)]


def fully_qualified_domain_name(value: str, path: str) -> list[FieldError]:
    """A domain of at least two labels; a dot may end it, which messages leave out."""
    if not value:
        return [required(path)]
    name = value.removesuffix(".")
    messages = dns1123_subdomain_errors(name)
    if messages:
        return [invalid(path, name, ",".join(messages))]
    labels = name.split(".")
    if len(labels) < 2:
        return [invalid(path, name, TWO_SEGMENTS)]
    wrong = ((label, dns1123_label_errors(label)) for label in labels)
    return [invalid(path, label, ",".join(messages)) for label, messages in wrong if messages]


def qualified_name(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, m) for m in qualified_name_errors(value)]


_HTTP_PATH: Final = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"


def domain_prefixed_path(value: str, path: str) -> list[FieldError]:
    """A name like `example.com/foo`: a DNS subdomain, then what may stand in a URL's path."""
    if not value:
        return [required(path)]
    domain, _, rest = value.partition("/")
    if not domain or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = dns1123_subdomain(domain, path)
    if not re.fullmatch(_HTTP_PATH, rest):
        errors.append(invalid(path, rest, regex_message("Invalid path", _HTTP_PATH)))
    return errors


def immutable(new: Any, old: Any, path: str, schema: str = "") -> list[FieldError]:
    """`schema`: the definition of a value that is a struct, for the message that quotes it."""
    return [] if new == old else [invalid(path, internal_form(new, schema) if schema else new, FIELD_IMMUTABLE)]


def endpoint_ip(value: str, path: str) -> list[FieldError]:
    """An address that may be an endpoint: not unspecified, loopback or link-local."""
    address = sloppy_ip(value)
    if address is None:
        return [invalid(path, value, "must be a valid IP address")]
    if address.is_unspecified:
        return [invalid(path, value, f"may not be unspecified ({value})")]
    if address.is_loopback:
        return [invalid(path, value, _LOOPBACK)]
    if address in _LINK_LOCAL_MULTICAST or (address.version == 6 and int(address) >> 112 & 0xFF0F == 0xFF02):
        return [invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")]
    if address.is_link_local:
        return [invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    return []


_PERCENT_MESSAGE: Final = regex_message(
    "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%"
)


def positive_int_or_percent(value: int | str, path: str) -> list[FieldError]:
    if isinstance(value, int):
        return not_negative(value, path)
    return [] if is_percent(value) else [invalid(path, value, _PERCENT_MESSAGE)]


def not_more_than_100_percent(value: int | str | None, path: str) -> list[FieldError]:
    if isinstance(value, str) and is_percent(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def int_or_percent_number(value: int | str) -> int:
    """The number in an int-or-string, a percentage's without its sign; 0 for what is none."""
    if isinstance(value, int):
        return value
    digits = value[:-1] if is_percent(value) else value
    return int(digits) if re.fullmatch("[+-]?[0-9]{1,18}", digits) else 0


def collision_count_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a workload's status: hashes that collided stay counted."""
    count, before = ((o.get("status") or {}).get("collisionCount") or 0 for o in (new, old))
    return [invalid("status.collisionCount", count, "cannot be decremented")] if count < before else []


def label_selector(selector: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    """Of a metav1.LabelSelector."""
    if not selector:
        return []
    errors = label_errors(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        errors += _label_requirement(expression, f"{path}.matchExpressions[{index}]")
    return errors


def _label_requirement(expression: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = expression.get("operator") or "", expression.get("values") or []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden(f"{path}.values", message))
    else:
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    errors += [
        invalid(f"{path}.key", expression.get("key") or "", m)
        for m in qualified_name_errors(expression.get("key") or "")
    ]
    for index, value in enumerate(values):
        errors += [invalid(f"{path}.values[{index}]", value, m) for m in label_value_errors(value)]
    return errors


def duplicates(values: Iterable[Any]) -> list[int]:
    """Indices of values that came before."""
    seen: set[Any] = set()
    found = []
    for index, value in enumerate(values):
        if value in seen:
            found.append(index)
        seen.add(value)
    return found


def local_path(value: str, path: str) -> list[FieldError]:
    """A path below something: relative, without `..`."""
    errors: list[FieldError] = []
    if value.startswith("/"):
        errors.append(invalid(path, value, "must be a relative path"))
    return errors + no_backsteps(value, path)


def no_backsteps(value: str, path: str) -> list[FieldError]:
    if ".." in re.split(r"/", value):
        return [invalid(path, value, "must not contain '..'")]
    return []


def local_path_below(value: str, path: str) -> list[FieldError]:
    """A path of a file in a volume: relative, and no part of it starts with `..`."""
    errors = local_path(value, path)
    if value.startswith("..") and not value.startswith("../") and value != "..":
        errors.append(invalid(path, value, "must not start with '..'"))
    return errors


def immutable_data(new: Mapping[str, Any], old: Mapping[str, Any], fields: Iterable[str]) -> list[FieldError]:
    """Of config maps and secrets with `immutable: true`: neither that nor the data may change."""
    if not old.get("immutable"):
        return []
    errors = []
    if not new.get("immutable"):
        errors.append(fielderrors.forbidden("immutable", IMMUTABLE_WHEN_SET))
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            errors.append(fielderrors.forbidden(field, IMMUTABLE_WHEN_SET))
    return errors
