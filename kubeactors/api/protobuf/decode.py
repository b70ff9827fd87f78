"""From protobuf to the objects that JSON would have given.

`messages.py` says what the fields of each message are. Go writes every field that is not a
pointer, zero or not. Where JSON would leave a zero value out, so does this.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from struct import unpack
from typing import Any

import orjson

from kubeactors.api.meta import Object
from kubeactors.api.protobuf.messages import MAGIC, MAX_DEPTH, SCHEMA, messages
from kubeactors.api.protobuf.wire import LENGTH, VARINT, ProtobufError, fields, signed, varint

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode_object(body: bytes, schema: str) -> Object:
    """The object in a body, decoded as the definition `schema` (`io.k8s.api.core.v1.Pod`).

    kind and apiVersion are those that the body names. Raises ProtobufError.
    """
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes' protobuf does")
    raw, version, kind = b"", "", ""
    for number, wire, value in fields(body[len(MAGIC) :]):
        if wire != LENGTH or not isinstance(value, bytes):
            continue
        if number == 1:
            version, kind = _type_meta(value)
        elif number == 2:
            raw = value
    obj: Object = {}
    if kind:
        obj["kind"] = kind
    if version:
        obj["apiVersion"] = version
    return obj | _message(raw, schema, 0)


def _type_meta(data: bytes) -> tuple[str, str]:
    found = {number: value for number, _, value in fields(data)}
    return _text(found.get(1, b"")), _text(found.get(2, b""))


def _message(data: bytes, name: str, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise ProtobufError("messages are nested too deeply")
    message = messages().get(name)
    if message is None:
        raise ProtobufError(f"{name} cannot be read from protobuf")
    result: dict[str, Any] = {}
    for number, wire, value in fields(data):
        known_field = message.get(number)
        if known_field is None:
            continue  # of a newer release
        field, code, counts = known_field
        if not field:
            result.update(_message(_bytes(value), code, depth + 1))
        elif code[0] == "[":
            result.setdefault(field, []).extend(_elements(wire, value, code[1:], depth))
        elif code[0] == "{":
            key, entry = _entry(_bytes(value), code[1:], depth)
            result.setdefault(field, {})[key] = entry
        else:
            decoded = _value(value, code, depth)
            if decoded is not None and (counts or decoded):
                result[field] = decoded
    return result


def _elements(wire: int, value: int | bytes, code: str, depth: int) -> list[Any]:
    """One element of a list, or several numbers that are packed together."""
    if wire == LENGTH and code in ("int", "bool"):
        found, position, data = [], 0, _bytes(value)
        while position < len(data):
            number, position = varint(data, position)
            found.append(_value(number, code, depth))
        return found
    return [_value(value, code, depth)]


def _entry(data: bytes, code: str, depth: int) -> tuple[str, Any]:
    key: int | bytes = b""
    value: int | bytes | None = None
    for number, _, each in fields(data):
        if number == 1:
            key = each
        elif number == 2:
            value = each
    if value is None:
        value = 0 if code in ("int", "bool") else b""
    return _text(key), _value(value, code, depth)


def _value(value: int | bytes, code: str, depth: int) -> Any:
    decode = _SCALARS.get(code)
    if decode is not None:
        return decode(value)
    if code == "schemaorarray":
        return _schema_or_array(value, depth)
    if code == "schemaorbool":
        return _schema_or_bool(value, depth)
    return _message(_bytes(value), code, depth + 1)


def _schema_or_array(value: int | bytes, depth: int) -> Any:
    found = [(number, _message(_bytes(each), SCHEMA, depth + 2)) for number, _, each in fields(_bytes(value))]
    return next((each for number, each in found if number == 1), [each for number, each in found if number == 2])


def _schema_or_bool(value: int | bytes, depth: int) -> Any:
    allows = False
    for number, _, each in fields(_bytes(value)):
        if number == 2:
            return _message(_bytes(each), SCHEMA, depth + 2)
        allows = _bool(each)
    return allows


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufError("a number stands where text or a message should")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("text is not UTF-8") from error


def _int(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ProtobufError("text stands where a number should")
    return signed(value)


def _bool(value: int | bytes) -> bool:
    return _int(value) != 0


def _base64(value: int | bytes) -> str:
    return base64.b64encode(_bytes(value)).decode()


def _numbers(value: int | bytes) -> dict[int, int]:
    return {number: _int(each) for number, wire, each in fields(_bytes(value)) if wire == VARINT}


def _instant(value: int | bytes) -> datetime | None:
    """Seconds and nanoseconds since 1970; an empty message is Go's zero time, null in JSON."""
    found = _numbers(value)
    if not found:
        return None
    try:
        return _EPOCH + timedelta(seconds=found.get(1, 0), microseconds=found.get(2, 0) // 1000)
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


def _time(value: int | bytes) -> str | None:
    instant = _instant(value)
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ") if instant is not None else None


def _micro_time(value: int | bytes) -> str | None:
    instant = _instant(value)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if instant is not None else None


def _quantity(value: int | bytes) -> str:
    return next((_text(each) for number, _, each in fields(_bytes(value)) if number == 1), "0")


def _int_or_string(value: int | bytes) -> int | str:
    found = {number: each for number, _, each in fields(_bytes(value))}
    return _text(found.get(3, b"")) if found.get(1) == 1 else _int(found.get(2, 0))


def _json(value: int | bytes) -> Any:
    """RawExtension and FieldsV1: a document in field 1."""
    raw = next((_bytes(each) for number, _, each in fields(_bytes(value)) if number == 1), b"")
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProtobufError(f"an embedded document is not JSON: {error}") from error


def _double(value: int | bytes) -> float:
    if len(_bytes(value)) != 8:
        raise ProtobufError("a number has not the length of a double")
    number: float = unpack("<d", _bytes(value))[0]
    return int(number) if number.is_integer() else number


def _items(value: int | bytes) -> list[str]:
    return [_text(each) for number, _, each in fields(_bytes(value)) if number == 1]


_SCALARS: Mapping[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "int": _int,
    "bool": _bool,
    "bytes": _base64,
    "time": _time,
    "microtime": _micro_time,
    "quantity": _quantity,
    "intstr": _int_or_string,
    "json": _json,
    "double": _double,
    "items": _items,
}
