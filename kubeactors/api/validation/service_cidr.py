"""Validation of IPAddress and ServiceCIDR."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, required
from kubeactors.api.validation.addresses import cidr_errors, sloppy_network
from kubeactors.api.validation.common import dns1123_subdomain, immutable
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.names import path_segment_errors

_ONE_PER_FAMILY: Final = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def ip_address_object_errors(address: Mapping[str, Any]) -> list[FieldError]:
    parent = (address.get("spec") or {}).get("parentRef")
    path = "spec.parentRef"
    if parent is None:
        return [required(path)]
    errors = dns1123_subdomain(parent["group"], f"{path}.group") if parent.get("group") else []
    for field in ("resource", "name", "namespace"):
        value = parent.get(field) or ""
        if not value and field != "namespace":
            errors.append(required(f"{path}.{field}"))
        errors += [invalid(f"{path}.{field}", value, m) for m in path_segment_errors(value)]
    return errors


def ip_address_object_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    values = [(o.get("spec") or {}).get("parentRef") for o in (new, old)]
    return immutable(values[0], values[1], "spec.parentRef", "io.k8s.api.networking.v1.ParentReference")


def service_cidr_errors(service_cidr: Mapping[str, Any]) -> list[FieldError]:
    cidrs = (service_cidr.get("spec") or {}).get("cidrs") or []
    path = "spec.cidrs"
    if not cidrs:
        return [required(path, "at least one CIDR required")]
    if len(cidrs) > 2:
        return [invalid(path, {"CIDRs": cidrs}, "may only hold up to 2 values")]
    errors: list[FieldError] = []
    for i, cidr in enumerate(cidrs):
        errors += cidr_errors(cidr, f"{path}[{i}]")
    families = [network.version for network in map(sloppy_network, cidrs) if network is not None]
    if len(families) == 2 and families[0] == families[1]:
        errors.append(invalid(path, cidrs, _ONE_PER_FAMILY))
    return errors


def service_cidr_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """The ranges are fixed; a second one, of the other family, may be added."""
    after, before = ((o.get("spec") or {}).get("cidrs") or [] for o in (new, old))
    frozen = [
        invalid(f"spec.cidrs[{i}]", b, FIELD_IMMUTABLE)
        for i, (a, b) in enumerate(zip(before, after, strict=False))
        if a != b
    ]
    if len(before) == len(after):
        return frozen
    if len(before) == 1 and len(after) == 2:
        return frozen + service_cidr_errors(new)
    return [invalid("spec.cidrs", after or None, FIELD_IMMUTABLE)]
