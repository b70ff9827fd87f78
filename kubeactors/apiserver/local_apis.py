"""The APIServices of this server's own group versions, with kube-apiserver's priorities."""

from __future__ import annotations

from typing import Final

from kubeactors.api.kinds import KindRegistry
from kubeactors.api.meta import Object

_GROUP_PRIORITIES: Final = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "resource.k8s.io": 15900,
    "storagemigration.k8s.io": 15800,
}
#: The label of APIServices that the server makes by itself.
AUTOMANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
_VERSION_PRIORITIES: Final = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("resource.k8s.io", "v1"): 15,
}
_VERSION_PRIORITY: Final = 15
#: Higher than an APIService can ask for: it comes first.
_AGGREGATOR_PRIORITY: Final = 20001
#: Those of custom resources.
_CUSTOM_GROUP_PRIORITY: Final = 1000
_CUSTOM_VERSION_PRIORITY: Final = 100
#: apiregistration.k8s.io is served by the aggregator itself, which has no APIService of its own.
_AGGREGATOR: Final = "apiregistration.k8s.io"


def priorities(group: str, version: str) -> tuple[int, int]:
    """groupPriorityMinimum and versionPriority of a group version that this server serves by itself."""
    if group == _AGGREGATOR:
        return _AGGREGATOR_PRIORITY, _VERSION_PRIORITY
    if group not in _GROUP_PRIORITIES:
        return _CUSTOM_GROUP_PRIORITY, _CUSTOM_VERSION_PRIORITY
    return _GROUP_PRIORITIES[group], _VERSION_PRIORITIES.get((group, version), _VERSION_PRIORITY)


def api_service(group: str, version: str, automanaged: str) -> Object:
    """The APIService of a group version of this server's own. `automanaged` says how it is kept."""
    group_priority, version_priority = priorities(group, version)
    return {
        "apiVersion": f"{_AGGREGATOR}/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}", "labels": {AUTOMANAGED: automanaged}},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": group_priority,
            "versionPriority": version_priority,
        },
    }


def local_api_services(registry: KindRegistry) -> list[Object]:
    """One for each built-in group version that the registry has."""
    versions = dict.fromkeys((kind.group, kind.version) for kind in registry.all())
    return [api_service(group, version, "onstart") for group, version in versions if group in _GROUP_PRIORITIES]
