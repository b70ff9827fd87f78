"""Validation of pods' certificate requests (KEP-4317)."""

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from kubeactors.api.fielderrors import OMITTED, FieldError, invalid, not_supported, required, too_long
from kubeactors.api.meta import now_rfc3339, parse_time
from kubeactors.api.validation.certificates import pem
from kubeactors.api.validation.certificates.signer import is_kubernetes_signer, signer_name_errors
from kubeactors.api.validation.common import dns1123_subdomain, immutable
from kubeactors.api.validation.conditions import conditions_errors
from kubeactors.api.validation.metadata import ANNOTATIONS_MAX_BYTES
from kubeactors.api.validation.names import qualified_name_errors

if TYPE_CHECKING:
    from cryptography import x509

FINAL_TYPES: Final = ("Issued", "Denied", "Failed")
_HOUR: Final = 3600
_MAX_SECONDS: Final = 91 * 24 * _HOUR
_KUBERNETES_MAX_SECONDS: Final = 24 * _HOUR
_MAX_UID: Final = 128
_MAX_REQUEST: Final = 10 * 1024
_MAX_CHAIN: Final = 100 * 1024
_SPEC: Final = "io.k8s.api.certificates.v1.PodCertificateRequestSpec"
_MARGIN: Final = timedelta(minutes=10)
_CHAIN: Final = "status.certificateChain"
_REQUEST: Final = "spec.stubPKCS10Request"


def pod_certificate_errors(request: Mapping[str, Any]) -> list[FieldError]:
    spec = request.get("spec") or {}
    errors = signer_name_errors(spec.get("signerName") or "", "spec.signerName")
    errors += _annotation_errors(spec.get("unverifiedUserAnnotations") or {}, "spec.unverifiedUserAnnotations")
    for owner in ("pod", "serviceAccount", "node"):
        errors += dns1123_subdomain(spec.get(f"{owner}Name") or "", f"spec.{owner}Name")
        uid = spec.get(f"{owner}UID") or ""
        if not uid:
            errors.append(invalid(f"spec.{owner}UID", uid, "must not be empty"))
        if len(uid.encode()) > _MAX_UID:
            errors.append(too_long(f"spec.{owner}UID", _MAX_UID))
    seconds = spec.get("maxExpirationSeconds")
    if seconds is None:
        return [*errors, required("spec.maxExpirationSeconds", "must be set")]
    longest = _KUBERNETES_MAX_SECONDS if is_kubernetes_signer(spec.get("signerName") or "") else _MAX_SECONDS
    if not _HOUR <= seconds <= longest:
        errors.append(invalid("spec.maxExpirationSeconds", seconds, f"must be in the range [{_HOUR}, {longest}]"))
    return errors + _request_errors(spec.get("stubPKCS10Request") or "")


def pod_certificate_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return immutable(new.get("spec"), old.get("spec"), "spec", _SPEC)


