"""Defaults of daemon sets and stateful sets."""

from typing import Any

from kubeactors.api.defaults.volume import default_claim_spec
from kubeactors.api.defaults.workload import default_template

JsonObject = dict[str, Any]


def default_daemon_set(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.get("template"))
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)


def default_stateful_set(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.get("template"))
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        # A strategy that is named without parameters keeps none.
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    for claim in spec.get("volumeClaimTemplates") or ():
        _default_claim_template(claim)


def _default_claim_template(claim: JsonObject) -> None:
    """A claim in a stateful set is a whole PersistentVolumeClaim, and says so."""
    claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
    default_claim_spec(claim.setdefault("spec", {}))
    status = claim.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"
