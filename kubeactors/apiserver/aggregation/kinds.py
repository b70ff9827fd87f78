"""The kinds of other API servers, as their discovery documents describe them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kubeactors.api.kinds import Kind, KindRegistry, Subresource
from kubeactors.apiserver.aggregation.remote import Document
from kubeactors.apiserver.aggregation.route import Route


@dataclass(frozen=True, eq=False)
class RemoteKind(Kind):
    """A kind of which this server knows no more than how its resource is called. Its requests take `route`."""

    route: Route | None = None


def kinds_of(route: Route) -> Iterator[RemoteKind]:
    """The kinds of a group version as far as they are known. Pure."""
    for resource in route.discovered.document.get("resources") or ():
        if not resource.get("resource") or not resource.get("verbs"):
            continue
        kind = resource.get("responseKind") or {}
        yield RemoteKind(
            group=route.remote.group,
            version=route.remote.version,
            kind=kind.get("kind") or "",
            plural=resource["resource"],
            schema="",
            singular=resource.get("singularResource") or "",
            namespaced=resource.get("scope") == "Namespaced",
            short_names=tuple(resource.get("shortNames") or ()),
            categories=tuple(resource.get("categories") or ()),
            verbs=tuple(resource["verbs"]),
            subresources=tuple(map(_subresource, resource.get("subresources") or ())),
            stored=False,
            custom=True,
            route=route,
        )


class _RemoteKinds(Protocol):
    def kind(self, group: str, version: str, plural: str) -> RemoteKind | None: ...


class AllKinds:
    """The kinds of this server and those of others, which come first: a group version is of one server."""

    def __init__(self, own: KindRegistry, remote: _RemoteKinds) -> None:
        self._own = own
        self._remote = remote

    def by_resource(self, group: str, version: str, plural: str) -> Kind | None:
        return self._remote.kind(group, version, plural) or self._own.by_resource(group, version, plural)


def _subresource(told: Document) -> Subresource:
    kind = told.get("responseKind") or {}
    return Subresource(
        told.get("subresource") or "",
        tuple(told.get("verbs") or ()),
        group=kind.get("group") or "",
        version=kind.get("version") or "",
        kind=kind.get("kind") or "",
    )
