"""The Swagger 2.0 document in protobuf, as kubectl asks for it when a kind has no OpenAPI v3 document.

The messages are those of gnostic's OpenAPIv2.proto (package openapi.v2), as far as this server's document uses them.
Each table says: key in JSON → (field number, how its value is written). Keys that begin with "x-" are extensions.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import orjson

Encoder = Callable[[Any], bytes]
Fields = Mapping[str, tuple[int, "Encoder | _Scalar"]]


def encode(document: Mapping[str, Any]) -> bytes:
    """A Swagger 2.0 document as an openapi.v2.Document."""
    return _document(document)


# --- the wire format


def _varint(number: int) -> bytes:
    found = bytearray()
    number &= 0xFFFF_FFFF_FFFF_FFFF  # negative numbers in two's complement, as int64 is written
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _field(number: int, value: bytes | int | float) -> bytes:
    """A message or text; whole numbers and booleans are varints, other numbers are doubles."""
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


class _Repeated:
    """Marks an encoder of each element of a list."""

    def __init__(self, element: Encoder) -> None:
        self.element = element

    def __call__(self, value: Any) -> bytes:
        return self.element(value)


def _text(value: Any) -> bytes:
    return str(value).encode()


class _Scalar:
    """Marks a field whose value is written as a number of this type; see `_field`."""

    def __init__(self, kind: type[bool] | type[int] | type[float]) -> None:
        self.kind = kind


_FLAG, _WHOLE, _DOUBLE = _Scalar(bool), _Scalar(int), _Scalar(float)


def _message(fields: Fields, extensions: int = 0) -> Encoder:
    """Writes an object's known keys, and its extensions as NamedAny in the field `extensions`."""

    def write(value: Mapping[str, Any]) -> bytes:
        parts = []
        for key, each in value.items():
            if key.startswith("x-"):
                if extensions:
                    parts.append(_field(extensions, _field(1, key.encode()) + _field(2, _any(each))))
                continue
            if key not in fields:
                raise KeyError(f"{key} has no place in the protobuf document")
            number, encoder = fields[key]
            if isinstance(encoder, _Scalar):
                parts.append(_field(number, encoder.kind(each)))
            elif isinstance(encoder, _Repeated):
                parts.extend(_field(number, encoder(element)) for element in each)
            else:
                parts.append(_field(number, encoder(each)))
        return b"".join(parts)

    return write


def _named(number: int, value: Encoder) -> Encoder:
    """Writes a map as a list of (name, value) messages."""

    def write(entries: Mapping[str, Any]) -> bytes:
        return b"".join(
            _field(number, _field(1, name.encode()) + _field(2, value(each))) for name, each in entries.items()
        )

    return write


def _wrapped(number: int, inner: Encoder) -> Encoder:
    """Writes a message with one field."""
    return lambda value: _field(number, inner(value))


def _any(value: Any) -> bytes:
    """Any value as YAML, of which JSON is a part."""
    return _field(2, orjson.dumps(value))


# --- the messages


def _schema(value: Mapping[str, Any]) -> bytes:
    return _write_schema(value)


def _additional(value: Any) -> bytes:
    return _field(2, value) if isinstance(value, bool) else _field(1, _schema(value))


def _strings(values: Any) -> bytes:
    """StringArray."""
    return b"".join(_field(1, _text(each)) for each in values)


def _parameter(value: Mapping[str, Any]) -> bytes:
    """ParametersItem → Parameter → one of BodyParameter and NonBodyParameter."""
    if value["in"] == "body":
        return _field(1, _field(1, _BODY(value)))
    number, encoder = (4, _PATH_PARAMETER) if value["in"] == "path" else (3, _QUERY_PARAMETER)
    return _field(1, _field(2, _field(number, encoder(value))))


_write_schema = _message(
    {
        "$ref": (1, _text),
        "format": (2, _text),
        "title": (3, _text),
        "description": (4, _text),
        "default": (5, _any),
        "multipleOf": (6, _DOUBLE),
        "maximum": (7, _DOUBLE),
        "exclusiveMaximum": (8, _FLAG),
        "minimum": (9, _DOUBLE),
        "exclusiveMinimum": (10, _FLAG),
        "maxLength": (11, _WHOLE),
        "minLength": (12, _WHOLE),
        "pattern": (13, _text),
        "maxItems": (14, _WHOLE),
        "minItems": (15, _WHOLE),
        "uniqueItems": (16, _FLAG),
        "maxProperties": (17, _WHOLE),
        "minProperties": (18, _WHOLE),
        "required": (19, _Repeated(_text)),
        "enum": (20, _Repeated(_any)),
        "additionalProperties": (21, _additional),
        "type": (22, _wrapped(1, _text)),
        "items": (23, _wrapped(1, _schema)),
        "allOf": (24, _Repeated(_schema)),
        "properties": (25, _named(1, _schema)),
    },
    extensions=31,
)
_BODY = _message(
    {
        "description": (1, _text),
        "name": (2, _text),
        "in": (3, _text),
        "required": (4, _FLAG),
        "schema": (5, _schema),
    },
    extensions=6,
)
_QUERY_PARAMETER = _message(
    {
        "required": (1, _FLAG),
        "in": (2, _text),
        "description": (3, _text),
        "name": (4, _text),
        "type": (6, _text),
        "uniqueItems": (20, _FLAG),
    },
    extensions=23,
)
_PATH_PARAMETER = _message(
    {
        "required": (1, _FLAG),
        "in": (2, _text),
        "description": (3, _text),
        "name": (4, _text),
        "type": (5, _text),
        "uniqueItems": (19, _FLAG),
    },
    extensions=22,
)
_RESPONSE = _message({"description": (1, _text), "schema": (2, _wrapped(1, _schema))}, extensions=5)
_OPERATION = _message(
    {
        "tags": (1, _Repeated(_text)),
        "description": (3, _text),
        "operationId": (5, _text),
        "produces": (6, _Repeated(_text)),
        "consumes": (7, _Repeated(_text)),
        "parameters": (8, _Repeated(_parameter)),
        "responses": (9, _named(1, _wrapped(1, _RESPONSE))),
        "schemes": (10, _Repeated(_text)),
    },
    extensions=13,
)
_PATH_ITEM = _message(
    {
        "get": (2, _OPERATION),
        "put": (3, _OPERATION),
        "post": (4, _OPERATION),
        "delete": (5, _OPERATION),
        "options": (6, _OPERATION),
        "head": (7, _OPERATION),
        "patch": (8, _OPERATION),
        "parameters": (9, _Repeated(_parameter)),
    },
    extensions=10,
)
_API_KEY = _message({"type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text)})
_document = _message(
    {
        "swagger": (1, _text),
        "info": (2, _message({"title": (1, _text), "version": (2, _text)})),
        "paths": (8, _named(2, _PATH_ITEM)),
        "definitions": (9, _named(1, _schema)),
        "security": (12, _Repeated(_named(1, _strings))),
        "securityDefinitions": (13, _named(1, _wrapped(2, _API_KEY))),
    }
)
