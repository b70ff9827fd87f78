"""Validation of nodes and namespaces."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import cidr
from kubeactors.api.validation.metadata import builtin_finalizer_errors
from kubeactors.api.validation.names import qualified_name_errors
from kubeactors.api.validation.pod.resources import quantity_value_errors
from kubeactors.api.validation.pod.scheduling import taints_errors


def node_errors(node: Mapping[str, Any]) -> list[FieldError]:
    spec = node.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("taints"):
        # Kubernetes reports taints below metadata, where they once were annotations.
        errors += taints_errors(spec["taints"], "metadata.taints")
    errors += _capacity_errors(node)
    ranges = _pod_cidrs(node)
    for i, text in enumerate(ranges):
        errors += cidr(text, f"spec.podCIDRs[{i}]")
    if not errors and len(ranges) > 1:
        versions = {ipaddress.ip_network(r, strict=False).version for r in ranges}
        if len(ranges) > 2 or len(versions) < 2:
            message = "may specify no more than one CIDR for each IP family"
            errors.append(invalid("spec.podCIDRs", ranges, message))
    return errors


def node_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    before = _pod_cidrs(old)
    if before and _pod_cidrs(new) != before:
        message = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden("spec.podCIDRs", message))
    provider = (old.get("spec") or {}).get("providerID")
    if provider and (new.get("spec") or {}).get("providerID") != provider:
        message = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden("spec.providerID", message))
    return errors + node_errors(new)


def node_status_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    errors = _capacity_errors(new)
    seen: set[tuple[str, str]] = set()
    for i, address in enumerate((new.get("status") or {}).get("addresses") or ()):
        pair = (address.get("type") or "", address.get("address") or "")
        if pair in seen:
            shown = internal_form(address, "io.k8s.api.core.v1.NodeAddress")
            errors.append(duplicate(f"status.addresses[{i}]", shown))
        seen.add(pair)
    return errors


def namespace_errors(namespace: Mapping[str, Any]) -> list[FieldError]:
    """Of a new namespace, besides its metadata."""
    errors: list[FieldError] = []
    for finalizer in (namespace.get("spec") or {}).get("finalizers") or []:
        path = "spec.finalizers"
        own = [invalid(path, finalizer, m) for m in qualified_name_errors(finalizer)]
        errors += own or [invalid(path, e.bad_value, e.message) for e in builtin_finalizer_errors([finalizer], path)]
    return errors


def namespace_finalize_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to namespaces/finalize."""
    errors: list[FieldError] = []
    finalizers = (new.get("spec") or {}).get("finalizers") or []
    for i, finalizer in enumerate(finalizers):
        own = [invalid(f"spec.finalizers[{i}]", finalizer, m) for m in qualified_name_errors(finalizer)]
        errors += own or builtin_finalizer_errors(finalizers[i : i + 1], "spec.finalizers")
    return errors


def namespace_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status: a namespace terminates when, and only when, it is being deleted."""
    phase = (new.get("status") or {}).get("phase") or ""
    deleting = bool((new.get("metadata") or {}).get("deletionTimestamp"))
    if deleting and phase != "Terminating":
        message = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        return [invalid("status.Phase", phase, message)]
    if not deleting and phase != "Active":
        message = "may only be 'Active' if `deletionTimestamp` is empty"
        return [invalid("status.Phase", phase, message)]
    return []


def _pod_cidrs(node: Mapping[str, Any]) -> list[str]:
    spec = node.get("spec") or {}
    ranges = list(spec.get("podCIDRs") or ())
    return ranges or ([spec["podCIDR"]] if spec.get("podCIDR") else [])


def _capacity_errors(node: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    status = node.get("status") or {}
    for field in ("capacity", "allocatable"):
        for name, text in sorted((status.get(field) or {}).items()):
            path = f"status.{field}[{name}]"
            errors += [invalid(f"status.{field}", name, m) for m in qualified_name_errors(name)]
            errors += quantity_value_errors(name, text, path)
    return errors
