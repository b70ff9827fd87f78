"""Validation of network policies."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kubeactors.api.choices import POLICY_TYPES, PROTOCOLS
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.validation.addresses import legacy_cidr_errors, sloppy_network
from kubeactors.api.validation.common import label_selector, port_number, port_number_or_name
from kubeactors.api.validation.ip_warnings import cidr_warnings


def network_policy_errors(policy: Mapping[str, Any], existing: Collection[str] = ()) -> list[FieldError]:
    """`existing`: ranges that the object had before, which are not checked again."""
    spec = policy.get("spec") or {}
    errors = label_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{i}]"
            for j, port in enumerate(rule.get("ports") or ()):
                errors += _port_errors(port, f"{path}.ports[{j}]")
            for j, peer in enumerate(rule.get(peers) or ()):
                errors += _peer_errors(peer, existing, f"{path}.{peers}[{j}]")
    types = spec.get("policyTypes") or []
    if len(types) > len(POLICY_TYPES):
        return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    unknown = ((i, t) for i, t in enumerate(types) if t not in POLICY_TYPES)
    return errors + [not_supported(f"spec.policyTypes[{i}]", t, POLICY_TYPES) for i, t in unknown]


def network_policy_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return network_policy_errors(new, frozenset(_ranges(old)))


def _ranges(policy: Mapping[str, Any]) -> Iterator[str]:
    spec = policy.get("spec") or {}
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(direction) or ():
            for peer in rule.get(peers) or ():
                block = peer.get("ipBlock") or {}
                yield block.get("cidr") or ""
                yield from block.get("except") or ()


def _port_errors(port: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    if number is None:
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
        return errors
    if isinstance(number, str):
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        return errors + port_number_or_name(number, f"{path}.port")
    errors += port_number(number, f"{path}.port")
    if end is not None:
        if end < number:
            # Kubernetes quotes the first port here.
            errors.append(invalid(f"{path}.endPort", number, "must be greater than or equal to `port`"))
        errors += port_number(end, f"{path}.endPort")
    return errors


def _peer_errors(peer: Mapping[str, Any], existing: Collection[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    selectors = [field for field in ("podSelector", "namespaceSelector") if peer.get(field) is not None]
    for field in selectors:
        errors += label_selector(peer[field], f"{path}.{field}")
    block = peer.get("ipBlock")
    if block is not None:
        errors += _block_errors(block, existing, f"{path}.ipBlock")
        if selectors:
            errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    elif not selectors:
        errors.append(required(path, "must specify a peer"))
    return errors


def _block_errors(block: Mapping[str, Any], existing: Collection[str], path: str) -> list[FieldError]:
    cidr = block.get("cidr") or ""
    if not cidr:
        return [required(f"{path}.cidr")]
    errors = legacy_cidr_errors(cidr, f"{path}.cidr", existing)
    whole = sloppy_network(cidr)
    if whole is None:
        return errors
    for i, text in enumerate(block.get("except") or ()):
        errors += legacy_cidr_errors(text, f"{path}.except[{i}]", existing)
        part = sloppy_network(text)
        if part is None:
            continue
        inside = part.version == whole.version and part.network_address in whole and part.prefixlen > whole.prefixlen
        if not inside:
            errors.append(invalid(f"{path}.except[{i}]", text, "must be a strict subset of `cidr`"))
    return errors


def network_policy_warnings(policy: Mapping[str, Any]) -> list[str]:
    """About ranges that are not written as they should be."""
    spec, warnings = policy.get("spec") or {}, []
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(direction) or ()):
            for j, peer in enumerate(rule.get(peers) or ()):
                block, path = peer.get("ipBlock") or {}, f"spec.{direction}[{i}].{peers}[{j}].ipBlock"
                warnings += cidr_warnings(block.get("cidr") or "", f"{path}.cidr")
                for k, excepted in enumerate(block.get("except") or ()):
                    warnings += cidr_warnings(excepted, f"{path}.except[{k}]")
    return warnings
