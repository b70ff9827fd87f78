"""Values of custom resources as validation rules read them, by their schema.

Nothing is converted before it is read. What the schema does not name is not seen; sets and maps that are written as
lists are equal in any order.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from kubeactors.api.cel import times
from kubeactors.api.cel.declared import escape
from kubeactors.api.cel.values import MISSING, Elements, EvaluationError, Fields, equal
from kubeactors.api.customresources.cel_types import whole
from kubeactors.api.customresources.structural import Structural
from kubeactors.api.customresources.values import same_json

Reader = Callable[[Any], Any]


def reader(schema: Structural, *, root: bool = False) -> Reader:
    """How a value of a schema becomes one of the language; raises EvaluationError for one that the schema forbids."""
    read = _reader(schema, root)
    nullable = schema.nullable

    def value(raw: Any) -> Any:
        if raw is None:
            if nullable:
                return None
            raise EvaluationError("invalid data, got null for schema with nullable=false")
        return read(raw)

    return value


def _reader(schema: Structural, root: bool) -> Reader:
    if schema.int_or_string:
        return _int_or_string
    if schema.type == "object":
        return _object_reader(schema, root)
    if schema.type == "array":
        return _list_reader(schema)
    if schema.type == "string":
        return _FORMATS.get(schema.source.get("format") or "", _text)
    return _SCALARS.get(schema.type, Preserved)


def _object_reader(schema: Structural, root: bool) -> Reader:
    if root or schema.embedded:
        schema = whole(schema)
    if schema.values is not None:
        value = reader(schema.values, root=schema.values.embedded)

        def as_map(raw: Any) -> Any:
            return MapView(_dict(raw), value)

        return as_map
    known = {}
    for name, each in schema.properties.items():
        read = reader(each, root=each.embedded)
        known[escape(name)] = (name, read)
    known.pop("", None)
    names = {name: escaped for escaped, (name, _) in known.items()}

    def as_object(raw: Any) -> Any:
        return ObjectView(_dict(raw), known, names)

    return as_object


def _list_reader(schema: Structural) -> Reader:
    if schema.items is None:
        return Preserved
    item = reader(schema.items, root=schema.items.embedded)
    if schema.list_type == "set":
        return lambda raw: SetView(_list(raw), item)
    if schema.list_type == "map":
        keys = schema.map_keys
        return lambda raw: MapListView(_list(raw), item, keys)
    return lambda raw: ListView(_list(raw), item)


# --- scalars


def _text(raw: Any) -> str:
    if type(raw) is str:
        return raw
    raise EvaluationError(f"invalid data, expected string, got {_go_type(raw)}")


def _integer(raw: Any) -> int:
    if type(raw) is int:
        return raw
    if type(raw) is float and raw.is_integer():
        return int(raw)
    raise EvaluationError(f"invalid data, expected int, got {_go_type(raw)}")


def _number(raw: Any) -> float:
    if type(raw) is float:
        return raw
    if type(raw) is int:
        return float(raw)
    raise EvaluationError(f"invalid data, expected float, got {_go_type(raw)}")


def _boolean(raw: Any) -> bool:
    if type(raw) is bool:
        return raw
    raise EvaluationError(f"invalid data, expected bool, got {_go_type(raw)}")


def _int_or_string(raw: Any) -> Any:
    if type(raw) is str or type(raw) is int:
        return raw
    raise EvaluationError("invalid data, expected XIntOrString value to be either a string or integer")


def _bytes(raw: Any) -> bytes:
    try:
        return base64.b64decode(_text(raw), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvaluationError(f"Invalid byte formatted string {raw}: {error}") from None


def _date(raw: Any) -> Any:
    return times.parse_timestamp(f"{_text(raw)}T00:00:00Z")


def _date_time(raw: Any) -> Any:
    text = _text(raw).upper()
    return times.parse_timestamp(text.replace(" ", "T", 1))


def _duration(raw: Any) -> Any:
    return times.parse_duration(_text(raw).replace(" ", ""))


_FORMATS: Final[dict[str, Reader]] = {"byte": _bytes, "date": _date, "date-time": _date_time, "duration": _duration}
_SCALARS: Final[dict[str, Reader]] = {"integer": _integer, "number": _number, "boolean": _boolean}


def _dict(raw: Any) -> dict[str, Any]:
    if type(raw) is dict:
        return raw
    raise EvaluationError("invalid data, expected a map for the provided schema with type=object")


def _list(raw: Any) -> list[Any]:
    if type(raw) is list:
        return raw
    raise EvaluationError("invalid data, expected an array for the provided schema with type=array")


def _go_type(raw: Any) -> str:
    names = {
        bool: "bool",
        int: "int64",
        float: "float64",
        str: "string",
        list: "[]interface {}",
        dict: "map[string]interface {}",
    }
    return names.get(type(raw), "<nil>")


# --- views


class ObjectView(Fields):
    """An object with named fields. `known`: by escaped name, the name and how it is read. A null field is absent."""

    __slots__ = ("_known", "_names", "raw")

    def __init__(self, raw: dict[str, Any], known: Mapping[str, tuple[str, Reader]], names: Mapping[str, str]) -> None:
        self.raw = raw
        self._known = known
        self._names = names

    def find(self, key: Any) -> Any:
        found = self._known.get(key)
        if found is None:
            return MISSING
        value = self.raw.get(found[0])
        return MISSING if value is None else found[1](value)

    def __getitem__(self, key: str) -> Any:
        value = self.find(key)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return (self._names[name] for name in self.raw if name in self._names)

    def __len__(self) -> int:
        return len(self.raw)

    def equals(self, other: Mapping[Any, Any]) -> bool:
        if not isinstance(other, ObjectView):
            return super().equals(other)
        if len(self.raw) != len(other.raw):
            return False
        if same_json(self.raw, other.raw):
            return True
        for name, value in self.raw.items():
            if name not in other.raw:
                return False
            escaped = self._names.get(name)
            if escaped is None:
                if not same_json(value, other.raw[name]):
                    return False
            elif value is None or other.raw[name] is None:
                if value is not other.raw[name]:
                    return False
            elif not equal(self.find(escaped), other.find(escaped)):
                return False
        return True


class MapView(Fields):
    """An object with free keys."""

    __slots__ = ("_read", "raw")

    def __init__(self, raw: dict[str, Any], read: Reader) -> None:
        self.raw = raw
        self._read = read

    def find(self, key: Any) -> Any:
        value = self.raw.get(key, MISSING) if type(key) is str else MISSING
        return MISSING if value is MISSING else self._read(value)

    def __getitem__(self, key: str) -> Any:
        return self._read(self.raw[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


class ListView(Elements):
    __slots__ = ("_read", "raw")

    def __init__(self, raw: list[Any], read: Reader) -> None:
        self.raw = raw
        self._read = read

    def __getitem__(self, index: Any) -> Any:
        return (
            [self._read(each) for each in self.raw[index]] if isinstance(index, slice) else self._read(self.raw[index])
        )

    def __iter__(self) -> Iterator[Any]:
        return map(self._read, self.raw)

    def __len__(self) -> int:
        return len(self.raw)


class SetView(ListView):
    """A list of different scalars: equal in any order, joined without repeating."""

    __slots__ = ()

    def equals(self, other: Sequence[Any]) -> bool:
        return len(self) == len(other) and all(each in other for each in self)

    def plus(self, other: Sequence[Any]) -> Sequence[Any]:
        known = list(self)
        return SetView([*known, *(each for each in other if each not in known)], _as_it_is)


class MapListView(ListView):
    """A list of objects that some of their fields tell apart."""

    __slots__ = ("_keys",)

    def __init__(self, raw: list[Any], read: Reader, keys: tuple[str, ...]) -> None:
        super().__init__(raw, read)
        self._keys = keys

    def _key(self, item: Any) -> bytes:
        return map_key(getattr(item, "raw", item), self._keys)

    def equals(self, other: Sequence[Any]) -> bool:
        if len(self) != len(other):
            return False
        mine = {self._key(each): each for each in self}
        return all((key := self._key(each)) in mine and equal(mine[key], each) for each in other)

    def plus(self, other: Sequence[Any]) -> Sequence[Any]:
        merged = {self._key(each): each for each in self}
        merged.update((self._key(each), each) for each in other)
        return MapListView(list(merged.values()), _as_it_is, self._keys)


def _as_it_is(value: Any) -> Any:
    """Reads what was read already."""
    return value


def map_key(item: Any, keys: tuple[str, ...]) -> bytes:
    """What tells an item of a list of type map from the others."""
    fields = item if isinstance(item, dict) else {}
    return orjson.dumps([fields.get(key) for key in keys])


class Preserved:
    """A value without a schema: rules see it only as part of an object that they compare."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Preserved) and same_json(self.raw, other.raw)

    def __hash__(self) -> int:
        return hash(orjson.dumps(self.raw))
