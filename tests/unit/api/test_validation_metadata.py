"""Metadata that an update brings: what is wrong with it is reported as often as Kubernetes checks it."""

from typing import Any

import pytest

from kubeactors.api.kinds import registry
from tests.support.api_samples import completed, create_errors, updated

PLAIN = "name is neither a standard finalizer name nor is it fully qualified"


@pytest.mark.parametrize("field", ["labels", "finalizers"])
@pytest.mark.parametrize(
    ("resource", "spec", "labels", "finalizers"),
    [
        ("configmaps", {}, 4, 2),
        ("limitranges", {"spec": {"limits": []}}, 3, 1),
        ("endpointslices", {"addressType": "IPv4"}, 3, 1),
        ("nodes", {}, 4, 2),
        ("namespaces", {}, 4, 2),
    ],
)
def test_how_often(resource: str, spec: dict[str, Any], labels: int, finalizers: int, field: str) -> None:
    kind = registry.lookup(resource)
    old = completed(resource, {"metadata": {"name": "a"}, **spec})
    wanted: Any = ["plain"] if field == "finalizers" else {"a b": "c"}
    new = {**old, "metadata": {**old["metadata"], field: wanted}}
    errors = [str(e) for e in kind.strategy.validate_update(updated(kind, old, new), old)]
    found = [e for e in errors if e.startswith(f"metadata.{field}")]
    assert len(found) == (finalizers if field == "finalizers" else labels)
    if field == "finalizers":
        assert set(found) == {f'metadata.finalizers[0]: Invalid value: "plain": {PLAIN}'}


def test_each_further_controller_is_refused() -> None:
    owners = [{"uid": u, "name": u, "kind": "Pod", "apiVersion": "v1", "controller": u != "a"} for u in "abcd"]
    errors = create_errors("configmaps", {"metadata": {"name": "c", "ownerReferences": owners}})
    assert [e.rpartition("references for ")[2] for e in errors] == ["Pod/b and Pod/c", "Pod/b and Pod/d"]
    shown = '{"apiVersion":"v1","kind":"Pod","name":"a","uid":"a","controller":false}'
    assert all(e.startswith(f"metadata.ownerReferences: Invalid value: [{shown},") for e in errors)


def test_the_metadata_of_events_is_looked_at_last() -> None:
    event = {"metadata": {"name": "a%b"}, "involvedObject": {"namespace": "other"}}
    assert create_errors("events", event) == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]
    assert create_errors("events", {**event, "involvedObject": {}}) == [
        "metadata.name: Invalid value: \"a%b\": may not contain '%'"
    ]
