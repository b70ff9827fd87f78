"""Persistent volumes and claims: what is filled in, what is refused, what may change, how they are shown."""

from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.api.table import cells
from tests.support.api_samples import NOW, completed, create_errors, update_errors, updated

IMMUTABLE_SPEC = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and "
    "volumeAttributesClassName for bound claims"
)


def volume(**spec: Any) -> Object:
    base = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    return {"metadata": {"name": "v"}, "spec": {k: v for k, v in {**base, **spec}.items() if v is not None}}


def claim(**spec: Any) -> Object:
    base: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": "c"}, "spec": {**base, **spec}}


def test_a_volume_is_completed() -> None:
    made = completed("pv", volume(azureDisk={"diskName": "d", "diskURI": "http://u"}, hostPath=None))
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made["spec"]["volumeMode"] == "Filesystem"
    assert made["spec"]["azureDisk"]["cachingMode"] == "ReadWrite"
    assert made["status"] == {"phase": "Pending", "lastPhaseTransitionTime": "2026-01-01T00:00:00Z"}


def test_a_claim_names_its_source_in_both_fields() -> None:
    source = {"kind": "PersistentVolumeClaim", "name": "other"}
    spec = completed("pvc", claim(dataSource=source))["spec"]
    assert spec["dataSourceRef"]["name"] == "other"
    assert spec["dataSource"]["kind"] == "PersistentVolumeClaim"
    spec = completed("pvc", claim(dataSourceRef={"apiGroup": "x.io", "kind": "K", "name": "n"}))["spec"]
    assert spec["dataSource"] == {"apiGroup": "x.io", "kind": "K", "name": "n"}


@pytest.mark.parametrize(
    "spec",
    [
        {"dataSource": {"kind": "Pod", "name": "x"}},
        {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "x", "namespace": "other"}},
    ],
)
def test_sources_of_other_kinds_and_namespaces_are_dropped(spec: Object) -> None:
    made = completed("pvc", claim(**spec))["spec"]
    assert "dataSource" not in made
    assert "dataSourceRef" not in made


def test_sources_that_a_claim_cannot_have_are_dropped_by_updates_too() -> None:
    with_pod = claim(dataSource={"kind": "Pod", "name": "x"})
    assert (
        update_errors("pvc", completed("pvc", with_pod), {**completed("pvc", with_pod), "spec": with_pod["spec"]}) == []
    )


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({}, []),
        (
            {"capacity": None, "accessModes": None, "hostPath": None},
            [
                "spec.accessModes: Required value",
                "spec.capacity: Required value",
                'spec.capacity: Unsupported value: null: supported values: "storage"',
                "spec: Required value: must specify a volume type",
            ],
        ),
        (
            {"capacity": {"storage": "-1"}},
            [
                "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
                'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
            ],
        ),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]},
            ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
        ),
        (
            {"nfs": {"server": "s", "path": "/"}},
            ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            {"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"},
            ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
        ),
        (
            {"hostPath": None, "local": {"path": "/data"}},
            ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        (
            {"hostPath": None, "csi": {"driver": "Bad_", "volumeHandle": ""}},
            [
                'spec.csi.driver: Invalid value: "Bad_": a lowercase RFC 1123 subdomain must consist of lower case '
                "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
                "'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
                "spec.csi.volumeHandle: Required value",
            ],
        ),
        (
            {"hostPath": None, "csi": {"driver": "d", "volumeHandle": "h", "nodePublishSecretRef": {"name": "s"}}},
            ["spec.csi.nodePublishSecretRef.namespace: Required value"],
        ),
        (
            {"hostPath": None, "iscsi": {"targetPortal": "t", "iqn": "x", "lun": 300, "chapAuthSession": True}},
            [
                'spec.iscsi.iqn: Invalid value: "x": must be valid format',
                "spec.iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive",
                "spec.iscsi.secretRef: Required value",
            ],
        ),
        (
            {"hostPath": None, "fc": {"targetWWNs": ["a"]}},
            ["spec.fc.lun: Required value: lun is required if targetWWNs is specified"],
        ),
        (
            {"hostPath": None, "flexVolume": {"driver": "d", "options": {"a.k8s.io/b": "c"}}},
            [
                'spec.flexVolume.options[a.k8s.io/b]: Invalid value: "a.k8s.io/b": '
                "kubernetes.io and k8s.io namespaces are reserved"
            ],
        ),
        (
            {"volumeAttributesClassName": ""},
            [
                "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
                "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
            ],
        ),
        (
            {"nodeAffinity": {"required": {"nodeSelectorTerms": []}}},
            ["spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term"],
        ),
    ],
)
def test_volumes_that_are_refused(spec: Object, errors: list[str]) -> None:
    assert create_errors("pv", volume(**spec)) == errors


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({}, []),
        (
            {"accessModes": [], "resources": {}},
            [
                "spec.accessModes: Required value: at least 1 access mode is required",
                "spec.resources[storage]: Required value",
            ],
        ),
        (
            {"resources": {"requests": {"storage": "0"}}},
            ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
        ),
        (
            {"dataSourceRef": {"kind": "Pod", "name": ""}},
            [
                "spec.dataSource.name: Required value",
                "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing "
                "the default apiGroup",
                "spec.dataSourceRef.name: Required value",
                "spec.dataSourceRef: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing "
                "the default apiGroup",
            ],
        ),
    ],
)
def test_claims_that_are_refused(spec: Object, errors: list[str]) -> None:
    assert create_errors("pvc", claim(**spec)) == errors


