"""A custom resource's structural schema as the model of types that server-side apply reads."""

from typing import Final

from kubeactors.api.customresources.embedded import METADATA
from kubeactors.api.customresources.structural import META_FIELDS, Structural
from kubeactors.api.schema import types
from kubeactors.api.schema.types import NO_DEFAULT, Field, ListType, MapType, Scalar, SchemaType, Struct, named_type

_SCALARS: Final = {"string": types.STRING, "boolean": types.BOOLEAN, "integer": types.INT64, "number": types.NUMBER}


def object_type(schema: Structural, name: str) -> Struct:
    """The type of whole objects."""
    made = _type(schema, name)
    if not isinstance(made, Struct):
        made = Struct(name, preserve_unknown=schema.preserve_unknown or schema.free_keys)
    made.fields.update(_meta_fields())
    return made


def _meta_fields() -> dict[str, Field]:
    text = Scalar(types.STRING)
    return {
        "apiVersion": Field("apiVersion", text),
        "kind": Field("kind", text),
        "metadata": Field("metadata", named_type(METADATA)),
    }


def _type(schema: Structural, name: str) -> SchemaType:
    if schema.int_or_string:
        return Scalar(types.INT_OR_STRING)
    atomic = schema.map_type == "atomic"
    if schema.type == "array":
        item = _type(schema.items, f"{name}[]") if schema.items is not None else Scalar(types.ANY)
        return ListType(item, schema.list_type or "atomic", schema.map_keys)
    if schema.type in _SCALARS:
        return Scalar(_SCALARS[schema.type])
    if schema.properties or schema.embedded:
        fields = {key: _field(key, each, f"{name}.{key}") for key, each in schema.properties.items()}
        if schema.embedded:
            fields.update({key: each for key, each in _meta_fields().items() if key in META_FIELDS})
        return Struct(name, fields, atomic, preserve_unknown=schema.preserve_unknown)
    if schema.values is not None:
        return MapType(_type(schema.values, f"{name}{{}}"), atomic)
    if schema.any_value or (schema.preserve_unknown and atomic):
        return MapType(Scalar(types.ANY), atomic)
    if schema.preserve_unknown:
        return Scalar(types.ANY)
    return Struct(name, {}, atomic)


def _field(key: str, schema: Structural, name: str) -> Field:
    default = NO_DEFAULT if schema.default is None else schema.default
    return Field(key, _type(schema, name), default=default)
