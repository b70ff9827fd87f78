"""JSON patch, RFC 6902, with the liberties of the library that Kubernetes uses (evanphx/json-patch 4).

Those are: indices may be negative and count from the end, `replace` of a missing member adds it, `add` without a value
and `copy` of a missing member add null, numbers are equal only when they are written alike (`1` is not `1.0`), the
first segment of a path is ignored even when the path does not start with a slash. The whole document can be replaced
and tested, and nothing else.
"""

from typing import Any, Final

import orjson

_MISSING: Any = object()
MAX_COPIED: Final = 3 * 1024 * 1024  # bytes that the copies of one patch may come to, as in Kubernetes


class JsonPatchError(ValueError):
    """An operation that is malformed, or cannot be applied."""


def apply_json_patch(document: Any, operations: list[dict[str, Any]]) -> Any:
    """The document after every operation, in order. The document is changed. Raises JsonPatchError."""
    copies = _Copies()
    for operation in operations:
        document = _apply(document, operation, copies)
    return document


class _Copies:
    """Makes the copies of one patch and bounds what they come to: copies of copies grow without measure."""

    def __init__(self) -> None:
        self._size = 0

    def of(self, value: Any) -> Any:
        try:
            encoded = orjson.dumps(value)
        except orjson.JSONEncodeError as error:
            raise JsonPatchError(str(error)) from None
        self._size += len(encoded)
        if self._size > MAX_COPIED:
            raise JsonPatchError(f"the accumulated size of copies is more than {MAX_COPIED} bytes")
        return orjson.loads(encoded)


def _apply(document: Any, operation: dict[str, Any], copies: _Copies) -> Any:
    name = operation.get("op")
    path = operation.get("path")
    if not isinstance(path, str):
        raise JsonPatchError("an operation has no path")
    if name == "add":
        return _add(document, path, operation.get("value"))
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        return _replace(document, path, operation.get("value"))
    if name == "test":
        found = _find(document, path)
        if (None if found is _MISSING else found) != operation.get("value") or not _same_types(
            found, operation.get("value")
        ):
            raise JsonPatchError(f"testing value {path} failed")
        return document
    if name in ("move", "copy"):
        return _move_or_copy(document, path, operation, copies if name == "copy" else None)
    raise JsonPatchError(f"unexpected kind: {name}")


def _move_or_copy(document: Any, path: str, operation: dict[str, Any], copies: _Copies | None) -> Any:
    source = operation.get("from")
    if not isinstance(source, str):
        raise JsonPatchError("an operation has no from")
    if source == "":
        raise JsonPatchError("the whole document cannot be moved or copied")
    value = _find(document, source)
    if copies is not None:
        return _add(document, path, None if value is _MISSING else copies.of(value))
    if value is _MISSING:
        raise JsonPatchError(f"{source} does not exist")
    return _add(_remove(document, source), path, value)


def _segments(path: str) -> list[str]:
    return [s.replace("~1", "/").replace("~0", "~") for s in path.split("/")[1:]]


def _parent(document: Any, path: str) -> tuple[Any, str]:
    segments = _segments(path)
    if not segments:
        raise JsonPatchError(f"{path!r} is no path")
    for segment in segments[:-1]:
        document = _child(document, segment)
        if not isinstance(document, dict | list):
            raise JsonPatchError(f"nothing at the parent of {path}")
    if not isinstance(document, dict | list):
        raise JsonPatchError(f"nothing at the parent of {path}")
    return document, segments[-1]


def _child(container: Any, segment: str) -> Any:
    if isinstance(container, dict):
        return container.get(segment, _MISSING)
    if isinstance(container, list):
        return container[_index(segment, len(container))]
    return _MISSING


def _find(document: Any, path: str) -> Any:
    if path == "":
        return document
    container, key = _parent(document, path)
    return _child(container, key)


def _add(document: Any, path: str, value: Any) -> Any:
    container, key = _parent(document, path)
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        container.insert(_index(key, len(container) + 1), value)
    return document


def _remove(document: Any, path: str) -> Any:
    container, key = _parent(document, path)
    if isinstance(container, dict):
        if key not in container:
            raise JsonPatchError(f"unable to remove nonexistent key: {key}")
        del container[key]
    else:
        del container[_index(key, len(container))]
    return document


def _replace(document: Any, path: str, value: Any) -> Any:
    if path == "":
        if not isinstance(value, dict | list):
            raise JsonPatchError("only an object or a list can be put in the whole document's place")
        return value
    container, key = _parent(document, path)
    if isinstance(container, dict):
        container[key] = value
    else:
        container[_index(key, len(container))] = value
    return document


def _index(text: str, length: int) -> int:
    """An index into `length` places; negative ones count from the end."""
    try:
        index = int(text) if text.lstrip("+-").isdigit() and text.isascii() else None
    except ValueError:
        index = None
    if index is None or not -length <= index < length:
        raise JsonPatchError(f"invalid index: {text}")
    return index + length if index < 0 else index


def _same_types(left: Any, right: Any) -> bool:
    """False where Python calls values equal that JSON writes differently: true and 1, 1 and 1.0, at any depth."""
    if isinstance(left, dict) and isinstance(right, dict):
        return all(_same_types(value, right.get(key)) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return all(map(_same_types, left, right))
    numbers = isinstance(left, bool | int | float) and isinstance(right, bool | int | float)
    return type(left) is type(right) if numbers else True
