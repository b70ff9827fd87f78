"""Field errors: what is wrong with one field, in the words of apimachinery's `field.Error`."""

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api.go_values import go_json, go_number

REQUIRED: Final = "FieldValueRequired"
INVALID: Final = "FieldValueInvalid"
DUPLICATE: Final = "FieldValueDuplicate"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
FORBIDDEN: Final = "FieldValueForbidden"
TOO_LONG: Final = "FieldValueTooLong"
TOO_MANY: Final = "FieldValueTooMany"
NOT_FOUND: Final = "FieldValueNotFound"
TYPE_INVALID: Final = "FieldValueTypeInvalid"
INTERNAL: Final = "InternalError"

_WORDS: Final = {
    REQUIRED: "Required value",
    INVALID: "Invalid value",
    DUPLICATE: "Duplicate value",
    NOT_SUPPORTED: "Unsupported value",
    FORBIDDEN: "Forbidden",
    TOO_LONG: "Too long",
    TOO_MANY: "Too many",
    NOT_FOUND: "Not found",
    TYPE_INVALID: "Invalid value",
    INTERNAL: "Internal error",
}
_WITHOUT_VALUE: Final = frozenset({REQUIRED, FORBIDDEN, TOO_LONG, INTERNAL})


class _Omitted:
    """Stands for a value that the message leaves out."""


OMITTED: Final = _Omitted()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause of an Invalid status: `field: Words: value: message`."""

    type: str
    field: str
    message: str = ""
    bad_value: Any = OMITTED

    def body(self) -> str:
        """The text without the field: `Invalid value: "x": must be …`."""
        text = _WORDS.get(self.type, self.type)
        if self.type not in _WITHOUT_VALUE and self.bad_value is not OMITTED:
            text = f"{text}: {_show(self.bad_value)}"
        return f"{text}: {self.message}" if self.message else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body()}"


def required(field: str, message: str = "") -> FieldError:
    return FieldError(REQUIRED, field, message)


def invalid(field: str, value: Any, message: str) -> FieldError:
    return FieldError(INVALID, field, message, value)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(DUPLICATE, field, "", value)


def forbidden(field: str, message: str) -> FieldError:
    return FieldError(FORBIDDEN, field, message)


def not_found(field: str, value: Any) -> FieldError:
    return FieldError(NOT_FOUND, field, "", value)


def not_supported(field: str, value: Any, supported: Collection[str]) -> FieldError:
    """The supported values are listed quoted, in the given order; those of a set are sorted."""
    ordered = sorted(supported) if isinstance(supported, Set) else supported
    listed = ", ".join(go_quote(v) for v in ordered)
    return FieldError(NOT_SUPPORTED, field, f"supported values: {listed}" if supported else "", value)


def too_long(field: str, limit: int) -> FieldError:
    """More than `limit` bytes."""
    return FieldError(TOO_LONG, field, f"may not be more than {limit} bytes")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    return FieldError(TOO_MANY, field, f"must have at most {limit} item{'' if limit == 1 else 's'}", actual)


def internal(field: str, message: str) -> FieldError:
    return FieldError(INTERNAL, field, message)


def aggregate(errors: Iterable[str]) -> str:
    """`a`, or `[a, b]` for several; equal texts are said once."""
    texts = list(dict.fromkeys(errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return go_number(value)
    return go_quote(value) if isinstance(value, str) else go_json(value)


_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def go_quote(text: str) -> str:
    """A string as Go's %q prints it."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_quote_char(c) for c in text) + '"'


def _quote_char(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
