"""DaemonSet, StatefulSet and ControllerRevision: defaults, what the server sets, refusals, cells."""

from datetime import timedelta
from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.api.validation.workload import deployment_status_errors, replica_set_status_errors
from tests.support.api_samples import NOW, completed, container, create_errors, deployment, pod, update_errors, updated

DAEMON_SETS = registry.lookup("daemonsets")
STATEFUL_SETS = registry.lookup("statefulsets")
LATER = NOW + timedelta(minutes=5)
GENERATION = "deprecated.daemonset.template.generation"


def revision(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "revision": 1, "data": {"a": 1}, **fields}


def claim(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def test_defaults_of_a_daemon_set() -> None:
    made = completed("daemonsets", deployment())
    assert made["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }
    assert made["spec"]["revisionHistoryLimit"] == 10
    assert made["metadata"]["annotations"] == {GENERATION: "1"}
    assert made["metadata"]["generation"] == 1
    assert made["status"] == {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    }


def test_a_daemon_set_counts_the_changes_of_its_template() -> None:
    old = completed("daemonsets", deployment())
    new = copy(old)
    new["metadata"]["annotations"] = {"mine": "1", GENERATION: "77"}
    new["spec"]["minReadySeconds"] = 3
    same = updated(DAEMON_SETS, old, new)
    assert same["metadata"]["annotations"] == {"mine": "1", GENERATION: "1"}
    assert same["metadata"]["generation"] == 2
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/c:2"
    assert updated(DAEMON_SETS, old, new)["metadata"]["annotations"][GENERATION] == "2"


@pytest.mark.parametrize(("text", "problem"), [("x", "invalid syntax"), ("9" * 20, "value out of range")])
def test_a_template_generation_that_is_no_number(text: str, problem: str) -> None:
    obj = deployment()
    obj["metadata"]["annotations"] = {GENERATION: text}
    with pytest.raises(StatusError) as caught:
        completed("daemonsets", obj)
    assert caught.value.code == 400
    assert caught.value.message.endswith(f'strconv.ParseInt: parsing "{text}": {problem}')


def rolling(**fields: Any) -> dict[str, Any]:
    return deployment(updateStrategy={"type": "RollingUpdate", "rollingUpdate": fields})


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (deployment(), []),
        (rolling(maxSurge="10%", maxUnavailable=0), []),
        (deployment(updateStrategy={"type": "OnDelete"}), []),
        (
            {"metadata": {"name": "d"}, "spec": {}},
            [
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
                "spec.template.spec.containers: Required value",
            ],
        ),
        (
            deployment(selector={}),
            ["spec.selector: Invalid value: {}: empty selector is invalid for daemonset"],
        ),
        (
            deployment(updateStrategy={"type": "X"}),
            [
                'spec.updateStrategy: Unsupported value: {"Type":"X","RollingUpdate":null}: '
                'supported values: "RollingUpdate", "OnDelete"'
            ],
        ),
        (
            rolling(maxSurge=1, maxUnavailable="1%"),
            [
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: "
                "may not be set when maxUnavailable is non-zero"
            ],
        ),
        (
            rolling(maxSurge="0%", maxUnavailable=0),
            ["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"],
        ),
        (
            rolling(maxUnavailable="101%"),
            ['spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            deployment(minReadySeconds=-1, revisionHistoryLimit=-2),
            [
                "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.revisionHistoryLimit: Invalid value: -2: must be greater than or equal to 0",
            ],
        ),
    ],
)
def test_refused_daemon_sets(obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("daemonsets", obj) == errors


def test_pods_of_daemon_and_stateful_sets_run_for_ever() -> None:
    obj = deployment()
    obj["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 5}
    for resource, kind in (("daemonsets", "DaemonSet"), ("statefulsets", "StatefulSet")):
        assert create_errors(resource, obj) == [
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
            f"spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in {kind} is not Supported",
        ]


def test_frozen_fields_of_a_daemon_set() -> None:
    old = completed("daemonsets", deployment())
    new = copy(old)
    new["spec"]["selector"] = {"matchLabels": {"app": "a", "b": "c"}}
    new["spec"]["template"]["metadata"]["labels"]["b"] = "c"
    shown = '{"matchLabels":{"app":"a","b":"c"}}'
    assert update_errors("daemonsets", old, new) == [f"spec.selector: Invalid value: {shown}: field is immutable"]
    new = copy(old)
    new["status"] |= {"numberReady": -1}
    old["status"]["collisionCount"] = 2
    assert update_errors("daemonsets", old, new, "status") == [
        "status.numberReady: Invalid value: -1: must be greater than or equal to 0",
        "status.collisionCount: Invalid value: 0: cannot be decremented",
    ]


def test_defaults_of_a_stateful_set() -> None:
    made = completed("statefulsets", deployment(volumeClaimTemplates=[claim("data")]))
    spec = made["spec"]
    assert spec["replicas"] == 1
    assert spec["podManagementPolicy"] == "OrderedReady"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert made["status"] == {"replicas": 0, "availableReplicas": 0}
    data = spec["volumeClaimTemplates"][0]
    assert (data["kind"], data["apiVersion"], data["status"]) == ("PersistentVolumeClaim", "v1", {"phase": "Pending"})
    assert data["spec"]["volumeMode"] == "Filesystem"
    named = completed("statefulsets", deployment(updateStrategy={"type": "RollingUpdate"}))
    assert named["spec"]["updateStrategy"] == {"type": "RollingUpdate"}


def test_containers_of_a_stateful_set_mount_its_claims() -> None:
    obj = deployment(volumeClaimTemplates=[claim("data")])
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "other", "mountPath": "/other"}]
    obj["spec"]["template"]["spec"]["containers"] = [container(volumeMounts=mounts)]
    assert create_errors("statefulsets", obj) == [
        'spec.template.spec.containers[0].volumeMounts[1].name: Not found: "other"'
    ]


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (deployment(), []),
        (
            deployment(selector={"matchExpressions": [{"key": "a", "operator": "X"}]}),
            [
                'spec.selector.matchExpressions[0].operator: Invalid value: "X": not a valid selector operator',
                'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"X"}]}',
            ],
        ),
        (
            deployment(podManagementPolicy="X", replicas=-1, ordinals={"start": -1}, serviceName="A.b"),
            [
                "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Parallel'",
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
                'spec.serviceName: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case '
                "alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
                "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            ],
        ),
        (
            deployment(updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
            [
                'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: '
                "only allowed for updateStrategy 'RollingUpdate'"
            ],
        ),
        (
            deployment(
                updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": -1, "maxUnavailable": 0}}
            ),
            [
                "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
            ],
        ),
        (
            deployment(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}]),
            [
                "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required",
                "spec.volumeClaimTemplates[0].spec.resources[storage]: Required value",
            ],
        ),
        (
            deployment(persistentVolumeClaimRetentionPolicy={"whenScaled": "X"}),
            [
                'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "X": '
                'supported values: "Retain", "Delete"'
            ],
        ),
    ],
)
def test_refused_stateful_sets(obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("statefulsets", obj) == errors


def test_names_of_stateful_sets_are_labels() -> None:
    obj = deployment()
    obj["metadata"]["name"] = "a.b"
    assert create_errors("statefulsets", obj) == ['metadata.name: Invalid value: "a.b": must not contain dots']


def test_frozen_fields_of_a_stateful_set() -> None:
    old = completed("statefulsets", deployment(serviceName="s"))
    free = copy(old)
    free["spec"] |= {"replicas": 3, "minReadySeconds": 1, "ordinals": {"start": 1}, "revisionHistoryLimit": 2}
    assert update_errors("statefulsets", old, free) == []
    assert updated(STATEFUL_SETS, old, free)["metadata"]["generation"] == 2
    frozen = copy(old)
    frozen["spec"]["serviceName"] = "t"
    assert update_errors("statefulsets", old, frozen) == [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
        "forbidden"
    ]
    counted = copy(old)
    counted["status"] = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 2}
    assert update_errors("statefulsets", old, counted, "status") == [
        "status.availableReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas",
    ]


