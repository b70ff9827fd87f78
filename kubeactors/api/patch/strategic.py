"""Strategic merge patch: a merge patch that knows lists as maps by their merge keys.

Follows apimachinery's `strategicpatch`: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>`. Merge keys and strategies come from the schema.
"""

from collections.abc import Hashable
from typing import Any, Final

from kubeactors.api.codec import go_value
from kubeactors.api.meta import Object
from kubeactors.api.patch.order import Elements, merge_in_order, partition, token
from kubeactors.api.schema.directives import DELETE_FROM, DIRECTIVE, RETAIN_KEYS, SET_ORDER
from kubeactors.api.schema.types import ListType, MapType, SchemaType, Struct


class StrategicPatchError(ValueError):
    """A patch that cannot be merged; Kubernetes answers 500."""


class UnmergeablePatchError(ValueError):
    """A patch that does not fit what it says of itself; Kubernetes answers 422."""


class BadPatchFormatError(ValueError):
    """A malformed directive; Kubernetes answers 400."""


_GO_NAMES: Final[dict[type, str]] = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    dict: "map[string]interface {}",
    list: "[]interface {}",
}


def apply_strategic_patch(original: Object, patch: Object, schema: Struct) -> Object:
    """`original` with the patch merged in. Both are changed and shared with the result."""
    return _merge_map(original, patch, schema)


def _merge_map(original: Object | None, patch: Object, schema: SchemaType | None) -> Object:
    if DIRECTIVE in patch:
        directive = patch.pop(DIRECTIVE)
        if directive == "replace":
            return patch
        if directive == "delete":
            return {}
        raise StrategicPatchError(f"unknown patch type: {directive} in map: {go_value(patch)}")
    if original is None:
        original = {}
    _retain_keys(original, patch)
    _merge_ordered_lists(original, patch, schema)
    for key, value in patch.items():
        deletes = key.startswith(DELETE_FROM)
        if deletes:
            key = key.removeprefix(DELETE_FROM)
            if not isinstance(value, list):
                raise BadPatchFormatError("invalid patch format of primitive list")
        if value is None:
            original.pop(key, None)
            continue
        present = original.get(key)
        if present is None or _shape(present) is not _shape(value):
            if not deletes:
                original[key] = without_directives(value)
        elif isinstance(value, dict):
            original[key] = _merge_field_map(present, value, schema, key)
        elif isinstance(value, list):
            original[key] = _merge_field_list(present, value, schema, key, deletes)
        else:
            original[key] = value
    return original


def _shape(value: Any) -> type:
    return dict if isinstance(value, dict) else list if isinstance(value, list) else object


def _merge_field_map(original: Object, patch: Object, schema: SchemaType | None, key: str) -> Object:
    strategies, field = _lookup(schema, key)
    if "replace" in strategies:
        return patch
    return _merge_map(original, patch, field)


def _merge_field_list(
    original: list[Any], patch: list[Any], schema: SchemaType | None, key: str, deletes: bool
) -> list[Any]:
    strategies, field = _lookup(schema, key)
    if "merge" not in strategies and not deletes:
        return patch
    return _merge_list(original, patch, field, deletes)


def _lookup(schema: SchemaType | None, key: str) -> tuple[frozenset[str], SchemaType | None]:
    """Patch strategies and type of a field; a field that the schema does not know has none."""
    if isinstance(schema, Struct):
        field = schema.fields.get(key)
        return (field.strategies, field.type) if field else (frozenset(), None)
    if isinstance(schema, MapType):
        return frozenset(), schema.value
    return frozenset(), None


def _merge_list(original: list[Any], patch: list[Any], schema: SchemaType | None, deletes: bool) -> list[Any]:
    if not original and not patch:
        return original
    elements = Elements(_element_shape(original, patch), schema.merge_key if isinstance(schema, ListType) else "")
    if elements.shape is not dict:
        if deletes:
            gone = {token(v) for v in patch}
            return [v for v in original if token(v) not in gone]
        merged = _unique([*original, *patch])
    else:
        if not elements.key:
            raise StrategicPatchError("cannot merge lists without merge key for the list's type")
        original, patch = _special_elements(original, patch, elements.key)
        item = schema.item if isinstance(schema, ListType) else None
        merged = _merge_elements(original, patch, elements.key, item)
    from_patch, from_server = partition(merged, patch, elements)
    return merge_in_order(from_patch, from_server, patch, original, elements)


def _unique(values: list[Any]) -> list[Any]:
    unique: dict[Hashable, Any] = {}
    for value in values:
        unique.setdefault(token(value), value)
    return list(unique.values())


def _element_shape(*lists: list[Any]) -> type:
    shapes = {_kind(v) for values in lists for v in values}
    if not shapes:
        raise StrategicPatchError("no elements in any given slices")
    if len(shapes) > 1:
        names = " ".join(sorted(_GO_NAMES.get(shape, "<nil>") for shape in shapes))
        raise StrategicPatchError(f"list element types are not identical: [{names}]")
    shape = shapes.pop()
    if shape is list:
        raise UnmergeablePatchError("lists of lists are not supported")
    return shape


