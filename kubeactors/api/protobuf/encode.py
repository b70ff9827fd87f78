"""From objects as JSON has them to Kubernetes' protobuf. `messages.py` says what the fields of each message are.

Fields that an object does not have are not written: a reader takes them for empty, as JSON's readers do. Encoders are
put together once for each message.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from struct import pack
from typing import Any

import orjson

from kubeactors.api.meta import Object, parse_time
from kubeactors.api.protobuf.messages import MAGIC, SCHEMA, known, messages
from kubeactors.api.protobuf.wire import FIXED64, LENGTH, VARINT

_Encode = Callable[[Any], bytes]
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_API = "io.k8s.api."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."
_AGGREGATOR = "io.k8s.kube-aggregator.pkg.apis.apiregistration."


def schema_of(api_version: str, kind: str) -> str:
    """The definition of a type that can be encoded; empty if it cannot."""
    group, _, version = api_version.rpartition("/")
    names = (
        f"{_API}{group.partition('.')[0] or 'core'}.{version}.{kind}",
        f"{_AGGREGATOR}{version}.{kind}" if group.startswith("apiregistration.") else "",
        f"{_EXTENSIONS}{version}.{kind}" if group.startswith("apiextensions.") else "",
        f"{_META}{kind}" if group in ("", "meta.k8s.io") else "",
    )
    return next((name for name in names if known(name)), "")


def encode_object(obj: Object) -> bytes:
    """An object with kind and apiVersion as a body. Raises KeyError for a type that cannot be encoded."""
    api_version, kind = obj.get("apiVersion") or "v1", obj["kind"]  # APIVersions does not say its own
    schema = schema_of(api_version, kind)
    if not schema:
        raise KeyError(f"{api_version} {kind}")
    type_meta = _field(1, api_version.encode()) + _field(2, kind.encode())
    # What follows are the encoding and type of the content, which are empty but always there.
    return MAGIC + _field(1, type_meta) + _field(2, _message(schema)(obj)) + b"\x1a\x00\x22\x00"


def encode_event(type_: str, object_: bytes) -> bytes:
    """A watch's event with an encoded object, behind its length in four bytes."""
    event = _field(1, type_.encode()) + _field(2, _field(1, object_))
    return len(event).to_bytes(4, "big") + event


def _varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    if number < 0x80:
        return bytes((number,))
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | LENGTH) + _varint(len(data)) + data


_NUMBERS = frozenset({"int", "bool", "double"})
_compiled: dict[str, _Encode] = {}


def _message(name: str) -> _Encode:
    """The encoder of a message, without its own tag and length."""
    made = _compiled.get(name)
    if made is not None:
        return made
    fields: dict[str, _Encode] = {}
    parts: list[tuple[int, _Encode]] = []

    def encode(value: Mapping[str, Any]) -> bytes:
        found = []
        for key, item in value.items():
            field = fields.get(key)
            if field is not None and item is not None:
                found.append(field(item))
        for number, part in parts:
            found.append(_field(number, part(value)))
        return b"".join(found)

    _compiled[name] = encode  # before its fields: messages may hold themselves
    for number, (field_name, code, _) in messages()[name].items():
        of = code.lstrip("[{")
        if of not in _SCALARS and of not in _NUMBERS and not known(of):
            continue  # of an unstable version, behind a gate that is off: no object has it
        if field_name:
            fields[field_name] = _of(number, code)
        else:
            parts.append((number, _message(code)))
    return encode


def _of(number: int, code: str) -> _Encode:
    """The encoder of a field with its tag."""
    if code.startswith("["):
        element = _of(number, code[1:])
        return lambda values: b"".join([element(value) for value in values])
    if code.startswith("{"):
        key, entry = _of(1, "string"), _of(2, code[1:])
        return lambda values: b"".join([_field(number, key(name) + entry(value)) for name, value in values.items()])
    if code in ("int", "bool"):
        tag = _varint(number << 3 | VARINT)
        return lambda value: tag + _varint(int(value))
    if code == "double":
        fixed = _varint(number << 3 | FIXED64)
        return lambda value: fixed + pack("<d", value)
    tag = _varint(number << 3 | LENGTH)
    data = _SCALARS.get(code) or _message(code)

    def encode(value: Any) -> bytes:
        encoded = data(value)
        return tag + _varint(len(encoded)) + encoded

    return encode


def _time(value: str) -> bytes:
    instant = parse_time(value)
    seconds = int(instant.timestamp() // 1)
    return b"\x08" + _varint(seconds) + b"\x10" + _varint(instant.microsecond * 1000)


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\x01\x10\x00" + _field(3, value.encode())
    return b"\x08\x00\x10" + _varint(value) + b"\x1a\x00"


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _schema_or_array(value: Any) -> bytes:
    if isinstance(value, list):
        return b"".join([_field(2, _message(SCHEMA)(each)) for each in value])
    return _field(1, _message(SCHEMA)(value))


def _schema_or_bool(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\x08" + _varint(value)
    return b"\x08\x01" + _field(2, _message(SCHEMA)(value))


_SCALARS: Mapping[str, _Encode] = {
    "string": _text,
    "bytes": base64.b64decode,
    "time": _time,
    "microtime": _time,
    "quantity": lambda value: _field(1, str(value).encode()),
    "intstr": _int_or_string,
    "json": lambda value: _field(1, orjson.dumps(value)),
    "schemaorarray": _schema_or_array,
    "schemaorbool": _schema_or_bool,
    "items": lambda values: b"".join([_field(1, value.encode()) for value in values]),
}
