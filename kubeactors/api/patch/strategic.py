"""Strategic merge patch: a merge patch that knows lists as maps by their merge keys.

Follows apimachinery's `strategicpatch`: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>`. Merge keys and strategies come from the schema.
"""

from collections.abc import Hashable
from typing import Any, Final

from kubeactors.api.codec import go_value
from kubeactors.api.fielderrors import go_quote
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


_FREE: Final = "RawExtension"  # Go's struct for data of any form
_DELETE_FROM: Final = DELETE_FROM.rstrip("/")
_SET_ORDER: Final = SET_ORDER.rstrip("/")
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
        directive = patch[DIRECTIVE]
        if directive == "replace":
            del patch[DIRECTIVE]
            return patch
        if directive == "delete":
            return {}
        raise _unknown_directive(directive, patch)
    if original is None:
        original = {}
    _retain_keys(original, patch)
    _merge_ordered_lists(original, patch, schema)
    for key, value in patch.items():
        deletes = key.startswith(_DELETE_FROM)
        if deletes:
            if not key.startswith(DELETE_FROM):
                raise BadPatchFormatError("invalid patch format of primitive list")
            key = key.removeprefix(DELETE_FROM)
        if value is None:
            original.pop(key, None)
            continue
        present = original.get(key)
        if present is None or type(present) is not type(value):
            if deletes:
                continue
            original.pop(key, None)
            if not _is_directive(value):
                original[key] = without_directives(value)
        elif isinstance(value, dict):
            original[key] = _merge_field_map(present, value, schema, key)
        elif isinstance(value, list):
            original[key] = _merge_field_list(present, value, schema, key, deletes)
        else:
            original[key] = value
    return original


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


def _lookup(schema: SchemaType | None, key: str) -> tuple[frozenset[str], SchemaType]:
    """Patch strategies and type of a field. Raises StrategicPatchError: only fields of structs can be merged."""
    if isinstance(schema, MapType):
        raise StrategicPatchError("merging an object in json but data type is not struct, instead is: map")
    field = schema.fields.get(key) if isinstance(schema, Struct) else None
    if field is None:
        name = schema.name.rpartition(".")[2] if isinstance(schema, Struct) else _FREE
        raise StrategicPatchError(f"unable to find api field in struct {name} for the json field {go_quote(key)}")
    return field.strategies, field.type


def _merge_list(original: list[Any], patch: list[Any], schema: SchemaType | None, deletes: bool) -> list[Any]:
    if not original and not patch:
        return original
    elements = Elements(_element_shape(original, patch), _merge_key(schema))
    if elements.shape is not dict:
        if deletes:
            gone = {token(v) for v in patch}
            return [v for v in original if token(v) not in gone]
        merged = _unique([*original, *patch])
    else:
        if not elements.key:
            raise StrategicPatchError("cannot merge lists without merge key for struct")
        original, patch = _special_elements(original, patch, elements.key)
        item = schema.item if isinstance(schema, ListType) else None
        merged = _merge_elements(original, patch, elements.key, item)
        _check_keys(merged, elements.key)
    from_patch, from_server = partition(merged, patch, elements)
    return merge_in_order(from_patch, from_server, patch, original, elements)


def _unique(values: list[Any]) -> list[Any]:
    unique: dict[Hashable, Any] = {}
    for value in values:
        unique.setdefault(token(value), value)
    return list(unique.values())


def _element_shape(*lists: list[Any]) -> type:
    shapes = [type(v) for values in lists for v in values]
    if not shapes:
        raise StrategicPatchError("no elements in any of the given slices")
    if shapes[0] is list:
        raise UnmergeablePatchError("lists of lists are not supported")
    if len(set(shapes)) > 1:
        raise StrategicPatchError(f"list element types are not identical: {go_value(list(lists))}")
    return shapes[0]


def _check_keys(elements: list[Any], key: str) -> None:
    for element in elements:
        if not isinstance(element, dict):
            raise _bad_type({}, element)
        if key not in element:
            raise _no_merge_key(element, key)


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
            raise _unknown_directive(directive, element)
    if deleted:
        original = [o for o in original if token(o.get(key)) not in deleted]
    if replace:
        return plain, []
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
            merged.append(element)
    return merged


