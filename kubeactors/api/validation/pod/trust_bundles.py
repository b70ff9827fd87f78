"""Validation of trust bundles that a projected volume shows as a file (KEP-3257)."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, required
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.certificates.signer import signer_name_errors
from kubeactors.api.validation.certificates.trust_bundle import trust_bundle_name_errors
from kubeactors.api.validation.common import label_selector, local_path_below

_TYPE: Final = "io.k8s.api.core.v1.ClusterTrustBundleProjection"


def bundle_projection_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of one bundle by its name, or of all that a signer has and a selector finds."""
    name, signer, selector = (source.get(field) for field in ("name", "signerName", "labelSelector"))
    errors: list[FieldError] = []
    if name is not None and signer is not None:
        message = "only one of name and signerName may be used"
        errors.append(invalid(path, internal_form(source, _TYPE), message))
    elif name is not None:
        errors += _name_errors(name, f"{path}.name")
        if selector is not None:
            message = "labelSelector must be unset if name is specified"
            errors.append(invalid(f"{path}.labelSelector", selector, message))
    elif signer is not None:
        if not signer:
            errors.append(required(f"{path}.signerName", "must be a valid signer name"))
        errors += signer_name_errors(signer, f"{path}.signerName")
        errors += label_selector(selector, f"{path}.labelSelector")
    else:
        errors.append(required(path, "either name or signerName must be specified"))
    if not source.get("path"):
        errors.append(required(f"{path}.path"))
    return errors + local_path_below(source.get("path") or "", f"{path}.path")


def _name_errors(name: str, path: str) -> list[FieldError]:
    """A bundle's name tells its signer: what is before the last colon."""
    errors = [] if name else [required(path, "must be a valid object name")]
    signer = name.rpartition(":")[0].replace(":", "/")
    messages = trust_bundle_name_errors(name, signer)
    return errors + [invalid(path, name, f"not a valid clustertrustbundlename: {message}") for message in messages]