def test_warnings_of_a_stateful_set() -> None:
    made = completed("statefulsets", deployment(revisionHistoryLimit=-1))
    assert STATEFUL_SETS.strategy.warnings_on_create(made) == [
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
    ]


def test_names_that_are_no_host_names() -> None:
    dotted = deployment()
    dotted["metadata"]["name"] = "a.b"
    advice = "which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"
    for resource in ("deployments", "replicasets"):
        strategy, made = registry.lookup(resource).strategy, completed(resource, dotted)
        assert strategy.warnings_on_create(made) == [
            f"metadata.name: this is used in Pod names and hostnames, {advice}"
        ]
        assert strategy.warnings_on_update(made, made) == [], "it cannot be changed any more"
    pods = registry.lookup("pods").strategy
    assert pods.warnings_on_create(completed("pods", pod("a.b"))) == [
        f"metadata.name: this is used in the Pod's hostname, {advice}"
    ]


def test_controller_revisions() -> None:
    assert create_errors("controllerrevisions", revision()) == []
    assert create_errors("controllerrevisions", {"metadata": {"name": "r"}, "revision": -1}) == [
        "data: Required value: data is mandatory",
        "revision: Invalid value: -1: must be greater than or equal to 0",
    ]
    old = completed("controllerrevisions", revision())
    assert update_errors("controllerrevisions", old, {**old, "revision": 2}) == []
    assert update_errors("controllerrevisions", old, {**old, "data": {"a": 2}}) == [
        'data: Invalid value: {"a":2}: field is immutable'
    ]


