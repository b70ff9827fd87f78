"""Discovery: the groups, versions and resources of this server (meta/v1 APIGroup, APIResourceList; KEP-3352).

Pure functions of a kind registry. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kubeactors.api.kinds import Kind, KindRegistry, Subresource
from kubeactors.api.versions import version_order
from kubeactors.apiserver.local_apis import priorities

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A group version that another server answers for; `entry` is its APIVersionDiscovery."""

    group: str
    version: str
    group_priority: int
    version_priority: int
    entry: Document


def group_versions(registry: KindRegistry, remote: Sequence[RemoteVersion] = ()) -> dict[str, list[str]]:
    """Group → versions, both in order of preference.

    Groups of this server alone stand in the registry's order; with those of other servers, all go by the priorities of
    their APIServices (apiregistration.k8s.io/v1), of which the highest of a group counts, and then by name.
    """
    own = {group: sorted(versions, key=version_order) for group, versions in registry.groups().items()}
    if not remote:
        return own
    found: dict[str, dict[str, tuple[int, int]]] = {
        group: {version: priorities(group, version) for version in versions} for group, versions in own.items()
    }
    for each in remote:
        found.setdefault(each.group, {})[each.version] = (each.group_priority, each.version_priority)
    order = sorted(found, key=lambda group: (-max(high for high, _ in found[group].values()), group))
    return {
        group: sorted(found[group], key=lambda version: (-found[group][version][1], version_order(version)))
        for group in order
    }


def api_versions(server_address: str) -> Document:
    """The document at /api. `server_address` is "host:port"."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group_list(registry: KindRegistry, remote: Sequence[RemoteVersion] = ()) -> Document:
    """The document at /apis."""
    groups = [_group(group, versions) for group, versions in group_versions(registry, remote).items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(registry: KindRegistry, group: str, remote: Sequence[RemoteVersion] = ()) -> Document | None:
    """The document at /apis/GROUP; None for a group that is not served."""
    versions = group_versions(registry, remote).get(group)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)} if group and versions else None


def _group(group: str, versions: list[str]) -> Document:
    served = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": served, "preferredVersion": served[0]}


def api_resource_list(registry: KindRegistry, group: str, version: str) -> Document | None:
    """The document at /api/v1 or /apis/GROUP/VERSION; None for a version that is not served."""
    kinds = _kinds(registry, group, version)
    if not kinds:
        return None
    resources = []
    for kind in kinds:
        resources.append(_resource(kind))
        resources.extend(_subresource(kind, each) for each in _ordered(kind))
    document: Document = {"kind": "APIResourceList"}
    if group:
        document["apiVersion"] = "v1"
    return {**document, "groupVersion": f"{group}/{version}" if group else version, "resources": resources}


def _kinds(registry: KindRegistry, group: str, version: str) -> list[Kind]:
    return sorted((k for k in registry.all() if (k.group, k.version) == (group, version)), key=lambda k: k.plural)


def _verbs(kind: Kind) -> list[str]:
    """Sorted, but for custom resources, whose order Kubernetes has written down once."""
    return list(kind.verbs) if kind.custom else sorted(kind.verbs)


def _ordered(kind: Kind) -> Iterable[Subresource]:
    return kind.subresources if kind.custom else sorted(kind.subresources, key=lambda each: each.name)


def _resource(kind: Kind) -> Document:
    document: Document = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        document["shortNames"] = list(kind.short_names)
    if kind.categories:
        document["categories"] = list(kind.categories)
    if "list" in kind.verbs and kind.stored:
        document["storageVersionHash"] = storage_version_hash(kind)
    return document


def _subresource(kind: Kind, subresource: Subresource) -> Document:
    document: Document = {
        "name": f"{kind.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
    }
    if subresource.version:
        document |= {"group": subresource.group, "version": subresource.version}
    return document | {"kind": subresource.kind or kind.kind, "verbs": sorted(subresource.verbs)}


def storage_version_hash(kind: Kind) -> str:
    """Kubernetes' hash of the version in which objects are stored (endpoints/discovery.StorageVersionHash)."""
    text = f"{kind.group}/{kind.storage_version}/{kind.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def aggregated(registry: KindRegistry, *, core: bool, remote: Sequence[RemoteVersion] = ()) -> Document:
    """`APIGroupDiscoveryList` (apidiscovery.k8s.io/v2): of /api with the core group, of /apis with all others."""
    entries = {(each.group, each.version): each.entry for each in remote}
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [entries.get((group, version)) or _version(registry, group, version) for version in versions],
        }
        for group, versions in group_versions(registry, remote).items()
        if (group == "") == core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _version(registry: KindRegistry, group: str, version: str) -> Document:
    resources = [_discovered(kind) for kind in _kinds(registry, group, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _discovered(kind: Kind) -> Document:
    document: Document = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        document["shortNames"] = list(kind.short_names)
    if kind.categories:
        document["categories"] = list(kind.categories)
    subresources = list(_discovered_subresources(kind))
    if subresources:
        document["subresources"] = subresources
    return document


def _discovered_subresources(kind: Kind) -> Iterable[Document]:
    for each in _ordered(kind):
        version, group = (each.version, each.group) if each.version else (kind.version, kind.group)
        response = {"group": group, "version": version, "kind": each.kind or kind.kind}
        yield {"subresource": each.name, "responseKind": response, "verbs": sorted(each.verbs)}
