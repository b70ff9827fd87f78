"""Which collection a call speaks of: a small value that transports understand, looked up from any name users type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kubeactors.api.kinds import UnknownKindError, registry


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as discovery describes it: pass one instead of a name for kinds that this library does not know."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects: "v1", "apps/v1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified_name(self) -> str:
        """The name that error messages use: "pods", "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


ResourceLike = str | Resource


@lru_cache(maxsize=1024)
def _lookup(reference: str) -> Resource:
    kind = registry.lookup(reference)
    return Resource(kind.group, kind.version, kind.plural, kind.kind, kind.namespaced)


def resolve(reference: ResourceLike) -> Resource:
    """The resource that `reference` names ("pods", "po", "Pod", "deployments.apps", "deployments.v1.apps").

    Raises UnknownKindError (a LookupError).
    """
    return reference if isinstance(reference, Resource) else _lookup(reference)


def resolve_object(api_version: str, kind: str) -> Resource:
    """The resource that holds objects of this `apiVersion` and `kind`. Raises UnknownKindError (a LookupError)."""
    found = registry.by_gvk(api_version, kind)
    if found is None:
        raise UnknownKindError(f"no resource type holds {kind} of {api_version}")
    return Resource(found.group, found.version, found.plural, found.kind, found.namespaced)
