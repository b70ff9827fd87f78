"""Validation of a pod's resource claims."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, invalid, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import dns1123_label
from kubeactors.api.validation.names import dns1123_subdomain_errors

_CLAIM: Final = "io.k8s.api.core.v1.PodResourceClaim"


def pod_claims_errors(claims: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    """Of spec.resourceClaims."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        name, at = claim.get("name") or "", f"{path}[{i}]"
        if not name:
            errors.append(required(f"{at}.name"))
        elif name in seen:
            errors.append(duplicate(f"{at}.name", name))
        else:
            errors += dns1123_label(name, f"{at}.name")
            seen.add(name)
        errors += _source_errors(claim, at)
    return errors


def _source_errors(claim: Mapping[str, Any], path: str) -> list[FieldError]:
    given = [f for f in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(f) is not None]
    errors: list[FieldError] = []
    if len(given) > 1:
        message = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
        errors.append(invalid(path, internal_form(claim, _CLAIM), message))
    if not given:
        message = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
        errors.append(invalid(path, internal_form(claim, _CLAIM), message))
    for field in given:
        errors += [invalid(f"{path}.{field}", claim[field], m) for m in dns1123_subdomain_errors(claim[field])]
    return errors
