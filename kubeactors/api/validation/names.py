"""What names, label keys and label values may look like: apimachinery's `validation` package.

Each function returns the messages of what is wrong; an empty list is fine.
"""

import re
from functools import lru_cache
from typing import Final

DNS1123_LABEL_MAX: Final = 63
DNS1123_SUBDOMAIN_MAX: Final = 253

_DNS1123_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS1123_SUBDOMAIN: Final = rf"{_DNS1123_LABEL}(\.{_DNS1123_LABEL})*"
_DNS1035_LABEL: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE: Final = f"({_QUALIFIED})?"
_CONFIG_MAP_KEY: Final = "[-._a-zA-Z0-9]+"
_ENV_NAME: Final = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_C_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_PERCENT: Final = "[0-9]+%"

_dns1123_label = re.compile(_DNS1123_LABEL).fullmatch
_dns1123_subdomain = re.compile(_DNS1123_SUBDOMAIN).fullmatch
_dns1035_label = re.compile(_DNS1035_LABEL).fullmatch
_qualified = re.compile(_QUALIFIED).fullmatch
_label_value = re.compile(_LABEL_VALUE).fullmatch
_config_map_key = re.compile(_CONFIG_MAP_KEY).fullmatch
_c_identifier = re.compile(_C_IDENTIFIER).fullmatch
_percent = re.compile(_PERCENT).fullmatch

_LABEL_MESSAGE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN_MESSAGE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_WILDCARD_MESSAGE: Final = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)
_DNS1035_MESSAGE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_QUALIFIED_MESSAGE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_LABEL_VALUE_MESSAGE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)


