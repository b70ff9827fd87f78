"""ClusterTrustBundle (KEP-3257)."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.certificates import trust_bundle_cells
from kubeactors.api.validation.certificates.trust_bundle import (
    trust_bundle_errors,
    trust_bundle_name_errors,
    trust_bundle_update_errors,
)
from kubeactors.api.validation.metadata import metadata_errors


def _signer(obj: Object) -> str:
    return (obj.get("spec") or {}).get("signerName") or ""


class ClusterTrustBundleStrategy(Strategy):
    namespaced = False

    def validate_create(self, obj: Object) -> list[FieldError]:
        signer = _signer(obj)
        errors = metadata_errors(
            obj.get("metadata") or {}, namespaced=False, check_name=lambda name: trust_bundle_name_errors(name, signer)
        )
        return errors + self.validate(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return trust_bundle_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return trust_bundle_update_errors(new, old)


def _fields(obj: Object) -> dict[str, str]:
    return {"spec.signerName": _signer(obj)}


KIND = Kind(
    group="certificates.k8s.io",
    version="v1",
    kind="ClusterTrustBundle",
    plural="clustertrustbundles",
    namespaced=False,
    schema="io.k8s.api.certificates.v1.ClusterTrustBundle",
    strategy=ClusterTrustBundleStrategy(),
    unconditional_update=False,
    field_labels=("spec.signerName",),
    field_values=_fields,
    columns=(NAME_COLUMN, Column("SignerName", doc="ClusterTrustBundleSpec.signerName")),
    cells=trust_bundle_cells,
)
