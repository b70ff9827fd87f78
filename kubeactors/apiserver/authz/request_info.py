"""Which question a URL and a method are, before it is known whether anything is served there.

The rules of k8s.io/apiserver's RequestInfoFactory. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubeactors.apiserver.authz.attributes import Attributes
from kubeactors.apiserver.request import UserInfo

_VERBS: Final = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})


def attributes_of(
    user: UserInfo, method: str, path: str, segments: Sequence[str], *, watch: bool = False
) -> Attributes:
    """The question. `path` is decoded, `segments` are its parts, `watch` is the query parameter."""
    parts = list(segments)
    whole = Attributes(user, method.lower(), path=path)
    if not parts or parts[0] not in ("api", "apis"):
        return whole
    group = ""
    rest = parts[1:]
    if parts[0] == "apis":
        if len(parts) < 4:
            return whole
        group, rest = parts[1], parts[2:]
    elif len(parts) < 3:
        return whole
    version, rest = rest[0], rest[1:]
    verb = _VERBS.get(method, "")
    if rest[0] in ("watch", "proxy"):
        if len(rest) < 2:
            return whole
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name and verb in ("get", "delete"):
        verb = "deletecollection" if verb == "delete" else "watch" if watch else "list"
    return Attributes(user, verb, group, version, resource, subresource, namespace, name)
