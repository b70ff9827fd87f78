"""Types of the API as a small model: structs, maps, lists and scalars.

Decoding, strategic merge and (later) server-side apply all read this model. It is built from the definitions for
built-in kinds, and can be built from an OpenAPI schema at run time for custom resources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kubeactors.api.schema import overlay
from kubeactors.api.schema.definitions import definition, ref_name

STRING: Final = "string"
BOOLEAN: Final = "boolean"
INT32: Final = "int32"
INT64: Final = "int64"
NUMBER: Final = "number"
BYTES: Final = "bytes"  # base64 text
QUANTITY: Final = "quantity"
AMOUNT: Final = "amount"  # a quantity in a ResourceList
INT_OR_STRING: Final = "int-or-string"
TIME: Final = "time"
MICRO_TIME: Final = "micro-time"
ANY: Final = "any"  # any JSON value, kept as it is
NO_DEFAULT: Final = overlay.NO_DEFAULT
JSON_SCHEMA: Final = "json-schema"  # an OpenAPI schema, a list of them, or a boolean


@dataclass(frozen=True, slots=True)
class Scalar:
    type: str


@dataclass(frozen=True, slots=True, eq=False)
class Struct:
    """An object with known fields."""

    name: str
    fields: dict[str, "Field"] = field(default_factory=dict)
    atomic: bool = False
    # Fields that the server writes even when they are empty: overlay.EMPTY or the value.
    always: Mapping[str, Any] = field(default_factory=dict)
    preserve_unknown: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MapType:
    """An object with free keys."""

    value: "SchemaType"
    atomic: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ListType:
    item: "SchemaType"
    kind: str = "atomic"  # of server-side apply: atomic, set or map
    map_keys: tuple[str, ...] = ()
    merge_key: str = ""  # of strategic merge
    strategies: frozenset[str] = frozenset()


SchemaType = Struct | MapType | ListType | Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field of a struct."""

    name: str
    type: SchemaType
    required: bool = False
    keep_zero: bool = True  # whether an empty string, 0 or false is stored (a pointer in Kubernetes' types)
    strategies: frozenset[str] = frozenset()  # x-kubernetes-patch-strategy: merge, replace, retainKeys
    description: str = ""
    default: Any = NO_DEFAULT  # what a missing key of a list's item counts as


JSON_SCHEMA_PROPS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"

_NAMED: Final = {
    f"{JSON_SCHEMA_PROPS}OrArray": Scalar(JSON_SCHEMA),
    f"{JSON_SCHEMA_PROPS}OrBool": Scalar(JSON_SCHEMA),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Scalar(INT_OR_STRING),
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Scalar(QUANTITY),
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": Scalar(TIME),
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": Scalar(MICRO_TIME),
}

# Whose maps of quantities are ResourceLists.
_WITH_RESOURCE_LISTS: Final = ("io.k8s.api.core.v1.", "io.k8s.api.node.v1.")

_structs: dict[str, SchemaType] = {}


def struct(name: str) -> Struct:
    """The struct of a definition, `io.k8s.api.core.v1.Pod`; built once. Raises KeyError and TypeError."""
    found = named_type(name)
    if not isinstance(found, Struct):
        raise TypeError(f"{name} is no struct")
    return found


def named_type(name: str) -> SchemaType:
    """The type of a definition."""
    known = _NAMED.get(name) or _structs.get(name)
    if known is not None:
        return known
    schema = definition(name)
    properties = schema.get("properties")
    if not properties:
        made = _inline(schema)
        _structs[name] = made
        return made
    required = frozenset(schema.get("required", ()))
    always = overlay.always_present(name, required)
    made = Struct(name, {}, schema.get("x-kubernetes-map-type") == "atomic", always)
    _structs[name] = made  # before its fields: types may refer to themselves
    for key, value in properties.items():
        made.fields[key] = _field(name, key, value, key in required)
    return made


def _field(owner: str, name: str, schema: dict[str, Any], required: bool) -> Field:
    kind = _type_of(schema)
    of_quantities = isinstance(kind, MapType) and isinstance(kind.value, Scalar) and kind.value.type == QUANTITY
    if of_quantities and owner.startswith(_WITH_RESOURCE_LISTS):
        kind = MapType(Scalar(AMOUNT))
    zero_kept = not isinstance(kind, Scalar) or overlay.keeps_zero(owner, name, kind.type, required)
    default = overlay.default(owner, name, kind.type, required) if isinstance(kind, Scalar) else NO_DEFAULT
    return Field(name, kind, required, zero_kept, _strategies(schema), schema.get("description") or "", default)


def _type_of(schema: dict[str, Any]) -> SchemaType:
    ref = ref_name(schema)
    if not ref:
        return _inline(schema)
    found = named_type(ref)
    if schema.get("x-kubernetes-map-type") == "atomic" and isinstance(found, Struct) and not found.atomic:
        return Struct(found.name, found.fields, True, found.always)
    return found


def _inline(schema: dict[str, Any]) -> SchemaType:
    type_name = _json_type(schema)
    if type_name == "array":
        return ListType(
            item=_type_of(schema["items"]),
            kind=schema.get("x-kubernetes-list-type", "atomic"),
            map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
            merge_key=schema.get("x-kubernetes-patch-merge-key", ""),
            strategies=_strategies(schema),
        )
    if type_name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return MapType(_type_of(schema["additionalProperties"]), schema.get("x-kubernetes-map-type") == "atomic")
    if type_name == "string":
        return Scalar(BYTES if schema.get("format") == "byte" else STRING)
    if type_name == "integer":
        return Scalar(INT64 if schema.get("format") == "int64" else INT32)
    if type_name == "boolean":
        return Scalar(BOOLEAN)
    if type_name == "number":
        return Scalar(NUMBER)
    return Scalar(ANY)


def _json_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((k for k in kind if k != "null"), "")
    return kind or ""


def _strategies(schema: dict[str, Any]) -> frozenset[str]:
    return frozenset(s for s in schema.get("x-kubernetes-patch-strategy", "").split(",") if s)
