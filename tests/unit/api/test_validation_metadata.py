"""Metadata that an update brings: what is wrong with it is reported as often as Kubernetes checks it."""

from typing import Any

import pytest

from kubeactors.api.kinds import registry
from tests.support.api_samples import completed, updated

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
