"""Kubernetes for a Ray cluster, in Python. This package's own names are its Python SDK; docs/sdk.md shows its use.

They are imported when they are first used, so that the components below this package need not load the client; their
types are in `__init__.pyi`.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "AlreadyExists": "kubeactors.api.errors",
    "ApiUnavailable": "kubeactors.client.errors",
    "AsyncClient": "kubeactors.client.async_client",
    "AsyncContext": "kubeactors.operators.context",
    "Client": "kubeactors.client.sync_client",
    "Conflict": "kubeactors.api.errors",
    "Context": "kubeactors.operators.context",
    "Controller": "kubeactors.operators.controller",
    "CopyFailed": "kubeactors.client.copying",
    "Expired": "kubeactors.api.errors",
    "Forbidden": "kubeactors.api.errors",
    "Invalid": "kubeactors.api.errors",
    "KubeconfigError": "kubeactors.client.kubeconfig",
    "ManifestError": "kubeactors.client.manifests",
    "NotFound": "kubeactors.api.errors",
    "Object": "kubeactors.client.results",
    "ObjectList": "kubeactors.client.results",
    "Operator": "kubeactors.operators.operator",
    "OutcomeUnknown": "kubeactors.client.errors",
    "PermanentError": "kubeactors.operators.context",
    "Resource": "kubeactors.client.resource",
    "StatusError": "kubeactors.api.errors",
    "TlsConfig": "kubeactors.client.tls",
    "Unauthorized": "kubeactors.api.errors",
    "UnknownKindError": "kubeactors.api.kinds",
    "WaitFailed": "kubeactors.client.errors",
    "WaitTimeout": "kubeactors.client.errors",
    "WatchEvent": "kubeactors.client.results",
    "controller": "kubeactors.operators.controller",
    "load_manifests": "kubeactors.client.manifests",
    "parse_manifests": "kubeactors.client.manifests",
}

__all__ = [
    "AlreadyExists",
    "ApiUnavailable",
    "AsyncClient",
    "AsyncContext",
    "Client",
    "Conflict",
    "Context",
    "Controller",
    "CopyFailed",
    "Expired",
    "Forbidden",
    "Invalid",
    "KubeconfigError",
    "ManifestError",
    "NotFound",
    "Object",
    "ObjectList",
    "Operator",
    "OutcomeUnknown",
    "PermanentError",
    "Resource",
    "StatusError",
    "TlsConfig",
    "Unauthorized",
    "UnknownKindError",
    "WaitFailed",
    "WaitTimeout",
    "WatchEvent",
    "controller",
    "load_manifests",
    "parse_manifests",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
