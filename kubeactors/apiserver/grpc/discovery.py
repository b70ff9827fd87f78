"""Discover and OpenApi: what there is, told once more for clients that have nothing but the .proto."""

from __future__ import annotations

from collections.abc import Sequence

from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.apiserver.discovery.documents import RemoteVersion, group_versions
from kubeactors.apiserver.version import GIT_VERSION
from kubeactors.pb.api.v1 import api_pb2 as pb


def discover_reply(
    registry: KindRegistry, remote: Sequence[RemoteVersion] = (), remote_kinds: Sequence[Kind] = ()
) -> pb.DiscoverReply:
    """Every kind in every version, also those of other servers."""
    versions = group_versions(registry, remote)
    elsewhere = {(each.group, each.version) for each in remote}
    own = [kind for kind in registry.all() if (kind.group, kind.version) not in elsewhere]
    kinds = sorted([*own, *remote_kinds], key=lambda kind: (kind.group, kind.version, kind.plural))
    return pb.DiscoverReply(
        resources=[_resource(kind, preferred=versions[kind.group][0] == kind.version) for kind in kinds],
        kubernetes_version=GIT_VERSION,
    )


def _resource(kind: Kind, *, preferred: bool) -> pb.ApiResource:
    return pb.ApiResource(
        group=kind.group,
        version=kind.version,
        resource=kind.plural,
        kind=kind.kind,
        singular=kind.singular,
        namespaced=kind.namespaced,
        verbs=kind.verbs,
        short_names=kind.short_names,
        categories=kind.categories,
        subresources=[
            pb.ApiSubresource(
                name=each.name, verbs=each.verbs, group=each.group, version=each.version, kind=each.kind or kind.kind
            )
            for each in kind.subresources
        ],
        preferred=preferred,
    )


def openapi_path(group: str, version: str) -> str:
    """Where the REST API has the document of a group's version."""
    return f"apis/{group}/{version}" if group else f"api/{version}"
