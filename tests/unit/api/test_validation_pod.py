"""Refusals of pods, in Kubernetes' words."""

from typing import Any

import pytest

from tests.support.api_samples import completed, container, create_errors, pod, update_errors

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', "
    "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def in_container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[container(**fields)])


@pytest.mark.parametrize(
    ("obj", "errors"),
    [
        (pod(), []),
        (pod(containers=[]), ["spec.containers: Required value"]),
        (in_container(name="Bad_"), [f'spec.containers[0].name: Invalid value: "Bad_": {LABEL}']),
        (in_container(name=""), ["spec.containers[0].name: Required value"]),
        (in_container(image=""), ["spec.containers[0].image: Required value"]),
        (
            in_container(image=" x"),
            ['spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace'],
        ),
        (pod(containers=[container(), container()]), ['spec.containers[1].name: Duplicate value: "c"']),
        (pod(initContainers=[container()]), ['spec.initContainers[0].name: Duplicate value: "c"']),
        (
            pod(restartPolicy="Sometimes"),
            ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
        ),
        (pod(hostname="Bad_"), [f'spec.hostname: Invalid value: "Bad_": {LABEL}']),
        (pod(subdomain="a.b"), ['spec.subdomain: Invalid value: "a.b": must not contain dots']),
        (
            pod(activeDeadlineSeconds=0),
            ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
        ),
        (pod(dnsPolicy="None"), ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
        (
            in_container(resources={"requests": {"cpu": "3"}, "limits": {"cpu": "2"}}),
            ['spec.containers[0].resources.requests: Invalid value: "3": must be less than or equal to cpu limit of 2'],
        ),
        (
            in_container(resources={"limits": {"cpu": "-1"}}),
            [
                'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
                'spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
            ],
        ),
        (
            in_container(livenessProbe={"exec": {"command": ["x"]}, "successThreshold": 2}),
            ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
        ),
        (
            in_container(livenessProbe={}),
            ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            in_container(livenessProbe={"httpGet": {"port": 0}}),
            ["spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"],
        ),
        (
            in_container(lifecycle={"preStop": {"sleep": {"seconds": 100}}}),
            [
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 100: "
                "must be non-negative and less than terminationGracePeriodSeconds (30)"
            ],
        ),
        (
            in_container(volumeMounts=[{"name": "zz", "mountPath": ""}]),
            [
                'spec.containers[0].volumeMounts[0].name: Not found: "zz"',
                "spec.containers[0].volumeMounts[0].mountPath: Required value",
            ],
        ),
        (
            pod(volumes=[{"name": "a"}, {"name": "a"}]),
            ['spec.volumes[1].name: Duplicate value: "a"'],
        ),
        (
            pod(volumes=[{"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}}]),
            ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            pod(volumes=[{"name": "a", "configMap": {"name": "c", "items": [{"key": "", "path": "../x"}]}}]),
            [
                "spec.volumes[0].configMap.items[0].key: Required value",
                "spec.volumes[0].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'",
            ],
        ),
        (
            in_container(env=[{"name": ""}, {"name": "A", "valueFrom": {}}]),
            [
                "spec.containers[0].env[0].name: Required value",
                'spec.containers[0].env[1].valueFrom: Invalid value: "": must specify one of: `fieldRef`, '
                "`resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            ],
        ),
        (
            pod(tolerations=[{"key": "k", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 3}]),
            [
                'spec.tolerations[0].effect: Invalid value: "NoSchedule": '
                "effect must be 'NoExecute' when `tolerationSeconds` is set"
            ],
        ),
        (
            pod(
                affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
            ),
            [
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
                "Required value: must have at least one node selector term"
            ],
        ),
        (
            in_container(securityContext={"runAsUser": -5}),
            [
                "spec.containers[0].securityContext.runAsUser: Invalid value: -5: "
                "must be between 0 and 2147483647, inclusive"
            ],
        ),
        (
            pod(ephemeralContainers=[{"name": "e", "image": "i"}]),
            ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
        ),
    ],
)
def test_pods_that_are_refused(obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("pods", obj) == errors


def test_names_are_subdomains() -> None:
    (error,) = create_errors("pods", pod(name="Bad_"))
    assert error.startswith('metadata.name: Invalid value: "Bad_": a lowercase RFC 1123 subdomain must consist of')


def test_metadata_and_spec_are_reported_together() -> None:
    obj = pod(containers=[])
    obj["metadata"] = {"name": "p", "labels": {"a b": "c"}, "finalizers": ["plain"]}
    found = create_errors("pods", obj)
    assert [e.partition(":")[0] for e in found] == ["metadata.labels", "metadata.finalizers[0]", "spec.containers"]


def test_a_name_is_needed() -> None:
    assert create_errors("pods", pod(name="")) == ["metadata.name: Required value: name or generateName is required"]


FROZEN = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"


def changed(old: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**old, "metadata": dict(old["metadata"]), "spec": {**old["spec"], **spec}}


def test_what_an_update_may_change() -> None:
    old = completed(
        "pods", pod(nodeName="n", activeDeadlineSeconds=100, tolerations=[{"key": "a", "operator": "Exists"}])
    )
    more = [*old["spec"]["tolerations"], {"key": "b", "operator": "Exists"}]
    image = [{**old["spec"]["containers"][0], "image": "other:2"}]
    for spec in ({}, {"activeDeadlineSeconds": 50}, {"tolerations": more}, {"containers": image}):
        assert update_errors("pods", old, changed(old, **spec)) == []


@pytest.mark.parametrize("spec", [{"nodeName": "x"}, {"restartPolicy": "Never"}, {"hostname": "x"}])
def test_what_an_update_may_not_change(spec: dict[str, Any]) -> None:
    old = completed("pods", pod(nodeName="n"))
    (error,) = update_errors("pods", old, changed(old, **spec))
    assert error.startswith(FROZEN)


def test_deadlines_and_tolerations_only_tighten() -> None:
    old = completed("pods", pod(activeDeadlineSeconds=100, tolerations=[{"key": "a", "operator": "Exists"}]))
    assert update_errors("pods", old, changed(old, activeDeadlineSeconds=200)) == [
        "spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value"
    ]
    assert update_errors("pods", old, changed(old, activeDeadlineSeconds=None)) == [
        "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"
    ]
    assert update_errors("pods", old, changed(old, tolerations=[])) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]


def test_gates_may_go_but_not_come() -> None:
    old = completed("pods", pod(schedulingGates=[{"name": "a/g"}, {"name": "a/h"}]))
    assert update_errors("pods", old, changed(old, schedulingGates=[{"name": "a/h"}])) == []
    (error,) = update_errors("pods", old, changed(old, schedulingGates=[{"name": "a/new"}]))
    assert "only deletion is allowed" in error


def test_a_refused_update_shows_the_difference() -> None:
    """Of the whole spec, in the internal types' names; not what may change."""
    old = completed("pods", pod(nodeName="n", hostname="a"))
    container = {**old["spec"]["containers"][0], "image": "other:2", "args": ["<&>"]}
    (error,) = update_errors("pods", old, changed(old, containers=[container], hostname="b"))
    shown = [line for line in error.partition("\n")[2].splitlines() if line[0] in "-+@"]
    assert shown == [
        "@@ -6,7 +6,9 @@",
        '-   "Args": null,',
        '+   "Args": [',
        '+    "<&>"',
        "+   ],",
        "@@ -64,7 +66,7 @@",
        '- "Hostname": "a",',
        '+ "Hostname": "b",',
    ]


def test_the_difference_of_very_large_specs_is_not_shown() -> None:
    many = [{"name": f"V{i}", "value": "x"} for i in range(2000)]
    old = completed("pods", pod(containers=[{"name": "c", "image": "i", "env": many}]))
    (error,) = update_errors("pods", old, changed(old, hostname="x"))
    assert error.startswith(FROZEN)
    assert error.endswith("\n")


def _pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i", **(container or {})}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


@pytest.mark.parametrize(
    ("pod", "errors"),
    [
        (
            _pod(os={"name": "linux"}, securityContext={"windowsOptions": {}}),
            ["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"],
        ),
        (
            _pod({"securityContext": {"privileged": False}}, os={"name": "windows"}, hostPID=True, hostIPC=False),
            [
                "spec.hostPID: Forbidden: cannot be set for a windows pod",
                "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod",
            ],
        ),
        (
            _pod(os={"name": "windows"}, securityContext={"fsGroup": 1, "seLinuxOptions": {}}),
            [
                "spec.securityContext.seLinuxOptions: Forbidden: cannot be set for a windows pod",
                "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
            ],
        ),
        (
            _pod(
                {"securityContext": {"windowsOptions": {"hostProcess": False}}},
                securityContext={"windowsOptions": {"hostProcess": True}},
                initContainers=[{"name": "d", "image": "i"}],
            ),
            [
                "spec.containers[0].securityContext.windowsOptions.hostProcess: Invalid value: false: "
                "pod hostProcess value must be identical if both are specified, was true",
                'spec: Invalid value: "": '
                "If pod contains any hostProcess containers then all containers must be HostProcess containers",
                "spec.hostNetwork: Invalid value: false: "
                "hostNetwork must be true if pod contains any hostProcess containers",
            ],
        ),
        (
            _pod(securityContext={"windowsOptions": {"runAsUserName": "a\\b\\c", "gmsaCredentialSpec": ""}}),
            [
                'spec.securityContext.windowsOptions.gmsaCredentialSpec: Invalid value: "": '
                "gmsaCredentialSpec cannot be an empty string",
                'spec.securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": '
                "runAsUserName cannot contain more than one backslash",
            ],
        ),
        (
            _pod({"securityContext": {"procMount": "Unmasked"}}),
            [
                'spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": '
                "`hostUsers` must be false to use `Unmasked`"
            ],
        ),
        (_pod({"securityContext": {"procMount": "Unmasked"}}, hostUsers=False), []),
        (
            _pod(hostUsers=False, hostPID=True, hostNetwork=True),
            [
                "spec.hostNetwork: Forbidden: when `hostUsers` is false",
                "spec.HostPID: Forbidden: when `hostUsers` is false",
            ],
        ),
        (
            _pod(hostNetwork=True, securityContext={"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]}),
            [
                'spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.ip_forward": '
                "may not be specified when 'hostNetwork' is true"
            ],
        ),
        (
            _pod(securityContext={"appArmorProfile": {"type": "Localhost", "localhostProfile": " x"}}),
            [
                'spec.securityContext.appArmorProfile.localhostProfile: Invalid value: " x": '
                "must not be padded with whitespace"
            ],
        ),
        (
            _pod(resourceClaims=[{"name": ""}, {"name": "a", "resourceClaimName": "x"}, {"name": "a"}]),
            [
                "spec.resourceClaims[0].name: Required value",
                'spec.resourceClaims[0]: Invalid value: {"Name":"","ResourceClaimName":null,'
                '"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, '
                "`resourceClaimTemplateName`",
                'spec.resourceClaims[2].name: Duplicate value: "a"',
                'spec.resourceClaims[2]: Invalid value: {"Name":"a","ResourceClaimName":null,'
                '"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, '
                "`resourceClaimTemplateName`",
            ],
        ),
        (
            _pod() | {"metadata": {"name": "p", "annotations": {"kubernetes.io/config.mirror": "m"}}},
            [
                'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "m": '
                "must set spec.nodeName if mirror pod annotation is set"
            ],
        ),
        (
            _pod() | {"metadata": {"name": "p", "annotations": {"controller.kubernetes.io/pod-deletion-cost": "+1"}}},
            [
                'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": '
                "must be a 32bit integer"
            ],
        ),
        (
            _pod()
            | {
                "metadata": {
                    "name": "p",
                    "annotations": {"container.apparmor.security.beta.kubernetes.io/x": "runtime/default"},
                }
            },
            [
                "metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: "
                'Invalid value: "x": container not found'
            ],
        ),
    ],
)
def test_systems_namespaces_claims_and_annotations(pod: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("pods", pod) == errors


def test_templates_need_no_host_ports() -> None:
    spec = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}], "hostNetwork": True}
    template = {"metadata": {"name": "t"}, "template": {"spec": spec}}
    assert create_errors("podtemplates", template) == []
    spec["containers"][0]["ports"][0]["hostPort"] = 81  # type: ignore[index]
    assert create_errors("podtemplates", template) == [
        "template.spec.containers[0].ports[0].hostPort: Invalid value: 81: "
        "must match `containerPort` when `hostNetwork` is true"
    ]