def _kind(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _special_elements(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """Carry out the `$patch` elements of a patch list; what is left of the list, and of the patch."""
    plain: list[Any] = []
    deleted: set[Hashable] = set()
    replace = False
    for element in patch:
        if DIRECTIVE not in element:
            plain.append(element)
            continue
        directive = element[DIRECTIVE]
        if directive == "delete":
            if key not in element:
                raise _no_merge_key(element, key)
            deleted.add(token(element[key]))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise StrategicPatchError("merging lists cannot yet be specified in the patch")
        else:
            raise StrategicPatchError(f"unknown patch type: {directive} in map: {go_value(element)}")
    if deleted:
        original = [o for o in original if token(o.get(key)) not in deleted]
    if replace:
        return [without_directives(e) for e in plain], []
    return original, plain


def _merge_elements(original: list[Any], patch: list[Any], key: str, item: SchemaType | None) -> list[Any]:
    merged = list(original)
    places: dict[Hashable, int] = {}
    for place, candidate in enumerate(merged):
        places.setdefault(token(candidate.get(key)), place)
    for element in patch:
        if key not in element:
            raise _no_merge_key(element, key)
        place = places.setdefault(token(element[key]), len(merged))
        if place < len(merged):
            merged[place] = _merge_map(merged[place], element, item)
        else:
            merged.append(without_directives(element))
    return merged


def _retain_keys(original: Object, patch: Object) -> None:
    if RETAIN_KEYS not in patch:
        return
    retained = patch.pop(RETAIN_KEYS)
    if not isinstance(retained, list):
        raise BadPatchFormatError("invalid patch format of retainKeys")
    retained = {key for key in retained if isinstance(key, str)}
    for key, value in patch.items():
        if value is not None and not key.startswith((DELETE_FROM, SET_ORDER)) and key not in retained:
            raise BadPatchFormatError("invalid patch format of retainKeys")
    for key in [k for k in original if k not in retained]:
        del original[key]


def _merge_ordered_lists(original: Object, patch: Object, schema: SchemaType | None) -> None:
    """Merge the lists that come with a `$setElementOrder`, and take both out of the patch."""
    for directive in [k for k in patch if k.startswith(SET_ORDER)]:
        order = patch.pop(directive)
        if not isinstance(order, list):
            raise _bad_type(order)
        key = directive.removeprefix(SET_ORDER)
        have, want = original.get(key), patch.get(key)
        for given in (have, want):
            if given is not None and not isinstance(given, list):
                raise _bad_type(given)
        if have is None and want is None:
            continue
        strategies, field = _lookup(schema, key)
        merge_key = field.merge_key if isinstance(field, ListType) else ""
        elements = Elements(_element_shape(have or [], want or []) if have or want else dict, merge_key)
        _check_order(want or [], order, merge_key)
        if want is None:
            merged = have or []
        elif have is None:
            merged = without_directives(want)
        else:
            merged = _merge_list(have, want, field, False) if "merge" in strategies else want
        from_patch, from_server = partition(merged, order, elements)
        original[key] = merge_in_order(from_patch, from_server, order, have or [], elements)
        patch.pop(key, None)


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """Every element of the patch's list must be in the order's list, in that order."""
    if merge_key:
        for element in [*patch, *order]:
            if not isinstance(element, dict) or merge_key not in element:
                raise _no_merge_key(element, merge_key)
        wanted = [e[merge_key] for e in patch if e.get(DIRECTIVE) != "delete"]
        listed = [e[merge_key] for e in order]
    else:
        wanted, listed = patch, order
    position = 0
    for value in wanted:
        while position < len(listed) and listed[position] != value:
            position += 1
        if position == len(listed):
            raise StrategicPatchError(
                f"The order in patch list:\n{go_value(patch)}\n doesn't match "
                f"{SET_ORDER.rstrip('/')} list:\n{go_value(order)}\n"
            )
        position += 1


def without_directives(value: Any) -> Any:
    """A value of a patch as it is stored where there was nothing to merge with."""
    if isinstance(value, dict):
        if value.get(DIRECTIVE) == "delete":
            return {}
        return {
            k: without_directives(v)
            for k, v in value.items()
            if v is not None and k not in (DIRECTIVE, RETAIN_KEYS) and not k.startswith((SET_ORDER, DELETE_FROM))
        }
    if isinstance(value, list):
        kept = [
            v
            for v in value
            if not (isinstance(v, dict) and (v.get(DIRECTIVE) == "delete" or (DIRECTIVE in v and len(v) == 1)))
        ]
        return [without_directives(v) for v in kept]
    return value


def _no_merge_key(element: Any, key: str) -> StrategicPatchError:
    return StrategicPatchError(f"map: {go_value(element)} does not contain declared merge key: {key}")


def _bad_type(given: Any) -> StrategicPatchError:
    return StrategicPatchError(f"expected a []interface {{}}, but received a {_GO_NAMES.get(type(given), 'nil')}")
