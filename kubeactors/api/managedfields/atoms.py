"""Types as structured merge sees them: what is owned whole, and by what the items of a list are told apart.

An atom may be a map, a list and a scalar at once: what has no schema is what its value is.
Source: schema/elements.go of sigs.k8s.io/structured-merge-diff, and kube-openapi's schemaconv.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from kubeactors.api.managedfields import elements
from kubeactors.api.schema import types
from kubeactors.api.schema.types import NO_DEFAULT, ListType, MapType, Scalar, SchemaType, Struct

_MAX_KNOWN: Final = 512
_MAX_KNOWN_LENGTH: Final = 64

STRING: Final = "string"
NUMERIC: Final = "numeric"
BOOLEAN: Final = "boolean"
UNTYPED: Final = "untyped"


class ElementError(ValueError):
    """An item of a list that cannot be told from others."""


@dataclass(slots=True, eq=False)
class Atom:
    """What a value may be; None: it may not be that."""

    scalar: str | None = None
    map: MapAtom | None = None
    list: ListAtom | None = None


@dataclass(slots=True, eq=False)
class MapAtom:
    """`element` is the type of keys that are not among `fields`; None: there are no others."""

    fields: dict[str, Atom] = field(default_factory=dict)
    element: Atom | None = None
    atomic: bool = False
    #: Field → its path element and its type, made once.
    steps: dict[str, tuple[str, Atom]] = field(default_factory=dict, repr=False)

    def declare(self, fields: dict[str, Atom]) -> None:
        self.fields = fields
        self.steps = {name: (elements.field(name), of) for name, of in fields.items()}

    def of(self, name: str) -> Atom:
        """The type of a field. An undeclared one has none, and is taken for what it is."""
        return self.fields.get(name) or self.element or DEDUCED

    @property
    def is_deduced(self) -> bool:
        return not self.fields and self.element is DEDUCED


@dataclass(slots=True, eq=False)
class ListAtom:
    """`keys` are those of a list of kind map; `defaults` what a missing key counts as."""

    item: Atom
    atomic: bool = True
    keys: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    _known: dict[Any, str] = field(default_factory=dict, repr=False)  # names of items come again and again

    def element(self, item: Any) -> str:
        """The path element of an item. Raises ElementError."""
        if len(self.keys) == 1 and item.__class__ is dict:
            given = item.get(self.keys[0])
            if given.__class__ is str and len(given) < _SHORT:
                return _named(self.keys[0], given)
        if self.keys:
            key = self._key(item)
            known = self._known.get(key) if key is not None else None
            if known is None:
                known = self._keyed(item)
                if key is not None:
                    if len(self._known) >= _MAX_KNOWN:
                        self._known.clear()
                    self._known[key] = known
            return known
        if isinstance(item, dict):
            raise ElementError("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise ElementError("not supported: associative list with lists as elements")
        if item is None:
            raise ElementError("associative list without keys has an element that's an explicit null")
        return elements.value(item)

    def _key(self, item: Any) -> Any:
        """The item's keys as they stand in it, where they are texts and short."""
        try:
            if len(self.keys) == 1:
                key = item[self.keys[0]]
                return key if key.__class__ is str and len(key) <= _MAX_KNOWN_LENGTH else None
            number, text = map(item.__getitem__, self.keys)
        except (KeyError, TypeError, ValueError):
            return None
        if number.__class__ is int and text.__class__ is str and len(text) <= _MAX_KNOWN_LENGTH:
            return number, text
        return None

    def _keyed(self, item: Any) -> str:
        if item is None:
            raise ElementError("associative list with keys may not have a null element")
        if not isinstance(item, dict):
            raise ElementError("associative list with keys may not have non-map elements")
        pairs: dict[str, Any] = {}
        for name in self.keys:
            if name in item:
                pairs[name] = item[name]
            elif name in self.defaults:
                pairs[name] = self.defaults[name]
        if not pairs:
            names = " ".join(f'"{name}"' for name in self.keys)
            raise ElementError(
                f"associative list with keys has an element that omits all key fields [{names}] "
                "(and doesn't have default values for any key fields)"
            )
        return elements.key(pairs)


_SHORT: Final = 128


@lru_cache(maxsize=8192)
def _named(key: str, given: str) -> str:
    """Most lists are keyed by a name, and the same names come again and again."""
    return elements.key({key: given})


#: Data without a schema: scalars, lists that are owned whole, and maps field by field.
DEDUCED: Final = Atom(UNTYPED)
DEDUCED.list = ListAtom(DEDUCED)
DEDUCED.map = MapAtom(element=DEDUCED)

_SCALARS: Final = {
    types.STRING: STRING,
    types.BYTES: STRING,
    types.BOOLEAN: BOOLEAN,
    types.INT32: NUMERIC,
    types.INT64: NUMERIC,
    types.NUMBER: NUMERIC,
    types.INT_OR_STRING: UNTYPED,
    types.QUANTITY: UNTYPED,
    types.AMOUNT: UNTYPED,
    types.TIME: UNTYPED,
    types.MICRO_TIME: UNTYPED,
}
_made: dict[int, tuple[SchemaType, Atom]] = {}


def atom_of(of: SchemaType) -> Atom:
    """The atom of a type of the schema; made once for each."""
    known = _made.get(id(of))
    if known is None:
        known = _made[id(of)] = (of, _make(of))
    return known[1]


def build(of: SchemaType) -> Atom:
    """The atom of a type that may go again (a custom resource's): kept by who asks, not here."""
    return _build(of, {})


def _make(of: SchemaType) -> Atom:
    return _build(of, _made)


def _build(of: SchemaType, known: dict[int, tuple[SchemaType, Atom]]) -> Atom:
    present = known.get(id(of))
    if present is not None:
        return present[1]
    if isinstance(of, Scalar):
        return DEDUCED if of.type in (types.ANY, types.JSON_SCHEMA) else Atom(_SCALARS[of.type])
    atom = Atom()
    known[id(of)] = (of, atom)  # before its parts: types may refer to themselves
    if isinstance(of, Struct):
        atom.map = MapAtom(atomic=of.atomic, element=DEDUCED if of.preserve_unknown else None)
        atom.map.declare({name: _build(each.type, known) for name, each in of.fields.items()})
    elif isinstance(of, MapType):
        atom.map = MapAtom(atomic=of.atomic, element=_build(of.value, known))
    else:
        keys = of.map_keys if of.kind == "map" else ()
        atom.list = ListAtom(_build(of.item, known), of.kind not in ("map", "set"), keys, _key_defaults(of, keys))
    return atom


def _key_defaults(of: ListType, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(of.item, Struct):
        return {}
    found = {name: of.item.fields[name].default for name in keys if name in of.item.fields}
    return {name: default for name, default in found.items() if default is not NO_DEFAULT}