def test_cells() -> None:
    obj = deployment()
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    daemon_set = completed("daemonsets", obj)
    daemon_set["status"] |= {"desiredNumberScheduled": 3, "numberAvailable": 1}
    assert table.cells(DAEMON_SETS, daemon_set, LATER) == [
        "d", 3, 0, 0, 0, 1, "disk=ssd", "5m", "c", "registry.example/c:1", "app=a"
    ]  # fmt: skip
    stateful_set = completed("statefulsets", deployment(replicas=2))
    stateful_set["status"]["readyReplicas"] = 1
    assert table.cells(STATEFUL_SETS, stateful_set, LATER) == ["d", "1/2", "5m", "c", "registry.example/c:1"]
    kept = completed("controllerrevisions", revision())
    kinds = registry.lookup("controllerrevisions")
    assert table.cells(kinds, kept, LATER) == ["r", "<none>", 1, "5m"]
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", "controller": True}
    kept["metadata"]["ownerReferences"] = [owner]
    assert table.cells(kinds, kept, LATER)[1] == "statefulset.apps/web"


def test_partial_metadata_has_no_annotation_for_a_field() -> None:
    daemon_set = completed("daemonsets", deployment())
    row = table.make_row(DAEMON_SETS, daemon_set, LATER)
    assert "annotations" not in row["object"]["metadata"]
    daemon_set["metadata"]["annotations"]["mine"] = "1"
    assert table.partial_metadata(DAEMON_SETS, daemon_set["metadata"])["annotations"] == {"mine": "1"}
    assert GENERATION in daemon_set["metadata"]["annotations"]


@pytest.mark.parametrize(
    "resource", ["daemonsets", "statefulsets", "deployments", "jobs", "cronjobs", "controllerrevisions"]
)
def test_every_column_has_a_description(resource: str) -> None:
    assert all(c["description"] for c in table.column_definitions(registry.lookup(resource)))


def test_counts_of_a_deployment_are_checked_in_their_order() -> None:
    status = {"replicas": -1, "observedGeneration": -1, "unavailableReplicas": -1}
    found = [error.field for error in deployment_status_errors({"status": status}, {})]
    assert found == [
        *("status.observedGeneration", "status.replicas", "status.unavailableReplicas"),
        *("status.updatedReplicas", "status.readyReplicas", "status.availableReplicas"),
    ]


def test_a_replica_set_has_no_updated_replicas() -> None:
    found = [error.field for error in replica_set_status_errors({"status": {"replicas": -1}}, {})]
    assert found == ["status.replicas", *(f"status.{kind}Replicas" for kind in ("fullyLabeled", "ready", "available"))]
