"""Validation of certificate signing requests."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api.choices import CONDITION_STATUSES, KEY_USAGES
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, go_quote, invalid, not_supported, required
from kubeactors.api.validation.certificates import pem
from kubeactors.api.validation.certificates.signer import signer_name_errors
from kubeactors.api.validation.common import duplicates

APPROVAL_TYPES: Final = ("Approved", "Denied")
_TRUE_ONLY: Final = ("Approved", "Denied", "Failed")
_LEGACY_SIGNER: Final = "kubernetes.io/legacy-unknown"
_MIN_SECONDS: Final = 600
_USAGES: Final = frozenset(KEY_USAGES)


@dataclass(frozen=True, slots=True)
class _Tolerated:
    """What an update may keep because the object has it already."""

    both_decisions: bool = False
    legacy_signer: bool = False
    duplicate_conditions: bool = False
    empty_condition: bool = False
    any_certificate: bool = False
    unknown_usages: bool = False
    duplicate_usages: bool = False


def csr_errors(csr: Mapping[str, Any]) -> list[FieldError]:
    return _errors(csr, _Tolerated())


def csr_update_errors(
    new: Mapping[str, Any], old: Mapping[str, Any], *, decides: bool = False, signs: bool = False
) -> list[FieldError]:
    """`decides`: a write to approval, which may add Approved and Denied. `signs`: a write to status, which may set the
    certificate."""
    errors = _errors(new, _tolerated(new, old))
    path = "status.conditions"
    for kind in _TRUE_ONLY:
        if len(_of_type(new, kind)) < len(_of_type(old, kind)):
            errors.append(forbidden(path, f"updates may not remove a condition of type {go_quote(kind)}"))
    if not decides:
        for kind in APPROVAL_TYPES:
            after, before = _of_type(new, kind), _of_type(old, kind)
            if len(after) > len(before):
                errors.append(forbidden(path, f"updates may not add a condition of type {go_quote(kind)}"))
            elif len(after) == len(before) and after != before:
                errors.append(forbidden(path, f"updates may not modify a condition of type {go_quote(kind)}"))
    certificate, present = ((o.get("status") or {}).get("certificate") or "" for o in (new, old))
    if certificate != present:
        where = "status.certificate"
        if not signs:
            errors.append(forbidden(where, "updates may not set certificate content"))
        elif present:
            errors.append(forbidden(where, "updates may not modify existing certificate content"))
    return errors


def conditions_of(csr: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (csr.get("status") or {}).get("conditions") or []


def _errors(csr: Mapping[str, Any], tolerated: _Tolerated) -> list[FieldError]:
    spec = csr.get("spec") or {}
    errors: list[FieldError] = []
    encoded = spec.get("request") or ""
    problem = _request_problem(encoded)
    if problem:
        errors.append(invalid("spec.request", encoded or None, problem))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(required("spec.usages"))
    if not tolerated.unknown_usages:
        unknown = ((i, u) for i, u in enumerate(usages) if u not in _USAGES)
        errors += [not_supported(f"spec.usages[{i}]", u, _USAGES) for i, u in unknown]
    if not tolerated.duplicate_usages:
        errors += [duplicate(f"spec.usages[{i}]", usages[i]) for i in duplicates(usages)]
    signer = spec.get("signerName") or ""
    if signer == _LEGACY_SIGNER and not tolerated.legacy_signer:
        message = "the legacy signerName is not allowed via this API version"
        errors.append(invalid("spec.signerName", signer, message))
    else:
        errors += signer_name_errors(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_SECONDS:
        message = f"may not specify a duration less than {_MIN_SECONDS} seconds (10 minutes)"
        errors.append(invalid("spec.expirationSeconds", seconds, message))
    errors += _condition_errors(conditions_of(csr), tolerated)
    if not tolerated.any_certificate:
        problem = _certificate_problem((csr.get("status") or {}).get("certificate") or "")
        if problem:
            errors.append(invalid("status.certificate", "<certificate data>", problem))
    return errors


def _condition_errors(conditions: list[dict[str, Any]], tolerated: _Tolerated) -> list[FieldError]:
    path = "status.conditions"
    errors: list[FieldError] = []
    seen: list[str] = []
    for i, condition in enumerate(conditions):
        kind, status = condition.get("type") or "", condition.get("status") or ""
        if not kind and not tolerated.empty_condition:
            errors.append(required(f"{path}[{i}].type"))
        allowed = ("True",) if kind in _TRUE_ONLY else frozenset(CONDITION_STATUSES)
        if not status:
            errors.append(required(f"{path}[{i}].status"))
        elif status not in allowed:
            errors.append(not_supported(f"{path}[{i}].status", status, allowed))
        opposite = {"Approved": "Denied", "Denied": "Approved"}.get(kind)
        if opposite in seen and not tolerated.both_decisions:
            errors.append(invalid(path, kind, "Approved and Denied conditions are mutually exclusive"))
        if kind in seen and not tolerated.duplicate_conditions:
            errors.append(duplicate(f"{path}[{i}].type", kind))
        seen.append(kind)
    return errors


def _tolerated(new: Mapping[str, Any], old: Mapping[str, Any]) -> _Tolerated:
    spec = old.get("spec") or {}
    kinds = [c.get("type") or "" for c in conditions_of(old)]
    usages = spec.get("usages") or []
    certificate, present = ((o.get("status") or {}).get("certificate") or "" for o in (new, old))
    return _Tolerated(
        both_decisions=all(kind in kinds for kind in APPROVAL_TYPES),
        legacy_signer=spec.get("signerName") == _LEGACY_SIGNER,
        duplicate_conditions=len(set(kinds)) < len(kinds),
        empty_condition="" in kinds,
        any_certificate=certificate == present or bool(_certificate_problem(present)),
        unknown_usages=any(u not in _USAGES for u in usages),
        duplicate_usages=len(set(usages)) < len(usages),
    )


def _of_type(csr: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [c for c in conditions_of(csr) if c.get("type") == kind]


def _decoded(encoded: str) -> str:
    return base64.b64decode(encoded).decode("latin-1")


def _request_problem(encoded: str) -> str:
    block = next(pem.blocks(_decoded(encoded)), None)
    if block is None or block.type != pem.REQUEST:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        found = pem.request(block.data)
    except ValueError as error:
        return f"asn1: structure error: {error}"
    return "" if pem.has_valid_signature(found) else "x509: the signature of the request is not its key's"


def _certificate_problem(encoded: str) -> str:
    if not encoded:
        return ""
    count = 0
    for block in pem.blocks(_decoded(encoded)):
        if block.type != pem.CERTIFICATE:
            return f"only CERTIFICATE PEM blocks are allowed, found {go_quote(block.type)}"
        if block.headers:
            return "no PEM block headers are permitted"
        count += 1
        if not block.data:
            return "found CERTIFICATE PEM block containing 0 certificates"
        try:
            pem.certificate(block.data)
        except ValueError as error:
            return f"x509: malformed certificate: {error}"
    return "" if count else "must contain at least one CERTIFICATE PEM block"
