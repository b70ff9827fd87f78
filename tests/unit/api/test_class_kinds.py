"""Storage classes, CSI objects, attachments, priority and runtime classes."""

from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.api.table import cells, column_definitions
from tests.support.api_samples import NOW, completed, create_errors, update_errors, updated


def named(**fields: Any) -> Object:
    return {"metadata": {"name": "n"}, **fields}


def attachment(**spec: Any) -> Object:
    return named(spec={"attacher": "d.example", "nodeName": "n", "source": {"persistentVolumeName": "v"}, **spec})


SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@pytest.mark.parametrize(
    ("resource", "obj", "errors"),
    [
        ("sc", named(provisioner="p"), []),
        ("sc", named(), ["provisioner: Required value"]),
        (
            "sc",
            named(provisioner="p", parameters={"": "x"}),
            ['parameters: Invalid value: "": field can not be empty.'],
        ),
        (
            "sc",
            named(provisioner="p", reclaimPolicy="X", volumeBindingMode="Y"),
            [
                'reclaimPolicy: Unsupported value: "X": supported values: "Delete", "Retain"',
                'volumeBindingMode: Unsupported value: "Y": supported values: "Immediate", "WaitForFirstConsumer"',
            ],
        ),
        (
            "sc",
            named(
                provisioner="p",
                allowedTopologies=[
                    {"matchLabelExpressions": [{"key": "z", "values": ["a", "a"]}, {"key": "z", "values": ["b"]}]},
                    {"matchLabelExpressions": [{"key": "z", "values": ["b"]}]},
                ],
            ),
            [
                'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
                'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "z"',
                'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""',
            ],
        ),
        (
            "vac",
            named(driverName="d"),
            ["parameters: Required value: must contain at least one key/value pair"],
        ),
        ("csidrivers", named(spec={}), []),
        (
            "csidrivers",
            named(
                spec={
                    "fsGroupPolicy": "X",
                    "tokenRequests": [{"audience": "a", "expirationSeconds": 1}, {"audience": "a"}],
                    "volumeLifecycleModes": ["Y"],
                    "nodeAllocatableUpdatePeriodSeconds": 9,
                }
            ),
            [
                'spec.fsGroupPolicy: Unsupported value: "X": '
                'supported values: "File", "None", "ReadWriteOnceWithFSType"',
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: "
                "may not specify a duration less than 10 minutes",
                'spec.tokenRequests[1].audience: Duplicate value: "a"',
                'spec.volumeLifecycleModes: Unsupported value: "Y": supported values: "Persistent", "Ephemeral"',
                "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: "
                "must be greater than or equal to 10 seconds",
            ],
        ),
        (
            "csinodes",
            named(
                spec={
                    "drivers": [
                        {"name": "d", "nodeID": "", "allocatable": {"count": -1}, "topologyKeys": ["a", "a"]},
                        {"name": "d", "nodeID": "i"},
                    ]
                }
            ),
            [
                "spec.drivers[0].nodeID: Required value",
                "spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0",
                'spec.drivers[0]: Duplicate value: "a"',
                'spec.drivers[1].name: Duplicate value: "d"',
            ],
        ),
        (
            "csistoragecapacities",
            named(storageClassName="", capacity="-1", maximumVolumeSize="-1"),
            [
                f'storageClassName: Invalid value: "": {SUBDOMAIN}',
                'capacity: Invalid value: "-1": must be greater than or equal to 0',
            ],
        ),
        ("volumeattachments", attachment(), []),
        (
            "volumeattachments",
            named(spec={}),
            [
                "spec.attacher: Required value",
                "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
                f'spec.nodeName: Invalid value: "": {SUBDOMAIN}',
            ],
        ),
        (
            "volumeattachments",
            attachment(source={"inlineVolumeSpec": {"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}),
            ["spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes"],
        ),
        ("pc", named(value=5), []),
        (
            "pc",
            named(value=1000000001),
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        ),
        ("pc", {"metadata": {"name": "system-node-critical"}, "value": 2000001000}, []),
        (
            "pc",
            {"metadata": {"name": "system-node-critical"}, "value": 1},
            [
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use "
                "only. error: value of system-node-critical PriorityClass must be 2000001000"
            ],
        ),
        (
            "pc",
            named(value=1, preemptionPolicy="X"),
            ['preemptionPolicy: Unsupported value: "X": supported values: "PreemptLowerPriority", "Never"'],
        ),
        ("runtimeclasses", named(handler="runc"), []),
        ("runtimeclasses", named(), ["handler: Required value"]),
        (
            "runtimeclasses",
            named(
                handler="a",
                overhead={"podFixed": {"cpu": "-1"}},
                scheduling={"tolerations": [{"operator": "Exists"}, {"operator": "Exists"}]},
            ),
            [
                'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
                "scheduling.tolerations[1]: Duplicate value: "
                '{"Key":"","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}',
            ],
        ),
    ],
)
def test_refusals(resource: str, obj: Object, errors: list[str]) -> None:
    assert create_errors(resource, obj) == errors


@pytest.mark.parametrize(
    ("resource", "obj", "change", "errors"),
    [
        (
            "sc",
            named(provisioner="p", parameters={"a": "b"}),
            {"provisioner": "q", "parameters": {"a": "c"}},
            [
                'parameters: Invalid value: {"a":"c"}: field is immutable',
                'provisioner: Invalid value: "q": field is immutable',
            ],
        ),
        ("sc", named(provisioner="p"), {"allowVolumeExpansion": True, "mountOptions": ["ro"]}, []),
        (
            "vac",
            named(driverName="d", parameters={"a": "b"}),
            {"parameters": {"a": "c"}},
            ["parameters: Forbidden: updates to parameters are forbidden."],
        ),
        ("pc", named(value=1), {"value": 2}, ["value: Forbidden: may not be changed in an update."]),
        ("pc", named(value=1), {"description": "x"}, []),
        ("runtimeclasses", named(handler="a"), {"handler": "b"}, ['handler: Invalid value: "b": field is immutable']),
        (
            "csistoragecapacities",
            named(storageClassName="a"),
            {"storageClassName": "b"},
            ['storageClassName: Invalid value: "b": field is immutable'],
        ),
        (
            "csinodes",
            named(spec={"drivers": [{"name": "d", "nodeID": "i"}]}),
            {"spec": {"drivers": [{"name": "d", "nodeID": "i", "allocatable": {"count": 3}}]}},
            [],
        ),
        (
            "csinodes",
            named(spec={"drivers": [{"name": "d", "nodeID": "i"}]}),
            {"spec": {"drivers": [{"name": "d", "nodeID": "j"}]}},
            [
                'CSINodeDriver: Invalid value: {"Name":"d","NodeID":"j","TopologyKeys":null,"Allocatable":null}: '
                "field is immutable"
            ],
        ),
    ],
)
def test_what_may_change(resource: str, obj: Object, change: Object, errors: list[str]) -> None:
    old = completed(resource, obj)
    assert update_errors(resource, old, {**copy(old), **change}) == errors


def test_defaults() -> None:
    assert completed("sc", named(provisioner="p"))["volumeBindingMode"] == "Immediate"
    assert completed("pc", named())["preemptionPolicy"] == "PreemptLowerPriority"
    assert completed("csidrivers", named(spec={}))["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "volumeLifecycleModes": ["Persistent"],
        "requiresRepublish": False,
        "seLinuxMount": False,
    }
    inline = {"accessModes": ["ReadWriteOnce"], "csi": {"driver": "d", "volumeHandle": "h"}, "hostPath": {"path": "/x"}}
    made = completed("volumeattachments", attachment(source={"inlineVolumeSpec": inline}))
    assert made["spec"]["source"]["inlineVolumeSpec"]["hostPath"] == {"path": "/x", "type": ""}
    assert made["status"] == {"attached": False}


def test_generations_of_a_driver_count_what_may_change() -> None:
    kind = registry.lookup("csidrivers")
    old = completed("csidrivers", named(spec={}))
    assert "generation" not in old["metadata"]
    new = copy(old)
    new["spec"]["requiresRepublish"] = True
    assert updated(kind, old, new)["metadata"]["generation"] == 1
    assert kind.strategy.warnings_on_create({"spec": {"tokenRequests": [{"audience": "x"}]}}) == [
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent "
        "possible logging of tokens in volume attributes"
    ]


def test_a_write_to_the_status_of_an_attachment_leaves_labels_alone() -> None:
    kind = registry.lookup("volumeattachments")
    old = completed("volumeattachments", attachment())
    new = {**copy(old), "status": {"attached": True}}
    new["metadata"]["labels"] = {"a": "b"}
    made = updated(kind, old, new, "status")
    assert made["status"] == {"attached": True}
    assert "labels" not in made["metadata"]


def test_cells() -> None:
    default = named(provisioner="p", allowVolumeExpansion=True)
    default["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    shown = {
        "sc": (default, ["n (default)", "p", "Delete", "Immediate", True, "0s"]),
        "volumeattachments": (attachment(), ["n", "d.example", "v", "n", False, "0s"]),
        "csidrivers": (named(spec={}), ["n", True, False, False, "<unset>", False, "Persistent", "0s"]),
        "csinodes": (named(spec={"drivers": [{"name": "d", "nodeID": "i"}]}), ["n", 1, "0s"]),
        "vac": (named(driverName="d", parameters={"a": "b"}), ["n", "d", "0s"]),
        "pc": (named(value=-5), ["n", -5, False, "0s", "PreemptLowerPriority"]),
        "runtimeclasses": (named(handler="runc"), ["n", "runc", "0s"]),
    }
    for resource, (obj, wanted) in shown.items():
        kind = registry.lookup(resource)
        assert cells(kind, completed(resource, obj), NOW) == wanted
        assert len(column_definitions(kind)) == len(wanted)
