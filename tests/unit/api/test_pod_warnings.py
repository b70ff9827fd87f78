"""What is taken in a pod spec, but hardly meant."""

from typing import Any

import pytest

from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from tests.support.api_samples import completed, container, pod

OLD_ZONE = {"matchExpressions": [{"key": "failure-domain.beta.kubernetes.io/zone", "operator": "Exists"}]}
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
            [f"spec.topologySpreadConstraints[0].topologyKey: {ZONE_ADVICE}"],
        ),
        (
            {"hostAliases": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.1"}]},
            ['spec.hostAliases[1].ip: duplicate ip "192.0.2.1"'],
        ),
        (
            {"imagePullSecrets": [{"name": "a"}, {"name": ""}, {"name": "a"}]},
            [
                'spec.imagePullSecrets[1].name: invalid empty name ""',
                'spec.imagePullSecrets[2].name: duplicate name "a"',
            ],
        ),
        (
            {"containers": [container(resources={"requests": {"memory": "100m"}})]},
            [
                "spec.containers[0].resources.requests[memory]: "
                'fractional byte value "100m" is invalid, must be an integer'
            ],
        ),
    ],
)
def test_warnings(spec: dict[str, Any], warnings: list[str]) -> None:
    made: Object = completed("pods", pod(**spec))
    assert registry.lookup("pods").strategy.warnings_on_create(made) == warnings


def test_a_grace_period_below_nothing() -> None:
    (warning,) = registry.lookup("pods").strategy.warnings_on_create(
        {"metadata": {"name": "p"}, "spec": {"terminationGracePeriodSeconds": -1}}
    )
    assert warning.startswith("spec.terminationGracePeriodSeconds: must be >= 0")


def test_a_node_does_not_keep_fields_of_features_that_are_off() -> None:
    preemption: Object = {"disableResizePreemption": []}
    made = completed("nodes", {"metadata": {"name": "n"}, "spec": {"podPreemptionPolicy": preemption}})
    assert made["spec"] == {}
