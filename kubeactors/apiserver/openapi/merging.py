"""Parts of other servers' Swagger 2.0 documents in this server's own. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

Document = dict[str, Any]

_DEFINITION: Final = "#/definitions/"
#: Of Kubernetes' own types every server has its edition; this server's will do.
_COMMON: Final = "io.k8s.apimachinery."


def merged(own: Document, part: Mapping[str, Any]) -> Document:
    """This server's document with the part of another. Where both have a definition of a name, the other's, if it
    differs, gets a name of its own."""
    definitions = dict(own["definitions"])
    renamed: dict[str, str] = {}
    for name, each in part["definitions"].items():
        if name in definitions and definitions[name] != each:
            if not name.startswith(_COMMON):
                renamed[name] = _free_name(name, definitions.keys() | part["definitions"].keys())
            continue
        definitions[name] = each
    for name, new in renamed.items():
        definitions[new] = part["definitions"][name]
    paths = {path: _renamed(each, renamed) for path, each in part["paths"].items() if path not in own["paths"]}
    for name in part["definitions"]:
        new = renamed.get(name, name)
        if definitions[new] is part["definitions"][name]:
            definitions[new] = _renamed(definitions[new], renamed)
    return {**own, "paths": {**own["paths"], **paths}, "definitions": definitions}


def _free_name(name: str, taken: Collection[str]) -> str:
    number = 2
    while f"{name}_v{number}" in taken:
        number += 1
    return f"{name}_v{number}"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, each in value.items():
        if key == "$ref" and isinstance(each, str) and each.removeprefix(_DEFINITION) in names:
            each = _DEFINITION + names[each.removeprefix(_DEFINITION)]
        found[key] = _renamed(each, names)
    return found
