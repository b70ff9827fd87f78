"""Pod."""

from datetime import datetime

from kubeactors.api.defaults.pod import default_pod
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import (
    AGE_COLUMN,
    CONNECT_VERBS,
    NAME_COLUMN,
    PROXY_VERBS,
    STATUS_VERBS,
    Column,
    Kind,
    Subresource,
)
from kubeactors.api.kinds.podsubresources import EphemeralContainersStrategy, ResizeStrategy
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy, take_over
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.pod_labels import merge_label_keys
from kubeactors.api.pod_profiles import profile_warnings, profiles_from_annotations
from kubeactors.api.printers.pod import pod_cells, pod_row_conditions
from kubeactors.api.qos import compute_pod_qos
from kubeactors.api.validation.ip_warnings import ip_warnings
from kubeactors.api.validation.pod import pod_errors, pod_status_update_errors, pod_update_errors
from kubeactors.api.validation.pod.warnings import pod_name_warnings, pod_warnings


class PodStrategy(Strategy):
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        default_pod(obj)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        spec = obj["spec"]
        if spec["terminationGracePeriodSeconds"] < 0:
            spec["terminationGracePeriodSeconds"] = 1
        obj["status"] = {"phase": "Pending", "qosClass": compute_pod_qos(spec)}
        if spec.get("schedulingGates"):
            obj["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                    "lastProbeTime": None,
                    "lastTransitionTime": now_rfc3339(now),
                }
            ]
        merge_label_keys(obj)
        profiles_from_annotations(obj)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return pod_name_warnings(obj, "the Pod's hostname") + pod_warnings(obj, "") + profile_warnings(obj)

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return []  # Kubernetes spares updates of pods, which are many and hardly ever a person's, the cost

    def validate(self, obj: Object) -> list[FieldError]:
        return pod_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return pod_update_errors(new, old)


class PodStatusStrategy(StatusStrategy):
    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        take_over(new["metadata"], old["metadata"], "ownerReferences")
        status, before = new.get("status"), old.get("status") or {}
        if status is None:
            return
        for field in ("qosClass", "observedGeneration"):
            if not status.get(field) and before.get(field):
                status[field] = before[field]
        known: dict[str, list[int]] = {}
        for condition in before.get("conditions") or ():
            known.setdefault(condition.get("type") or "", []).append(condition.get("observedGeneration") or 0)
        for condition in status.get("conditions") or ():
            generations = known.get(condition.get("type") or "")
            kept = generations.pop(0) if generations else 0
            if kept and not condition.get("observedGeneration"):
                condition["observedGeneration"] = kept

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        status = new.get("status") or {}
        return [
            warning
            for field in ("podIPs", "hostIPs")
            for i, address in enumerate(status.get(field) or ())
            for warning in ip_warnings(address.get("ip") or "", f"status.{field}[{i}].ip")
        ]


_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)


def _fields(obj: Object) -> dict[str, str]:
    spec = obj.get("spec") or {}
    status = obj.get("status") or {}
    return {
        "spec.nodeName": spec.get("nodeName") or "",
        "spec.restartPolicy": spec.get("restartPolicy") or "",
        "spec.schedulerName": spec.get("schedulerName") or "",
        "spec.serviceAccountName": spec.get("serviceAccountName") or "",
        "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
        "status.phase": status.get("phase") or "",
        "status.podIP": status.get("podIP") or "",
        "status.nominatedNodeName": status.get("nominatedNodeName") or "",
    }


_STRATEGY = PodStrategy()

KIND = Kind(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    short_names=("po",),
    categories=("all",),
    schema="io.k8s.api.core.v1.Pod",
    strategy=_STRATEGY,
    subresources=(
        Subresource("attach", CONNECT_VERBS, kind="PodAttachOptions", connects=True),
        Subresource("exec", CONNECT_VERBS, kind="PodExecOptions", connects=True),
        Subresource("portforward", CONNECT_VERBS, kind="PodPortForwardOptions", connects=True),
        Subresource("proxy", PROXY_VERBS, kind="PodProxyOptions", connects=True),
        Subresource("binding", ("create",), kind="Binding", schema="io.k8s.api.core.v1.Binding"),
        Subresource("ephemeralcontainers", STATUS_VERBS, strategy=EphemeralContainersStrategy(_STRATEGY)),
        Subresource(
            "eviction",
            ("create",),
            kind="Eviction",
            group="policy",
            version="v1",
            schema="io.k8s.api.policy.v1.Eviction",
        ),
        Subresource("log", ("get",)),
        Subresource("resize", STATUS_VERBS, strategy=ResizeStrategy(_STRATEGY)),
        Subresource("status", STATUS_VERBS, strategy=PodStatusStrategy(_STRATEGY, validate=pod_status_update_errors)),
    ),
    field_labels=_FIELDS,
    field_values=_fields,
    field_aliases={"spec.host": "spec.nodeName"},
    legacy_field_errors=True,
    columns=(
        NAME_COLUMN,
        Column("Ready", description="The aggregate readiness state of this pod for accepting traffic."),
        Column("Status", description="The aggregate status of the containers in this pod."),
        Column(
            "Restarts",
            description="The number of times the containers in this pod have been restarted and when the last "
            "container in this pod has restarted.",
        ),
        AGE_COLUMN,
        Column("IP", priority=1, doc="PodStatus.podIP"),
        Column("Node", priority=1, doc="PodSpec.nodeName"),
        Column("Nominated Node", priority=1, doc="PodStatus.nominatedNodeName"),
        Column("Readiness Gates", priority=1, doc="PodSpec.readinessGates"),
    ),
    cells=pod_cells,
    row_conditions=pod_row_conditions,
)
