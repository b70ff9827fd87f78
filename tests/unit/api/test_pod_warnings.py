"""What is taken in a pod spec, but hardly meant."""

from typing import Any

import pytest

from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.api.validation.pod.warnings import pod_warnings
from tests.support.api_samples import completed, container, pod

OLD_ZONE = {"matchExpressions": [{"key": "failure-domain.beta.kubernetes.io/zone", "operator": "Exists"}]}
NO_SELECTOR = "a null labelSelector results in matching no pod"
ZONE_ADVICE = (
    'failure-domain.beta.kubernetes.io/zone is deprecated since v1.14; use "topology.kubernetes.io/zone" instead'
)
AFFINITY = "spec.affinity.nodeAffinity"


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        ({}, []),
        (
            {"volumes": [{"name": "v", "gitRepo": {"repository": "r"}}]},
            ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"],
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": {"limits": {"storage": "1m"}}}}},
                    }
                ]
            },
            [
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources.limits[storage]: "
                'fractional byte value "1m" is invalid, must be an integer'
            ],
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [OLD_ZONE]}
                    }
                }
            },
            [
                f"{AFFINITY}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
                f".matchExpressions[0].key: {ZONE_ADVICE}"
            ],
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": OLD_ZONE}]
                    }
                }
            },
            [
                f"{AFFINITY}.preferredDuringSchedulingIgnoredDuringExecution[0].preference"
                f".matchExpressions[0].key: {ZONE_ADVICE}"
            ],
        ),
        (
            {
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "whenUnsatisfiable": "DoNotSchedule",
                        "topologyKey": "failure-domain.beta.kubernetes.io/zone",
                    }
                ]
            },
            [
                f"spec.topologySpreadConstraints[0].topologyKey: {ZONE_ADVICE}",
                f"spec.topologySpreadConstraints[0].labelSelector: {NO_SELECTOR}",
            ],
        ),
        (
            {"hostAliases": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.1"}]},
            ['spec.hostAliases[1].ip: duplicate ip "192.0.2.1"'],
        ),
        (
            {"imagePullSecrets": [{"name": "a"}, {"name": ""}, {"name": "a"}]},
            [
                'spec.imagePullSecrets[2].name: duplicate name "a"',
                'spec.imagePullSecrets[1].name: invalid empty name ""',
            ],
        ),
        (
            {"containers": [container(resources={"requests": {"memory": "100m"}})]},
            [
                "spec.containers[0].resources.requests[memory]: "
                'fractional byte value "100m" is invalid, must be an integer'
            ],
        ),
        (
            {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "z"}]}}},
            [
                "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: "
                f"{NO_SELECTOR}"
            ],
        ),
        (
            {
                "containers": [
                    container(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 80, "hostPort": 8080}]),
                    {"name": "d", "image": "i", "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "a"}]},
                ]
            },
            [
                "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
                "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
                "spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[1]",
                'spec.containers[1].ports[1]: duplicate port name "a" with spec.containers[0].ports[0], '
                "services and probes that select ports by name will use spec.containers[0].ports[0]",
            ],
        ),
        (
            {"containers": [container(ports=[{"containerPort": 80, "hostIP": "192.0.2.1"}])]},
            [
                "spec.containers[0].ports[0]: hostIP set without hostPort: "
                "{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:192.0.2.1}"
            ],
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "configMap": {
                            "name": "m",
                            "items": [{"key": "a", "path": "p"}, {"key": "b", "path": "p/q"}],
                        },
                    }
                ]
            },
            ['volume "v" (ConfigMap "m"): overlapping paths: "p/q" with "p"'],
        ),
        (
            {"containers": [container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)"}])]},
            ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
        ),
    ],
)
def test_warnings(spec: dict[str, Any], warnings: list[str]) -> None:
    made: Object = completed("pods", pod(**spec))
    assert registry.lookup("pods").strategy.warnings_on_create(made) == warnings


def test_annotations_of_old() -> None:
    annotations = {
        "scheduler.alpha.kubernetes.io/critical-pod": "",
        "container.seccomp.security.alpha.kubernetes.io/c": "unconfined",
        "container.apparmor.security.beta.kubernetes.io/c": "unconfined",
    }
    holder = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "c"}]}}
    critical = 'non-functional in v1.16+; use the "priorityClassName" field instead'
    seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    assert pod_warnings(holder, "") == [
        f"metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: {critical}",
        f"metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: {seccomp}",
    ]
    assert pod_warnings(holder, "spec.template")[-1] == (
        "spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: "
        'deprecated since v1.30; use the "appArmorProfile" field instead'
    )


def test_a_node_with_an_external_id() -> None:
    made = completed("nodes", {"metadata": {"name": "n"}, "spec": {"externalID": "x"}})
    assert registry.lookup("nodes").strategy.warnings_on_create(made) == [
        "spec.externalID: this field is deprecated, and is unused by Kubernetes"
    ]


def test_a_grace_period_below_nothing() -> None:
    (warning,) = registry.lookup("pods").strategy.warnings_on_create(
        {"metadata": {"name": "p"}, "spec": {"terminationGracePeriodSeconds": -1}}
    )
    assert warning.startswith("spec.terminationGracePeriodSeconds: must be >= 0")


def test_a_node_does_not_keep_fields_of_features_that_are_off() -> None:
    preemption: Object = {"disableResizePreemption": []}
    made = completed("nodes", {"metadata": {"name": "n"}, "spec": {"podPreemptionPolicy": preemption}})
    assert made["spec"] == {}


def test_addresses_that_are_not_written_as_they_should_be() -> None:
    made = completed("pods", pod(hostAliases=[{"ip": "2001:DB8::1"}], dnsConfig={"nameservers": ["2001:DB8::2"]}))
    assert registry.lookup("pods").strategy.warnings_on_create(made) == [
        'spec.dnsConfig.nameservers[0]: IPv6 address "2001:DB8::2" should be in RFC 5952 canonical format '
        '("2001:db8::2")',
        'spec.hostAliases[0].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
    ]
    block = {"cidr": "192.0.2.1/24", "except": ["192.0.2.0/28"]}
    policy = {"metadata": {"name": "p"}, "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]}}
    assert registry.lookup("networkpolicies").strategy.warnings_on_create(completed("networkpolicies", policy)) == [
        'spec.ingress[0].from[0].ipBlock.cidr: CIDR value "192.0.2.1/24" is ambiguous in this context '
        '(should be "192.0.2.0/24" or "192.0.2.1/32"?)'
    ]
