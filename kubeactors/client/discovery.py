"""What a server serves: the kinds that this library does not know (custom resources) are looked up here by name.

Over HTTPS the server's aggregated discovery is read (Kubernetes 1.30 and later; KEP-3352), over gRPC `Discover` asked,
which anybody may. From servers without them, the CustomResourceDefinitions tell the same.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kubeactors.api import meta
from kubeactors.api.kinds import Kind, UnknownKindError, registry
from kubeactors.client.calls import ListCall, ListReply, Reply, Target
from kubeactors.client.resource import Resource, resolve

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
CUSTOM_VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
_ROOTS = ("/api", "/apis")


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A resource, its other names, what can be done with it, and its subresources ("status", "scale", …)."""

    resource: Resource
    singular: str
    short_names: tuple[str, ...]
    verbs: frozenset[str]
    subresources: tuple[str, ...]

    @property
    def references(self) -> Iterator[str]:
        """Every name that it goes by, in lower case."""
        found = self.resource
        for name in dict.fromkeys((found.plural, self.singular, found.kind.lower(), *self.short_names)):
            yield name
            yield f"{name}.{found.group}"
            yield f"{name}.{found.version}.{found.group}"


class Discovery:
    """Looks kinds up: those that are built in without a call, the others as the server tells of them.

    `ask` has the server tell what it serves, None where it cannot; `call` makes a call of the API. What was learned is
    kept; a name that is not known makes it ask again.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Sequence[ServedResource] | None]],
        call: Callable[[ListCall], Awaitable[Reply]],
    ) -> None:
        self._ask = ask
        self._call = call
        self._by_reference: dict[str, Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}

    async def find(self, reference: str) -> Resource:
        """The resource that goes by this name. Raises UnknownKindError, StatusError, ConnectionLost."""
        try:
            return resolve(reference)
        except UnknownKindError:
            name = reference.lower()
            if name not in self._by_reference:
                await self.served()
            found = self._by_reference.get(name)
            if found is None:
                near = difflib.get_close_matches(name, self._by_reference, 2, 0.8)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise UnknownKindError(f"this server has no resource {reference!r}{hint}") from None
            return found

    async def find_kind(self, api_version: str, kind: str) -> Resource:
        """The resource that holds objects of this apiVersion and kind. Raises as `find` does."""
        known = registry.by_gvk(api_version, kind)
        if known is not None:
            return _of_kind(known).resource
        if (api_version, kind) not in self._by_kind:
            await self.served()
        found = self._by_kind.get((api_version, kind))
        if found is None:
            raise UnknownKindError(f"this server has no resource for {kind} of {api_version}")
        return found

    async def served(self) -> list[ServedResource]:
        """Everything that the server serves; of a group, the version that it prefers first."""
        told = await self._ask()
        found = [*map(_of_kind, registry.all()), *await self._from_definitions()] if told is None else [*told]
        self._by_reference, self._by_kind = {}, {}
        for each in found:
            self._by_kind.setdefault((each.resource.api_version, each.resource.kind), each.resource)
            for name in each.references:
                self._by_reference.setdefault(name, each.resource)
        return found

    async def _from_definitions(self) -> list[ServedResource]:
        reply = await self._call(ListCall(Target(resolve("customresourcedefinitions"))))
        if not isinstance(reply, ListReply):
            raise TypeError(f"a list was answered by {type(reply).__name__}")
        return [each for item in reply.items for each in from_definition(orjson.loads(item))]


async def from_documents(document: Callable[[str, str], Awaitable[Any]]) -> list[ServedResource] | None:
    """What aggregated discovery says, None where there is none. `document(path, accept)` reads JSON of the server."""
    found: list[ServedResource] = []
    for root in _ROOTS:
        read = await document(root, AGGREGATED)
        if read is None or read.get("kind") != "APIGroupDiscoveryList":
            return None
        found += from_discovery(read)
    return found


def from_discovery(document: Any) -> Iterator[ServedResource]:
    """The resources of an APIGroupDiscoveryList."""
    for group in document.get("items") or ():
        for version in group.get("versions") or ():
            for entry in version.get("resources") or ():
                kind = entry.get("responseKind") or {}
                resource = Resource(
                    (group.get("metadata") or {}).get("name") or "",
                    version["version"],
                    entry["resource"],
                    kind.get("kind") or "",
                    entry.get("scope") == "Namespaced",
                )
                yield ServedResource(
                    resource,
                    entry.get("singularResource") or resource.kind.lower(),
                    tuple(entry.get("shortNames") or ()),
                    frozenset(entry.get("verbs") or ()),
                    tuple(each["subresource"] for each in entry.get("subresources") or ()),
                )


def from_definition(definition: Any) -> Iterable[ServedResource]:
    """The resources of a CustomResourceDefinition, the stored version first; none before it is established."""
    spec, names = definition["spec"], (definition.get("status") or {}).get("acceptedNames") or {}
    if not meta.is_condition_true(definition, "Established") or not names.get("plural"):
        return ()
    versions = [each for each in spec.get("versions") or () if each.get("served")]
    versions.sort(key=lambda each: not each.get("storage"))
    return [
        ServedResource(
            Resource(spec["group"], each["name"], names["plural"], names["kind"], spec.get("scope") == "Namespaced"),
            names.get("singular") or names["kind"].lower(),
            tuple(names.get("shortNames") or ()),
            CUSTOM_VERBS,
            tuple(each.get("subresources") or ()),
        )
        for each in versions
    ]


def _of_kind(kind: Kind) -> ServedResource:
    resource = Resource(kind.group, kind.version, kind.plural, kind.kind, kind.namespaced)
    subresources = tuple(each.name for each in kind.subresources)
    return ServedResource(resource, kind.singular, tuple(kind.short_names), frozenset(kind.verbs), subresources)
