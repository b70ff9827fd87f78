"""PodCertificateRequest (KEP-4317)."""

from datetime import datetime

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.printers.certificates import pod_certificate_cells
from kubeactors.api.validation.certificates.pod_certificate import (
    FINAL_TYPES,
    pod_certificate_errors,
    pod_certificate_status_errors,
    pod_certificate_update_errors,
)

_DAY = 86400


class PodCertificateRequestStrategy(Strategy):
    has_status = True

    def default(self, obj: Object) -> None:
        spec = obj.get("spec")
        if spec is not None and spec.get("maxExpirationSeconds") is None:
            spec["maxExpirationSeconds"] = _DAY

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def validate(self, obj: Object) -> list[FieldError]:
        return pod_certificate_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return pod_certificate_update_errors(new, old)


class _StatusStrategy(StatusStrategy):
    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        before = {(c.get("type"), c.get("status")): c for c in (old.get("status") or {}).get("conditions") or ()}
        conditions = (new.get("status") or {}).get("conditions") or []
        for i, condition in enumerate(conditions):
            kept = before.get((condition.get("type"), condition.get("status")))
            if kept is not None and condition.get("type") in FINAL_TYPES:
                conditions[i] = kept
            elif not condition.get("lastTransitionTime"):
                condition["lastTransitionTime"] = now_rfc3339(now)


_FIELDS = ("spec.nodeName", "spec.podName", "spec.signerName")


def _fields(obj: Object) -> dict[str, str]:
    spec = obj.get("spec") or {}
    return {field: spec.get(field.removeprefix("spec.")) or "" for field in _FIELDS}


_STRATEGY = PodCertificateRequestStrategy()

KIND = Kind(
    group="certificates.k8s.io",
    version="v1",
    kind="PodCertificateRequest",
    plural="podcertificaterequests",
    schema="io.k8s.api.certificates.v1.PodCertificateRequest",
    strategy=_STRATEGY,
    unconditional_update=False,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=_StatusStrategy(_STRATEGY, validate=pod_certificate_status_errors, keep_metadata=True),
        ),
    ),
    field_labels=_FIELDS,
    field_values=_fields,
    columns=(
        NAME_COLUMN,
        Column("PodName", doc="PodCertificateRequestSpec.podName"),
        Column("ServiceAccountName", doc="PodCertificateRequestSpec.serviceAccountName"),
        Column("NodeName", doc="PodCertificateRequestSpec.nodeName"),
        Column("SignerName", doc="PodCertificateRequestSpec.signerName"),
        Column("State", description="Whether the certificate was issued"),
    ),
    cells=pod_certificate_cells,
)
