"""Address families of a Service on a cluster with one family (registry/core/service's initIPFamilyFields)."""

from __future__ import annotations

import ipaddress
from typing import Any

from kubeactors.api import errors, fielderrors
from kubeactors.api.fielderrors import FieldError

_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}
_POLICY = "spec.ipFamilyPolicy"


def family_of(address: str) -> str | None:
    """IPv4 or IPv6; None for what is no address."""
    try:
        return "IPv4" if ipaddress.ip_address(address).version == 4 else "IPv6"
    except ValueError:
        return None


def set_families(name: str, spec: dict[str, Any], before: dict[str, Any] | None, family: str) -> None:
    """Complete ipFamilies and ipFamilyPolicy of a service that has addresses or is headless.

    `before`: the spec that an update replaces, None on a create; `family`: the cluster's.
    Raises StatusError (422) for what the cluster does not have.
    """
    if before is not None and _stays_preferred(spec, before):
        return
    addresses: list[str] = spec.get("clusterIPs") or []
    alone = addresses[:1] == ["None"] and not spec.get("selector")
    if spec.get("ipFamilyPolicy") is None:
        kept = (before or {}).get("ipFamilyPolicy")
        spec["ipFamilyPolicy"] = kept or ("RequireDualStack" if alone else "SingleStack")
    policy = spec["ipFamilyPolicy"]
    found = [] if before is None else _follow_policy(spec, before)
    addresses = spec.get("clusterIPs") or []
    families: list[str] = list(spec.get("ipFamilies") or [])
    if policy == "SingleStack":
        message = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
        for values, word in ((addresses, "cluster IPs"), (families, "IP families")):
            if len(values) == 2:
                found.append(fielderrors.invalid(_POLICY, policy, message.format(word)))
    for index, address in enumerate(addresses):
        actual = family_of(address)
        if actual is None or index < len(families):
            continue
        if actual == family:
            families.append(actual)
        else:
            message = f"{actual} is not configured on this cluster"
            found.append(fielderrors.invalid(f"spec.clusterIPs[{index}]", addresses, message))
    _raise_any(name, found)
    if alone:
        # Nothing is allocated for it, so it may have families that the cluster does not have.
        families = families or [family]
        if policy != "SingleStack" and len(families) < 2:
            families.append(_OTHER[families[0]])
    else:
        _raise_any(name, _unavailable(policy, families, family))
    spec["ipFamilies"] = families or [family]


def _stays_preferred(spec: dict[str, Any], before: dict[str, Any]) -> bool:
    """A service that prefers two families is not changed with the cluster when something else of it changes."""
    same = ("type", "clusterIPs", "ipFamilies")
    policies = (spec.get("ipFamilyPolicy"), before.get("ipFamilyPolicy") or "PreferDualStack")
    return policies == ("PreferDualStack", "PreferDualStack") and all(
        (spec.get(field) or None) == (before.get(field) or None) for field in same
    )


def _follow_policy(spec: dict[str, Any], before: dict[str, Any]) -> list[FieldError]:
    """On an update to one family, give up the second address and family; what is wrong if they go without that."""
    found = []
    for field, word in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        new, old = spec.get(field) or [], before.get(field) or []
        if spec["ipFamilyPolicy"] == "SingleStack":
            if new == old and len(new) > 1:
                spec[field] = new[:1]
        elif 0 < len(new) < len(old):
            message = f"must be 'SingleStack' to release the secondary {word}"
            found.append(fielderrors.invalid(_POLICY, spec["ipFamilyPolicy"], message))
    return found


def _unavailable(policy: str, families: list[str], family: str) -> list[FieldError]:
    found = []
    if policy == "RequireDualStack":
        message = "this cluster is not configured for dual-stack services"
        found.append(fielderrors.invalid(_POLICY, policy, message))
    for index, each in enumerate(families):
        if each != family:
            found.append(fielderrors.invalid(f"spec.ipFamilies[{index}]", each, "not configured on this cluster"))
    return found


def _raise_any(name: str, found: list[FieldError]) -> None:
    if found:
        raise errors.invalid("Service", name, found)
