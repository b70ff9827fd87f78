"""CertificateSigningRequest. Who asks (username, groups and so on) is filled in by the API server's admission."""

from datetime import datetime

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import Strategy, keep_server_owned_metadata, take_over
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.printers.certificates import csr_cells
from kubeactors.api.validation.certificates.csr import (
    APPROVAL_TYPES,
    conditions_of,
    csr_errors,
    csr_update_errors,
)


def any_name(name: str) -> list[str]:
    return []


class CertificateSigningRequestStrategy(Strategy):
    namespaced = False
    has_status = True
    check_name = staticmethod(any_name)

    @property
    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        return (("spec",), ("status",))

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        take_over(new, old, "spec")

    def validate(self, obj: Object) -> list[FieldError]:
        return csr_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return csr_update_errors(new, old)


class _StatusStrategy(Strategy):
    """Writes to status: certificate and conditions, but for the decision, which stays."""

    namespaced = False

    @property
    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        return (("spec",), ("status", "conditions"))

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        keep_server_owned_metadata(new, old)
        take_over(new, old, "spec")
        for kind in APPROVAL_TYPES:
            _keep_decision(new, old, kind)
        _fill_times(new, old, now)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return csr_update_errors(new, old, signs=True)


class _ApprovalStrategy(Strategy):
    """Writes to approval: conditions alone."""

    namespaced = False

    @property
    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        return (("spec",), ("status", "certificate"))

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        keep_server_owned_metadata(new, old)
        take_over(new, old, "spec")
        _fill_times(new, old, now)
        conditions = conditions_of(new)
        new["status"] = {key: value for key, value in (old.get("status") or {}).items() if key != "conditions"}
        if conditions:
            new["status"]["conditions"] = conditions

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return csr_update_errors(new, old, decides=True)


def _keep_decision(new: Object, old: Object, kind: str) -> None:
    after, before = ([i for i, c in enumerate(conditions_of(o)) if c.get("type") == kind] for o in (new, old))
    if len(after) == len(before):
        for i, j in zip(after, before, strict=True):
            conditions_of(new)[i] = conditions_of(old)[j]


def _fill_times(new: Object, old: Object, now: datetime) -> None:
    for condition in conditions_of(new):
        if not condition.get("lastUpdateTime"):
            condition["lastUpdateTime"] = now_rfc3339(now)
        if not condition.get("lastTransitionTime"):
            same = (
                c["lastTransitionTime"]
                for c in conditions_of(old)
                if c.get("type") == condition.get("type")
                and c.get("status") == condition.get("status")
                and c.get("lastTransitionTime")
            )
            condition["lastTransitionTime"] = next(same, now_rfc3339(now))


def _fields(obj: Object) -> dict[str, str]:
    return {"spec.signerName": (obj.get("spec") or {}).get("signerName") or ""}


# In the words of v1beta1, as kube-apiserver's table has them.
_DOCS = {
    "signerName": (
        "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If "
        "empty, it will be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    "
        '"kubernetes.io/kube-apiserver-client-kubelet".\n 2. If it\'s a kubelet serving certificate, it is '
        'assigned\n    "kubernetes.io/kubelet-serving".\n 3. Otherwise, it is assigned '
        '"kubernetes.io/legacy-unknown".\nDistribution of trust for signers happens out of band. You can '
        "select on this field using `spec.signerName`."
    ),
    "request": ("Base64-encoded PKCS#10 CSR data"),
    "expirationSeconds": (
        "expirationSeconds is the requested duration of validity of the issued certificate. The certificate "
        "signer may issue a certificate with a different validity duration so a client must check the delta "
        "between the notBefore and and notAfter fields in the issued certificate to determine the actual "
        "duration.\n\nThe v1.22+ in-tree implementations of the well-known Kubernetes signers will honor "
        "this field as long as the requested duration is not greater than the maximum duration they will "
        "honor per the --cluster-signing-duration CLI flag to the Kubernetes controller "
        "manager.\n\nCertificate signers may not honor this field for various reasons:\n\n  1. Old signer "
        "that is unaware of the field (such as the in-tree\n     implementations prior to v1.22)\n  2. "
        "Signer whose configured maximum is shorter than the requested duration\n  3. Signer whose "
        "configured minimum is longer than the requested duration\n\nThe minimum valid value for "
        "expirationSeconds is 600, i.e. 10 minutes."
    ),
    "conditions": ("Conditions applied to the request, such as approval or denial."),
}

KIND = Kind(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    namespaced=False,
    short_names=("csr",),
    schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
    strategy=CertificateSigningRequestStrategy(),
    subresources=(
        Subresource("approval", STATUS_VERBS, strategy=_ApprovalStrategy()),
        Subresource("status", STATUS_VERBS, strategy=_StatusStrategy()),
    ),
    field_labels=("spec.signerName",),
    field_values=_fields,
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
        Column("SignerName", description=_DOCS["signerName"]),
        Column("Requestor", description=_DOCS["request"]),
        Column("RequestedDuration", description=_DOCS["expirationSeconds"]),
        Column("Condition", description=_DOCS["conditions"]),
    ),
    cells=csr_cells,
)
