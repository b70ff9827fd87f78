"""Refusals of pods, further: variables, restart rules, resources, placement, profiles, and what updates may change."""

from typing import Any

import pytest

from tests.support.api_samples import completed, container, create_errors, pod, update_errors

Object = dict[str, Any]

AT = "spec.containers[0]"
TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def of(**fields: Any) -> Object:
    return pod(containers=[container(**fields)])


def variable(**source: Any) -> Object:
    return of(env=[{"name": "A", "valueFrom": source}])


def annotated(annotations: dict[str, str], **spec: Any) -> Object:
    obj = pod(**spec)
    obj["metadata"]["annotations"] = annotations
    return obj


def init(**fields: Any) -> Object:
    return pod(initContainers=[container(name="i", **fields)])


def node_affinity(**terms: Any) -> Object:
    return {"nodeAffinity": terms}


def pod_affinity(**term: Any) -> Object:
    return pod(affinity={"podAffinity": {TERMS: [{"topologyKey": "k", **term}]}})


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (
            variable(resourceFieldRef={"resource": "limits.cpu", "divisor": "1Mi"}),
            [
                f'{AT}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": '
                "only divisor's values 1m and 1 are supported with the cpu resource"
            ],
        ),
        (
            variable(fileKeyRef={"key": "k", "volumeName": "v", "path": "a/../b"}),
            [
                f"{AT}.env[0].valueFrom.fileKeyRef.path: Invalid value: \"a/../b\": must not contain '..'",
                f'{AT}.env[0].valueFrom.fileKeyRef.volumeName: Not found: "v"',
            ],
        ),
        (of(envFrom=[{"secretRef": {"name": "abc-"}}]), []),
        (
            {**init(ports=[{"containerPort": 1, "hostPort": 2}] * 2)},
            ['spec.initContainers[0].ports[1].hostPort: Duplicate value: "TCP//2"'],
        ),
        (
            of(restartPolicyRules=[{"action": "Restart"}]),
            [
                f"{AT}.restartPolicy: Required value: must specify restartPolicy when restart rules are used",
                f"{AT}.restartPolicyRules[0].exitCodes: Required value: must be specified",
            ],
        ),
        (
            init(restartPolicy="Maybe", restartPolicyRules=[{"action": "Go", "exitCodes": {"operator": "Is"}}]),
            [
                'spec.initContainers[0].restartPolicy: Unsupported value: "Maybe": '
                'supported values: "Always", "Never", "OnFailure"',
                'spec.initContainers[0].restartPolicyRules[0].action: Unsupported value: "Go": '
                'supported values: "Restart", "RestartAllContainers"',
                'spec.initContainers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Is": '
                'supported values: "In", "NotIn"',
            ],
        ),
        (
            init(resizePolicy=[{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]),
            [
                'spec.initContainers[0].resizePolicy[0].restartPolicy: Invalid value: "RestartContainer": '
                "must not be set to 'RestartContainer' for non-sidecar initContainers"
            ],
        ),
        (
            of(resources={"requests": {"nothing": "1", "cpu": "1"}}),
            [
                f'{AT}.resources.requests[nothing]: Invalid value: "nothing": '
                "must be a standard resource type or fully qualified",
                f'{AT}.resources.requests[nothing]: Invalid value: "nothing": '
                "must be a standard resource for containers",
            ],
        ),
        (
            of(resources={"requests": {"hugepages-2Mi": "3Mi"}}),
            [
                f"{AT}.resources.limits: Required value: Limit must be set for non overcommitable resources",
                f'{AT}.resources.requests[hugepages-2Mi]: Invalid value: "3Mi": '
                "3Mi is not positive integer multiple of hugepages-2Mi",
                f"{AT}.resources: Forbidden: HugePages require cpu or memory",
            ],
        ),
        (
            of(resources={"claims": [{"name": "a", "request": "r"}, {"name": "a"}]}),
            [
                f'{AT}.resources.claims[0]: Not found: "a": must be one of the names in pod.spec.resourceClaims which is empty',  # noqa: E501
                f'{AT}.resources.claims[1]: Duplicate value: "a"',
                f'{AT}.resources.claims[1]: Not found: "a": must be one of the names in pod.spec.resourceClaims which is empty',  # noqa: E501
            ],
        ),
        (
            pod(
                resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1", "pods": "1"}},
                containers=[container(resources={"limits": {"cpu": "2"}})],
            ),
            [
                'spec.resources.limits[pods]: Unsupported value: "pods": supported values: "cpu", "hugepages-", "memory"',  # noqa: E501
                'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',  # noqa: E501
                'spec.resources.containers[0][cpu].limits: Invalid value: "2": must be less than or equal to pod limits of 1',  # noqa: E501
            ],
        ),
        (
            pod(hostnameOverride="x" * 65, setHostnameAsFQDN=True),
            [
                "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true",
                "spec.hostnameOverride: Too long: may not be more than 64 bytes",
            ],
        ),
        (pod(os={"name": ""}), ["spec.os.name: Required value"]),
        (
            pod(tolerations=[{"key": "k", "operator": "Lt", "value": "1"}]),
            ['spec.tolerations[0].operator: Unsupported value: "Lt": supported values: "Equal", "Exists", "Lt", "Gt"'],
        ),
        (
            pod(
                affinity=node_affinity(
                    **{
                        PREFERRED: [
                            {
                                "weight": 1,
                                "preference": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["a b"]}]},
                            }
                        ]
                    }
                )
            ),
            [],
        ),
        (
            pod_affinity(labelSelector={}, matchLabelKeys=["a"], mismatchLabelKeys=["a"]),
            [
                f'spec.affinity.podAffinity.{TERMS}[0].matchLabelKeys[0]: Invalid value: "a": '
                "exists in both matchLabelKeys and mismatchLabelKeys"
            ],
        ),
        (
            pod(
                topologySpreadConstraints=[
                    {
                        "maxSkew": 1,
                        "topologyKey": "z",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "minDomains": 0,
                        "labelSelector": {},
                    }
                ]
            ),
            [
                "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero",
                "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: "
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
            ],
        ),
        (
            pod(securityContext={"seccompProfile": {"type": "Unconfined", "localhostProfile": "x"}}),
            [
                "spec.securityContext.seccompProfile.localhostProfile: Invalid value: "
                '{"Type":"Unconfined","LocalhostProfile":"x"}: can only be set when seccomp type is Localhost'
            ],
        ),
        (
            annotated(
                {
                    "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
                    "container.apparmor.security.beta.kubernetes.io/c": "localhost/a",
                },
                securityContext={
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                containers=[
                    container(securityContext={"appArmorProfile": {"type": "Localhost", "localhostProfile": "b"}})
                ],
            ),
            [
                "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match",
                f"{AT}.securityContext.appArmorProfile.localhostProfile: Forbidden: "
                "apparmor profile in annotation and field must match",
            ],
        ),
    ],
)
def test_pods_that_are_refused(obj: Object, errors: list[str]) -> None:
    assert create_errors("pods", obj) == errors