def regex_message(message: str, pattern: str, *examples: str) -> str:
    """`message (e.g. 'a',  or 'b', regex used for validation is '…')`."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    listed = " or ".join(f"'{e}', " for e in examples)
    return f"{message} (e.g. {listed}regex used for validation is '{pattern}')"


def max_length_message(limit: int, unit: str = "bytes") -> str:
    return f"must be no more than {limit} {unit}"


@lru_cache(maxsize=16384)
def _is_dns1123_label(value: str) -> bool:
    return len(value.encode()) <= DNS1123_LABEL_MAX and _dns1123_label(value) is not None


def dns1123_label_errors(value: str) -> list[str]:
    if _is_dns1123_label(value):
        return []
    errors = []
    if len(value.encode()) > DNS1123_LABEL_MAX:
        errors.append(max_length_message(DNS1123_LABEL_MAX, "characters"))
    if not _dns1123_label(value):
        if _dns1123_subdomain(value):
            # A valid subdomain that is no label: the offending character is the dot.
            errors.append("must not contain dots")
        else:
            errors.append(regex_message(_LABEL_MESSAGE, _DNS1123_LABEL, "my-name", "123-abc"))
    return errors


def dns1123_subdomain_errors(value: str) -> list[str]:
    errors = []
    if len(value) > 63 and len(value.encode()) > DNS1123_SUBDOMAIN_MAX:
        errors.append(max_length_message(DNS1123_SUBDOMAIN_MAX, "characters"))
    if not _dns1123_subdomain(value):
        errors.append(regex_message(_SUBDOMAIN_MESSAGE, _DNS1123_SUBDOMAIN, "example.com"))
    return errors


def wildcard_subdomain_errors(value: str) -> list[str]:
    """`*.example.com`."""
    errors = []
    if len(value.encode()) > DNS1123_SUBDOMAIN_MAX:
        errors.append(max_length_message(DNS1123_SUBDOMAIN_MAX, "characters"))
    if not value.startswith("*.") or not _dns1123_subdomain(value[2:]):
        pattern = rf"\*\.{_DNS1123_SUBDOMAIN}"
        errors.append(regex_message(_WILDCARD_MESSAGE, pattern, "*.example.com"))
    return errors


def dns1035_label_errors(value: str) -> list[str]:
    errors = []
    if len(value.encode()) > DNS1123_LABEL_MAX:
        errors.append(max_length_message(DNS1123_LABEL_MAX, "characters"))
    if not _dns1035_label(value):
        errors.append(regex_message(_DNS1035_MESSAGE, _DNS1035_LABEL, "my-name", "abc-123"))
    return errors


@lru_cache(maxsize=16384)
def _qualified_name_errors(value: str) -> tuple[str, ...]:
    errors: list[str] = []
    parts = value.split("/")
    if len(parts) == 1:
        name = parts[0]
    elif len(parts) == 2:
        prefix, name = parts
        if not prefix:
            errors.append("prefix part must be non-empty")
        else:
            errors.extend(f"prefix part {m}" for m in dns1123_subdomain_errors(prefix))
    else:
        message = regex_message(f"a valid label key {_QUALIFIED_MESSAGE}", _QUALIFIED, "MyName", "my.name", "123-abc")
        return (f"{message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    if not name:
        errors.append("name part must be non-empty")
    elif len(name.encode()) > DNS1123_LABEL_MAX:
        errors.append(f"name part {max_length_message(DNS1123_LABEL_MAX)}")
    if not _qualified(name):
        message = regex_message(_QUALIFIED_MESSAGE, _QUALIFIED, "MyName", "my.name", "123-abc")
        errors.append(f"name part {message}")
    return tuple(errors)


def qualified_name_errors(value: str) -> list[str]:
    """Label keys, annotation keys, resource names, condition types: `prefix/name` or `name`."""
    return list(_qualified_name_errors(value))


@lru_cache(maxsize=16384)
def _label_value_errors(value: str) -> tuple[str, ...]:
    errors = []
    if len(value.encode()) > DNS1123_LABEL_MAX:
        errors.append(max_length_message(DNS1123_LABEL_MAX))
    if not _label_value(value):
        errors.append(regex_message(_LABEL_VALUE_MESSAGE, _LABEL_VALUE, "MyValue", "my_value", "12345"))
    return tuple(errors)


def label_value_errors(value: str) -> list[str]:
    return list(_label_value_errors(value))


def config_map_key_errors(value: str) -> list[str]:
    errors = []
    if len(value.encode()) > DNS1123_SUBDOMAIN_MAX:
        errors.append(max_length_message(DNS1123_SUBDOMAIN_MAX))
    if not _config_map_key(value):
        message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(regex_message(message, _CONFIG_MAP_KEY, "key.name", "KEY_NAME", "key-name"))
    errors.extend(_dot_errors(value))
    return errors


_RELAXED_ENV_MESSAGE: Final = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)


def is_env_name(value: str) -> bool:
    """Whether `env_name_errors` finds nothing; pods have many of these."""
    return value != "" and value.isascii() and value.isprintable() and "=" not in value


def env_name_errors(value: str) -> list[str]:
    """Names of environment variables: any printable ASCII but `=` (KEP-4369, stable since 1.34)."""
    errors = []
    if not value:
        errors.append("environment variable name must be non-empty")
    if value and not is_env_name(value):
        errors.append(_RELAXED_ENV_MESSAGE)
    return errors


def c_identifier_errors(value: str) -> list[str]:
    if _c_identifier(value):
        return []
    message = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'"  # noqa: E501
    return [regex_message(message, _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def port_name_errors(value: str) -> list[str]:
    """IANA_SVC_NAME (RFC 6335) as Kubernetes checks names of container ports."""
    errors = []
    if len(value) > 15:
        errors.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]*", value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def is_percent(value: str) -> bool:
    return _percent(value) is not None


def port_number_errors(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def path_segment_errors(value: str) -> list[str]:
    """Names that may be any one segment of a URL path."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{c}'" for c in ("/", "%") if c in value]


def _dot_errors(value: str) -> list[str]:
    if value == ".":
        return ["must not be '.'"]
    if value == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if value.startswith("..") else []
