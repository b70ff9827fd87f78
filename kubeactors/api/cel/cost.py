"""The highest cost that an expression can have, before anything is evaluated.

The estimate of the reference implementation, from sizes of lists, maps and strings as they are declared:
https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints. Whoever makes a definition relies on its
numbers, as they decide whether it is accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kubeactors.api.cel.ast import (
    ACCUMULATOR,
    Call,
    Comprehension,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    StructNode,
)
from kubeactors.api.cel.call_estimates import Operand, estimate_call
from kubeactors.api.cel.declared import Declared, size_at
from kubeactors.api.cel.estimates import MAX, ONE, UNKNOWN, ZERO, Range, fixed
from kubeactors.api.cel.runtime_cost import LIST_COST, MAP_COST, STRUCT_COST
from kubeactors.api.cel.types import Kind, Type, is_optional

_SCALARS = frozenset({Kind.BOOL, Kind.DOUBLE, Kind.DURATION, Kind.INT, Kind.TIMESTAMP, Kind.TYPE, Kind.UINT})
_CONTAINERS = frozenset({Kind.MAP, Kind.STRUCT, Kind.PARAMETER})


def estimate(root: Node, declared: Mapping[str, Declared]) -> Range:
    """The range of costs; `declared`: the variables whose sizes are known of."""
    return _Estimator(declared).cost(root)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Sizes of what a container holds."""

    is_list: bool
    key: Range
    value: Range

    def union(self, other: "_Entries | None") -> "_Entries | None":
        if other is None:
            return None
        return _Entries(self.is_list, self.key.union(other.key), self.value.union(other.value))


@dataclass(frozen=True, slots=True)
class _Local:
    path: tuple[str, ...]
    size: Range | None
    entries: _Entries | None = None


