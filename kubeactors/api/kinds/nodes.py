"""Node."""

from datetime import datetime

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, PROXY_VERBS, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy, take_over
from kubeactors.api.meta import Object
from kubeactors.api.printers.node import node_cells
from kubeactors.api.validation.ip_warnings import cidr_warnings
from kubeactors.api.validation.node import node_errors, node_status_update_errors, node_update_errors


class NodeStrategy(Strategy):
    namespaced = False

    def default(self, obj: Object) -> None:
        status = obj.get("status") or {}
        if status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])
        spec = obj.get("spec") or {}
        first, ranges = spec.get("podCIDR"), spec.get("podCIDRs")
        if first and (not ranges or ranges[0] != first):
            # Who writes the old field knows nothing of the new one; it counts.
            spec["podCIDRs"] = [first]
        elif ranges and not first:
            spec["podCIDR"] = ranges[0]

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        _drop_gated(obj, {})

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        take_over(new, old, "status")
        _drop_gated(new, old)

    def validate(self, obj: Object) -> list[FieldError]:
        return node_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return node_update_errors(new, old)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return _warnings(obj)


def _warnings(obj: Object) -> list[str]:
    spec, warnings = obj.get("spec") or {}, []
    if spec.get("configSource") is not None:
        warnings.append("spec.configSource: the feature is removed")
    if spec.get("externalID"):
        warnings.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    for i, cidr in enumerate(spec.get("podCIDRs") or ()):
        warnings += cidr_warnings(cidr, f"spec.podCIDRs[{i}]")
    return warnings


def _drop_gated(new: Object, old: Object) -> None:
    """Fields of features that are gone (configSource) or no stable ones, unless the node has them from before."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for field in ("configSource", "podPreemptionPolicy"):
        if before.get(field) is None:
            spec.pop(field, None)


def _fields(obj: Object) -> dict[str, str]:
    return {"spec.unschedulable": "true" if (obj.get("spec") or {}).get("unschedulable") else "false"}


_STRATEGY = NodeStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    namespaced=False,
    short_names=("no",),
    schema="io.k8s.api.core.v1.Node",
    strategy=_STRATEGY,
    subresources=(
        Subresource("proxy", PROXY_VERBS, kind="NodeProxyOptions", connects=True),
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=node_status_update_errors)),
    ),
    field_labels=("spec.unschedulable",),
    field_values=_fields,
    legacy_field_errors=True,
    storage_path="minions",
    columns=(
        NAME_COLUMN,
        Column("Status", description="The status of the node"),
        Column("Roles", description="The roles of the node"),
        AGE_COLUMN,
        Column("Version", doc="NodeSystemInfo.kubeletVersion"),
        Column("Internal-IP", priority=1, doc="NodeStatus.addresses"),
        Column("External-IP", priority=1, doc="NodeStatus.addresses"),
        Column("OS-Image", priority=1, doc="NodeSystemInfo.osImage"),
        Column("Kernel-Version", priority=1, doc="NodeSystemInfo.kernelVersion"),
        Column("Container-Runtime", priority=1, doc="NodeSystemInfo.containerRuntimeVersion"),
    ),
    cells=node_cells,
)
