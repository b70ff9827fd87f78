"""Texts for Warning headers about services and what lists their endpoints."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.validation.ip_warnings import cidr_warnings, ip_warnings

_OLD_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_MODE: Final = "service.kubernetes.io/topology-mode"


def service_warnings(obj: Mapping[str, Any]) -> list[str]:
    spec = obj.get("spec") or {}
    warnings: list[str] = []
    if spec.get("externalIPs"):
        warnings.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if _OLD_HINTS in ((obj.get("metadata") or {}).get("annotations") or {}):
        warnings.append(f"annotation {_OLD_HINTS} is deprecated, please use {_MODE} instead")
    headless = spec.get("clusterIP") == "None"
    if not headless:
        for i, address in enumerate(spec.get("clusterIPs") or ()):
            warnings += ip_warnings(address, f"spec.clusterIPs[{i}]")
    elif spec.get("type") == "ClusterIP":
        warnings += _ignored_when_headless(spec)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        warnings += ip_warnings(address, f"spec.externalIPs[{i}]")
    warnings += ip_warnings(spec.get("loadBalancerIP") or "", "spec.loadBalancerIP")
    for i, cidr in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        warnings += cidr_warnings(cidr, f"spec.loadBalancerSourceRanges[{i}]")
    if spec.get("type") == "ExternalName" and spec.get("externalIPs"):
        warnings.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        warnings.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        warnings.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return warnings


def _ignored_when_headless(spec: Mapping[str, Any]) -> list[str]:
    warnings = [
        f"spec.{field} is ignored for headless services"
        for field in ("loadBalancerIP", "externalIPs")
        if spec.get(field)
    ]
    if spec.get("sessionAffinity") not in (None, "None"):
        warnings.append("spec.SessionAffinity is ignored for headless services")
    return warnings


def endpoints_warnings(obj: Mapping[str, Any]) -> list[str]:
    warnings: list[str] = []
    for i, subset in enumerate(obj.get("subsets") or ()):
        for field in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(field) or ()):
                warnings += ip_warnings(address.get("ip") or "", f"subsets[{i}].{field}[{j}].ip")
    return warnings


def endpoint_slice_warnings(obj: Mapping[str, Any]) -> list[str]:
    if obj.get("addressType") == "FQDN":
        return ["addressType: FQDN endpoints are deprecated"]
    warnings: list[str] = []
    for i, endpoint in enumerate(obj.get("endpoints") or ()):
        for j, address in enumerate(endpoint.get("addresses") or ()):
            warnings += ip_warnings(address, f"endpoints[{i}].addresses[{j}]")
    return warnings
