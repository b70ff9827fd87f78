"""Validation of the access reviews of authorization.k8s.io/v1."""

from __future__ import annotations

from typing import Final

from kubeactors.api.fielderrors import FieldError, invalid, required
from kubeactors.api.meta import Object

_IGNORED: Final = frozenset({"managedFields"})


def subject_access_review_errors(review: Object) -> list[FieldError]:
    """A SubjectAccessReview with metadata and spec."""
    found = _spec_errors(review["spec"]) + _user_errors(review["spec"])
    if set(review["metadata"]) - _IGNORED:
        found.append(invalid("metadata", review["metadata"], "must be empty"))
    return found


def self_subject_access_review_errors(review: Object) -> list[FieldError]:
    """A SelfSubjectAccessReview with metadata and spec."""
    found = _spec_errors(review["spec"])
    if set(review["metadata"]) - _IGNORED:
        found.append(invalid("metadata", review["metadata"], "must be empty"))
    return found


def local_subject_access_review_errors(review: Object) -> list[FieldError]:
    """A LocalSubjectAccessReview with metadata (its namespace among it) and spec."""
    spec, metadata = review["spec"], review["metadata"]
    found = _spec_errors(spec) + _user_errors(spec)
    if set(metadata) - {"namespace", *_IGNORED}:
        found.append(invalid("metadata", metadata, "must be empty except for namespace"))
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None:
        namespace = resource.get("namespace") or ""
        if namespace != metadata.get("namespace"):
            found.append(invalid("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace"))
    if path is not None:
        found.append(invalid("spec.nonResourceAttributes", _path(path), "disallowed on this kind of request"))
    return found


def _spec_errors(spec: Object) -> list[FieldError]:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        message = "cannot be specified in combination with resourceAttributes"
        return [invalid("spec.nonResourceAttributes", _path(path), message), *_selector_errors(resource)]
    if resource is None and path is None:
        message = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [invalid("spec.resourceAttributes", None, message)]
    return _selector_errors(resource) if resource is not None else []


def _user_errors(spec: Object) -> list[FieldError]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid("spec.user", spec.get("user") or "", "at least one of user or group must be specified")]


def _selector_errors(resource: Object) -> list[FieldError]:
    """A selector is given as text or as requirements, not both and not neither."""
    found = []
    for name in ("fieldSelector", "labelSelector"):
        selector = resource.get(name)
        if selector is None:
            continue
        field = f"spec.resourceAttributes.{name}"
        raw, requirements = selector.get("rawSelector"), selector.get("requirements")
        if raw and requirements:
            found.append(invalid(f"{field}.rawSelector", raw, "may not specified at the same time as requirements"))
        if not raw and not requirements:
            message = f"when {field} is specified, requirements or rawSelector is required"
            found.append(required(f"{field}.requirements", message))
    return found


def _path(attributes: Object) -> Object:
    """As Kubernetes shows these attributes in an error: with the names of its own fields."""
    return {"Path": attributes.get("path") or "", "Verb": attributes.get("verb") or ""}
