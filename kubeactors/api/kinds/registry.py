"""The kinds that a server or client knows, by every name that they go by."""

from collections.abc import Iterable, Iterator

from kubeactors.api.kinds.kind import Kind


class UnknownKindError(LookupError):
    """No kind goes by this name."""


class KindRegistry:
    """Kinds in order of preference: where a short reference is ambiguous, the one added first wins."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._by_resource: dict[tuple[str, str, str], Kind] = {}
        self._by_gvk: dict[tuple[str, str], Kind] = {}
        self._by_reference: dict[str, list[Kind]] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Make a kind known, in place of one with the same group, version and plural."""
        existing = self._by_resource.get((kind.group, kind.version, kind.plural))
        if existing is not None:
            self.remove(existing)
        self._by_resource[(kind.group, kind.version, kind.plural)] = kind
        self._by_gvk[(kind.api_version, kind.kind)] = kind
        for reference in _references(kind):
            self._by_reference.setdefault(reference, []).append(kind)

    def remove(self, kind: Kind) -> None:
        """Forget a kind (a custom resource whose definition went away)."""
        self._by_resource.pop((kind.group, kind.version, kind.plural), None)
        self._by_gvk.pop((kind.api_version, kind.kind), None)
        for reference in _references(kind):
            left = [k for k in self._by_reference.get(reference, []) if k is not kind]
            if left:
                self._by_reference[reference] = left
            else:
                self._by_reference.pop(reference, None)

    def lookup(self, ref: "str | Kind") -> Kind:
        """The kind for `pods`, `po`, `Pod`, `deployments.apps` or `deployments.v1.apps`. Raises UnknownKindError."""
        if isinstance(ref, Kind):
            return ref
        found = self._by_reference.get(ref) or self._by_reference.get(ref.lower())
        if not found:
            raise UnknownKindError(f"no resource type {ref!r}")
        return found[0]

    def by_resource(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_resource.get((group, version, plural))

    def by_gvk(self, api_version: str, kind: str) -> Kind | None:
        return self._by_gvk.get((api_version, kind))

    def all(self) -> list[Kind]:
        return list(self._by_resource.values())

    def replace_custom(self, kinds: Iterable[Kind]) -> None:
        """Make these the custom resources that are known, behind all other kinds."""
        for kind in self.all():
            if kind.custom:
                self.remove(kind)
        for kind in kinds:
            self.add(kind)

    def is_custom_group(self, group: str) -> bool:
        """Whether a group has custom resources only."""
        kinds = [kind for kind in self._by_resource.values() if kind.group == group]
        return bool(kinds) and all(kind.custom for kind in kinds)

    def groups(self) -> dict[str, list[str]]:
        """Group → versions, in the order in which they were added."""
        groups: dict[str, list[str]] = {}
        for kind in self._by_resource.values():
            versions = groups.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return groups

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self._by_resource)


def _references(kind: Kind) -> list[str]:
    names = dict.fromkeys((kind.plural, kind.singular, kind.kind, kind.kind.lower(), *kind.short_names))
    group = kind.group
    references = list(names)
    references += [f"{n}.{kind.version}.{group}" for n in (kind.plural, kind.singular, kind.kind)]
    references += [f"{n}.{group}" for n in (kind.plural, kind.singular, kind.kind)] if group else []
    return list(dict.fromkeys(references))
