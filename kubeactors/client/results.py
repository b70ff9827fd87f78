"""What the client's verbs return beside plain objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Object = dict[str, Any]


@dataclass(frozen=True)
class ObjectList:
    """The objects of one list call. Iterates over its items."""

    items: list[Object]
    resource_version: str
    """The state that the list shows; a watch from here misses nothing."""
    continue_: str = ""
    """Not empty: `limit` cut the list, and this token fetches what follows."""
    remaining_item_count: int = field(default=0)

    def __iter__(self) -> Iterator[Object]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class WatchEvent(NamedTuple):
    """A change: `type` is ADDED, MODIFIED, DELETED or (where asked for) BOOKMARK."""

    type: str
    object: Object
