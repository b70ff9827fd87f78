"""Whether a configuration fits its type, in the words of structured-merge-diff (typed/validate.go).

Kubernetes answers an applied object that does not fit with these messages, unlike a decoded one.
"""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.codec import go_value
from kubeactors.api.managedfields import elements
from kubeactors.api.managedfields.atoms import BOOLEAN, NUMERIC, STRING, Atom, ElementError, ListAtom, MapAtom

MAX_ERRORS: Final = 100  # that are told of one object

Found = list[tuple[str, str]]  # path, what is wrong there
_GO_TYPES: Final = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}


def validate(atom: Atom, value: Any) -> str:
    """What is wrong with a value, as one text; empty when it fits its type and no list repeats an item."""
    found: Found = []
    _validate(atom, value, "", found)
    texts = [f"{path}: {message}" if path else message for path, message in found[:MAX_ERRORS]]
    if len(texts) > 1:
        return "\n  ".join(["errors:", *texts])
    return texts[0] if texts else ""


def _validate(atom: Atom, value: Any, path: str, found: Found) -> None:
    if value is None:
        return
    if isinstance(value, dict):
        handled = atom.map or atom.scalar or atom.list
    elif isinstance(value, list):
        handled = atom.list or atom.map or atom.scalar
    else:
        handled = atom.scalar or atom.map or atom.list
    if isinstance(handled, MapAtom):
        if isinstance(value, dict):
            _validate_map(handled, value, path, found)
        else:
            found.append((path, f"expected map, got &{{{go_value(value)}}}"))
    elif isinstance(handled, ListAtom):
        if isinstance(value, list):
            _validate_list(handled, value, path, found)
        else:
            found.append((path, f"expected list, got &{{{go_value(value)}}}"))
    elif isinstance(handled, str):
        problem = _scalar_problem(handled, value)
        if problem:
            found.append((path, problem))


def _scalar_problem(scalar: str, value: Any) -> str:
    if scalar == NUMERIC:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"expected numeric (int or float), got {_GO_TYPES[type(value)]}"
    elif scalar == STRING:
        if not isinstance(value, str):
            return f"expected string, got &value.valueUnstructured{{Value:{go_value(value)}}}"
    elif scalar == BOOLEAN:
        if not isinstance(value, bool):
            return f"expected boolean, got &{{{go_value(value)}}}"
    elif isinstance(value, dict | list):
        return f"expected any scalar, got &{{{go_value(value)}}}"
    return ""


def _validate_map(kind: MapAtom, value: dict[str, Any], path: str, found: Found) -> None:
    for name, item in value.items():
        if name not in kind.fields and kind.element is None:
            found.append((f"{path}.{name}", "field not declared in schema"))
            return
        _validate(kind.of(name), item, f"{path}.{name}", found)


def _validate_list(kind: ListAtom, value: list[Any], path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, item in enumerate(value):
        if kind.atomic:
            _validate(kind.item, item, f"{path}[{index}]", found)
            continue
        try:
            element = kind.element(item)
        except ElementError as error:
            found.append((path, f"element {index}: {error}"))
            return
        shown = elements.show(element)
        if element in seen:
            found.append((path, f"duplicate entries for key {shown}"))
        seen.add(element)
        _validate(kind.item, item, path + shown, found)