def changed(old: Object, **spec: Any) -> Object:
    new = copy(old)
    new["spec"].update(spec)
    return new


def test_what_may_change_in_a_volume() -> None:
    kind = registry.lookup("pv")
    old = completed("pv", volume())
    assert update_errors("pv", old, changed(old, capacity={"storage": "2Gi"})) == []
    assert update_errors("pv", old, changed(old, hostPath={"path": "/y"})) == [
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    ]
    assert update_errors("pv", old, changed(old, volumeMode="Block")) == [
        'volumeMode: Invalid value: "Block": field is immutable'
    ]
    old = completed("pv", volume(hostPath=None, csi={"driver": "d", "volumeHandle": "h"}))
    secret = {"name": "s", "namespace": "n"}
    added = changed(old, csi={**old["spec"]["csi"], "controllerExpandSecretRef": secret})
    assert update_errors("pv", old, added) == []
    assert update_errors("pv", updated(kind, old, added), old) != []


def test_the_affinity_of_a_volume_is_set_once_and_follows_renamed_labels() -> None:
    def affinity(key: str) -> Object:
        term = {"matchExpressions": [{"key": key, "operator": "In", "values": ["a"]}]}
        return {"required": {"nodeSelectorTerms": [term]}}

    old = completed("pv", volume())
    beta = changed(old, nodeAffinity=affinity("failure-domain.beta.kubernetes.io/zone"))
    assert update_errors("pv", old, beta) == []
    assert update_errors("pv", beta, changed(beta, nodeAffinity=affinity("topology.kubernetes.io/zone"))) == []
    assert len(update_errors("pv", beta, changed(beta, nodeAffinity=affinity("other")))) == 1