def _retain_keys(original: Object, patch: Object) -> None:
    if RETAIN_KEYS not in patch:
        return
    retained = patch.pop(RETAIN_KEYS)
    if not isinstance(retained, list):
        raise BadPatchFormatError("invalid patch format of retainKeys")
    retained = {key for key in retained if isinstance(key, str)}
    for key, value in patch.items():
        if value is not None and not key.startswith((_DELETE_FROM, _SET_ORDER)) and key not in retained:
            raise BadPatchFormatError("invalid patch format of retainKeys")
    for key in [k for k in original if k not in retained]:
        del original[key]


def _merge_ordered_lists(original: Object, patch: Object, schema: SchemaType | None) -> None:
    """Merge the lists that come with a `$setElementOrder`, and take both out of the patch."""
    for directive in [k for k in patch if k.startswith(_SET_ORDER)]:
        order = _list_of(patch.pop(directive))
        if not directive.startswith(SET_ORDER):
            raise BadPatchFormatError("invalid patch format of setElementOrder list")
        key = directive.removeprefix(SET_ORDER)
        have = _list_of(original[key]) if key in original else None
        want = _list_of(patch[key]) if key in patch else None
        strategies, field = _lookup(schema, key)
        merge_key = _merge_key(field)
        if want and order:
            _check_order(want, order, merge_key)
        if have is None and want is None:
            continue
        if want is None:
            merged = have or []
        elif have is None:
            merged = without_directives(want)
        else:
            merged = _merge_list(have, want, field, False) if "merge" in strategies else want
        elements = Elements(_element_shape(have or [], want or []), merge_key)
        if merge_key:
            _check_keys(merged, merge_key)
        from_patch, from_server = partition(merged, order, elements)
        original[key] = merge_in_order(from_patch, from_server, order, have or [], elements)
        patch.pop(key, None)


def _merge_key(field: SchemaType | None) -> str:
    return field.merge_key if isinstance(field, ListType) else ""


def _list_of(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise _bad_type([], given)
    return given


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """Every element of the patch's list that stays must be in the order's list, in that order."""
    if merge_key:
        for element in patch:
            if not isinstance(element, dict):
                raise _bad_type({}, element)
    listed = iter(order)
    for element in patch:
        if isinstance(element, dict) and DIRECTIVE in element:
            continue
        for place in listed:
            if _is_same_element(element, place, merge_key):
                break
        else:
            raise StrategicPatchError(
                f"The order in patch list:\n{go_value(patch)}\n doesn't match {_SET_ORDER} list:\n{go_value(order)}\n"
            )


def _is_same_element(one: Any, other: Any, merge_key: str) -> bool:
    if not merge_key:
        return token(one) == token(other)
    for element in (one, other):
        if not isinstance(element, dict):
            raise _bad_type({}, element)
    for element in (one, other):
        if merge_key not in element:
            raise _no_merge_key(element, merge_key)
    return token(one[merge_key]) == token(other[merge_key])


def without_directives(value: Any) -> Any:
    """A value of a patch as it is stored where there was nothing to merge with.

    Nulls go, and so does every map that has a `$patch`, whatever it says; other directives stay and are unknown fields.
    """
    if isinstance(value, dict):
        return {k: without_directives(v) for k, v in value.items() if v is not None and not _is_directive(v)}
    if isinstance(value, list):
        return [without_directives(v) for v in value if not _is_directive(v)]
    return value


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and DIRECTIVE in value


def _unknown_directive(directive: Any, patch: Object) -> StrategicPatchError:
    if isinstance(directive, str):
        shown = directive
    elif directive is None or isinstance(directive, dict | list):
        shown = "%!s(<nil>)" if directive is None else go_value(directive)
    else:
        shown = f"%!s({_GO_NAMES[type(directive)]}={go_value(directive)})"
    return StrategicPatchError(f"unknown patch type: {shown} in map: {go_value(patch)}")


def _no_merge_key(element: Any, key: str) -> StrategicPatchError:
    return StrategicPatchError(f"map: {go_value(element)} does not contain declared merge key: {key}")


def _bad_type(wanted: Any, given: Any) -> StrategicPatchError:
    received = "%!s(<nil>)" if given is None else _GO_NAMES[type(given)]
    return StrategicPatchError(f"expected a {_GO_NAMES[type(wanted)]}, but received a {received}")
