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