def test_what_may_change_in_a_claim() -> None:
    old = completed("pvc", claim())
    assert update_errors("pvc", old, changed(old, volumeName="v")) == []
    assert update_errors("pvc", old, changed(old, storageClassName="s")) == []
    grown = {"requests": {"storage": "2Gi"}}
    assert update_errors("pvc", old, changed(old, resources=grown)) == [IMMUTABLE_SPEC]
    bound = changed(old, volumeName="v")
    bound["status"] = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    assert update_errors("pvc", bound, changed(bound, volumeName="w")) == [IMMUTABLE_SPEC]
    assert update_errors("pvc", bound, changed(bound, resources=grown)) == []
    assert update_errors("pvc", bound, changed(bound, resources={"requests": {"storage": "1M"}})) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    ]
    attributed = changed(bound, volumeAttributesClassName="gold")
    assert update_errors("pvc", bound, attributed) == []
    attributed["status"]["currentVolumeAttributesClassName"] = "gold"
    assert update_errors("pvc", attributed, changed(attributed, volumeAttributesClassName=None)) == [
        "spec.volumeAttributesClassName: Forbidden: update to nil is forbidden when "
        "status.currentVolumeAttributesClassName is not nil"
    ]


def test_a_size_cannot_be_taken_away() -> None:
    old = completed("persistentvolumeclaims", claim())
    old["status"] = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    shrunk = "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    new = {**old, "spec": {**old["spec"], "resources": {"requests": {}}}}
    assert update_errors("persistentvolumeclaims", old, new) == ["spec.resources[storage]: Required value", shrunk]


def test_mount_options_in_an_annotation() -> None:
    meta = {"name": "v", "annotations": {"volume.beta.kubernetes.io/mount-options": "ro"}}
    assert create_errors("persistentvolumes", {**volume(), "metadata": meta}) == [
        "metadata.annotations.volume.beta.kubernetes.io/mount-options: Forbidden: "
        "may not specify mount options for this volume type"
    ]


def test_the_status_of_a_claim() -> None:
    old = completed("pvc", claim())
    new = {**copy(old), "status": {"capacity": {"storage": "-1"}, "allocatedResourceStatuses": {"cpu": "X"}}}
    assert update_errors("pvc", old, new, "status") == [
        "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
        'status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: "storage"',
        'status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: "ControllerResizeInProgress", '
        '"ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
    ]


def test_a_new_phase_of_a_volume_is_dated() -> None:
    kind = registry.lookup("pv")
    old = completed("pv", volume())
    old["status"]["lastPhaseTransitionTime"] = "2001-01-01T00:00:00Z"
    new = copy(old)
    new["status"]["phase"] = "Bound"
    assert updated(kind, old, new, "status")["status"]["lastPhaseTransitionTime"] == "2026-01-01T00:00:00Z"
    new["status"]["lastPhaseTransitionTime"] = "2020-01-01T00:00:00Z"
    assert updated(kind, old, new, "status")["status"]["lastPhaseTransitionTime"] == "2020-01-01T00:00:00Z"


def test_warnings() -> None:
    strategy = registry.lookup("pv").strategy
    recycled = completed("pv", volume(persistentVolumeReclaimPolicy="Recycle", hostPath=None, rbd={}))
    assert strategy.warnings_on_create(recycled) == [
        "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
        "approach is to use dynamic provisioning.",
        "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
    ]
    fraction = completed("pvc", claim(resources={"requests": {"storage": "100m"}}))
    assert registry.lookup("pvc").strategy.warnings_on_create(fraction) == [
        'spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer'
    ]


def test_cells() -> None:
    made = completed("pv", volume(claimRef={"namespace": "ns", "name": "c"}, storageClassName="fast"))
    assert cells(registry.lookup("pv"), made, NOW) == [
        "v", "1Gi", "RWO", "Retain", "Pending", "ns/c", "fast", "<unset>", "", "0s", "Filesystem",
    ]  # fmt: skip
    made = completed("pvc", claim(volumeName="v", storageClassName="fast"))
    made["status"] = {
        "phase": "Bound",
        "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        "capacity": {"storage": "2Gi"},
    }
    assert cells(registry.lookup("pvc"), made, NOW) == [
        "c", "Bound", "v", "2Gi", "RWO,RWX", "fast", "<unset>", "0s", "Filesystem",
    ]  # fmt: skip
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert cells(registry.lookup("pvc"), made, NOW)[1] == "Terminating"
