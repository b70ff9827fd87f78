"""Address families of a Service on a cluster with one family (registry/core/service's initIPFamilyFields)."""

from __future__ import annotations

import ipaddress
from typing import Any

from kubeactors.api import errors, fielderrors
from kubeactors.api.fielderrors import FieldError

_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


def family_of(address: str) -> str | None:
    """IPv4 or IPv6; None for what is no address."""
    try:
        return "IPv4" if ipaddress.ip_address(address).version == 4 else "IPv6"
    except ValueError:
        return None


def set_families(name: str, spec: dict[str, Any], family: str) -> None:
    """Complete ipFamilies and ipFamilyPolicy of a service that has addresses; `family` is the cluster's.

    Raises StatusError (422) for what the cluster does not have.
    """
    if spec.get("type") == "ExternalName":
        return
    addresses = spec.get("clusterIPs") or []
    families: list[str] = list(spec.get("ipFamilies") or [])
    headless = addresses[:1] == ["None"]
    if headless and not spec.get("selector"):
        policy = spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        if not families:
            families = [family]
        if policy != "SingleStack" and len(families) < 2:
            families.append(_OTHER[families[0]])
        spec["ipFamilies"] = families
        return
    found = _mismatches(addresses, families)
    if found:
        raise errors.invalid("Service", name, found)
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        message = "this cluster is not configured for dual-stack services"
        found.append(fielderrors.invalid("spec.ipFamilyPolicy", "RequireDualStack", message))
    for index, each in enumerate(families):
        if each in _OTHER and each != family:
            found.append(fielderrors.invalid(f"spec.ipFamilies[{index}]", each, "not configured on this cluster"))
    if found:
        raise errors.invalid("Service", name, found)
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec["ipFamilies"] = families or [family]


def _mismatches(addresses: list[str], families: list[str]) -> list[FieldError]:
    found = []
    for index, (address, family) in enumerate(zip(addresses, families, strict=False)):
        actual = family_of(address)
        if actual is not None and actual != family:
            message = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            found.append(fielderrors.invalid(f"spec.clusterIPs[{index}]", address, message))
    return found
