"""Named formats of strings: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-format-library"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.libraries.urls import parse as parse_url
from kubeactors.api.cel.times import parse_timestamp
from kubeactors.api.cel.types import Type, struct
from kubeactors.api.cel.values import NONE, EvaluationError, Optional
from kubeactors.api.validation.names import (
    dns1035_label_errors,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    label_value_errors,
    qualified_name_errors,
)

FORMAT_TYPE: Final = struct("kubernetes.NamedFormat")
_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Format:
    """`pattern_size`: how long the regular expression behind it is, for its cost."""

    name: str
    errors: Callable[[str], list[str]]
    pattern_size: int

    @property
    def cel_type(self) -> Type:
        return FORMAT_TYPE


def _prefix(errors: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Of a name that more will be added to: it may end with a dash."""
    return lambda text: errors(f"{text[:-1]}a" if len(text) > 1 and text.endswith("-") else text)


def _message(valid: Callable[[str], bool], message: str) -> Callable[[str], list[str]]:
    return lambda text: [] if valid(text) else [message]


def _uri(text: str) -> list[str]:
    try:
        parse_url(text)
    except EvaluationError as error:
        return [str(error).removeprefix("URL parse error during conversion from string: ")]
    return []


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_date_time(text: str) -> bool:
    try:
        parse_timestamp(text.upper().replace(" ", "T", 1))
    except EvaluationError:
        return False
    return True


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _is_date_time(f"{text}T00:00:00Z")


FORMATS: Final = {
    "dns1123Label": Format("DNS1123Label", dns1123_label_errors, 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", dns1123_subdomain_errors, 60),
    "dns1035Label": Format("DNS1035Label", dns1035_label_errors, 30),
    "qualifiedName": Format("QualifiedName", qualified_name_errors, 60),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _prefix(dns1123_label_errors), 30),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", _prefix(dns1123_subdomain_errors), 60),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", _prefix(dns1035_label_errors), 30),
    "labelValue": Format("LabelValue", label_value_errors, 40),
    "uri": Format("URI", _uri, 1000),
    "uuid": Format(
        "uuid", _message(lambda text: _UUID.fullmatch(text) is not None, "does not match the UUID format"), 82
    ),
    "byte": Format("byte", _message(_is_base64, "invalid base64"), 94),
    "date": Format("date", _message(_is_date, "invalid date"), 120),
    "datetime": Format("datetime", _message(_is_date_time, "invalid datetime"), 120),
}


def _named(name: str) -> Optional:
    found = FORMATS.get(name)
    return NONE if found is None else Optional(found)


def _validate(format: Format, text: str) -> Optional:
    errors = format.errors(text)
    return Optional(errors) if errors else NONE


def _constant(format: Format) -> Callable[[], Format]:
    return lambda: format


_KNOWN: Final = {"Format": FORMAT_TYPE}
LIBRARY: Final = Library(
    {
        "format.named": (overload("format-named", "(string) -> optional(Format)", _named, _KNOWN),),
        "validate": (overload("format-validate", "Format.(string) -> optional(list(string))", _validate, _KNOWN),),
        **{
            f"format.{name}": (overload(f"format.{name}", "() -> Format", _constant(format), _KNOWN),)
            for name, format in FORMATS.items()
        },
    },
    (FORMAT_TYPE,),
)
