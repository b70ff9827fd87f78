"""The order in which a decoder that reads a document from its beginning meets problems with its fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

_Path = tuple[Any, ...] | None  # (parent path, field name or list index)
_Words = Callable[[_Path, str], str]


class _Pairs(list[tuple[str, Any]]):
    """An object with each of its keys, the repeated ones too."""


def in_document_order(
    body: bytes, problems: list[str], names: Collection[str], unknown: _Words, duplicate: _Words
) -> list[str]:
    """`problems`, sorted by where the JSON text has each: an unknown field at once, a duplicate the second time.

    `names` are the last names of the fields; `unknown` and `duplicate` word the problem with a field.
    """
    position: dict[str, int] = {}
    # Depth first; what is still to be seen is on the stack, the next one last.
    stack: list[tuple[Any, _Path]] = [(json.loads(body, object_pairs_hook=_Pairs), None)]
    while stack:
        value, path = stack.pop()
        if isinstance(value, str):
            position.setdefault(value, len(position))
        elif isinstance(value, _Pairs):
            stack.extend(reversed(_events(value, path, names, unknown, duplicate)))
        elif isinstance(value, list):
            numbered = reversed(list(enumerate(value)))
            stack.extend((item, (path, index)) for index, item in numbered if isinstance(item, list))
    return sorted(problems, key=lambda text: position.get(text, len(position)))


def _events(
    pairs: _Pairs, path: _Path, names: Collection[str], unknown: _Words, duplicate: _Words
) -> list[tuple[Any, _Path]]:
    """The values that are objects or lists, each after the problem, as text, that its key would be."""
    seen: set[str] = set()
    events: list[tuple[Any, _Path]] = []
    for key, item in pairs:
        if key in names:
            events.append(((duplicate if key in seen else unknown)(path, key), None))
        seen.add(key)
        if isinstance(item, list):
            events.append((item, (path, key)))
    return events
