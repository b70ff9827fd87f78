"""Validation of cluster trust bundles."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, invalid, too_long
from kubeactors.api.validation.certificates import pem
from kubeactors.api.validation.certificates.signer import signer_name_errors
from kubeactors.api.validation.common import immutable
from kubeactors.api.validation.names import dns1123_subdomain_errors

_MAX_SIZE: Final = 1024 * 1024
_OMITTED: Final = "<value omitted>"


def trust_bundle_errors(bundle: Mapping[str, Any], *, parse: bool = True) -> list[FieldError]:
    """`parse`: whether the anchors are looked at."""
    spec = bundle.get("spec") or {}
    signer = spec.get("signerName") or ""
    errors = signer_name_errors(signer, "spec.signerName") if signer else []
    return errors + _anchor_errors(spec.get("trustBundle") or "", "spec.trustBundle") if parse else errors


def trust_bundle_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    errors = trust_bundle_errors(new, parse=after.get("trustBundle") != before.get("trustBundle"))
    signers = [spec.get("signerName") or "" for spec in (after, before)]
    return errors + immutable(signers[0], signers[1], "spec.signerName")


def trust_bundle_name_errors(name: str, signer: str) -> list[str]:
    """A bundle of a signer is named for it."""
    if not signer:
        if ":" in name:
            return ['ClusterTrustBundle without signer name must not have ":" in its name']
        return dns1123_subdomain_errors(name)
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
    return dns1123_subdomain_errors(name.removeprefix(prefix))


def _anchor_errors(text: str, path: str) -> list[FieldError]:
    if len(text.encode()) > _MAX_SIZE:
        return [too_long(path, _MAX_SIZE)]
    problems: list[str] = []
    places: dict[bytes, list[int]] = {}
    for i, block in enumerate(pem.blocks(text)):
        problem = _block_problem(block)
        if problem:
            problems.append(f"entry {i} {problem}")
        else:
            places.setdefault(block.data, []).append(i)
    if not problems and not places:
        problems.append("at least one trust anchor must be provided")
    elif not problems:
        several = (indices for indices in places.values() if len(indices) > 1)
        problems += [f"duplicate trust anchor (indices [{' '.join(map(str, indices))}])" for indices in several]
    return [invalid(path, _OMITTED, problem) for problem in problems]


def _block_problem(block: pem.Block) -> str:
    if block.type != pem.CERTIFICATE:
        return f"has bad block type: {block.type}"
    if block.headers:
        return "has PEM block headers"
    try:
        found = pem.certificate(block.data)
    except ValueError:
        return "does not parse as X.509"
    return "" if pem.is_authority(found) else "does not have the CA bit set"
