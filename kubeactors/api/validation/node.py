"""Validation of nodes and namespaces."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, go_quote, invalid
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.addresses import legacy_cidr_errors, sloppy_network
from kubeactors.api.validation.common import duplicates
from kubeactors.api.validation.metadata import builtin_finalizer_errors
from kubeactors.api.validation.names import DNS1123_SUBDOMAIN_MAX, qualified_name_errors
from kubeactors.api.validation.pod.resources import quantity_value_errors
from kubeactors.api.validation.pod.scheduling import taints_errors

_FEATURE: Final = re.compile("[A-Z][a-zA-Z0-9]*(/[a-zA-Z0-9]+)*")
_FEATURE_FORM: Final = (
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' "
    "(e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
)


def node_errors(node: Mapping[str, Any]) -> list[FieldError]:
    errors = _taint_errors(node) + _resource_errors(node)
    swap = (((node.get("status") or {}).get("nodeInfo") or {}).get("swap") or {}).get("capacity")
    if swap is not None and swap <= 0:
        errors.append(invalid("metadata.nodeSwapStatus.capacity", swap, "must be greater than zero"))
    errors += _feature_errors(node)
    ranges = _pod_cidrs(node)
    found: list[FieldError] = []
    for i, text in enumerate(ranges):
        found += legacy_cidr_errors(text, f"spec.podCIDRs[{i}]")
    if len(ranges) > 1:
        versions = {network.version for text in ranges if (network := sloppy_network(text)) is not None}
        if len(ranges) > 2 or len(versions) < 2:
            message = "may specify no more than one CIDR for each IP family"
            found.append(invalid("spec.podCIDRs", ranges, message))
        found += [duplicate(f"spec.podCIDRs[{i}]", ranges[i]) for i in duplicates(ranges)]
    return errors + found


def node_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return node_errors(new) + node_status_update_errors(new, old)


def node_status_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of any write to an existing node, of its status too."""
    errors = _resource_errors(new) + _feature_errors(new)
    seen: set[tuple[str, str]] = set()
    for i, address in enumerate((new.get("status") or {}).get("addresses") or ()):
        pair = (address.get("type") or "", address.get("address") or "")
        if pair in seen:
            shown = internal_form(address, "io.k8s.api.core.v1.NodeAddress")
            errors.append(duplicate(f"status.addresses[{i}]", shown))
        seen.add(pair)
    before, after = _pod_cidrs(old), _pod_cidrs(new)
    if before:
        changed = 1 if len(before) != len(after) else sum(a != b for a, b in zip(before, after, strict=True))
        message = 'node updates may not change podCIDR except from "" to valid'
        errors += [forbidden("spec.podCIDRs", message)] * changed
    provider = (old.get("spec") or {}).get("providerID")
    if provider and (new.get("spec") or {}).get("providerID") != provider:
        message = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden("spec.providerID", message))
    errors += _taint_errors(new)
    if ((new.get("spec") or {}).get("externalID") or "") != ((old.get("spec") or {}).get("externalID") or ""):
        errors.append(forbidden("spec.externalID", "may not be updated"))
    return errors


def _taint_errors(node: Mapping[str, Any]) -> list[FieldError]:
    """Kubernetes reports taints below metadata, where they once were annotations."""
    taints = (node.get("spec") or {}).get("taints")
    return taints_errors(taints, "metadata.taints") if taints else []


def _feature_errors(node: Mapping[str, Any]) -> list[FieldError]:
    """Of the features that a node declares, sorted (KEP-5328)."""
    path, features = "status.declaredFeatures", (node.get("status") or {}).get("declaredFeatures") or []
    errors: list[FieldError] = []
    for i, name in enumerate(features):
        if len(name.encode()) > DNS1123_SUBDOMAIN_MAX:
            message = f"must be no more than {DNS1123_SUBDOMAIN_MAX} characters"
            errors.append(invalid(f"{path}[{i}]", name, f"invalid feature name {go_quote(name)}: {message}"))
        elif not _FEATURE.fullmatch(name):
            errors.append(invalid(f"{path}[{i}]", name, f"invalid feature name {go_quote(name)}: {_FEATURE_FORM}"))
        if i + 1 < len(features) and name == features[i + 1]:
            errors.append(duplicate(f"{path}[{i + 1}]", name))
        elif i + 1 < len(features) and name > features[i + 1]:
            errors.append(invalid(f"{path}[{i + 1}]", features[i + 1], "list must be sorted alphabetically"))
    return errors


def namespace_errors(namespace: Mapping[str, Any]) -> list[FieldError]:
    """Of a new namespace, besides its metadata."""
    errors: list[FieldError] = []
    for finalizer in (namespace.get("spec") or {}).get("finalizers") or []:
        path = "spec.finalizers"
        errors += _finalizer_errors(finalizer, path)
    return errors


def _finalizer_errors(finalizer: str, path: str) -> list[FieldError]:
    errors = [invalid(path, finalizer, m) for m in qualified_name_errors(finalizer)]
    return errors + [invalid(path, e.bad_value, e.message) for e in builtin_finalizer_errors([finalizer], path)]


def namespace_finalize_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to namespaces/finalize."""
    errors: list[FieldError] = []
    for i, finalizer in enumerate((new.get("spec") or {}).get("finalizers") or []):
        errors += _finalizer_errors(finalizer, f"spec.finalizers[{i}]")
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


def _resource_errors(node: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    status = node.get("status") or {}
    for field in ("capacity", "allocatable"):
        for name, text in sorted((status.get(field) or {}).items()):
            errors += quantity_value_errors(name, text, f"status.{field}.{name}")
    return errors
