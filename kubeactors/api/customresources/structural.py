"""The structural schema: the part of a version's OpenAPI schema that says which fields there are.

A schema is structural when every field is named outside of allOf, anyOf, oneOf and not (KEP-1979). Pruning, defaulting
and server-side apply walk this tree; what values are allowed is checked by `values`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


@dataclass(frozen=True, slots=True, eq=False)
class Structural:
    """One node. `source` is the OpenAPI schema it was made of (JSONSchemaProps of apiextensions.k8s.io/v1)."""

    type: str = ""
    properties: Mapping[str, "Structural"] = field(default_factory=dict)
    # The values of an object with free keys. Both unset: there are none; `any_value`: additionalProperties is true.
    values: "Structural | None" = None
    any_value: bool = False
    items: "Structural | None" = None
    preserve_unknown: bool = False
    embedded: bool = False  # a whole object with apiVersion, kind and metadata
    int_or_string: bool = False
    nullable: bool = False
    default: Any = None  # None: there is no default
    list_type: str = ""  # atomic, set or map
    map_keys: tuple[str, ...] = ()
    map_type: str = ""  # atomic or granular
    source: Schema = field(default_factory=dict)

    @property
    def free_keys(self) -> bool:
        """Whether the object may have any keys, by additionalProperties."""
        return self.values is not None or self.any_value

    def refuses_null(self) -> bool:
        return not self.nullable


def structural(schema: Schema) -> Structural:
    """The tree of a schema that is structural."""
    additional = schema.get("additionalProperties")
    items = schema.get("items")
    return Structural(
        type=schema.get("type") or "",
        properties={name: structural(each) for name, each in (schema.get("properties") or {}).items()},
        values=structural(additional) if isinstance(additional, dict) else None,
        any_value=additional is not None and not isinstance(additional, dict),
        items=structural(items) if isinstance(items, dict) else None,
        preserve_unknown=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        embedded=bool(schema.get("x-kubernetes-embedded-resource")),
        int_or_string=bool(schema.get("x-kubernetes-int-or-string")),
        nullable=bool(schema.get("nullable")),
        default=schema.get("default"),
        list_type=schema.get("x-kubernetes-list-type") or "",
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        map_type=schema.get("x-kubernetes-map-type") or "",
        source=schema,
    )


def unsupported(schema: Schema) -> str:
    """Why a schema cannot be read as a structural one at all; empty if it can."""
    for key, name in _UNSUPPORTED:
        if schema.get(key):
            return f"OpenAPIV3Schema '{name}' is not supported"
    if isinstance(schema.get("items"), list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    for each in children(schema):
        found = unsupported(each)
        if found:
            return found
    return ""


_UNSUPPORTED = (
    ("id", "id"),
    ("$schema", "schema"),
    ("$ref", "$ref"),
    ("additionalItems", "additionalItems"),
    ("patternProperties", "patternProperties"),
    ("definitions", "definitions"),
    ("dependencies", "dependencies"),
)


def children(schema: Schema) -> list[Schema]:
    """Every schema directly inside a schema."""
    found: list[Schema] = []
    for key in ("items", "not", "additionalProperties", "additionalItems"):
        value = schema.get(key)
        if isinstance(value, dict):
            found.append(value)
        elif isinstance(value, list):
            found += [each for each in value if isinstance(each, dict)]
    for key in ("allOf", "anyOf", "oneOf"):
        found += schema.get(key) or ()
    for key in ("properties", "patternProperties", "definitions"):
        found += (schema.get(key) or {}).values()
    found += [each for each in (schema.get("dependencies") or {}).values() if isinstance(each, dict)]
    return found