def changes(before: Object, **spec: Any) -> list[str]:
    old = completed("pods", before)
    return update_errors("pods", old, {**old, "spec": {**old["spec"], **spec}})


def gated(**spec: Any) -> Object:
    return pod(schedulingGates=[{"name": "g"}], **spec)


def wanting(*values: str) -> Object:
    expressions = [{"key": "k", "operator": "In", "values": [value]} for value in values]
    return node_affinity(**{TERMS: {"nodeSelectorTerms": [{"matchExpressions": expressions}]}})


def test_gated_pods_may_be_bound_to_less() -> None:
    narrow = gated(nodeSelector={"a": "b"}, affinity=wanting("x"))
    assert changes(narrow, nodeSelector={"a": "b", "c": "d"}, affinity=wanting("x", "y")) == []
    assert changes(gated(), affinity=wanting("x")) == []
    at = f"spec.affinity.nodeAffinity.{TERMS}.nodeSelectorTerms"
    assert changes(narrow, nodeSelector={"a": "c"}) == [
        'spec.nodeSelector: Invalid value: {"a":"c"}: '
        "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    ]
    assert changes(narrow, affinity=wanting("y")) == [
        f'{at}[0]: Invalid value: {{"MatchExpressions":[{{"Key":"k","Operator":"In","Values":["y"]}}],'
        '"MatchFields":null}: only additions are allowed (no mutations or deletions)'
    ]
    assert changes(narrow, affinity=None) == [
        f"{at}: Invalid value: null: no additions/deletions to non-empty NodeSelectorTerms list are allowed"
    ]


def test_updates_are_validated_whole() -> None:
    assert changes(pod(), tolerations=[{"key": "a b", "operator": "Exists"}])[0].startswith("spec.tolerations[0].key")
    assert changes(pod(activeDeadlineSeconds=5), activeDeadlineSeconds=0) == [
        "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"
    ]
    old = completed("pods", pod())
    new = {**old, "metadata": {**old["metadata"], "annotations": {"kubernetes.io/config.mirror": "x"}}}
    assert update_errors("pods", old, new) == [
        'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": '
        "must set spec.nodeName if mirror pod annotation is set",
        "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation",
    ]


def test_a_status_stays_in_its_bounds() -> None:
    old = completed("pods", pod(restartPolicy="OnFailure"))
    old["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": 0}}}]
    status = {
        "qosClass": "Guaranteed",
        "conditions": [{"type": "a b", "status": "True"}, {"type": "Ready", "status": "True"}],
        "nominatedNodeName": "N_",
        "podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}],
        "hostIP": "10.0.0.3",
        "hostIPs": [{"ip": "010.0.0.3"}],
        "resourceClaimStatuses": [{"name": "r"}],
        "containerStatuses": [
            {
                "name": "c",
                "state": {"running": {}},
                "user": {"linux": {"uid": -1, "gid": 0}},
                "allocatedResourcesStatus": [{"name": "cpu", "resources": [{"resourceID": "a", "health": "Ill"}]}],
            }
        ],
    }
    found = update_errors("pods", old, {**old, "status": status}, "status")
    assert [error.split(": ", 1)[0] for error in found] == [
        "status.conditions[0].Type",
        "status.nominatedNodeName",
        "status.qosClass",
        "status.containerStatuses[0].state",
        "status.resourceClaimStatuses[0].name",
        "status.podIPs",
        "status.hostIPs[0].ip",
        "status.hostIPs[0]",
        "status.containerStatuses[0].user.linux.uid",
        "status.containerStatuses[0].allocatedResourcesStatus[0].name",
        "status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].health",
    ]
    assert "must not have leading 0s" in found[7]
    old["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] = 1
    again = {"containerStatuses": [{"name": "c", "state": {"running": {}}}]}
    assert update_errors("pods", old, {**old, "status": again}, "status") == []


def test_selectors_take_values_from_the_labels() -> None:
    term = {"topologyKey": "z", "labelSelector": {}, "matchLabelKeys": ["a"], "mismatchLabelKeys": ["b", "none"]}
    spread = {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["a"]}
    obj = pod(
        affinity={"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": term}]}},
        topologySpreadConstraints=[{**spread, "labelSelector": {"matchLabels": {"x": "y"}}}],
    )
    obj["metadata"]["labels"] = {"a": "1", "b": "2"}
    spec = completed("pods", obj)["spec"]
    one = {"key": "a", "operator": "In", "values": ["1"]}
    merged = spec["affinity"]["podAntiAffinity"][PREFERRED][0]["podAffinityTerm"]["labelSelector"]
    assert merged == {"matchExpressions": [one, {"key": "b", "operator": "NotIn", "values": ["2"]}]}
    assert spec["topologySpreadConstraints"][0]["labelSelector"]["matchExpressions"] == [one]
    obj["spec"]["topologySpreadConstraints"][0]["labelSelector"] = {"matchLabels": {"a": "1"}}
    assert create_errors("pods", obj) == [
        'spec.topologySpreadConstraints[0][0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector'
    ]