class _Estimator:
    def __init__(self, declared: Mapping[str, Declared]) -> None:
        self._declared = declared
        self._paths: dict[int, tuple[str, ...]] = {}
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, _Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    # --- costs

    def cost(self, node: Node) -> Range:
        if isinstance(node, Literal):
            return ZERO
        if isinstance(node, Ident):
            local = self._local(node.name)
            self._paths[id(node)] = local.path if local is not None else (node.name,)
            return ONE
        if isinstance(node, Select):
            return self._select(node)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, ListNode):
            return self._list(node)
        if isinstance(node, MapNode):
            return self._map(node)
        if isinstance(node, StructNode):
            total = fixed(STRUCT_COST)
            for entry in node.fields:
                total = total.plus(self.cost(entry.value))
            return total
        assert isinstance(node, Comprehension)
        return self._bind(node) if node.macro == "bind" else self._comprehension(node)

    def _select(self, node: Select) -> Range:
        if node.declared:
            self._paths[id(node)] = (node.declared,)
            return ONE
        total = self.cost(node.operand)
        if node.test:
            return total
        if node.operand.type.kind in _CONTAINERS:
            total = total.plus(ONE)
        self._paths[id(node)] = (*self._path(node.operand), node.field)
        return total

    def _call(self, node: Call) -> Range:
        if node.function == "dyn":
            argument = self.cost(node.args[0])
            self._copy_sizes(node, node.args[0])
            return ONE.plus(argument)
        costs = [self.cost(arg) for arg in node.args]
        args = [self._operand(arg) for arg in node.args]
        if not node.overloads:
            return ZERO
        total = ZERO
        target = None
        if node.target is not None:
            total = self.cost(node.target)
            target = self._operand(node.target)
        lowest = Range(MAX, 0)
        size: Range | None = None
        for overload in node.overloads:
            found = estimate_call(node.function, overload, target, args, costs)
            self._note_entries(node, overload)
            lowest = lowest.union(found.cost)
            if found.size is not None:
                size = found.size if size is None else size.union(found.size)
            if overload in ("index_list", "index_map"):
                entries = self._entry_sizes(node.args[0])
                size = entries.value if entries is not None else None
                step = "@items" if overload == "index_list" else "@values"
                self._paths[id(node)] = (*self._path(node.args[0]), step)
            if size is None:
                size = self.size(node)
        if size is not None:
            self._sizes[id(node)] = size
        return total.plus(lowest)

    def _note_entries(self, node: Call, overload: str) -> None:
        pair = node.args[1:] if overload == "conditional" else node.args if overload.startswith("add_") else []
        if len(pair) != 2:
            return
        first = self._entry_sizes(pair[0])
        both = first.union(self._entry_sizes(pair[1])) if first is not None else None
        if both is not None:
            self._entries[id(node)] = both

    def _list(self, node: ListNode) -> Range:
        total = fixed(LIST_COST)
        item = Range(MAX if node.elements else 0, 0)
        for each in node.elements:
            total = total.plus(self.cost(each))
            item = item.union(self.size_or_unknown(each))
        self._entries[id(node)] = _Entries(True, ONE, item)
        return total

    def _map(self, node: MapNode) -> Range:
        total = fixed(MAP_COST)
        key = value = Range(MAX if node.entries else 0, 0)
        for entry in node.entries:
            assert isinstance(entry.key, Node)
            total = total.plus(self.cost(entry.key)).plus(self.cost(entry.value))
            key = key.union(self.size_or_unknown(entry.key))
            value = value.union(self.size_or_unknown(entry.value))
        self._entries[id(node)] = _Entries(False, key, value)
        return total

    def _comprehension(self, node: Comprehension) -> Range:
        total = self.cost(node.range).plus(self.cost(node.init))
        self._push(node.accumulator, _Local(self._path(node.init), self.size(node.init), self._entry_sizes(node.init)))
        self._push_items(node)
        turn = self.cost(node.condition).plus(self.cost(node.step))
        for name in filter(None, (node.variable, node.variable2)):
            self._locals[name].pop()
        total = total.plus(self.cost(node.result))
        self._locals[node.accumulator].pop()
        count = self.size_or_unknown(node.range)
        total = total.plus(count.times(turn))
        if isinstance(node.init, Literal):
            known = self.size(node.init)
            if known is not None:
                self._sizes[id(node)] = known
        elif isinstance(node.init, ListNode | MapNode):
            self._sizes[id(node)] = count
            entries = self._entry_sizes(node.step)
            if entries is not None:
                self._entries[id(node)] = entries
        return total

    def _push_items(self, node: Comprehension) -> None:
        entries = self._entry_sizes(node.range)
        is_list = entries.is_list if entries is not None else node.range.type.kind is Kind.LIST
        path = self._path(node.range)
        key, value = (entries.key, entries.value) if entries is not None else (None, None)
        of_key = _Local((*path, "@indices" if is_list else "@keys"), key)
        of_value = _Local((*path, "@items" if is_list else "@values"), value)
        if node.variable2:
            self._push(node.variable, of_key)
            self._push(node.variable2, of_value)
        else:
            self._push(node.variable, of_value if is_list else of_key)

    def _bind(self, node: Comprehension) -> Range:
        total = self.cost(node.range).plus(self.cost(node.init))
        self._push(node.accumulator, _Local(self._path(node.init), self.size(node.init), self._entry_sizes(node.init)))
        total = total.plus(self.cost(node.result))
        self._locals[node.accumulator].pop()
        self._copy_sizes(node, node.result)
        return total

    # --- sizes

    def size(self, node: Node) -> Range | None:
        known = self._sizes.get(id(node)) or _literal_size(node)
        if known is not None:
            return known
        path = self._path(node)
        if path:
            found = self._size_at(path)
            if found is not None:
                self._sizes[id(node)] = found
                return found
        if _is_scalar(node.type):
            return ONE
        if isinstance(node, Ident):
            local = self._local(node.name)
            return local.size if local is not None else None
        return None

    def size_or_unknown(self, node: Node) -> Range:
        return self.size(node) or UNKNOWN

    def _size_at(self, path: tuple[str, ...]) -> Range | None:
        root = self._declared.get(path[0])
        return None if root is None else size_at(root, path[1:])

    def _operand(self, node: Node) -> Operand:
        path = self._path(node)
        if path and path[0] == ACCUMULATOR:
            path = ()
        elements = self._size_at((*path, "@items")) if path else None
        return Operand(node, self.size_or_unknown(node), elements or UNKNOWN)

    def _entry_sizes(self, node: Node) -> _Entries | None:
        known = self._entries.get(id(node))
        if known is None and isinstance(node, Ident):
            local = self._local(node.name)
            return local.entries if local is not None else None
        return known

    def _copy_sizes(self, to: Node, of: Node) -> None:
        size, entries = self.size(of), self._entry_sizes(of)
        if size is not None:
            self._sizes[id(to)] = size
        if entries is not None:
            self._entries[id(to)] = entries

    def _path(self, node: Node) -> tuple[str, ...]:
        if isinstance(node, Ident):
            local = self._local(node.name)
            if local is not None:
                return local.path
        return self._paths.get(id(node), ())

    def _local(self, name: str) -> _Local | None:
        found = self._locals.get(name)
        return found[-1] if found else None

    def _push(self, name: str, local: _Local) -> None:
        self._locals.setdefault(name, []).append(local)


def _literal_size(node: Node) -> Range | None:
    if isinstance(node, Literal):
        return fixed(len(node.value)) if isinstance(node.value, str | bytes) else ONE
    if isinstance(node, ListNode):
        return fixed(len(node.elements))
    return fixed(len(node.entries)) if isinstance(node, MapNode) else None


def _is_scalar(type: Type) -> bool:
    return type.kind in _SCALARS or (is_optional(type) and _is_scalar(type.parameters[0]))
