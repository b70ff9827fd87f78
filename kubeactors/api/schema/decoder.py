"""Decoding by type: checks, normalises and prunes a parsed JSON object as Kubernetes' typed decoding does.

A decoder changes the object in place: unknown fields and nulls go, empty optional values that Kubernetes would not
write go, fields that it always writes come, times and quantities take their canonical form. It is compiled to nested
closures once per type; a pod takes some tens of microseconds.
"""

import base64
import binascii
import re
from collections.abc import Callable, Container
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from kubeactors.api import go_time
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.meta import now_rfc3339, now_rfc3339_micro
from kubeactors.api.quantity import QuantityError, canonical, rounded_to_milli
from kubeactors.api.schema import overlay, types
from kubeactors.api.schema.mismatch import ARRAY, MAP, Path, TypeMismatchError
from kubeactors.api.schema.types import ListType, MapType, Scalar, SchemaType, Struct, struct


class DecodeProblems:
    """What a decoder met besides errors: unknown and duplicate fields, in order, and how many keys there were."""

    __slots__ = ("duplicates", "keys", "names", "problems")

    def __init__(self, duplicates: dict[int, list[str]] | None = None) -> None:
        self.problems: list[str] = []
        self.names: set[str] = set()  # the last names of the problems' fields
        self.keys = 0
        self.duplicates = duplicates  # id of a dictionary → its repeated keys

    def unknown(self, path: Path, key: str) -> None:
        self._add(unknown_field(path, key), key)

    def note_duplicates(self, value: dict[str, Any], path: Path, known: Container[str] | None = None) -> None:
        """Repeated keys of an object; those that are unknown as well are only reported as that."""
        for key in (self.duplicates or {}).get(id(value), ()):
            if known is None or key in known:
                self._add(duplicate_field(path, key), key)

    def _add(self, problem: str, key: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
            self.names.add(key)


def unknown_field(path: Path, key: str) -> str:
    """The problem's words."""
    return f"unknown field {go_quote(_join(path, key))}"


def duplicate_field(path: Path, key: str) -> str:
    """The problem's words."""
    return f"duplicate field {go_quote(_join(path, key))}"


_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_PAD: Final = ord("=")
MAX_PROBLEMS: Final = 100  # that are told of one object, as in Kubernetes

_Decode = Callable[[Any, Path, DecodeProblems], Any]
Zero = Callable[[], Any]


class Decoder:
    """Decodes objects of one struct."""

    def __init__(self, of: Struct) -> None:
        self._type = of
        self._decode = _compile(of)

    def __call__(self, obj: dict[str, Any], problems: DecodeProblems | None = None) -> DecodeProblems:
        """Normalise `obj` in place. Raises TypeMismatchError."""
        problems = problems or DecodeProblems()
        try:
            self._decode(obj, None, problems)
        except TypeMismatchError as error:
            error.locate(self._type)
            raise
        return problems


@lru_cache(maxsize=1024)
def decoder_for(definition: str) -> Decoder:
    """The decoder of a definition, `io.k8s.api.core.v1.Pod`."""
    return Decoder(struct(definition))


_compiled: dict[int, tuple[SchemaType, _Decode]] = {}


def _compile(of: SchemaType) -> _Decode:
    known = _compiled.get(id(of))
    if known is not None:
        return known[1]
    if isinstance(of, Struct):
        return _compile_struct(of)
    if isinstance(of, MapType):
        made = _map(_compile(of.value), _zero(of.value))
    elif isinstance(of, ListType):
        made = _list(_compile(of.item), _zero(of.item), isinstance(of.item, Scalar))
    else:
        made = _SCALARS[of.type]
    _compiled[id(of)] = (of, made)
    return made


def _compile_struct(of: Struct) -> _Decode:
    handlers: dict[str, tuple[bool, bool, bool, _Decode]] = {}
    required: list[tuple[str, Zero]] = []

    def decode(value: Any, path: Path, ctx: DecodeProblems) -> Any:
        if type(value) is not dict:
            raise _mismatch(value, path, of.name.rpartition(".")[2] or "object")
        ctx.keys += len(value)
        if ctx.duplicates is not None:
            ctx.note_duplicates(value, path, handlers)
        dropped: list[str] = []
        for key, item in value.items():
            handler = handlers.get(key)
            if handler is None:
                if not of.preserve_unknown:
                    ctx.unknown(path, key)
                    dropped.append(key)
                continue
            is_string, keep_zero, keep_empty, field = handler
            if is_string and type(item) is str:
                if not item and not keep_zero:
                    dropped.append(key)
                continue
            if item is None:
                dropped.append(key)
                continue
            new = field(item, (path, key), ctx)
            if not new and (not keep_empty if type(new) in (dict, list) else not keep_zero):
                dropped.append(key)
            elif new is not item:
                value[key] = new
        for key in dropped:
            del value[key]
        for key, zero in required:
            if key not in value:
                value[key] = zero()
        return value

    _compiled[id(of)] = (of, decode)
    for name, field in of.fields.items():
        is_string = isinstance(field.type, Scalar) and field.type.type == types.STRING
        # Empty maps and lists are not stored: those of required fields come back as null. Empty structs are.
        keep_empty = not isinstance(field.type, MapType | ListType) or overlay.keeps_empty(of.name, name)
        handlers[name] = (is_string, field.keep_zero, keep_empty, _compile(field.type))
        if name in of.always:
            value = of.always[name]
            required.append((name, _zero(field.type) if value is overlay.EMPTY else _constant(value)))
    return decode


def _map(item: _Decode, zero: Zero) -> _Decode:
    plain = item is _string

    def decode(value: Any, path: Path, ctx: DecodeProblems) -> Any:
        if type(value) is not dict:
            raise _mismatch(value, path, MAP)
        ctx.keys += len(value)
        if ctx.duplicates is not None:
            ctx.note_duplicates(value, path)
        for key, entry in value.items():
            if plain and type(entry) is str:
                continue
            if entry is None:
                value[key] = zero()
                continue
            new = item(entry, (path, key), ctx)
            if new is not entry:
                value[key] = new
        return value

    return decode


def _list(item: _Decode, zero: Zero, scalar: bool) -> _Decode:
    plain = item is _string

    def decode(value: Any, path: Path, ctx: DecodeProblems) -> Any:
        if type(value) is not list:
            raise _mismatch(value, path, ARRAY)
        for index, entry in enumerate(value):
            if plain and type(entry) is str:
                continue
            if entry is None:
                value[index] = zero()
                continue
            new = item(entry, (path, index), ctx)
            if new is not entry:
                value[index] = new
        return value

    return decode


def _string(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is not str:
        raise _mismatch(value, path, "string")
    return value


def _boolean(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is not bool:
        raise _mismatch(value, path, "bool")
    return value


def _int32(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise _mismatch(value, path, "int32")
    return value


def _int64(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _mismatch(value, path, "int64")
    return value


def _number(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) not in (int, float):
        raise _mismatch(value, path, "float64")
    return value


def _bytes(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is not str:
        raise _mismatch(value, path, "[]uint8")
    try:
        raw = base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise TypeMismatchError(f"illegal base64 data at input byte {_corrupt_at(value.encode())}") from None
    encoded = base64.b64encode(raw).decode()
    if encoded == value:
        return value
    if (place := _corrupt_at(value.encode())) is not None:
        raise TypeMismatchError(f"illegal base64 data at input byte {place}")
    return encoded


def _corrupt_at(text: bytes) -> int | None:
    """Where Go's decoder gives up: at the first byte that can be neither data nor padding. None: it does not."""
    data = [place for place, byte in enumerate(text) if byte not in b"\r\n"]
    for count, place in enumerate(data):
        if text[place] in _BASE64:
            continue
        if text[place] != _PAD or count % 4 < 2:
            return place
        last = count + (count % 4 == 2)  # of the padding, which is two bytes there
        if last >= len(data):
            return len(text)
        if text[data[last]] != _PAD:
            return data[last] - 1
        return data[last + 1] if last + 1 < len(data) else None
    short = len(data) % 4
    return len(text) - short if short else None


def _quantity(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    try:
        return canonical(value if type(value) in (str, int, float) else str(value))
    except QuantityError as error:
        raise TypeMismatchError(str(error)) from None


def _amount(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    """Of a ResourceList, which has no parts smaller than thousandths."""
    text = _quantity(value, path, ctx)
    return rounded_to_milli(text) if text[-1] in "nu" or "e-" in text else text


def _int_or_string(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is str:
        return value
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise _mismatch(value, path, "int32")
    return value


_TIME: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
_MICRO: Final = re.compile(_TIME.pattern[:-1] + r"\.\d{6}Z")


def _time(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is str and _TIME.fullmatch(value):
        return value
    return now_rfc3339(_parse_time(value, path, go_time.RFC3339))


def _micro_time(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is str and _MICRO.fullmatch(value):
        return value
    return now_rfc3339_micro(_parse_time(value, path, go_time.RFC3339_MICRO))


def _parse_time(value: Any, path: Path, layout: str) -> datetime:
    if type(value) is not str:
        raise _mismatch(value, path, "string")
    try:
        return go_time.parse(value, layout).utc()
    except (ValueError, OverflowError) as error:
        raise TypeMismatchError(str(error)) from None


def _any(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    if type(value) is dict:
        ctx.keys += _count_keys(value)
    elif type(value) is list:
        ctx.keys += sum(_count_keys(v) for v in value)
    return value


def _json_schema(value: Any, path: Path, ctx: DecodeProblems) -> Any:
    """Schemas inside of schemas, of which Kubernetes drops unknown fields without a word."""
    if type(value) is dict:
        inner = DecodeProblems()
        _compile(struct(types.JSON_SCHEMA_PROPS))(value, path, inner)
        ctx.keys += inner.keys
    elif type(value) is list:
        for index, each in enumerate(value):
            _json_schema(each, (path, index), ctx)
    elif type(value) is not bool:
        raise _mismatch(value, path, "JSONSchemaProps")
    return value


def _count_keys(value: Any) -> int:
    if type(value) is dict:
        return len(value) + sum(_count_keys(v) for v in value.values())
    return sum(_count_keys(v) for v in value) if type(value) is list else 0


_SCALARS: Final[dict[str, _Decode]] = {
    types.STRING: _string,
    types.BOOLEAN: _boolean,
    types.INT32: _int32,
    types.INT64: _int64,
    types.NUMBER: _number,
    types.BYTES: _bytes,
    types.QUANTITY: _quantity,
    types.AMOUNT: _amount,
    types.INT_OR_STRING: _int_or_string,
    types.TIME: _time,
    types.MICRO_TIME: _micro_time,
    types.ANY: _any,
    types.JSON_SCHEMA: _json_schema,
}
_ZEROS: Final[dict[str, Any]] = {
    types.STRING: "",
    types.BYTES: "",
    types.BOOLEAN: False,
    types.INT32: 0,
    types.INT64: 0,
    types.NUMBER: 0,
    types.QUANTITY: "0",
    types.AMOUNT: "0",
    types.INT_OR_STRING: 0,
}


def _constant(value: Any) -> Zero:
    return lambda: value


def _zero(of: SchemaType) -> Zero:
    """What Kubernetes writes for an unset value of this type."""
    if isinstance(of, Scalar):
        return _constant(_ZEROS.get(of.type))
    if isinstance(of, MapType | ListType):
        return _constant(None)

    def make() -> Any:
        return _compile(of)({}, None, DecodeProblems())

    return make


def _mismatch(value: Any, path: Path, wanted: str) -> TypeMismatchError:
    return TypeMismatchError(f"a value of type {wanted} was expected", value, wanted, path)


def _join(path: Path, last: Any) -> str:
    parts: list[Any] = [last]
    while path is not None:
        parts.append(path[1])
        path = path[0]
    text = ""
    for part in reversed(parts):
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