def pod_certificate_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status, which is decided once: issued with a certificate, denied or failed without."""
    status, before = new.get("status") or {}, old.get("status") or {}
    conditions = status.get("conditions") or []
    errors: list[FieldError] = []
    final = False
    for i, condition in enumerate(conditions):
        path = f"status.conditions.[{i}]"
        kind = condition.get("type") or ""
        if kind not in FINAL_TYPES:
            errors.append(not_supported(f"{path}.type", kind, FINAL_TYPES))
            continue
        if final:
            message = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            errors.append(invalid(f"{path}.type", kind, message))
        final = True
        if condition.get("status") != "True":
            errors.append(not_supported(f"{path}.status", condition.get("status") or "", ("True",)))
    errors += conditions_errors(conditions, "status.conditions")
    if errors:
        return errors
    if _decision(before):
        return _unchanged(status, before, "immutable after PodCertificateRequest is issued, denied, or failed")
    decision = _decision(status)
    if decision == "Issued":
        return _issued_errors(status, old.get("spec") or {})
    if decision:
        message = "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
        return _unchanged(status, {"conditions": conditions}, message)
    message = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
    return _unchanged(status, before, message)


def _decision(status: Mapping[str, Any]) -> str:
    decided = (
        c["type"] for c in status.get("conditions") or () if c.get("type") in FINAL_TYPES and c.get("status") == "True"
    )
    return next(decided, "")


def _unchanged(status: Mapping[str, Any], wanted: Mapping[str, Any], message: str) -> list[FieldError]:
    return [] if status == wanted else [invalid("status", OMITTED, message)]


def _annotation_errors(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    for key, value in sorted(annotations.items()):
        if "/" not in key:
            errors.append(invalid(path, key, 'must be a domain-prefixed key (such as "acme.io/foo")'))
        errors += [invalid(path, key, m) for m in qualified_name_errors(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_MAX_BYTES:
        errors.append(too_long(path, ANNOTATIONS_MAX_BYTES))
    return errors


def _request_errors(encoded: str) -> list[FieldError]:
    data = base64.b64decode(encoded)
    if not data:
        return [required(_REQUEST)]
    if len(data) > _MAX_REQUEST:
        return [too_long(_REQUEST, _MAX_REQUEST)]
    try:
        found = pem.request(data)
        key = found.public_key()
    except ValueError:
        return [invalid(_REQUEST, encoded, "must be a valid PKCS#10 CSR")]
    shown, problem = pem.key_problem(key)
    if problem:
        return [invalid(_REQUEST, shown, problem)]
    return [] if pem.has_valid_signature(found) else [invalid(_REQUEST, OMITTED, "signature check failed")]


def _issued_errors(status: Mapping[str, Any], spec: Mapping[str, Any]) -> list[FieldError]:
    chain = status.get("certificateChain") or ""
    if len(chain.encode()) > _MAX_CHAIN:
        return [too_long(_CHAIN, _MAX_CHAIN)]
    found = list(pem.blocks(chain))
    if not found:
        return [invalid(_CHAIN, chain, "issued certificate chain must contain at least one certificate")]
    if any(block.type != pem.CERTIFICATE for block in found):
        return [invalid(_CHAIN, chain, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks")]
    parsed: list[x509.Certificate] = []
    for i, block in enumerate(found):
        try:
            parsed.append(pem.certificate(block.data))
        except ValueError:
            which = "intermediate" if i else "leaf"
            return [invalid(_CHAIN, chain, f"{which} certificate does not parse as valid X.509")]
    leaf = parsed[0]
    wanted = pem.request(base64.b64decode(spec.get("stubPKCS10Request") or "")).public_key()
    if not pem.same_key(leaf.public_key(), wanted):
        return [invalid(_CHAIN, chain, "leaf certificate was not issued to the requested public key")]
    return _time_errors(
        status, leaf.not_valid_before_utc, leaf.not_valid_after_utc, spec.get("maxExpirationSeconds") or 0
    )


def _time_errors(status: Mapping[str, Any], begins: datetime, ends: datetime, longest: int) -> list[FieldError]:
    consistent = "must be present and consistent with the issued certificate"
    refresh = "must be present and in the range [notbefore+10min, notafter-10min]"
    words = {"notBefore": consistent, "notAfter": consistent, "beginRefreshAt": refresh}
    missing = [required(f"status.{field}", message) for field, message in words.items() if not status.get(field)]
    if missing:
        return missing
    for field, name, wanted in (("notBefore", "NotBefore", begins), ("notAfter", "NotAfter", ends)):
        if parse_time(status[field]) != wanted:
            message = f"must be set to the {name} time encoded in the leaf certificate"
            return [invalid(f"status.{field}", status[field], message)]
    lifetime = ends - begins
    if lifetime < timedelta(seconds=_HOUR):
        return [invalid(_CHAIN, _go_duration(lifetime), "leaf certificate lifetime must be >= 1 hour")]
    if lifetime > timedelta(seconds=longest):
        message = f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({longest})"
        return [invalid(_CHAIN, _go_duration(lifetime), message)]
    again = parse_time(status["beginRefreshAt"])
    if again < begins + _MARGIN:
        return [
            invalid("status.beginRefreshAt", now_rfc3339(again), "must be at least 10 minutes after status.notBefore")
        ]
    if again > ends - _MARGIN:
        return [
            invalid("status.beginRefreshAt", now_rfc3339(again), "must be at least 10 minutes before status.notAfter")
        ]
    return []


def _go_duration(lifetime: timedelta) -> str:
    seconds = int(lifetime.total_seconds())
    text = f"{seconds // 3600}h{seconds // 60 % 60}m{seconds % 60}s"
    return re.sub("^0h(0m)?", "", text)
