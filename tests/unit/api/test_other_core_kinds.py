"""What is particular to service accounts, endpoint slices, leases, and volumes within pods."""

from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from tests.support.api_samples import completed, create_errors, pod, updated

ENFORCED = "kubernetes.io/enforce-mountable-secrets"


def test_a_service_account_names_its_secrets_and_nothing_more() -> None:
    made = completed("sa", {"metadata": {"name": "s"}, "secrets": [{"kind": "Secret", "name": "x", "uid": "u"}, {}]})
    assert made["secrets"] == [{"name": "x"}, {}]


def test_an_old_annotation_of_service_accounts_is_warned_of_once() -> None:
    strategy = registry.lookup("sa").strategy
    plain: Object = {"metadata": {"name": "s"}}
    marked: Object = {"metadata": {"name": "s", "annotations": {ENFORCED: "true"}}}
    (warning,) = strategy.warnings_on_create(marked)
    assert warning.startswith(f"metadata.annotations[{ENFORCED}]: deprecated in v1.32+")
    assert strategy.warnings_on_update(marked, plain) == [warning]
    assert strategy.warnings_on_update(marked, marked) == []


def test_labels_of_an_endpoint_slice_count_as_a_generation() -> None:
    kind = registry.lookup("endpointslices")
    old = completed("endpointslices", {"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": []})
    new = copy(old)
    new["metadata"]["labels"] = {"kubernetes.io/service-name": "s"}
    assert updated(kind, old, new)["metadata"]["generation"] == 2
    assert updated(kind, old, copy(old))["metadata"]["generation"] == 1
    assert kind.strategy.warnings_on_create({"addressType": "FQDN"}) == ["addressType: FQDN endpoints are deprecated"]


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        ({}, []),
        (
            {"type": "ClusterIP", "clusterIP": "None", "sessionAffinity": "ClientIP", "loadBalancerIP": "192.0.2.1"},
            [
                "spec.loadBalancerIP is ignored for headless services",
                "spec.SessionAffinity is ignored for headless services",
            ],
        ),
        (
            {"loadBalancerIP": "::ffff:192.0.2.1", "loadBalancerSourceRanges": ["10.0.0.1/8", "2001:DB8::/32"]},
            [
                'spec.loadBalancerIP: non-standard IP address "::ffff:192.0.2.1" will be considered invalid in a '
                'future Kubernetes release: use "192.0.2.1"',
                'spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context '
                '(should be "10.0.0.0/8" or "10.0.0.1/32"?)',
                'spec.loadBalancerSourceRanges[1]: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical '
                'format ("2001:db8::/32")',
            ],
        ),
        (
            {"type": "ExternalName", "externalIPs": ["2001:db8::0"]},
            [
                "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
                'spec.externalIPs[0]: IPv6 address "2001:db8::0" should be in RFC 5952 canonical format ("2001:db8::")',
                'spec.externalIPs is ignored when spec.type is "ExternalName"',
            ],
        ),
    ],
)
def test_warnings_of_services(spec: Object, warnings: list[str]) -> None:
    assert registry.lookup("services").strategy.warnings_on_create({"spec": spec}) == warnings


def test_addresses_of_endpoints_are_canonical() -> None:
    (warning,) = registry.lookup("endpoints").strategy.warnings_on_create(
        {"subsets": [{"notReadyAddresses": [{"ip": "2001:DB8::1"}]}]}
    )
    assert warning.startswith('subsets[0].notReadyAddresses[0].ip: IPv6 address "2001:DB8::1" should be')
    (warning,) = registry.lookup("endpointslices").strategy.warnings_on_create(
        {"addressType": "IPv6", "endpoints": [{"addresses": ["2001:DB8::1"]}]}
    )
    assert warning.startswith('endpoints[0].addresses[0]: IPv6 address "2001:DB8::1" should be')


def test_a_lease_is_only_updated_on_a_version() -> None:
    assert not registry.lookup("leases").unconditional_update


@pytest.mark.parametrize(
    ("volume", "errors"),
    [
        (
            {"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}},
            ["ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value"],
        ),
        ({"fc": {}}, ["fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"]),
        ({"flocker": {"datasetName": "a/b"}}, ["flocker.datasetName: Invalid value: \"a/b\": must not contain '/'"]),
        (
            {"awsElasticBlockStore": {"volumeID": "v", "partition": 256}},
            ["awsElasticBlockStore.partition: Invalid value: 256: must be between 1 and 255, inclusive"],
        ),
        (
            {"quobyte": {"registry": "r", "volume": "v"}},
            ['quobyte.registry: Invalid value: "r": must be a host:port pair or multiple pairs separated by commas'],
        ),
    ],
)
def test_volumes_of_pods_are_looked_into(volume: dict[str, Any], errors: list[str]) -> None:
    found = create_errors("pods", pod(volumes=[{"name": "v", **volume}]))
    assert found == [f"spec.volumes[0].{e}" for e in errors]


def test_a_claim_within_a_pod_is_checked_as_one_of_its_own() -> None:
    template = {
        "metadata": {"labels": {"a": "b c"}},
        "spec": {"accessModes": ["X"], "resources": {"requests": {"storage": "0"}}},
    }
    found = create_errors("pods", pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]))
    at = "spec.volumes[0].ephemeral.volumeClaimTemplate"
    assert [e.split(": ")[0] for e in found] == [
        f"{at}.{field}" for field in ("metadata.labels", "spec.accessModes", "spec.resources[storage]")
    ]
