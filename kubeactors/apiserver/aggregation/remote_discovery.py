"""What an extension API server serves, read from its discovery documents. Pure.

What such a server says is made anew field by field: whatever else it writes must not reach this server's documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from kubeactors.apiserver.aggregation.remote import Document, Remote

#: What is asked for at /apis: aggregated discovery; servers without it answer with a list of groups, or 406.
ACCEPT: Final = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


class Unreadable(Exception):
    """A document that makes no sense."""


def from_aggregated(body: bytes, remote: Remote) -> Document | None:
    """The version's APIVersionDiscovery in an aggregated document. A version that is not in it has no resources.

    None when this is no aggregated document. Raises Unreadable.
    """
    document = _load(body)
    if document.get("kind") != "APIGroupDiscoveryList":
        return None
    for group in _objects(document.get("items")):
        if _object(group.get("metadata")).get("name") != remote.group:
            continue
        for version in _objects(group.get("versions")):
            if version.get("version") == remote.version:
                resources = [_resource(each, remote) for each in _objects(version.get("resources"))]
                return _version(remote, resources)
    return _version(remote, [])


def from_resource_list(body: bytes, remote: Remote) -> Document:
    """The same from the APIResourceList of a server without aggregated discovery. Raises Unreadable."""
    document = _load(body)
    if document.get("kind") != "APIResourceList":
        raise Unreadable(f"not an APIResourceList, but {document.get('kind')!r}")
    found: dict[str, Document] = {}
    listed = list(_objects(document.get("resources")))
    for each in listed:
        name = _text(each, "name")
        if name and "/" not in name:
            found[name] = _listed(each, remote)
    for each in listed:
        parent, slash, subresource = _text(each, "name").partition("/")
        if not slash:
            continue
        if parent not in found:
            # A subresource without its resource is served all the same.
            found[parent] = {
                "resource": parent,
                "scope": "Namespaced" if each.get("namespaced") is True else "Cluster",
                "singularResource": "",
                "verbs": [],
            }
        found[parent].setdefault("subresources", []).append(
            {"subresource": subresource, "responseKind": _kind_of_list(each, remote), "verbs": _texts(each, "verbs")}
        )
    return _version(remote, list(found.values()))


def _version(remote: Remote, resources: list[Document]) -> Document:
    return {"version": remote.version, "resources": resources} if resources else {"version": remote.version}


def _resource(told: Document, remote: Remote) -> Document:
    document: Document = {
        "resource": _text(told, "resource"),
        "responseKind": _kind(told, remote),
        "scope": "Namespaced" if told.get("scope") == "Namespaced" else "Cluster",
        "singularResource": _text(told, "singularResource"),
        "verbs": _texts(told, "verbs"),
    }
    _add_names(document, told)
    subresources = [
        {"subresource": _text(each, "subresource"), "responseKind": _kind(each, remote), "verbs": _texts(each, "verbs")}
        for each in _objects(told.get("subresources"))
    ]
    return document | {"subresources": subresources} if subresources else document


def _listed(told: Document, remote: Remote) -> Document:
    document: Document = {
        "resource": _text(told, "name"),
        "responseKind": _kind_of_list(told, remote),
        "scope": "Namespaced" if told.get("namespaced") is True else "Cluster",
        "singularResource": _text(told, "singularName"),
        "verbs": _texts(told, "verbs"),
    }
    _add_names(document, told)
    return document


def _add_names(document: Document, told: Document) -> None:
    for key in ("shortNames", "categories"):
        names = _texts(told, key)
        if names:
            document[key] = names


def _kind(told: Document, remote: Remote) -> Document:
    kind = _object(told.get("responseKind"))
    return {
        "group": _text(kind, "group") if _text(kind, "version") else remote.group,
        "version": _text(kind, "version") or remote.version,
        "kind": _text(kind, "kind"),
    }


def _kind_of_list(told: Document, remote: Remote) -> Document:
    """A list names group and version only where they differ from its own."""
    return _kind({"responseKind": told}, remote)


# --- the documents of strangers


def _load(body: bytes) -> Document:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable("not a JSON object")
    return document


def _object(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterator[Document]:
    listed: Iterable[Any] = value if isinstance(value, list) else ()
    return (each for each in listed if isinstance(each, dict))


def _text(document: Document, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _texts(document: Document, key: str) -> list[str]:
    value = document.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
