"""A group version of another API server, as its APIService says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubeactors.api import meta
from kubeactors.api.meta import Object

Document = dict[str, Any]
GroupVersion = tuple[str, str]

AVAILABLE = "Available"
_HTTPS = 443


@dataclass(frozen=True, slots=True)
class Remote:
    """A group version and the Service behind which its server is. `ca_bundle` is PEM in base64."""

    name: str
    group: str
    version: str
    namespace: str
    service: str
    port: int
    ca_bundle: str
    insecure: bool
    group_priority: int
    version_priority: int

    @property
    def group_version(self) -> GroupVersion:
        return self.group, self.version

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must have."""
        return f"{self.service}.{self.namespace}.svc"


def remote_of(api_service: Object) -> Remote | None:
    """None for an APIService of this server's own, and for the core group, which no other server can take over."""
    spec = api_service.get("spec") or {}
    service = spec.get("service")
    if service is None or not spec.get("group"):
        return None
    return Remote(
        meta.name(api_service),
        spec["group"],
        spec.get("version") or "",
        service.get("namespace") or "",
        service.get("name") or "",
        service.get("port") or _HTTPS,
        spec.get("caBundle") or "",
        bool(spec.get("insecureSkipTLSVerify")),
        spec.get("groupPriorityMinimum") or 0,
        spec.get("versionPriority") or 0,
    )


def is_available(api_service: Object) -> bool:
    """Whether requests for it are passed on."""
    return meta.is_condition_true(api_service, AVAILABLE)


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a group version serves: its APIVersionDiscovery (apidiscovery.k8s.io/v2), with what was last known where
    `current` is false."""

    document: Mapping[str, Any]
    current: bool

    def entry(self) -> Document:
        """As it stands in the aggregated document."""
        return {**self.document, "freshness": "Current" if self.current else "Stale"}


def undiscovered(version: str) -> Discovered:
    """Before anything is known of a version."""
    return Discovered({"version": version}, False)
