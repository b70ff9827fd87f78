"""Which resource a URL names, and which verb a method asks of it.

The rules are those of k8s.io/apiserver's RequestInfo and of its installed routes:
`/api/v1/...` and `/apis/GROUP/VERSION/...`, then `[watch/][namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE...]]`.
Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubeactors.api import errors
from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.apiserver.request import Verb

#: Subresources of a namespace; anything else after its name is a resource in it.
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_OBJECT_VERBS: dict[str, Verb] = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
_COLLECTION_VERBS: dict[str, Verb] = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


class UnknownPathError(Exception):
    """A path that no part of the server knows: 404 in plain text, as Go's mux answers."""


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A URL that names a resource. `name` is empty for the collection; `watched` is the old `/watch/` prefix.

    `connects`: the subresource is a connection (exec, proxy …); `below` is what follows `proxy/`.
    """

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watched: bool = False
    connects: bool = False
    below: str = ""


def split_path(path: str) -> list[str]:
    """The segments of a decoded path, without the empty one that a trailing slash makes."""
    return path.strip("/").split("/") if path.strip("/") else []


def resource_path(parts: list[str], registry: KindRegistry) -> ResourcePath:
    """The resource that the segments below `/api` or `/apis` name.

    Raises `UnknownPathError` for an unknown group, StatusError 404 for what a known group does not have.
    """
    if parts[0] == "api":
        group, rest = "", parts[1:]
    elif parts[0] == "apis" and len(parts) > 1:
        group, rest = parts[1], parts[2:]
        if group not in registry.groups():
            raise UnknownPathError("/".join(parts))
    else:
        raise UnknownPathError("/".join(parts))
    version, rest = rest[0], rest[1:]
    watched = bool(rest) and rest[0] == "watch"
    if watched:
        rest = rest[1:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and not (group == "" and rest[2] in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    if not rest or "" in rest[:3]:
        raise _missing(group, parts, registry)
    kind = registry.by_resource(group, version, rest[0])
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if kind is None or (namespace and not kind.namespaced) or (name and kind.namespaced and not namespace):
        raise _missing(group, parts, registry)
    if watched and (subresource or "watch" not in kind.verbs):
        raise errors.resource_not_found()
    if not subresource:
        if not kind.custom and not _has_path(kind, namespace, name):
            raise errors.resource_not_found()
        return ResourcePath(kind, namespace, name, subresource, watched)
    found = kind.subresource(subresource)
    if found is None or (len(rest) > 3 and subresource != "proxy"):
        raise errors.not_found(kind.qualified_resource, name) if kind.custom else errors.resource_not_found()
    return ResourcePath(kind, namespace, name, subresource, watched, found.connects, "/".join(rest[3:]))


def _has_path(kind: Kind, namespace: str, name: str) -> bool:
    """Whether any method is served there; what is only created (bindings, reviews) has neither names nor lists."""
    if name:
        return not {"get", "update", "patch", "delete"}.isdisjoint(kind.verbs)
    return "list" in kind.verbs or not kind.namespaced or bool(namespace)


def _missing(group: str, parts: list[str], registry: KindRegistry) -> Exception:
    """What custom resources do not have is unknown to the router; what built-in ones do not have is a Status."""
    if group and registry.is_custom_group(group):
        return UnknownPathError("/".join(parts))
    return errors.resource_not_found()


def verb_of(method: str, path: ResourcePath, *, watch: bool) -> Verb:
    """The verb; `watch` is the query parameter. Raises StatusError 405 for what the resource does not do."""
    kind = path.kind
    if path.watched:
        if method != "GET":
            raise errors.method_not_allowed()
        return "watch"
    if path.name:
        verb = _OBJECT_VERBS.get(method)
        if path.subresource:
            found = kind.subresource(path.subresource)
            allowed = found.verbs if found is not None else ()
            if path.subresource == "proxy" and method in ("HEAD", "OPTIONS"):
                verb = "get"
        else:
            allowed = kind.verbs if verb != "create" else ()
    else:
        verb = _COLLECTION_VERBS.get(method)
        if verb == "list" and watch:
            verb = "watch"
        whole = kind.namespaced and not path.namespace
        allowed = () if whole and verb not in ("list", "watch") else kind.verbs
    if verb is None or verb not in allowed:
        if kind.custom:
            raise errors.method_not_supported(kind.qualified_resource, verb or method.lower())
        raise errors.method_not_allowed()
    return verb