def test_profiles_named_by_annotations() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/c"
    made = completed("pods", annotated({key: "localhost/p"}))
    profile = {"type": "Localhost", "localhostProfile": "p"}
    assert made["spec"]["containers"][0]["securityContext"] == {"appArmorProfile": profile}
    same = completed("pods", annotated({key: "localhost/p"}, securityContext={"appArmorProfile": profile}))
    assert "securityContext" not in same["spec"]["containers"][0]


def resized(before: Object, **spec: Any) -> list[str]:
    old = completed("pods", before)
    return update_errors("pods", old, {**old, "spec": {**old["spec"], **spec}}, "resize")


def asking(cpu: str, name: str = "c", **fields: Any) -> Object:
    return container(name=name, resources={"requests": {"cpu": cpu}}, **fields)


def test_what_a_resize_may_change() -> None:
    before = pod(containers=[asking("1")], initContainers=[asking("1", "i")], resources={"requests": {"cpu": "2"}})
    assert resized(before, containers=[asking("2")], initContainers=[asking("2", "i")]) == []
    assert resized(before, resources={"requests": {"cpu": "3"}}) == []
    assert resized(before, resources={}) == [
        "spec.resources.requests: Forbidden: pod-level resource requests cannot be removed"
    ]
    assert resized(before, containers=[asking("1"), asking("1", "d")]) == [
        "spec.containers: Forbidden: containers may not be added or removed on resize"
    ]
    assert resized(before, containers=[asking("1", "d")]) == [
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"
    ]
    policy = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
    assert resized(before, initContainers=[asking("1", "i", resizePolicy=policy)]) == [
        "spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable"
    ]
