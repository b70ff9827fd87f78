"""Cells of certificates.k8s.io."""

from datetime import datetime
from typing import Any

from kubeactors.api.duration import human
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import NONE, age, name


def csr_cells(csr: Object, now: datetime) -> list[Any]:
    spec = csr.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    return [
        name(csr),
        age(csr, now),
        spec.get("signerName") or NONE,
        spec.get("username") or "",
        NONE if seconds is None else human(seconds),
        _csr_condition(csr),
    ]


def trust_bundle_cells(bundle: Object, now: datetime) -> list[Any]:
    return [name(bundle), (bundle.get("spec") or {}).get("signerName") or NONE]


def pod_certificate_cells(request: Object, now: datetime) -> list[Any]:
    spec = request.get("spec") or {}
    conditions = (request.get("status") or {}).get("conditions") or ()
    state = next((c["type"] for c in conditions if c.get("type") in ("Denied", "Failed", "Issued")), "Pending")
    return [
        name(request),
        *(spec.get(field) or "" for field in ("podName", "serviceAccountName", "nodeName", "signerName")),
        state,
    ]


def _csr_condition(csr: Object) -> str:
    status = csr.get("status") or {}
    kinds = {c.get("type") for c in status.get("conditions") or ()}
    text = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    if "Failed" in kinds:
        text += ",Failed"
    return f"{text},Issued" if status.get("certificate") else text
