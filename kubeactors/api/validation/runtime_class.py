"""Validation of runtime classes."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, duplicate, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import dns1123_label, duplicates, immutable
from kubeactors.api.validation.metadata import label_errors
from kubeactors.api.validation.pod.resources import resource_requirements_errors
from kubeactors.api.validation.pod.scheduling import tolerations_errors


def runtime_class_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    handler = obj.get("handler") or ""
    errors = dns1123_label(handler, "handler") if handler else [required("handler")]
    overhead = obj.get("overhead")
    if overhead is not None:
        # Kubernetes looks at overhead as at the limits of a container.
        errors += resource_requirements_errors({"limits": overhead.get("podFixed")}, set(), "overhead")
    scheduling = obj.get("scheduling")
    if scheduling is not None:
        errors += label_errors(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
        tolerations = scheduling.get("tolerations") or []
        errors += tolerations_errors(tolerations, "scheduling.tolerations")
        errors += [
            duplicate(f"scheduling.tolerations[{i}]", internal_form(tolerations[i], "io.k8s.api.core.v1.Toleration"))
            for i in duplicates(frozenset(each.items()) for each in tolerations)
        ]
    return errors


def runtime_class_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return runtime_class_errors(new) + immutable(new.get("handler"), old.get("handler"), "handler")
