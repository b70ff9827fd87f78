"""An informer's local copy of a collection: objects by key, and by the indexes that its users asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kubeactors.api import meta
from kubeactors.api.selectors import LabelSelector, parse_label_selector
from kubeactors.client.results import Object

IndexFunction = Callable[[Object], Iterable[str]]
"""The values under which an object is found: `lambda pod: [pod["spec"].get("nodeName", "")]`."""


class Lister:
    """Reads from memory, as of the last event. Objects are shared with everyone: never change one, copy it first."""

    def __init__(self, indexers: Mapping[str, IndexFunction] | None = None) -> None:
        self._objects: dict[str, Object] = {}
        self._namespaces: dict[str, dict[str, Object]] = {}
        self._indexers = dict(indexers or {})
        self._indexes: dict[str, dict[str, dict[str, Object]]] = {name: {} for name in self._indexers}
        self._values: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, namespace: str | None, name: str) -> Object | None:
        """The object, or None. For cluster-scoped kinds the namespace is None or empty."""
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def get_by_key(self, key: str) -> Object | None:
        """The object of a key that `kubeactors.api.meta.key` made, or None."""
        return self._objects.get(key)

    def list(self, namespace: str | None = None, selector: str | LabelSelector | None = None) -> Sequence[Object]:
        """The objects of one namespace (None: of all) whose labels `selector` matches."""
        held = self._namespaces.get(namespace, {}) if namespace else self._objects
        if selector is None:
            return [*held.values()]
        matching = parse_label_selector(selector) if isinstance(selector, str) else selector
        return [obj for obj in held.values() if matching.matches(meta.labels(obj))]

    def by_index(self, index: str, value: str) -> Sequence[Object]:
        """The objects that the indexer named `index` files under `value`. Raises KeyError for an unknown index."""
        return [*self._indexes[index].get(value, {}).values()]

    def index_values(self, index: str) -> Sequence[str]:
        """The values under which an index holds objects."""
        return [*self._indexes[index]]

    def keys(self) -> Sequence[str]:
        return [*self._objects]

    def add_indexer(self, name: str, function: IndexFunction) -> None:
        """Adds an index, over present objects too. Raises ValueError when another function has the name."""
        if name in self._indexers:
            if self._indexers[name] is not function:
                raise ValueError(f"there is an index {name!r} already")
            return
        self._indexers[name] = function
        self._indexes[name] = {}
        self._values[name] = {}
        for key, obj in self._objects.items():
            self._file(name, key, obj)

    # -- for the informer ------------------------------------------------------------------------------------------

    def put(self, key: str, obj: Object) -> Object | None:
        """Stores an object and returns the one it replaces."""
        old = self._objects.get(key)
        self._objects[key] = obj
        namespace = meta.namespace(obj)
        if namespace:
            self._namespaces.setdefault(namespace, {})[key] = obj
        for index in self._indexers:
            self._file(index, key, obj)
        return old

    def remove(self, key: str) -> Object | None:
        """Forgets an object and returns it."""
        old = self._objects.pop(key, None)
        if old is None:
            return None
        _drop(self._namespaces, meta.namespace(old), key)
        for index in self._indexers:
            for value in self._values[index].pop(key, ()):
                _drop(self._indexes[index], value, key)
        return old

    def _file(self, index: str, key: str, obj: Object) -> None:
        table, values = self._indexes[index], tuple(self._indexers[index](obj))
        for gone in self._values[index].get(key, ()):
            if gone not in values:
                _drop(table, gone, key)
        for value in values:
            table.setdefault(value, {})[key] = obj
        self._values[index][key] = values


def _drop(table: dict[str, dict[str, Object]], value: str, key: str) -> None:
    held = table.get(value)
    if held is not None:
        held.pop(key, None)
        if not held:
            del table[value]
