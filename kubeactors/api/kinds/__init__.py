"""The kinds of the API. One file here is one kind: a module with a `KIND` is found by itself.

`registry` holds them all; core first, so that short references such as `events` mean the core group's.
"""

import importlib
import pkgutil

from kubeactors.api.kinds.kind import Column, Kind, Subresource
from kubeactors.api.kinds.registry import KindRegistry, UnknownKindError
from kubeactors.api.kinds.strategy import Strategy

__all__ = ["Column", "Kind", "KindRegistry", "Strategy", "Subresource", "UnknownKindError", "builtin_kinds", "registry"]

# The order of kube-aggregator's group priorities.
_GROUPS = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "resource.k8s.io",
    "storagemigration.k8s.io",
)


def builtin_kinds() -> list[Kind]:
    """Every kind that has a file in this package, in order of group preference."""
    found: list[Kind] = []
    for module in pkgutil.iter_modules(__path__):
        kind = getattr(importlib.import_module(f"{__name__}.{module.name}"), "KIND", None)
        if isinstance(kind, Kind):
            found.append(kind)
    order = {group: index for index, group in enumerate(_GROUPS)}
    return sorted(found, key=lambda k: (order.get(k.group, len(order)), k.group, k.plural))


registry = KindRegistry(builtin_kinds())
